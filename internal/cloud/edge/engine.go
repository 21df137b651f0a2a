package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// aim finds out what a request is for: root object, behaviour, rewrite, key. A request that goes no further gets an answer instead.
func (e *Edge) aim(d *distribution, rq *request) (*target, *answer) {
	t := &target{}
	if a := t.aim(d, rq); a != nil {
		return nil, a
	}
	return t, nil
}

func (t *target) aim(d *distribution, rq *request) *answer {
	path := rq.path
	if path == "/" && d.DefaultRootObject != "" { // spec: cloudfront 5.2, the root only, all methods
		path += d.DefaultRootObject
	}
	b := d.route(path)
	if a := refuse(b, rq); a != nil {
		return a
	}
	if b.Rewrite != nil { // spec: cloudfront 5.6: changes neither behaviour nor origin
		if rq.borrowed {
			path = strings.Clone(path)
		}
		path = strings.ReplaceAll(b.Rewrite(path), "?", "%3F")
		if !strings.HasPrefix(path, "/") {
			return edgeError(http.StatusBadGateway)
		}
	}
	if d.hides(path) {
		return edgeError(http.StatusForbidden)
	}
	*t = target{d: d, b: b, path: path, key: b.key(rq, path), authorized: rq.header["Authorization"] != nil}
	return nil
}

// refuse answers what the behaviour does not allow.
// spec: cloudfront 3.6, methods and bodies; 5.3, viewer protocol
func refuse(b *behavior, rq *request) *answer {
	if !rq.tls && b.ViewerProtocol != AllowAll {
		return wantHTTPS(b, rq)
	}
	if b.open {
		return nil
	}
	if !contains(b.AllowedMethods, rq.method) {
		return edgeError(http.StatusForbidden)
	}
	if rq.hasBody() && (rq.method == http.MethodGet || rq.method == http.MethodHead) {
		return edgeError(http.StatusForbidden)
	}
	return nil
}

func wantHTTPS(b *behavior, rq *request) *answer {
	plain := rq.method == http.MethodGet || rq.method == http.MethodHead
	if b.ViewerProtocol == HTTPSOnly || (rq.http10 && !plain) {
		return edgeError(http.StatusForbidden)
	}
	a := edgeError(http.StatusMovedPermanently)
	if !plain {
		a = edgeError(http.StatusTemporaryRedirect)
	}
	a.result = Redirect
	location := "https://" + rq.host + rq.path
	if rq.query != "" {
		location += "?" + rq.query
	}
	a.header["Location"] = []string{location}
	return a
}

// respond answers a request, with the error page where the distribution has one.
func (e *Edge) respond(ctx context.Context, rq *request) (*answer, error) {
	d := rq.dist
	if d.rules.demands != nil {
		rq.wants = d.rules.demands(rq.header)
	}
	t, refused := e.aim(d, rq)
	if refused != nil {
		return refused, nil
	}
	a, err := e.fetch(ctx, rq, t)
	if err != nil {
		return nil, err
	}
	a.uri, a.policy = t.key.uri, t.b.ResponseHeaders
	if page, ok := d.errors[a.status]; ok && page.PagePath != "" {
		return e.errorPage(ctx, rq, d, a, page)
	}
	return a, nil
}

// errorPage answers with the page in place of a, an origin's error.
// Page and error are two cache entries: either can be invalidated.
// spec: cloudfront 5.4
func (e *Edge) errorPage(ctx context.Context, rq *request, d *distribution, a *answer, page ErrorResponse) (*answer, error) {
	a.skip(ctx)
	ask := *rq
	ask.method, ask.path, ask.query, ask.body, ask.length = http.MethodGet, page.PagePath, "", nil, 0
	ask.header = withoutConditions(rq.header)
	b := d.route(page.PagePath)
	shown, err := e.fetch(ctx, &ask, &target{d: d, b: b, path: page.PagePath, key: b.key(&ask, page.PagePath)})
	if err != nil {
		return nil, err
	}
	shown.uri, shown.result, shown.age, shown.policy = a.uri, Error, a.age, a.policy
	switch {
	case shown.status >= 400: // the page itself cannot be fetched: its status is what viewers get
	case page.ResponseCode != 0:
		shown.status = page.ResponseCode
	default:
		shown.status = page.Status
	}
	return shown, nil
}

// conditions are the request headers that make an answer depend on what the viewer has already.
var conditions = []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

func withoutConditions(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range conditions {
		delete(h, name)
	}
	return h
}

// fetch answers from the cache or from the origin.
func (e *Edge) fetch(ctx context.Context, rq *request, t *target) (*answer, error) {
	if !cached(t, rq) {
		if rq.wants.cacheOnly() {
			return edgeError(http.StatusGatewayTimeout), nil
		}
		return e.pass(ctx, rq, t)
	}
	t.key = e.keyOf(rq, t)
	o := e.lookUp(rq, t)
	if o != nil {
		if a := e.stored(rq, t, o); a != nil {
			return a, nil
		}
	} else if other := e.otherCoding(rq, t); other != nil {
		if a := e.stored(rq, t, other); a != nil {
			return a, nil
		}
	}
	if rq.wants.cacheOnly() {
		return edgeError(http.StatusGatewayTimeout), nil
	}
	if t.d.rules.through && (rq.method == http.MethodHead || o == nil && rq.header["Range"] != nil) {
		return e.pass(ctx, rq, t)
	}
	return e.fill(ctx, rq, t, o != nil && !o.verdict.share)
}

// lookUp returns what the store has for rq; nil for nothing that rq could be answered with.
func (e *Edge) lookUp(rq *request, t *target) *object {
	if rq.fenced {
		return nil
	}
	return e.store.get(t.key)
}

// keyOf is the key under which the store would have the answer to rq.
func (e *Edge) keyOf(rq *request, t *target) cacheKey {
	if t.d.rules.vary {
		return e.variantKey(t.key.uri, rq)
	}
	return t.key
}

// stored answers with o if it may be used without waiting for the origin; nil if not.
func (e *Edge) stored(rq *request, t *target, o *object) *answer {
	now := e.opts.Now()
	may := o.use(rq.wants, now)
	switch {
	case may == serve:
		o.hits.Add(1)
		return hitAnswer(t, o, Hit, now)
	case may == serveExpired:
		return hitAnswer(t, o, Hit, now)
	case o.resting(now) && (rq.wants == nil || !rq.wants.noCache):
		return hitAnswer(t, o, RefreshHit, now)
	case may == serveRenewed:
		if place, _, err := e.board(rq, t, false); err == nil && place != nil {
			e.flights.leave(place.f, place.reader, true) // it goes on without this viewer
		}
		return hitAnswer(t, o, Hit, now)
	}
	return nil
}

// cached says whether the request is looked up at all.
// spec: cloudfront 3.6, GET and HEAD always, OPTIONS optionally
func cached(t *target, rq *request) bool {
	switch rq.method {
	case http.MethodGet, http.MethodHead:
		return t.b.cached && !rq.hasBody() && !rq.wants.bypass()
	case http.MethodOptions:
		return t.b.cached && t.b.CacheOptions && !rq.hasBody()
	}
	return false
}

// fill answers with what a flight brings: one of its own, or another viewer's.
func (e *Edge) fill(ctx context.Context, rq *request, t *target, alone bool) (*answer, error) {
	for {
		place, o, err := e.board(rq, t, alone)
		if err != nil {
			return nil, fmt.Errorf("fill %s: %w", t.path, err)
		}
		if o != nil {
			o.hits.Add(1)
			return hitAnswer(t, o, Hit, e.opts.Now()), nil
		}
		f := place.f
		if place.next {
			if err := await(ctx, rq, place); err != nil {
				return nil, err
			}
			continue
		}
		if err := await(ctx, rq, place); err != nil {
			e.flights.leave(f, place.reader, false)
			return nil, err
		}
		if !place.leader && !e.suits(rq, f) {
			e.flights.leave(f, place.reader, false)
			alone = alone || !f.shareable()
			next := *t // t itself may belong to a flight
			next.key = e.keyOf(rq, t)
			t = &next
			continue
		}
		return e.flightAnswer(ctx, rq, place)
	}
}

// await waits until the flight is ready, and passes interim responses on to the viewer who started it.
func await(ctx context.Context, rq *request, place *berth) error {
	early := place.f.early
	if !place.leader {
		early = nil
	}
	for {
		select {
		case hint := <-early:
			rq.early(hint.status, hint.header)
		case <-place.f.ready:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// shareable says whether waiting viewers may have the response of a flight that is ready.
func (f *flight) shareable() bool {
	switch f.kind {
	case fetched:
		return f.head.verdict.share && !f.body.isPassing()
	case refreshed:
		return f.prep.verdict.share
	}
	return true
}

// suits says whether a viewer who joined f may have its response, now that its tags are known.
func (e *Edge) suits(rq *request, f *flight) bool {
	return f.kind != failed && f.shareable() && f.selects(rq) && e.reaches(rq, f, f.tags())
}

// flightAnswer is the answer that a flight gives to the viewer at place.
func (e *Edge) flightAnswer(ctx context.Context, rq *request, place *berth) (*answer, error) {
	f := place.f
	if !place.leader {
		e.stats.collapsed.Add(1)
	}
	if f.kind == fetched && f.body.isPassing() && rq.header["Range"] != nil {
		// The whole is too large to keep, so the origin may as well send the part that was asked for.
		e.flights.leave(f, place.reader, false)
		return e.pass(ctx, rq, f.target)
	}
	result := Hit
	if place.leader {
		result = Miss
	}
	switch f.kind {
	case failed:
		e.flights.leave(f, place.reader, false)
		return nil, f.err
	case refreshed, standIn:
		e.flights.leave(f, place.reader, true)
		if place.leader || f.kind == standIn {
			result = RefreshHit
		}
		return e.preparedAnswer(place, result), nil
	}
	a := &answer{
		status: f.head.status, header: f.head.header, source: place.reader, length: f.head.length, result: result, age: never,
		trail: trail{forward: f.reason(), status: f.answered, stored: f.head.verdict.store, collapsed: !place.leader},
		made:  f.made,
		done:  func(satisfied bool) { e.flights.leave(f, place.reader, satisfied) },
	}
	a.classify()
	return a, nil
}

// preparedAnswer serves the object that a flight has confirmed, or that stands in for the origin.
func (e *Edge) preparedAnswer(place *berth, result Result) *answer {
	f := place.f
	a := hitAnswer(f.target, f.prep, result, e.opts.Now())
	a.trail = trail{hit: f.kind == standIn, forward: f.reason(), status: f.answered, ttl: a.trail.ttl, collapsed: !place.leader}
	return a
}

// classify gives errors their own result.
func (a *answer) classify() {
	if a.status >= 400 {
		a.result = Error
	}
	if a.result == Hit && a.age == never {
		a.age = 0
	}
}

// hitAnswer serves an object that was stored. What was confirmed just now, or is past its time, has an Age only where the rules want one always.
func hitAnswer(t *target, o *object, result Result, now time.Time) *answer {
	age := never
	if result == Hit || t.d.rules.storedAge {
		age = o.age(now)
	}
	a := objectAnswer(o, result, age)
	a.trail = trail{hit: true, ttl: o.expires.Sub(now)}
	return a
}

// objectAnswer serves a whole object.
func objectAnswer(o *object, result Result, age time.Duration) *answer {
	a := &answer{
		status: o.status, header: o.header, whole: o.body, source: o.source(), length: o.size(), result: result, age: never,
	}
	if age != never {
		a.age = max(0, age)
	}
	a.classify()
	return a
}

// pass sends the request through without cache.
func (e *Edge) pass(ctx context.Context, rq *request, t *target) (*answer, error) {
	if e.ctx.Err() != nil {
		return nil, errClosed
	}
	req, err := e.passRequest(rq, t)
	if err != nil {
		return nil, err
	}
	asked := e.opts.Now()
	early := &relay{pass: rq.early}
	resp, err := e.roundTrip(withInterim(ctx, early.taker()), t, req)
	early.end()
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e.opts.Logger.Warn("origin request failed", "path", t.path, "error", err)
		return edgeError(gatewayStatus(err)), nil
	}
	e.writeThrough(rq, t, resp)
	h := e.judge(t, resp, asked, e.opts.Now())
	if rq.method == http.MethodHead && t.d.rules.through {
		e.learnFromHead(t, resp, h, asked)
	}
	a := &answer{
		status: h.status, header: h.header, source: &liveSource{r: resp.Body}, length: h.length, result: Miss, age: never,
		trail: trail{forward: passReason(rq)},
		done:  func(bool) { resp.Body.Close() },
	}
	a.classify()
	return a, nil
}

// passReason is why a request went past the cache.
// RFC 9211 2.2
func passReason(rq *request) string {
	switch {
	case rq.wants.bypass():
		return "request"
	case rq.method != http.MethodGet && rq.method != http.MethodHead:
		return "method"
	case rq.header["Range"] != nil:
		return "partial"
	}
	return "bypass"
}

// edgeError is an answer that the edge makes itself.
// spec: cloudfront 6: Server is CloudFront on these only
func edgeError(status int) *answer {
	text := http.StatusText(status)
	if text == "" {
		text = "Request header fields too large"
	}
	page := fmt.Sprintf("<!DOCTYPE html>\n<title>%d %s</title>\n<h1>%d %s</h1>\n", status, text, status, text)
	return &answer{
		status: status, whole: []byte(page), length: int64(len(page)), result: Error, age: never, made: true,
		header: http.Header{
			"Server": {"CloudFront"}, "Content-Type": {"text/html"}, "Content-Length": {fmt.Sprint(len(page))},
		},
	}
}

// failure is the answer for a request that failed within the edge; nil if the viewer has gone.
func (e *Edge) failure(ctx context.Context, err error) *answer {
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, errClosed):
		return edgeError(http.StatusServiceUnavailable)
	case errors.Is(err, errMistake):
		return edgeError(http.StatusInternalServerError)
	}
	return edgeError(http.StatusBadRequest)
}
