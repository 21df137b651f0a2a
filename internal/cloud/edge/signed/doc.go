// Package signed reads a private bucket of S3 or of anything that speaks its protocol: an http.RoundTripper whose requests carry a signature.
//
// It promises that the signature opens nothing but objects below the prefix, for reading:
//   - Only GET and HEAD go out; other methods are answered with 405 here. A rule set that passes every method on cannot write into the bucket.
//   - Queries are dropped: with a signature they would open listings, versions, access lists.
//   - The bucket's root, keys with a "." or ".." segment, which some stores resolve, and keys that Options.Hide names are answered with 403 here.
//   - Authorization and x-amz- headers of viewers are replaced.
//
// Credentials and profiles, and region and endpoint where Options name none, come from the AWS SDK's own chain (AWS SDKs and Tools Reference Guide).
// A bucket of another region is an error, since S3's own redirect would be cached.
//
// It follows the IAM guide, "Create a signed AWS API request" (Signature Version 4, read 2026-11), and S3's reading of paths: spec: cloudfront 4.6,
// "+" is a space. It leaves out SigV4A, requester-pays buckets and KMS keys of the viewer's own.
package signed
