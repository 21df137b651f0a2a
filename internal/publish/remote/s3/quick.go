package s3

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/s3/wire"
	"github.com/freshet/freshet/internal/site"
)

// quickLimit is the largest body that goes the quick way, in bytes. From 2 MiB
// on the SDK asks the service first whether it wants the body at all.
const quickLimit = 2<<20 - 1

// quick sends the first attempt of unconditional uploads past the SDK's layers,
// which cost more than half of such a request. Only an answer that says yes is
// final. Every other one, and a failure to get one, is handed to the SDK as if
// its own first attempt had come to that: what is repeated, after which pause,
// and what an error says is decided there alone.
type quick struct {
	options awss3.Options
	retryer aws.RetryerV2
	signer  *v4.Signer
	off     atomic.Bool // whether requests must be left to the SDK

	mu    sync.Mutex // held while the shape is learnt
	shape atomic.Pointer[shape]
	wire  *wire.Client // nil for the SDK's own client; not changed once there is a shape
}

func newQuick(o awss3.Options) *quick {
	q := &quick{options: o, signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
	var ok bool
	q.retryer, ok = o.Retryer.(aws.RetryerV2)
	// The adaptive mode wants to hold back the first attempt too.
	q.off.Store(!ok || o.RetryMode == aws.RetryModeAdaptive)
	return q
}

// outcome is what came of a first attempt: an answer or an error.
type outcome struct {
	resp *http.Response
	err  error
}

// putQuick makes the first attempt of an upload. done says that the object is
// written; else first is how the attempt ended, nil where none was made.
func (s *Store) putQuick(ctx context.Context, put remote.Put, start int64) (tag string, done bool, first *outcome) {
	q := s.quick
	body, ok := put.Body.(io.ReaderAt)
	if !ok || put.Size > quickLimit || put.If != (remote.Condition{}) || q.off.Load() {
		return "", false, nil
	}
	shape := s.learnt(ctx)
	if shape == nil {
		return "", false, nil
	}
	req := shape.request(s.prefix, put)
	if req == nil || q.sign(ctx, req, shape) != nil {
		return "", false, nil
	}
	release, err := q.retryer.GetAttemptToken(ctx)
	if err != nil {
		return "", false, nil
	}
	resp, err := q.send(ctx, req, io.NewSectionReader(body, start, put.Size))
	switch {
	case err != nil:
		return "", false, &outcome{err: err}
	case put.Size == 0 && (resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect):
		// The SDK's client follows, where there is no body that it would have to repeat.
		discard(resp)
		return "", false, nil
	case resp.StatusCode/100 != 2:
		return "", false, &outcome{resp: resp}
	}
	discard(resp)
	tag = resp.Header.Get("ETag")
	return etag(&tag), release(nil) == nil, nil
}

// discard lets go of an answer of which nothing more is wanted.
func discard(resp *http.Response) {
	io.Copy(io.Discard, resp.Body) // what is said here cannot take the status back
	resp.Body.Close()
}

// learnt is the shape of uploads, nil where they must be left to the SDK.
func (s *Store) learnt(ctx context.Context) *shape {
	q := s.quick
	if shape := q.shape.Load(); shape != nil {
		return shape
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if shape := q.shape.Load(); shape != nil || q.off.Load() {
		return shape
	}
	seen := s.sample(ctx)
	if seen == nil {
		return nil // without credentials, for example, which may come yet
	}
	shape := shapeOf(seen, s.prefix)
	if shape == nil {
		q.off.Store(true)
		return nil
	}
	if b, ok := q.options.HTTPClient.(*awshttp.BuildableClient); ok && direct(b, seen.URL) {
		t := b.GetTransport()
		q.wire = wire.New(seen.URL.Host, t.MaxConnsPerHost, t.ResponseHeaderTimeout)
	}
	q.shape.Store(shape)
	return shape
}

// request is an upload without its body and signature; nil where a header cannot
// be sent.
func (s *shape) request(prefix string, put remote.Put) *http.Request {
	u := s.url
	u.Path += string(put.Key)
	u.RawPath = s.escaped + escape(string(put.Key))
	h := make(http.Header, 16)
	maps.Copy(h, s.header)
	values := make([]string, 0, 16) // one allocation for all headers of one value
	set := func(name, value string) {
		if value != "" {
			values = append(values, value)
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set("Content-Type", *contentType(put.Headers))
	set("Cache-Control", put.Headers.CacheControl)
	set("Content-Encoding", put.Headers.ContentEncoding)
	set("Content-Disposition", put.Headers.ContentDisposition)
	set("Content-Language", put.Headers.ContentLanguage)
	for name, value := range metadata(put.Headers) {
		set(http.CanonicalHeaderKey(metadataPrefix+name), value)
	}
	for _, v := range values {
		if !wire.Valid(v) {
			return nil // net/http says why
		}
	}
	set(headerInvocation, invocation())
	set(headerChecksum, base64.StdEncoding.EncodeToString(put.Digest[:]))
	set(headerPayload, s.payload(put.Digest))
	return &http.Request{
		Method: http.MethodPut, URL: &u, Host: u.Host, Header: h, ContentLength: put.Size,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// payload is what the signature says of the body.
func (s *shape) payload(d site.Digest) string {
	if s.unsigned {
		return unsignedPayload
	}
	return hex.EncodeToString(d[:])
}

// invocation is a random UUID, version 4 of RFC 9562, by which AWS tells the
// attempts of one call from another call.
func invocation() string {
	var id [16]byte
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	text := make([]byte, 0, 36)
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}

func (q *quick) sign(ctx context.Context, req *http.Request, s *shape) error {
	keys, err := q.options.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	return q.signer.SignHTTP(ctx, keys, req, req.Header.Get(headerPayload), service, s.region, time.Now())
}

// send sends a request. An error is one of net/http's client.
func (q *quick) send(ctx context.Context, req *http.Request, body *io.SectionReader) (*http.Response, error) {
	if q.wire == nil {
		if body.Size() > 0 { // an empty body must be none, or its length counts as unknown
			req.Body = io.NopCloser(body)
		}
		return q.options.HTTPClient.Do(req.WithContext(ctx))
	}
	resp, err := q.wire.Do(ctx, req, body, body.Size())
	if err != nil {
		return nil, &url.Error{Op: "Put", URL: req.URL.String(), Err: err}
	}
	return resp, nil
}

// replay is the SDK's client, but that the first request is not sent: it has
// come to first already.
func (s *Store) replay(first *outcome) func(*awss3.Options) {
	return func(o *awss3.Options) {
		if first == nil {
			return
		}
		next, left := o.HTTPClient, first
		o.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) {
			if left == nil {
				return next.Do(r)
			}
			was := left
			left = nil
			if was.resp != nil {
				was.resp.Request = r
			}
			return was.resp, was.err
		})
	}
}

// learnFrom notes that the SDK got over a refusal, by what it found out from it
// (the time of the service, for example) and uses from now on.
func (q *quick) learnFrom(first *outcome) {
	if first == nil || first.resp == nil {
		return
	}
	switch first.resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		q.off.Store(true)
	}
}
