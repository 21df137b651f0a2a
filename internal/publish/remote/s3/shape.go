package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// shape is what all single-request uploads of one store have in common. It is
// learnt from a request that the SDK has made up, so that endpoints, addressing,
// headers and signing are decided by the SDK alone.
type shape struct {
	url      url.URL // of the key "", with the query
	escaped  string  // the path of url as it is sent
	header   http.Header
	region   string // to sign for
	unsigned bool   // whether the signature leaves the body out, which TLS protects
}

// The headers that differ from request to request, and those that the signer or
// the connection adds.
const (
	headerInvocation = "Amz-Sdk-Invocation-Id"
	headerPayload    = "X-Amz-Content-Sha256"
	headerChecksum   = "X-Amz-Checksum-Sha256"
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	service          = "s3" // what requests are signed for
)

// shared are the headers that a shape takes over.
var shared = []string{"Accept-Encoding", "Amz-Sdk-Request", "User-Agent", "X-Amz-Expected-Bucket-Owner"}

// renewed are the headers that are made anew for each request.
var renewed = []string{"Authorization", headerInvocation, headerPayload, headerChecksum, "Content-Length", "Content-Type", "X-Amz-Date", "X-Amz-Security-Token"}

// sampleKey is the key of the request that a shape is learnt from.
const sampleKey = "k"

// errSeen ends the request that a shape is learnt from before it is sent.
var errSeen = errors.New("seen")

// sample has the SDK make up one upload without sending it; nil where it cannot.
func (s *Store) sample(ctx context.Context) (seen *http.Request) {
	body := []byte("x")
	_, err := s.client.PutObject(ctx, &awss3.PutObjectInput{
		Bucket: &s.bucket, Key: s.full(sampleKey), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumSHA256: checksum(sha256.Sum256(body)), ContentType: aws.String("text/plain"),
	}, func(o *awss3.Options) {
		o.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) { seen = r; return nil, errSeen })
		if r, ok := o.Retryer.(aws.RetryerV2); ok {
			o.Retryer = never{r}
		}
	})
	if !errors.Is(err, errSeen) {
		return nil
	}
	return seen
}

// never is a retryer that repeats nothing and says what the other would of itself.
type never struct{ aws.RetryerV2 }

// IsErrorRetryable is false.
func (never) IsErrorRetryable(error) bool { return false }

// clientFunc is an HTTP client for one purpose.
type clientFunc func(*http.Request) (*http.Response, error)

// Do implements the HTTP client of the SDK.
func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// shapeOf is nil where r is something that a shape cannot say: another way to
// sign, or headers that are not known here.
func shapeOf(r *http.Request, prefix string) *shape {
	path, plain := strings.CutSuffix(r.URL.Path, sampleKey)
	escaped, ok := strings.CutSuffix(r.URL.EscapedPath(), sampleKey)
	region, signed := scope(r.Header.Get("Authorization"))
	if !plain || !ok || !strings.HasSuffix(path, "/"+prefix) || !signed || r.Method != http.MethodPut || r.Host != "" && r.Host != r.URL.Host {
		return nil
	}
	s := &shape{url: *r.URL, escaped: escaped, header: http.Header{}, region: region}
	s.url.Path = path
	s.unsigned = r.Header.Get(headerPayload) == unsignedPayload
	for _, name := range shared {
		if v, ok := r.Header[name]; ok {
			s.header[name] = v
		}
	}
	known := len(s.header)
	for _, name := range renewed {
		if _, ok := r.Header[name]; ok {
			known++
		}
	}
	if known != len(r.Header) {
		return nil
	}
	return s
}

// scope is the region of a signature of version 4 for S3: "AWS4-HMAC-SHA256
// Credential=ID/20261122/eu-west-3/s3/aws4_request, SignedHeaders=...".
func scope(authorization string) (region string, ok bool) {
	rest, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 Credential=")
	credential, _, _ := strings.Cut(rest, ",")
	parts := strings.Split(credential, "/")
	n := len(parts)
	if !ok || n < 5 || parts[n-1] != "aws4_request" || parts[n-2] != service {
		return "", false
	}
	return parts[n-3], true
}

// direct reports whether requests to u leave this machine as they are, over
// plain HTTP and without a proxy.
func direct(client *awshttp.BuildableClient, u *url.URL) bool {
	if u.Scheme != "http" {
		return false
	}
	proxy := client.GetTransport().Proxy
	if proxy == nil {
		return true
	}
	via, err := proxy(&http.Request{URL: u})
	return via == nil && err == nil
}
