package signed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// RoundTrip signs and sends a GET or HEAD for the key that r's path spells, byte for byte. The error wraps ErrCredentials or ErrRegion, or is that of Next.
func (b *Bucket) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close() // the contract of http.RoundTripper; reading has no body
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refusal(r, http.StatusMethodNotAllowed, "MethodNotAllowed"), nil
	}
	key, ok := decodeKey(rawPath(r.URL))
	if !ok {
		return refusal(r, http.StatusBadRequest, "InvalidURI"), nil
	}
	if key = b.opts.Prefix + key; !b.open(key) {
		return refusal(r, http.StatusForbidden, "AccessDenied"), nil
	}
	out, err := b.request(r, key)
	if err != nil {
		return nil, err
	}
	resp, err := b.opts.Next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	return b.checkRegion(resp)
}

// open says whether viewers may ask for the key.
func (b *Bucket) open(key string) bool {
	segments := strings.Split(key, "/")
	dots := slices.Contains(segments, ".") || slices.Contains(segments, "..")
	return key != "" && !dots && (b.opts.Hide == nil || !b.opts.Hide(key))
}

// request is r for the bucket, with a signature over nothing but the host, the path and x-amz- headers,
// so that no hop on the way can spoil it.
func (b *Bucket) request(r *http.Request, key string) (*http.Request, error) {
	out := r.Clone(r.Context())
	u := *b.base
	u.Path, u.RawPath = b.base.Path+"/"+key, b.base.EscapedPath()+"/"+encodeKey(key)
	out.URL, out.Host, out.Body, out.ContentLength = &u, u.Host, nil, 0
	for name := range out.Header {
		if name == "Authorization" || strings.HasPrefix(name, "X-Amz-") {
			delete(out.Header, name)
		}
	}
	signature, err := b.sign(r.Context(), r.Method, &u)
	if err != nil {
		return nil, err
	}
	for name, values := range signature {
		out.Header[name] = values
	}
	return out, nil
}

// sign returns the headers of a signed request without a body.
func (b *Bucket) sign(ctx context.Context, method string, u *url.URL) (http.Header, error) {
	keys, err := b.keys(ctx)
	if err != nil {
		return nil, err
	}
	empty := sha256.Sum256(nil)
	digest := hex.EncodeToString(empty[:])
	bare := &http.Request{Method: method, URL: u, Host: u.Host, Header: http.Header{"X-Amz-Content-Sha256": {digest}}}
	if err := b.signer.SignHTTP(ctx, keys, bare, digest, "s3", b.opts.Region, b.opts.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	return bare.Header, nil
}

// checkRegion fails for S3's answer that the bucket is in another region.
// S3 user guide, "Virtual hosting of buckets", read 2026-11: a redirect, or a 400 where the signature names the wrong region.
func (b *Bucket) checkRegion(resp *http.Response) (*http.Response, error) {
	region := resp.Header.Get("X-Amz-Bucket-Region")
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		if region != "" && region != b.opts.Region {
			_ = resp.Body.Close() // nobody reads it
			return nil, fmt.Errorf("read bucket %s: %w is %s, not %s", b.opts.Bucket, ErrRegion, region, b.opts.Region)
		}
	}
	return resp, nil
}

// rawPath is the path as the edge spelled it; Opaque holds what no URL may.
func rawPath(u *url.URL) string {
	if u.Opaque != "" {
		return u.Opaque
	}
	return u.EscapedPath()
}

// decodeKey turns a request's path into the key that S3 reads in it; not ok where it is none.
// spec: cloudfront 4.6, one slash goes, %XX is decoded, "+" is a space; S3 7.4, keys are UTF-8
func decodeKey(path string) (key string, ok bool) {
	key, err := url.QueryUnescape(strings.TrimPrefix(path, "/"))
	return key, err == nil && utf8.ValidString(key)
}

// encodeKey spells a key as signatures have it: everything but the unreserved characters of RFC 3986 and slashes is escaped.
func encodeKey(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// refusal is an answer in S3's form that no store gave.
func refusal(r *http.Request, status int, code string) *http.Response {
	body := `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>" + code + "</Code></Error>"
	resp := &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/xml"}, "Content-Length": {strconv.Itoa(len(body))}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
	if status == http.StatusMethodNotAllowed {
		resp.Header.Set("Allow", "GET, HEAD")
	}
	if r.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	return resp
}
