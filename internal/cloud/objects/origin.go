package objects

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// OriginOptions are the choices of an Origin. The zero value is a bucket whose
// policy lets the distribution read and list.
type OriginOptions struct {
	// DenyMissing answers 403 AccessDenied for a key that is not there, as S3
	// does where the reader lacks s3:ListBucket; false means 404 NoSuchKey.
	// spec: S3 7.8
	DenyMissing bool
	// Hide names keys that are answered exactly as if they were not there; nil
	// hides none. It is called for every request and must be fast.
	Hide func(key string) bool
}

// Origin is the way in which an edge in the same process reads a bucket: the S3
// REST interface for GET and HEAD, behind an origin access control that has
// signed the request, without a network between. Host, credentials and query
// are not looked at; the bytes of the path, as received, decide the key, with
// "+" for a space as S3 has it. The body streams from the disk and must be
// closed. The error is that of a broken disk or a cancelled context only.
// spec: cloudfront 4.6 and 5.1, S3 7.8
func (s *Store) Origin(bucket string, opts OriginOptions) http.RoundTripper {
	return &origin{store: s, bucket: bucket, opts: opts}
}

type origin struct {
	store  *Store
	bucket string
	opts   OriginOptions
}

// protectedQueries are sub-resources that reading rights do not cover.
var protectedQueries = []string{"acl", "attributes", "legal-hold", "retention", "tagging", "torrent", "uploadId", "uploads", "versionId"}

// RoundTrip answers one GET or HEAD.
func (o *origin) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }() // the contract of http.RoundTripper
	}
	id := o.store.nextRequestID()
	date := o.store.opts.Now().UTC().Format(http.TimeFormat) // before the object is read: what is written later cannot be older
	key, a, err := o.answer(r)
	if err != nil {
		var api *apiError
		if !errors.As(err, &api) {
			return nil, err
		}
		resp := o.refusal(r, key, id, a, api)
		resp.Header.Set("Date", date)
		return resp, nil
	}
	commonHeader(a.header, id)
	a.header.Set("Date", date)
	return response(r, a.status, a.header, a.body()), nil
}

// answer finds the object; key is for the error message.
func (o *origin) answer(r *http.Request) (key string, a *answer, err error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "", nil, errMethodNotAllowed
	}
	key, err = originKey(r.URL.EscapedPath())
	if err != nil {
		return "", nil, err
	}
	query := r.URL.Query()
	for _, name := range protectedQueries {
		if query.Has(name) {
			return key, nil, errAccessDenied
		}
	}
	if key == "" {
		return "", nil, errAccessDenied // never a listing
	}
	if o.opts.Hide != nil && o.opts.Hide(key) {
		return key, nil, o.missing()
	}
	a, err = o.store.read(r.Context(), reading{
		bucket: o.bucket, key: key, headOnly: r.Method == http.MethodHead, header: r.Header,
	})
	if errors.Is(err, errNoSuchKey) {
		return key, nil, o.missing()
	}
	return key, a, err
}

func (o *origin) missing() error {
	if o.opts.DenyMissing {
		return errAccessDenied
	}
	return errNoSuchKey
}

// refusal is an error answer. What is known of the object (a, may be nil) goes
// with a 304 and a 416.
func (o *origin) refusal(r *http.Request, key, id string, a *answer, e *apiError) *http.Response {
	header := http.Header{}
	if a != nil && e == errNotModified {
		header = a.header
		header.Del("Content-Type")
	}
	if a != nil && e == errInvalidRange {
		header.Set("Content-Range", a.header.Get("Content-Range"))
	}
	commonHeader(header, id)
	if e == errNotModified {
		return response(r, e.Status, header, http.NoBody)
	}
	if e != errNoSuchKey {
		key = "" // S3 names the key in this one only
	}
	body := errorXML(e, key, "", id)
	header.Set("Content-Type", "application/xml")
	if r.Method == http.MethodHead {
		return response(r, e.Status, header, http.NoBody)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	return response(r, e.Status, header, io.NopCloser(bytes.NewReader(body)))
}

// response puts a http.Response together; the length of the body is the one in
// the header, unknown (-1) when there is none.
func response(r *http.Request, status int, header http.Header, body io.ReadCloser) *http.Response {
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	if body == http.NoBody && r.Method != http.MethodHead {
		length = 0
	}
	return &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: canonical(header), Body: body, ContentLength: length, Request: r,
	}
}

// originKey turns the path of a request, as received, into a key: one leading
// slash goes, %XX is decoded, "+" is a space.
// spec: cloudfront 4.6 and trap 48, a key with "+" must be asked for as %2B
func originKey(path string) (string, error) {
	raw := strings.TrimPrefix(path, "/")
	if !strings.ContainsAny(raw, "%+") {
		return raw, nil
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			b, err := hexByte(raw, i+1)
			if err != nil {
				return "", err
			}
			out = append(out, b)
			i += 2
		default:
			out = append(out, raw[i])
		}
	}
	if !utf8.Valid(out) {
		return "", errInvalidURI // keys are UTF-8; spec: S3 7.4
	}
	return string(out), nil
}

// hexByte reads the two digits at i.
func hexByte(s string, i int) (byte, error) {
	if i+2 > len(s) {
		return 0, errInvalidURI
	}
	n, err := strconv.ParseUint(s[i:i+2], 16, 8)
	if err != nil || s[i] == '+' {
		return 0, errInvalidURI
	}
	return byte(n), nil
}

// canonical is header as net/http's client hands it on: user metadata is sent in
// lower case, and whoever asks a response for it asks for the canonical name.
func canonical(header http.Header) http.Header {
	for name, values := range header {
		if key := http.CanonicalHeaderKey(name); key != name {
			delete(header, name)
			header[key] = values
		}
	}
	return header
}
