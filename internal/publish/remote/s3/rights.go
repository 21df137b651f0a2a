package s3

import (
	"strings"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
)

// Rights are the least that a Store on the bucket needs, below the prefix ("" or
// "dir/"). region only decides which part of AWS the ARNs name; "" is the
// public one.
//
// HEAD needs s3:GetObject; a multipart upload needs s3:PutObject, and
// s3:AbortMultipartUpload to take its parts back; If-Match needs s3:GetObject
// (S3 API Reference, "Required permissions" of each operation, read 2026-11).
// Without s3:ListBucket a missing key would be refused like a forbidden one
// (fact 7.8). Where the listing is limited to a prefix, S3 takes the key that is
// missing for the prefix, so that this holds there too (Ceph pull request 68577,
// which copies it from AWS, read 2026-11).
//
// Left out is what only some buckets need: the rights on the key of a bucket
// that is encrypted with KMS, and those on tags of objects that somebody else
// has tagged.
func Rights(bucket, prefix, region string) []remote.Right {
	arn := "arn:" + session.Partition(region) + ":s3:::" + bucket
	list := remote.Right{Sid: "ListObjects", Actions: []string{"s3:ListBucket"}, Resources: []string{arn}}
	if prefix != "" {
		list.PrefixCondition = []string{literal(prefix) + "*"}
	}
	objects := remote.Right{
		Sid:       "Objects",
		Actions:   []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"},
		Resources: []string{arn + "/" + literal(prefix) + "*"},
	}
	return []remote.Right{list, objects}
}

// DoctorRights are what Examine asks for beyond Rights. Without them it finds out
// less, and says so.
//
// The action is the one that GetPublicAccessBlock needs; S3 API Reference,
// "Required permissions", read 2026-11.
func DoctorRights(bucket, region string) []remote.Right {
	return []remote.Right{{
		Sid: "LookForPublicAccess", Actions: []string{"s3:GetBucketPublicAccessBlock"},
		Resources: []string{"arn:" + session.Partition(region) + ":s3:::" + bucket},
	}}
}

// literal keeps the characters of a prefix from being wildcards or variables;
// IAM User Guide, "IAM policy elements: Variables and tags", read 2026-11.
func literal(prefix string) string {
	return strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(prefix)
}
