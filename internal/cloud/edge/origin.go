package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// errOriginTimeout is the cause of a request that the origin did not answer, or not go on answering, in time.
var errOriginTimeout = errors.New("origin timeout")

// errTruncated is the cause of a body that is not as long as its Content-Length.
var errTruncated = errors.New("origin body does not have its announced length")

// userAgent replaces the viewer's.
const userAgent = "Amazon CloudFront" // CloudFront Developer Guide, "Request and response behavior for Amazon S3 origins", read 2026-11

// target is where a request goes: its behaviour, and the path after root object and rewrite.
type target struct {
	d    *distribution
	b    *behavior
	path string
	key  cacheKey

	authorized bool // the request carries Authorization
}

// originURL is the URL of an origin request. EscapedPath gives the viewer's own spelling wherever a URL may hold it;
// for bytes that it may not hold, Opaque keeps the spelling on the wire.
// spec: cloudfront 4.6, the raw path goes to the origin; 5.1, the origin path comes before it
func originURL(t *target, query string) (*url.URL, error) {
	raw := t.b.origin.Path + t.path
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fmt.Errorf("decode path %q: %w", raw, err)
	}
	u := &url.URL{Scheme: t.b.origin.Scheme, Host: t.b.origin.Host, Path: decoded, RawPath: raw, RawQuery: query}
	if u.EscapedPath() != raw && !strings.HasPrefix(raw, "//") {
		u.Opaque = raw
	}
	return u, nil
}

// originRequest builds the request to the origin that fills t's key. Prior, if not nil, is confirmed instead of fetched.
// spec: cloudfront 3.9, headers on the way to the origin
func (e *Edge) originRequest(rq *request, t *target, prior *object) (*http.Request, error) {
	u, err := originURL(t, t.b.originQuery(rq))
	if err != nil {
		return nil, err
	}
	method := http.MethodGet
	if rq.method == http.MethodOptions {
		method = http.MethodOptions
	}
	h := t.d.rules.forward(rq, t)
	if prior != nil {
		received := prior.received()
		copyHeader(h, "If-None-Match", received["Etag"])
		copyHeader(h, "If-Modified-Since", received["Last-Modified"])
	}
	return newOriginRequest(method, u, h, t), nil
}

// passRequest builds a request that goes through uncached, as the viewer made it.
func (e *Edge) passRequest(rq *request, t *target) (*http.Request, error) {
	u, err := originURL(t, t.b.originQuery(rq))
	if err != nil {
		return nil, err
	}
	h := t.d.rules.forward(rq, t)
	for _, name := range conditions {
		copyHeader(h, name, rq.header[name])
	}
	req := newOriginRequest(rq.method, u, h, t)
	if !t.b.open && cacheableMethod(rq.method) {
		return req, nil
	}
	if !t.b.open {
		copyOthers(h, rq.header)
	}
	if rq.hasBody() {
		req.Body, req.ContentLength = io.NopCloser(rq.body), rq.length
	}
	return req, nil
}

// copyOthers adds the viewer's end-to-end headers but Cookie, as far as h has no value of its own.
func copyOthers(h, viewer http.Header) {
	for name, values := range viewer {
		if _, known := h[name]; !known && name != "Cookie" {
			h[name] = values
		}
	}
	removeHopByHop(h)
}

func newOriginRequest(method string, u *url.URL, h http.Header, t *target) *http.Request {
	host := t.b.origin.Host
	if values := h["Host"]; len(values) > 0 {
		host = values[0]
		delete(h, "Host")
	}
	return &http.Request{Method: method, URL: u, Header: h, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

// forwarded returns the headers that every origin request carries.
func forwarded(rq *request, t *target) http.Header {
	h := http.Header{
		"User-Agent":      {userAgent},
		"Via":             {t.d.via},
		"X-Amz-Cf-Id":     {rq.id},
		"X-Forwarded-For": {strings.Join(slices.Concat(rq.header["X-Forwarded-For"], []string{rq.remote}), ", ")},
		"Accept-Encoding": {"identity"}, // also where CloudFront sends none, so that no transport adds its own
	}
	if encoding := acceptEncoding(rq, t.b.Policy); encoding != "" {
		h["Accept-Encoding"] = []string{encoding}
	}
	copyHeader(h, "Cache-Control", rq.header["Cache-Control"]) // spec: cloudfront 3.1, ignored here but forwarded
	copyHeader(h, "Pragma", rq.header["Pragma"])
	for _, name := range t.b.forward {
		copyHeader(h, name, rq.values(name))
	}
	if cookies := t.b.originCookieHeader(rq); cookies != "" {
		h["Cookie"] = []string{cookies}
	}
	t.b.addViewerHeaders(h, rq)
	return h
}

func copyHeader(to http.Header, name string, values []string) {
	if len(values) > 0 {
		to[name] = values
	}
}

// cacheableMethod says whether a method is one that CloudFront can answer from a cache.
// spec: cloudfront 3.6
func cacheableMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// roundTrip sends req to t's origin. The origin has Options.OriginTimeout to answer, and again for every piece of the body.
func (e *Edge) roundTrip(ctx context.Context, t *target, req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := &watchedBody{cancel: cancel, limit: e.opts.OriginTimeout}
	watch.timer = time.AfterFunc(watch.limit, func() { cancel(errOriginTimeout) })
	e.stats.originRequests.Add(1)
	resp, err := t.b.origin.Transport.RoundTrip(req.WithContext(ctx))
	watch.timer.Stop()
	if err != nil {
		if errors.Is(context.Cause(ctx), errOriginTimeout) {
			err = errOriginTimeout
		}
		cancel(nil)
		return nil, fmt.Errorf("ask origin for %s: %w", t.path, err)
	}
	watch.body, watch.ctx = resp.Body, ctx
	if resp.Body == nil {
		watch.body = http.NoBody
	}
	watch.left = -1
	if req.Method != http.MethodHead && resp.StatusCode != http.StatusNotModified && resp.StatusCode != http.StatusNoContent {
		watch.left = resp.ContentLength
	}
	resp.Body = watch
	return resp, nil
}

// gatewayStatus is the status that viewers get for a failed origin request.
func gatewayStatus(err error) int {
	var timeout net.Error
	if errors.Is(err, errOriginTimeout) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// watchedBody is an origin's body with a time limit for each read, and with its announced length checked.
type watchedBody struct {
	ctx    context.Context
	body   io.ReadCloser
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
	left   int64 // bytes still to come; -1 unknown
}

// Read returns errTruncated for a body that ends early, or that does not end where it should.
func (w *watchedBody) Read(p []byte) (int, error) {
	w.timer.Reset(w.limit)
	n, err := w.body.Read(p)
	w.timer.Stop()
	if w.left >= 0 {
		if int64(n) > w.left {
			return 0, errTruncated
		}
		w.left -= int64(n)
		if errors.Is(err, io.EOF) && w.left > 0 {
			err = errTruncated
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(w.ctx), errOriginTimeout) {
		err = errOriginTimeout
	}
	return n, err
}

// Close ends the request.
func (w *watchedBody) Close() error {
	w.timer.Stop()
	err := w.body.Close()
	w.cancel(nil)
	return err
}

// hopByHop headers concern one connection only; no proxy passes them on.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// replaced headers of an origin's response are the origin's own, or the edge's to set.
// spec: cloudfront 3.9
var replaced = []string{"X-Amz-Id-2", "X-Amz-Request-Id", "Age", "X-Cache", "X-Amz-Cf-Id", "X-Amz-Cf-Pop", "Content-Length"}

// removeHopByHop removes the connection's own headers, and those that Connection names.
func removeHopByHop(h http.Header) {
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// viewerHeader makes the header that viewers see from an origin's response, ready to be stored.
// spec: cloudfront 3.9
func viewerHeader(resp *http.Response, b *behavior, now time.Time) http.Header {
	h := resp.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	removeHopByHop(h)
	for _, name := range replaced {
		delete(h, name)
	}
	if !b.cookies {
		delete(h, "Set-Cookie")
	}
	if vary := visibleVary(h["Vary"], b); vary != "" {
		h["Vary"] = []string{vary}
	} else {
		delete(h, "Vary")
	}
	if h["Date"] == nil {
		h["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	}
	return h
}

// visibleVary keeps the names that CloudFront passes on: Accept-Encoding, Cookie and forwarded headers.
func visibleVary(values []string, b *behavior) string {
	var kept []string
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.TrimSpace(name)
			canonical := http.CanonicalHeaderKey(name)
			if canonical == "Accept-Encoding" || canonical == "Cookie" || contains(b.forward, canonical) {
				kept = append(kept, name)
			}
		}
	}
	return strings.Join(kept, ", ")
}
