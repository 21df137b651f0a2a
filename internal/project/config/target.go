package config

// AutoDistribution is the value of Target.Distribution that means: find the
// distribution whose origin is the bucket.
const AutoDistribution = "auto"

// Target is one place to publish to.
type Target struct {
	// Name is the target's name in the file: letters, digits, ".", "_", "-".
	Name string
	// Bucket is the bucket's bare name, without "s3://"; "" means the embedded
	// local cloud, and then all fields but Name and Prefix are empty.
	Bucket string
	// Prefix goes before every object key; it ends with a slash and does not
	// start with one. "" means the whole bucket.
	Prefix string
	// Region is the bucket's AWS region; "" leaves it to the AWS SDK's chain.
	Region string
	// Endpoint is the base URL of an S3-compatible store without a trailing
	// slash; "" means AWS.
	Endpoint string
	// Distributions are the ids of the CloudFront distributions in front of the
	// bucket, or AutoDistribution alone, or none: then nothing is invalidated
	// (see Invalidates).
	Distributions []string
	// CloudFrontEndpoint is the base URL of a CloudFront-compatible control
	// API without a trailing slash; "" means AWS.
	CloudFrontEndpoint string
	// URL is where viewers go, without a trailing slash; "" means the
	// distribution's own domain.
	URL string
}

// Embedded reports whether the target is the embedded local cloud.
func (t Target) Embedded() bool { return t.Bucket == "" }

// Invalidates reports whether a deploy to the target invalidates anything. It
// does not for a bucket without a distribution; that is allowed, and the user
// is to be told, because a CDN that freshet does not know keeps old answers.
func (t Target) Invalidates() bool { return t.Embedded() || len(t.Distributions) > 0 }
