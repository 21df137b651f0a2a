// Package s3 is a remote.Store on Amazon S3 and on services that speak its
// protocol.
//
// It promises that an object is written with one pass over the network and with
// its SHA-256, which the service checks before it shows the object; that a
// conditional write is never repeated once it may have taken effect, so that
// ErrPrecondition always means somebody else; that listings are whole, in byte
// order and carry keys exactly as they were written; and that nothing outside
// the prefix is read or written. Passing faults are tried 8 times within about
// 15 seconds (AWS_MAX_ATTEMPTS and AWS_RETRY_MODE change that), then reported
// with remote.ErrTemporary. A clock that is wrong is corrected by the service's
// own time, as the SDK does, and reported only where that fails.
//
// What goes over the wire is what the AWS SDK sends, to the last header: one PUT
// up to 16 MiB, signed with version 4; x-amz-checksum-sha256 with each body; over
// TLS UNSIGNED-PAYLOAD, over plain HTTP the same SHA-256 in the signature. The
// first attempt of an unconditional upload below 2 MiB is made up and sent here,
// without the SDK's layers and, over plain HTTP without a proxy, by package wire
// instead of net/http; it has the form that the SDK gives to a sample. Any answer
// to it but success is handed to the SDK as the answer to its own first attempt,
// so that retries, pauses, the correction of the clock and errors are the SDK's.
//
// It leaves out versions, tags, access control lists, storage classes and
// encryption settings: the bucket's own defaults hold. Directory buckets (S3
// Express) are refused at the first listing, because they do not list in byte
// order.
//
// It follows the S3 API Reference, 2006-03-01, and the fact sheet, section 7.
package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
	"github.com/freshet/freshet/internal/site"
)

var _ remote.Store = (*Store)(nil)

// attempts is how often one request is tried. Against three refusals in a row
// 3 attempts lost half of the writes and 8 none; measured 2026-11.
const attempts = 8

// Credentials is a fixed pair of keys; it prints as [redacted].
type Credentials = session.Credentials

// Options names a bucket and the way to it.
type Options struct {
	Bucket      string
	Prefix      string             // "" for the whole bucket, else it ends in a slash: "dir/"
	Region      string             // "" asks the SDK's chain, then takes us-east-1
	Endpoint    string             // "http://127.0.0.1:9000"; "" asks the SDK's chain, then takes AWS
	Profile     string             // "" asks the SDK's chain
	Credentials Credentials        // zero asks the SDK's chain
	Isolated    bool               // ask nothing of the user's own AWS settings; for a service with keys of its own
	MaxConns    int                // connections at once; 0 means 64
	HTTPClient  session.HTTPClient // for tests; nil makes one
	// OnRetry is told in words for people when a failed request is about to be
	// repeated, unless the pause is too short to be noticed: "S3 asks to slow down
	// (503 SlowDown); trying again in 1.2s". It is called from several goroutines
	// at once; nil tells nobody.
	OnRetry func(note string)
}

// Store is the part of a bucket below a prefix. It is safe for concurrent use.
type Store struct {
	client *awss3.Client
	bucket string
	prefix string
	region string
	// careful repeats only what was certainly refused; for conditional writes.
	careful   telling
	partSize  int64 // bytes of one part of a multipart upload
	copyParts int64 // bytes of one part of a multipart copy
	foreign   bool  // whether the service is another than AWS
	quick     *quick
}

// Open prepares a store and makes no request of its own: a wrong bucket or
// missing rights show with the first call. It fails where the options
// contradict S3's rules or the SDK's configuration cannot be read;
// remote.ErrCredentials where the profile does not exist.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	onRetry := session.Notes("S3", o.OnRetry)
	cfg, err := session.Load(ctx, session.Options{
		Region: o.Region, Profile: o.Profile, Credentials: o.Credentials, Isolated: o.Isolated,
		MaxConns: o.MaxConns, Attempts: attempts, HTTPClient: o.HTTPClient, OnRetry: onRetry,
	})
	if err != nil {
		return nil, fmt.Errorf("open store s3://%s: %w", o.Bucket, err)
	}
	repeats := cfg.Retryer
	cfg.Retryer = func() aws.Retryer { return telling{repeats().(aws.RetryerV2)} }
	client := awss3.NewFromConfig(cfg, func(c *awss3.Options) {
		if o.Endpoint != "" {
			c.BaseEndpoint = &o.Endpoint
		}
		// Names such as bucket.127.0.0.1 do not resolve.
		c.UsePathStyle = c.BaseEndpoint != nil
		c.DisableLogOutputChecksumValidationSkipped = true
	})
	return &Store{
		client: client, bucket: o.Bucket, prefix: o.Prefix, region: cfg.Region, foreign: client.Options().BaseEndpoint != nil,
		careful:  telling{session.EffectFree(cfg.RetryMaxAttempts, onRetry, codeConflict).(aws.RetryerV2)},
		partSize: putLimit, copyParts: copyPartSize, quick: newQuick(client.Options()),
	}, nil
}

func (o Options) check() error {
	if o.Bucket == "" || strings.Contains(o.Bucket, "/") {
		return fmt.Errorf("%q is not a bucket name", o.Bucket)
	}
	if o.Prefix == "" {
		return nil
	}
	dir, ok := strings.CutSuffix(o.Prefix, "/")
	if !ok {
		return fmt.Errorf("the prefix %q must end in a slash", o.Prefix)
	}
	if _, err := site.ParseKey(dir); err != nil {
		return fmt.Errorf("the prefix %q: %w", o.Prefix, err)
	}
	return nil
}

// String is "s3://bucket" or "s3://bucket/prefix/".
func (s *Store) String() string {
	if s.prefix == "" {
		return "s3://" + s.bucket
	}
	return "s3://" + s.bucket + "/" + s.prefix
}

// full is the key as the bucket knows it.
func (s *Store) full(key site.Key) *string { return aws.String(s.prefix + string(key)) }

// arn names objects for people who write policies; key "" is the bucket.
func (s *Store) arn(key string) string {
	arn := "arn:" + session.Partition(s.region) + ":s3:::" + s.bucket
	if key == "" {
		return arn
	}
	return arn + "/" + key
}

// object is the ARN of the object with the key.
func (s *Store) object(key site.Key) string { return s.arn(s.prefix + string(key)) }

// contentType is what is sent for h. S3 would put a default of its own there,
// which differs between services.
func contentType(h site.Headers) *string {
	return aws.String(cmp.Or(h.ContentType, "application/octet-stream"))
}

// header is nil for a header that is not to be sent.
func header(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// etag is the value without the quotes that S3 sends; fact 7.1.
func etag(value *string) string { return strings.Trim(aws.ToString(value), `"`) }

// checkDigest refuses a write without the digest that makes it safe.
func checkDigest(p remote.Put) error {
	if p.Digest.IsZero() || p.Size < 0 {
		return errors.New("size and digest must be known")
	}
	return nil
}

// metadataPrefix begins the response headers that user metadata becomes (fact
// sheet 7.5).
const metadataPrefix = "x-amz-meta-"

// tagMark begins the cache tags of freshet's, so that they are found again
// among other user metadata.
const tagMark = "fr."

// metadata is the user metadata of an object: its cache tags, where it has any
// and S3 can carry them.
func metadata(h site.Headers) map[string]string {
	name, ok := strings.CutPrefix(h.TagHeader, metadataPrefix)
	if !ok || h.Tags == "" {
		return nil
	}
	return map[string]string{name: h.Tags}
}

// tagsIn finds the cache tags in user metadata.
func tagsIn(metadata map[string]string) (header, tags string) {
	for name, value := range metadata {
		if strings.HasPrefix(value, tagMark) {
			return metadataPrefix + strings.ToLower(name), value
		}
	}
	return "", ""
}
