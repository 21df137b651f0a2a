//go:build unix

package fleetenv

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// signer is a key pair of the API. The zero signer signs nothing.
type signer struct{ id, secret string }

// String hides the secret.
func (s signer) String() string { return "keys of " + s.id + " [redacted]" }

// env tells a control node to take requests that are signed with these keys alone.
func (s signer) env() []string {
	return []string{"FRESHET_CONTROL_ACCESS_KEY_ID=" + s.id, "FRESHET_CONTROL_SECRET_ACCESS_KEY=" + s.secret}
}

// sign signs a request without a query. IAM guide, "Create a signed AWS API request", read 2026-11
func (s signer) sign(r *http.Request, body string, now time.Time) {
	if s.id == "" {
		return
	}
	stamp := now.UTC().Format("20060102T150405Z")
	scope := stamp[:8] + "/us-east-1/cloudfront/aws4_request"
	r.Header.Set("X-Amz-Date", stamp)
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n\nhost:" + r.URL.Host + "\nx-amz-date:" + stamp + "\n\nhost;x-amz-date\n" + digest(body)
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{stamp[:8], "us-east-1", "cloudfront", "aws4_request"} {
		key = mac(key, part)
	}
	signature := mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+digest(canonical))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.id+"/"+scope+", SignedHeaders=host;x-amz-date, Signature="+hex.EncodeToString(signature))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
