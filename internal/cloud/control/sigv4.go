package control

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far a request's time may be from ours. AWS Signature Version 4, "Troubleshooting", read 2026-11.
const maxSkew = 15 * time.Minute

const (
	algorithm   = "AWS4-HMAC-SHA256"
	service     = "cloudfront"
	requestType = "aws4_request"
	timeLayout  = "20060102T150405Z"
)

// authorization is a parsed Authorization header.
type authorization struct {
	accessKey     string
	date          string // YYYYMMDD
	region        string // any: clients sign with the one they are configured for; spec: cloudfront 1.7
	signedHeaders []string
	signature     []byte
}

// Authorize says whether a request without a body is signed as requests to the API must be; its error is for the client.
func (s *Server) Authorize(r *http.Request) error { return s.authenticate(r, nil) }

// authenticate checks the request's signature, over the body as it arrived, if the server has credentials. What
// the client says about the body's digest is not trusted.
func (s *Server) authenticate(r *http.Request, body []byte) error {
	if s.opts.Credentials == (Credentials{}) {
		return nil
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return forbidden("MissingAuthenticationToken", "Missing Authentication Token")
	}
	auth, ok := parseAuthorization(header)
	if !ok {
		return forbidden("IncompleteSignature", "The Authorization header is not a complete AWS4-HMAC-SHA256 signature for the service cloudfront.")
	}
	if !hmac.Equal([]byte(auth.accessKey), []byte(s.opts.Credentials.AccessKeyID)) {
		return forbidden("InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	stamp := r.Header.Get("X-Amz-Date")
	if err := checkTime(stamp, auth, s.opts.Now()); err != nil {
		return err
	}
	want := sign(s.opts.Credentials.SecretAccessKey, auth, stamp, canonicalRequest(r, auth.signedHeaders, body))
	if !hmac.Equal(want, auth.signature) {
		return forbidden("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

func forbidden(code, message string) *apiError {
	return &apiError{http.StatusForbidden, code, message}
}

// parseAuthorization reads "AWS4-HMAC-SHA256 Credential=…/…/…/cloudfront/aws4_request, SignedHeaders=…, Signature=…".
// The host and the time must be among the signed headers.
func parseAuthorization(header string) (authorization, bool) {
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return authorization{}, false
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	signature, err := hex.DecodeString(fields["Signature"])
	if err != nil || len(signature) != sha256.Size || len(scope) != 5 || scope[3] != service || scope[4] != requestType {
		return authorization{}, false
	}
	signed := strings.Split(fields["SignedHeaders"], ";")
	if !slices.Contains(signed, "host") || !slices.Contains(signed, "x-amz-date") {
		return authorization{}, false
	}
	return authorization{scope[0], scope[1], scope[2], signed, signature}, true
}

// checkTime wants the signed time to be near and of the day that the key is derived for.
func checkTime(stamp string, auth authorization, now time.Time) error {
	at, err := time.Parse(timeLayout, stamp)
	if err != nil || !strings.HasPrefix(stamp, auth.date+"T") {
		return forbidden("IncompleteSignature", "The X-Amz-Date header is missing, malformed or not of the credential's day.")
	}
	if now.Sub(at).Abs() > maxSkew {
		return forbidden("SignatureDoesNotMatch", "Signature expired: "+stamp+" is more than 15 minutes away from "+now.UTC().Format(timeLayout)+".")
	}
	return nil
}

// canonicalRequest is what is signed; IAM guide, "Create a signed AWS API request", step 1. For services other
// than S3 the path is encoded once more than it is sent.
func canonicalRequest(r *http.Request, signedHeaders []string, body []byte) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + encodePath(r.URL.EscapedPath()) + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range signedHeaders {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	sum := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n" + hex.EncodeToString(sum[:]))
	return b.String()
}

// headerValue joins a header's values with commas, each trimmed and its runs of blanks made one. net/http keeps
// host and length outside the map.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

func encodePath(path string) string {
	if path == "" {
		return "/"
	}
	return encode(path, "/")
}

// canonicalQuery sorts by name, then value, and encodes both.
func canonicalQuery(query url.Values) string {
	var pairs [][2]string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, [2]string{encode(name, ""), encode(v, "")})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1]))
	})
	var out []string
	for _, p := range pairs {
		out = append(out, p[0]+"="+p[1])
	}
	return strings.Join(out, "&")
}

// encode percent-encodes every byte but the unreserved ones of RFC 3986 and those of keep.
func encode(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if alphanumeric(c) || strings.IndexByte("-_.~"+keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + string(digits[c>>4]) + string(digits[c&15]))
	}
	return b.String()
}

// sign derives the day's key and signs; the guide's steps 2 to 4.
func sign(secret string, auth authorization, stamp, canonical string) []byte {
	sum := sha256.Sum256([]byte(canonical))
	scope := strings.Join([]string{auth.date, auth.region, service, requestType}, "/")
	toSign := strings.Join([]string{algorithm, stamp, scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{auth.date, auth.region, service, requestType} {
		key = mac(key, part)
	}
	return mac(key, toSign)
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}
