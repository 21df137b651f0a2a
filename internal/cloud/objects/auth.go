package objects

import (
	"crypto/hmac"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"

	"github.com/rclone/gofakes3/signature"
)

// Credentials is one pair of keys that the S3 API accepts. It prints without
// its secret.
type Credentials struct {
	AccessKeyID     string // at least 3 bytes
	SecretAccessKey string
}

// String gives the access key and hides the secret.
func (c Credentials) String() string { return c.AccessKeyID + ":[redacted]" }

// GoString is String, for %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String, for log/slog.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// authority verifies signatures.
type authority struct {
	secrets map[string]string // by access key
}

func newAuthority(accepted []Credentials) *authority {
	a := &authority{secrets: make(map[string]string, len(accepted))}
	for _, c := range accepted {
		a.secrets[c.AccessKeyID] = c.SecretAccessKey
	}
	return a
}

func (a *authority) secret(accessKey string) (string, bool) {
	s, ok := a.secrets[accessKey]
	return s, ok
}

// verify checks the signature of the request line, the header and the name of
// the payload, in the header or presigned, for any region, within 15 minutes of
// the real clock. Whether the payload is the one named is checked as it arrives.
func (a *authority) verify(r *http.Request) error {
	result := signature.V4SignVerifyWithLookup(r, a.secret)
	if result == signature.ErrNone {
		return nil
	}
	e := signature.GetAPIError(result)
	return &apiError{e.HTTPStatusCode, e.Code, e.Description}
}

// chunkSigner prepares the verification of a signed aws-chunked body. The
// request's own signature, verified before, is the first link of the chain.
func (a *authority) chunkSigner(r *http.Request) (*chunkSigner, error) {
	fields := map[string]string{}
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	accessKey, scope, ok := strings.Cut(fields["Credential"], "/")
	date, _, _ := strings.Cut(scope, "/")
	secret, known := a.secret(accessKey)
	if !ok || !known || fields["Signature"] == "" {
		return nil, errSignature
	}
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") { // date, region, service, aws4_request
		key = hmacSHA256(key, part)
	}
	when := r.Header.Get("X-Amz-Date")
	if !strings.HasPrefix(when, date) {
		return nil, errSignature
	}
	return &chunkSigner{key: key, date: when, scope: scope, previous: fields["Signature"], hash: sha256.New()}, nil
}

func hmacSHA256(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(data))
	return mac.Sum(nil)
}
