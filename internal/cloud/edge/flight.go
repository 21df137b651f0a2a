package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/disk"
	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// errClosed is the cause of requests that the edge cannot serve any more.
var errClosed = errors.New("edge is closed")

// flight is one origin request for one key, and the viewers who wait for it. It runs in a goroutine of its own.
type flight struct {
	number  uint64
	target  *target
	stamp   purge.Sequence // newest invalidation when the origin request started
	prior   *object        // expired object that may be confirmed, or stand in; nil for none. It was clean up to stamp
	former  *object        // withdrawn object that may be proved, and serves for nothing else; nil for none, and where there is a prior
	body    *body
	spilled *disk.Writer // takes a body that is too large for memory; nil for none
	cancel  context.CancelFunc

	viewer  *request     // that started it
	fenced  bool         // for viewers without a valid lease: see fence.go
	variant cacheKey     // to store the response under: the target's key, or once the response has told, its variant's
	early   chan interim // interim responses for that viewer; nil if it takes none

	ready    chan struct{} // closed when what follows is set
	kind     flightKind
	made     bool    // the edge's own page
	answered int     // the origin's status where it is not that of the answer; 0 if it is, or there was none
	head     head    // of a fetched response
	prep     *object // for refreshed and standIn: the whole answer
	err      error

	// guarded by flights.mu
	key     cacheKey // where others find it: the target's, or once the response has told, that of its variant
	viewers int
	closed  bool // nobody may join
	keep    bool // goes on without viewers
}

// flightKind says how a flight turned out.
type flightKind int

const (
	fetched   flightKind = iota // a response whose body arrives
	refreshed                   // the prior object was confirmed, or the former one proved
	standIn                     // the prior object is served because the origin failed
	failed                      // no answer: the flight was cancelled
)

// head is the beginning of a fetched response.
type head struct {
	status  int
	header  http.Header
	length  int64 // of the body; -1 unknown
	tags    []string
	at      time.Time
	verdict verdict

	original http.Header // see object
	evidence *evidence   // see object
}

// flights are the origin requests under way.
type flights struct {
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows and the marked fields of flights; held for one look-up at most
	byKey   map[cacheKey]*flight
	all     map[*flight]struct{}
	number  uint64
	closing bool
}

func (fs *flights) init() {
	fs.byKey, fs.all = map[cacheKey]*flight{}, map[*flight]struct{}{}
}

// oldest returns the lowest stamp of the flights under way, at most upTo.
func (fs *flights) oldest(upTo purge.Sequence) purge.Sequence {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for f := range fs.all {
		upTo = min(upTo, f.stamp)
	}
	return upTo
}

func (fs *flights) close() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.closing = true
}

// shut keeps further viewers from joining f.
func (fs *flights) shut(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.closed = true
	if fs.byKey[f.key] == f {
		delete(fs.byKey, f.key)
	}
}

// rename lets others find f under the key of its variant.
func (fs *flights) rename(f *flight, key cacheKey) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if key == f.key || fs.byKey[f.key] != f {
		return
	}
	delete(fs.byKey, f.key)
	f.key = key
	if fs.byKey[key] == nil {
		fs.byKey[key] = f
	}
}

// end takes f off the list, after its object has been stored.
func (fs *flights) end(f *flight) {
	fs.shut(f)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.all, f)
}

// leave takes one viewer away from f. A satisfied viewer (HEAD, 304, a range) lets the fill go on for later ones;
// if the last one gave up, the origin request is cancelled and nothing is stored.
// spec: cloudfront 3.6, viewer abort during fetch: not cached
func (fs *flights) leave(f *flight, r *bodyReader, satisfied bool) {
	passing := f.body.isPassing()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	r.close()
	f.viewers--
	f.keep = f.keep || satisfied && !passing
	if f.viewers > 0 || f.keep {
		return
	}
	f.closed = true
	if fs.byKey[f.key] == f {
		delete(fs.byKey, f.key)
	}
	f.cancel()
}

// berth is a viewer's place in a flight.
type berth struct {
	f      *flight
	reader *bodyReader
	leader bool // the viewer's request started the flight
	next   bool // the viewer is not in f, but waits until it is ready, for the next one
}

// board puts a viewer into the flight that fills t's key, starting one if there is none that it may share.
// If the key has been filled since the viewer looked, it returns that fresh object instead.
// Alone means that the viewer shares with nobody.
func (e *Edge) board(rq *request, t *target, alone bool) (*berth, *object, error) {
	fs := &e.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closing {
		return nil, nil, errClosed
	}
	if f := fs.byKey[t.key]; f != nil && !alone {
		switch {
		case e.mayShare(rq, f):
			f.viewers++
			return &berth{f: f, reader: f.body.attach()}, nil, nil
		case rq.behind(f):
			return &berth{f: f, next: true}, nil, nil
		}
	}
	stamp := e.log.Current() // before the look-up, so that a prior object is clean up to it
	prior := e.lookUp(rq, t)
	if prior != nil && prior.use(rq.wants, e.opts.Now()) == serve {
		return nil, prior, nil
	}
	var former *object
	if prior == nil {
		former = e.former(rq, t)
	}
	f, err := e.takeOff(rq, t, stamp, prior, former)
	if err != nil {
		return nil, nil, err
	}
	f.viewers = 1
	if !alone && !t.b.cookies { // spec: cloudfront 3.8, no collapsing with cookies
		fs.byKey[t.key] = f
	}
	return &berth{f: f, reader: f.body.attach(), leader: true}, nil, nil
}

// mayShare says whether rq may have what f fetches: f's origin request began after rq, or after the last invalidation
// that covers the key and that rq must not miss. The caller holds flights.mu.
func (e *Edge) mayShare(rq *request, f *flight) bool {
	if f.closed || rq.fenced && (!f.fenced || f.number <= rq.after) {
		return false
	}
	var tags []string
	select {
	case <-f.ready:
		if !f.selects(rq) {
			return false
		}
		tags = f.tags()
	default: // not known yet; the viewer asks again when they are
	}
	return e.reaches(rq, f, tags)
}

// reaches says whether f is new enough for rq, as far as path and tags tell.
func (e *Edge) reaches(rq *request, f *flight, tags []string) bool {
	if f.stamp >= rq.begin {
		return true
	}
	covered, _ := e.log.Covered(f.target.key.uri, tags, f.stamp)
	return !covered
}

// tags of the response; only after ready.
func (f *flight) tags() []string {
	if f.prep != nil {
		return f.prep.tags
	}
	return f.head.tags
}

// takeOff starts a flight. The caller holds flights.mu.
func (e *Edge) takeOff(rq *request, t *target, stamp purge.Sequence, prior, former *object) (*flight, error) {
	confirm := prior
	if prior != nil && !prior.verdict.validate {
		confirm = nil
	}
	req, err := e.originRequest(rq, t, confirm)
	if err != nil {
		return nil, err
	}
	if former != nil { // the entity tag alone: it proves bytes, and a date would prove nothing more
		copyHeader(req.Header, "If-None-Match", former.received()["Etag"])
	}
	e.flights.number++
	f := &flight{
		number: e.flights.number, target: t, key: t.key, variant: t.key, stamp: stamp, prior: prior, former: former, body: newBody(), ready: make(chan struct{}),
		viewer: rq, fenced: rq.fenced,
	}
	if rq.early != nil {
		f.early = make(chan interim, maxInterim)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	f.cancel = cancel
	e.flights.all[f] = struct{}{}
	e.flights.running.Go(func() {
		defer e.rescue(f)
		e.fly(ctx, f, req)
	})
	return f, nil
}

// receive takes a response: head to the viewers at once, body as it comes, and the whole into the store.
func (e *Edge) receive(ctx context.Context, f *flight, resp *http.Response, asked, now time.Time) {
	f.kind, f.head = fetched, e.judge(f.target, resp, asked, now)
	if f.fenced && f.head.status >= 500 {
		f.head.verdict.store, f.head.verdict.spare = false, true
	}
	f.head.evidence = evidenceOf(f, resp)
	from := e.compress(ctx, f, resp)
	defer from.Close()
	if !f.head.verdict.store {
		e.flights.shut(f)
		if f.prior != nil && !f.head.verdict.spare { // gone or no longer cacheable: it must not come back when the origin fails
			e.store.drop(f.prior)
		}
		if !f.fenced || !f.head.verdict.spare {
			e.dropFormer(f)
		}
	}
	if f.head.verdict.store && f.target.d.rules.vary {
		f.variant = e.learn(f)
		e.flights.rename(f, f.variant)
	}
	if !f.head.verdict.share {
		e.flights.shut(f)
	}
	if f.head.length > int64(e.store.largest) {
		e.flights.shut(f)
		e.spill(f)
		f.body.pass()
	}
	if f.head.length == 0 {
		e.finish(ctx, f, from)
		close(f.ready)
		return
	}
	close(f.ready)
	e.finish(ctx, f, from)
}

// finish takes the body of a response and stores the whole before any viewer can see its end:
// whoever has a complete answer finds it in the cache.
func (e *Edge) finish(ctx context.Context, f *flight, from io.Reader) {
	last, err := e.pump(ctx, f, from)
	if err == nil && f.head.verdict.store {
		e.keep(f, last)
	}
	f.unspill()
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNoReader) {
		e.opts.Logger.Warn("origin body failed", "path", f.target.path, "error", err)
	}
	e.flights.end(f)
	if err == nil {
		f.body.commit(last)
	}
	f.body.finish(err)
}

// judge makes the head of a response, with the rules' verdict on it.
func (e *Edge) judge(t *target, resp *http.Response, asked, now time.Time) head {
	h := head{
		status: resp.StatusCode, header: t.d.rules.show(resp, t.b, now), length: resp.ContentLength, at: now,
		tags: purge.Tags(t.d.TagHeader, resp.Header.Values(t.d.TagHeader)),
	}
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		h.length = 0
	}
	if h.length >= 0 && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotModified {
		h.header["Content-Length"] = []string{strconv.FormatInt(h.length, 10)}
	}
	h.verdict = e.verdictOn(t, response{resp.StatusCode, resp.Header, now}, asked)
	return h
}

// verdictOn asks the distribution's rules about a response to a request that was sent at the given time.
func (e *Edge) verdictOn(t *target, r response, asked time.Time) verdict {
	return t.d.rules.judge(r, terms{
		policy: t.b.Policy, cookies: t.b.cookies, authorized: t.authorized, asked: asked,
		errorTTL: t.d.errorTTL(r.status, &t.b.origin), cacheForbidden: t.d.CacheForbidden,
	})
}

// pump moves the body from the origin to the flight. The last bytes of a body of known length are read but not committed:
// it returns their number.
func (e *Edge) pump(ctx context.Context, f *flight, from io.Reader) (last int, err error) {
	if f.head.length > 0 && !f.body.isPassing() {
		f.body.reserve(min(f.head.length, 1<<20))
	}
	size := int64(0)
	for ctx.Err() == nil {
		room, err := f.body.room(ctx)
		if err != nil {
			return 0, err
		}
		n, err := from.Read(room)
		size += int64(n)
		f.tee(room[:n])
		if size == f.head.length && (err == nil || errors.Is(err, io.EOF)) {
			if err == nil {
				err = expectEOF(from)
			}
			return n, ignoreEOF(err)
		}
		f.body.commit(n)
		if err != nil {
			return 0, ignoreEOF(err)
		}
		if f.head.length < 0 && size > int64(e.store.largest) && !f.body.isPassing() {
			e.flights.shut(f)
			e.spill(f)
			f.body.pass()
		}
	}
	return 0, context.Cause(ctx)
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// expectEOF reads on where a body should have ended.
func expectEOF(from io.Reader) error {
	var more [1]byte
	for {
		switch n, err := from.Read(more[:]); {
		case n > 0:
			return errTruncated
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// keep stores what the flight has fetched, with the last bytes that are not committed yet. A body that had to pass may be on the disk.
func (e *Edge) keep(f *flight, last int) {
	h := &f.head
	o := &object{
		key: f.variant, fill: f.number, stamp: f.stamp, status: h.status, header: h.header, evidence: h.evidence,
		tags: h.tags, born: h.at, expires: h.at.Add(h.verdict.lifetime - h.verdict.age), verdict: h.verdict,
	}
	var size int64
	if f.spilled != nil {
		size = f.spilled.Size()
	} else if !f.body.isPassing() {
		o.body = f.body.whole(last)
		size = int64(len(o.body))
	}
	if o.header["Content-Length"] == nil || len(h.verdict.withhold) > 0 {
		o.header = o.header.Clone()
		o.original = h.original // of compressed bodies, whose length is known only now
		for _, name := range h.verdict.withhold {
			o.header.Del(name)
		}
		if h.status != http.StatusNoContent {
			o.header["Content-Length"] = []string{strconv.FormatInt(size, 10)}
		}
	}
	switch {
	case !f.body.isPassing():
		e.store.put(o)
	case !e.keepBelow(f, o):
		if f.prior != nil {
			e.store.drop(f.prior)
		}
		e.dropFormer(f)
	}
}
