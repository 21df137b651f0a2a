package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"time"
)

// fly asks the origin and carries the answer to the viewers and into the store.
func (e *Edge) fly(ctx context.Context, f *flight, req *http.Request) {
	defer f.cancel()
	asked := e.opts.Now()
	resp, err := e.roundTrip(withInterim(ctx, f.hints()), f.target, req)
	if err == nil && f.former != nil && resp.StatusCode == http.StatusNotModified {
		o := e.prove(f, resp, asked, e.opts.Now())
		resp.Body.Close()
		if o != nil {
			f.answered = http.StatusNotModified
			e.land(f, refreshed, o, nil)
			return
		}
		asked = e.opts.Now()
		resp, err = e.roundTrip(withInterim(ctx, f.hints()), f.target, unconditional(req))
	}
	if err == nil {
		defer resp.Body.Close()
	}
	now := e.opts.Now()
	switch {
	case err != nil && ctx.Err() != nil:
		e.land(f, failed, nil, errClosed)
	case e.standsIn(f, resp, err, now):
		e.land(f, standIn, f.prior, nil)
	case err != nil:
		e.opts.Logger.Warn("origin request failed", "path", f.target.path, "error", err)
		f.made = true
		e.receive(ctx, f, gatewayResponse(f.gatewayStatus(err)), asked, now)
	case resp.StatusCode == http.StatusNotModified && f.prior != nil:
		f.answered = http.StatusNotModified
		e.land(f, refreshed, e.confirm(f, resp, asked, now), nil)
	default:
		e.receive(ctx, f, resp, asked, now)
	}
}

// gatewayStatus is the status that viewers get for a failed origin request. An object that must not stand in asks for a 504.
// RFC 9111 5.2.2.2
func (f *flight) gatewayStatus(err error) int {
	if f.prior != nil && f.prior.verdict.stale.forbidden {
		return http.StatusGatewayTimeout
	}
	return gatewayStatus(err)
}

// reason is why the origin was asked.
// RFC 9211 2.2
func (f *flight) reason() string {
	switch {
	case f.former != nil: // RFC 9111 4.4: invalidating leaves it "in need of a mandatory validation"
		return "stale"
	case f.prior == nil && f.target.key.variant != "":
		return "vary-miss"
	case f.prior == nil:
		return "uri-miss"
	case f.viewer.wants != nil:
		return "request"
	}
	return "stale"
}

// land ends a flight that has no body on its way.
func (e *Edge) land(f *flight, kind flightKind, o *object, err error) {
	f.kind, f.prep, f.err = kind, o, err
	e.flights.end(f)
	close(f.ready)
	f.body.finish(err)
}

// errMistake is the cause of answers that a mistake in this package has cut short.
var errMistake = errors.New("the edge made a mistake")

// rescue ends a flight that has panicked, so that its viewers get an error and everybody else goes on being served. The
// stack goes to the log as "stack". It is deferred around fly.
func (e *Edge) rescue(f *flight) {
	value := recover()
	if value == nil {
		return
	}
	e.opts.Logger.Error("panic", "path", f.target.path, "value", value, "stack", string(debug.Stack()))
	f.unspill()
	select {
	case <-f.ready: // viewers have the head
		e.flights.end(f)
		f.body.finish(errMistake)
	default:
		e.land(f, failed, nil, errMistake)
	}
}

// standsIn says whether the prior object is served in place of a failure, and if so lets the origin rest.
// spec: cloudfront 3.3
func (e *Edge) standsIn(f *flight, resp *http.Response, err error, now time.Time) bool {
	if f.prior == nil || (err == nil && resp.StatusCode < 500) || !f.prior.mayStandIn(now, err != nil) {
		return false
	}
	status := 0
	if err != nil {
		status = gatewayStatus(err)
	} else {
		status = resp.StatusCode
		f.answered = status
	}
	e.opts.Logger.Warn("serving stale object", "path", f.target.path, "status", status, "error", err)
	f.prior.retry.Store(now.Add(f.target.d.errorTTL(status, &f.target.b.origin)).UnixNano())
	return true
}

// gatewayResponse is the edge's own answer for an origin that gave none.
func gatewayResponse(status int) *http.Response {
	a := edgeError(status)
	return &http.Response{
		StatusCode: status, ContentLength: a.length, Body: io.NopCloser(bytes.NewReader(a.whole)), Header: a.header,
	}
}
