package edge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// CloudFront Developer Guide, "Quotas", read 2026-11.
const (
	maxURL     = 8192  // bytes of path and query
	maxRequest = 32768 // bytes of path, query and headers
)

// statusTooLarge is CloudFront's own status for a request whose headers and path are too long.
const statusTooLarge = 494

// ServeHTTP answers one viewer's request. It takes the path from RequestURI, byte for byte, so put no ServeMux before it.
// A response that cannot be completed ends with panic(http.ErrAbortHandler), which net/http turns into a closed connection.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.serve(e.dist.Load(), w, r) }

// serve answers by one configuration, whatever SetConfig does meanwhile.
func (e *Edge) serve(d *distribution, w http.ResponseWriter, r *http.Request) {
	rq, a := e.admit(r)
	rq.dist = d
	if a == nil {
		if d.rules.interim && !rq.http10 {
			rq.early = interimWriter(w)
		}
		var err error
		if a, err = e.respond(r.Context(), rq); err != nil {
			if a = e.failure(r.Context(), err); a == nil {
				panic(http.ErrAbortHandler)
			}
		}
	}
	status, n, err := e.send(r.Context(), w, rq, a)
	a.release(err == nil)
	e.stats.count(a.result, n)
	if e.opts.OnRequest != nil {
		e.opts.OnRequest(Event{
			Time: rq.start, Duration: e.opts.Now().Sub(rq.start), Method: rq.method, Path: rq.path, URI: a.uri,
			Status: status, Result: a.result, Bytes: n, Aborted: err != nil, Viewer: viewerOf(r, rq),
		})
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// admit reads what the engine needs from r. A request that is too long, or no request for a path, gets an answer at once.
// spec: cloudfront 3.6: 414 and 494, and the connection is closed
func (e *Edge) admit(r *http.Request) (*request, *answer) {
	rq := &request{
		method: r.Method, header: r.Header, host: r.Host, body: r.Body, length: r.ContentLength,
		http10: !r.ProtoAtLeast(1, 1), tls: r.TLS != nil, id: e.requestID(), begin: e.log.Current(), start: e.opts.Now(),
	}
	if !e.leased(rq.start) {
		e.fence(rq)
	}
	if rq.remote, _, _ = net.SplitHostPort(r.RemoteAddr); rq.remote == "" {
		rq.remote = r.RemoteAddr
	}
	uri := requestTarget(r)
	rq.path, rq.query, _ = strings.Cut(uri, "?")
	switch {
	case len(uri) > maxURL:
		return rq, closing(http.StatusRequestURITooLong)
	case headerBytes(r.Header)+len(uri) > maxRequest:
		return rq, closing(statusTooLarge)
	case !strings.HasPrefix(rq.path, "/"):
		return rq, closing(http.StatusBadRequest)
	}
	return rq, nil
}

func closing(status int) *answer {
	a := edgeError(status)
	a.close = true
	return a
}

// requestTarget is the request's path and query as the viewer sent them.
func requestTarget(r *http.Request) string {
	uri := r.RequestURI
	if uri == "" {
		return r.URL.RequestURI()
	}
	if rest, absolute := cutScheme(uri); absolute {
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			uri = rest[i:]
		} else {
			uri = ""
		}
		if !strings.HasPrefix(uri, "/") {
			uri = "/" + uri
		}
	}
	return uri
}

// cutScheme removes "http://" or "https://" from an absolute-form target.
func cutScheme(uri string) (rest string, absolute bool) {
	for _, scheme := range []string{"http://", "https://"} {
		if len(uri) >= len(scheme) && strings.EqualFold(uri[:len(scheme)], scheme) {
			return uri[len(scheme):], true
		}
	}
	return uri, false
}

func headerBytes(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + 4 // ": " and the line's end
		}
	}
	return n
}

// requestID is 56 characters of base64url that end in "==".
// spec: cloudfront 6
func (e *Edge) requestID() string {
	var raw [40]byte
	if _, err := io.ReadFull(e.opts.Rand, raw[:]); err != nil {
		return strings.Repeat("A", 54) + "=="
	}
	return base64.URLEncoding.EncodeToString(raw[:])
}

// send writes the answer and returns the status and the bytes of body that went out.
// Conditions and ranges apply to a 200 only.
func (e *Edge) send(ctx context.Context, w http.ResponseWriter, rq *request, a *answer) (int, int64, error) {
	h := w.Header()
	e.setHeaders(h, rq, a)
	status, part := a.status, span{0, a.length}
	if status == http.StatusOK && (rq.method == http.MethodGet || rq.method == http.MethodHead) {
		if notModified(rq.header, rq.dist.rules.validators(a.header)) {
			status = http.StatusNotModified
			delete(h, "Content-Length")
			delete(h, "Content-Type")
		} else if rq.method == http.MethodGet {
			status, part = applyRange(h, rq.header, a)
		}
	}
	w.WriteHeader(status)
	if rq.method == http.MethodHead || !bodyAllowed(status) {
		return status, 0, nil
	}
	if a.source == nil {
		return e.sendWhole(w, status, a, part)
	}
	n, err := copySource(ctx, w, a.source, part)
	if err == nil && part.end >= 0 && n != part.end-part.start {
		err = errTruncated
	}
	return status, n, err
}

// sendWhole writes a body that is in memory.
func (e *Edge) sendWhole(w io.Writer, status int, a *answer, part span) (int, int64, error) {
	n, err := w.Write(a.whole[part.start:part.end])
	if err != nil {
		return status, int64(n), fmt.Errorf("write body: %w", err)
	}
	return status, int64(n), nil
}

// setHeaders puts the origin's headers and the edge's own into h.
func (e *Edge) setHeaders(h http.Header, rq *request, a *answer) {
	for name, values := range a.header {
		h[name] = values
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // or net/http would guess one
	}
	rq.dist.rules.sign(h, rq.dist, &e.opts, rq, a)
	e.shape(h, rq, a)
	if a.close {
		h["Connection"] = []string{"close"}
	}
}

// signCloudFront adds CloudFront's own headers.
// spec: cloudfront 6
func signCloudFront(h http.Header, d *distribution, o *Options, rq *request, a *answer) {
	h["X-Cache"] = xCache[a.result]
	h["Via"] = []string{d.via}
	h["X-Amz-Cf-Pop"] = []string{o.POP}
	h["X-Amz-Cf-Id"] = []string{rq.id}
	if a.age != never {
		h["Age"] = []string{strconv.Itoa(int(a.age.Seconds()))}
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// copySource writes the bytes of part as they arrive, flushing before each wait. A part with an open end goes to the body's end.
func copySource(ctx context.Context, w http.ResponseWriter, from source, part span) (int64, error) {
	flush := http.NewResponseController(w)
	at, sent := int64(0), int64(0)
	if s, ok := from.(seeker); ok {
		s.seek(part.start)
		at = part.start
	}
	for part.end < 0 || at < part.end {
		p, err := from.next(ctx)
		if errors.Is(err, io.EOF) {
			return sent, nil
		}
		if err != nil {
			return sent, fmt.Errorf("read body: %w", err)
		}
		n, err := w.Write(part.of(p, at))
		at += int64(len(p))
		sent += int64(n)
		if err != nil {
			return sent, fmt.Errorf("write body: %w", err)
		}
		if !from.ready() {
			_ = flush.Flush() // not every writer can; then the bytes go out later
		}
	}
	return sent, nil
}
