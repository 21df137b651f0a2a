package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// The edge against a brute-force model: random interleavings of requests, slow origin answers, truncations, leaving viewers,
// origin changes, expiry, evictions, sweeps and invalidations.
//
// The origin is a bucket as S3 has them: a change of bytes changes the entity tag, a change of headers alone does not, either sets Last-Modified, to the
// second; and a header of the server's own changes without either.
//
// Stale: an answer whose body the origin was neither asked for nor still had after an invalidation that covers it and that completed before
// the request began; or one with headers that had been replaced before such an invalidation.
// Wasteful: an origin request although the model knows a fresh object, or a fill under way, that no invalidation covers; or a second one
// after a 304 that proves what it confirms.
// While the edge has no lease, the origin changes without any invalidation: an answer to a request that began then is stale if the origin had
// replaced it, body or headers, when the request began (property_fence_test.go).
// None may ever happen. Every operation runs until nothing moves any more, so the order of events is known exactly.

var (
	worldURIs  = []string{"/a", "/a/b", "/b", "/b?q=1"}
	worldItems = []string{"/a", "/a*", "/a/*", "/b", "/b?q=1", "/b*", "/*", "#t0", "#t1", "/elsewhere"}
)

const worldTTL = time.Minute

// op is one step of a script; n chooses among what there is.
type op struct {
	kind string
	n    int
}

func drawScript(t *rapid.T) []op {
	kinds := []string{"request", "request", "request", "release", "release", "invalidate", "change", "dress", "serve", "blink", "blink", "advance", "evict", "sweep", "leave", "truncate", "fence"}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) op {
		return op{rapid.SampledFrom(kinds).Draw(t, "kind"), rapid.IntRange(0, 19).Draw(t, "n")}
	}), 30, 80).Draw(t, "script")
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script := drawScript(rt)
		var failure string
		synctest.Test(t, func(t *testing.T) { failure = newWorld(t).run(script) })
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

// asked is an origin request, and in the model the flight that made it.
type asked struct {
	uri     string
	serial  int // of the body it brings: its own, or with a 304 the confirmed one's
	tags    []string
	state   state       // that it brings; with a 304, what the confirmed object came with
	start   int         // tick. For a body: when the origin was last known to have it
	confirm bool        // it is answered with 304
	covered bool        // ... to an object that an invalidation covers
	proof   bool        // ... and that is as the origin has it, also in its headers
	id      string      // of the flight
	reply   chan string // "", "truncate"
	viewers map[*viewer]bool

	fencing
}

// viewer is a request under way.
type viewer struct {
	uri    string
	begin  int // tick
	w      *httptest.ResponseRecorder
	leave  context.CancelFunc
	done   bool
	broken bool
	fenced bool // it began without a lease
}

// entry is what the model thinks is cached under a URI.
type entry struct {
	serial  int
	alike   []int // see fencing
	tags    []string
	start   int
	expires time.Time
	state   state
}

// state is what the origin has under a URI.
type state struct {
	version, dress, server int
	modified               time.Time // in seconds
}

// writtenBefore is when everything was written that nothing has changed yet.
var writtenBefore = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)

// change is s after a write ("change", "dress"), or after one of the server's configuration ("serve"), and notes what that has replaced.
func (s state) change(kind string, tick int, now time.Time, replaced *[2][]int) state {
	switch kind {
	case "change":
		s.version++
	case "dress":
		s.dress++
		replaced[0] = append(replaced[0], tick)
	case "serve":
		s.server++
		replaced[1] = append(replaced[1], tick)
		return s
	}
	s.modified = now.Truncate(time.Second)
	return s
}

type world struct {
	b        *bench
	tick     int
	states   map[string]state
	replaced map[string][2][]int // by URI: when dress and server of each number were replaced
	bodies   []*asked            // by serial: the request that fetched it
	pending  []*asked
	mu       sync.Mutex // guards what the origin writes: bodies, pending, arrived, errs; held for one arrival
	arrived  int
	entries  map[string]*entry
	viewers  []*viewer
	sent     []*viewer // by number
	fence    atomic.Bool
	released *asked   // that is being answered
	items    []string // invalidated, with ticks
	ticks    []int
	sweeps   int
	errs     []string
}

func newWorld(t *testing.T) *world {
	w := &world{states: map[string]state{}, replaced: map[string][2][]int{}, entries: map[string]*entry{}}
	w.b = newBench(t, w.answer, func(c *Config, o *Options) {
		setOrigin(c, true, true)
		c.TagHeader = "X-Amz-Meta-Tags"
		c.Default.Policy = CachePolicy{DefaultTTL: worldTTL, MaxTTL: time.Hour, Query: Selection{Mode: SelectAll}}
		c.Default.OriginHeaders = []string{"X-Viewer"}
		o.OriginTimeout, o.Lease = 1000*time.Hour, w
	})
	return w
}

func (w *world) failf(format string, args ...any) {
	w.errs = append(w.errs, fmt.Sprintf("tick %d: ", w.tick)+fmt.Sprintf(format, args...))
}

func (w *world) run(script []op) string {
	defer w.b.Close()
	for _, o := range script {
		w.tick++
		w.step(o)
		synctest.Wait()
		w.checkDone()
		if len(w.errs) > 0 {
			return strings.Join(w.errs, "\n")
		}
	}
	for _, v := range w.viewers {
		v.leave()
	}
	synctest.Wait()
	return ""
}

func (w *world) step(o op) {
	uri := worldURIs[o.n%len(worldURIs)]
	switch o.kind {
	case "request":
		w.request(uri)
	case "release", "truncate":
		if len(w.pending) > 0 {
			w.release(o.n%len(w.pending), o.kind == "truncate")
		}
	case "invalidate":
		item := worldItems[o.n%len(worldItems)]
		w.b.invalidate(item)
		w.items, w.ticks = append(w.items, item), append(w.ticks, w.tick)
	case "change", "dress", "serve":
		s, replaced := w.state(uri), w.replaced[uri]
		w.states[uri] = s.change(o.kind, w.tick, w.b.clock(), &replaced)
		w.replaced[uri] = replaced
	case "blink":
		w.b.advance(700 * time.Millisecond)
	case "advance":
		w.b.advance(40 * time.Second)
	case "evict":
		w.b.store.cache.Invalidate(cacheKey{uri: uri})
		delete(w.entries, uri)
	case "sweep":
		if w.sweeps++; w.sweeps < maxSegments { // beyond that, slow fills lose their place on purpose
			w.b.sweep()
		}
	case "leave":
		w.leave(o.n)
	case "fence":
		w.fence.Store(!w.fence.Load())
	}
}

func (w *world) state(uri string) state {
	s, known := w.states[uri]
	if !known {
		s.modified = writtenBefore
	}
	return s
}

// answer is the origin. It fixes what it will say when the request arrives, and says it when released.
func (w *world) answer(r *http.Request) (*http.Response, error) {
	uri := r.URL.RequestURI()
	s, now := w.state(uri), w.b.clock().Truncate(time.Second)
	w.mu.Lock()
	a := &asked{
		uri: uri, serial: len(w.bodies), start: w.tick, reply: make(chan string), viewers: map[*viewer]bool{},
		tags: []string{fmt.Sprintf("t%d", s.version%2)}, id: r.Header.Get("X-Amz-Cf-Id"), state: s,
	}
	etag := fmt.Sprintf(`"%s %d"`, uri, s.version)
	w.arrive(a, r, etag, s)
	w.mu.Unlock()
	headers := []string{"Etag: " + etag, "Last-Modified: " + s.modified.Format(http.TimeFormat), "Date: " + now.Format(http.TimeFormat), fmt.Sprint("X-Server: ", s.server)}
	select {
	case how := <-a.reply:
		if a.confirm {
			return reply(304, "", headers...), nil
		}
		resp := reply(200, fmt.Sprint(a.serial), append(headers, fmt.Sprint("X-Amz-Meta-Dress: ", s.dress), "X-Amz-Meta-Tags: "+a.tags[0])...)
		if how == "truncate" {
			resp.ContentLength += 5
		}
		return resp, nil
	case <-r.Context().Done():
		a.gone = true
		return nil, r.Context().Err()
	}
}

// arrive records an origin request, and what it confirms. What is covered may be confirmed by its entity tag only.
func (w *world) arrive(a *asked, r *http.Request, etag string, s state) {
	w.arrived++
	w.lead(a, r.Header.Get("X-Viewer"))
	w.pending = append(w.pending, a)
	w.bodies = append(w.bodies, a)
	condition := r.Header.Get("If-None-Match")
	if condition == "" {
		return
	}
	known := w.confirmable(a.uri)
	if len(known) == 0 {
		w.failf("%s: an unknown object is confirmed (%s)", a.uri, condition)
		return
	}
	a.covered = a.fenced || w.covered(a.uri, known[0].tags, known[0].start)
	if a.covered && r.Header.Get("If-Modified-Since") != "" {
		w.failf("%s: a covered object is confirmed by its date", a.uri)
	}
	if condition == etag {
		w.bodies[a.serial] = &asked{uri: a.uri}
		w.confirms(a, known, s)
	}
}

// covered says whether an invalidation after the tick covers the URI or, with tags, the object.
func (w *world) covered(uri string, tags []string, after int) bool {
	return w.coveredBetween(uri, tags, after, w.tick+1)
}

func (w *world) coveredBetween(uri string, tags []string, after, before int) bool {
	for i, item := range w.items {
		if w.ticks[i] <= after || w.ticks[i] >= before {
			continue
		}
		prefix, isPrefix := strings.CutSuffix(item, "*")
		if item == uri || isPrefix && strings.HasPrefix(uri, prefix) || item[0] == '#' && slices.Contains(tags, item[1:]) {
			return true
		}
	}
	return false
}

func (w *world) request(uri string) {
	e := w.entries[uri]
	cached := !w.fence.Load() && e != nil && w.b.clock().Before(e.expires) && !w.covered(uri, e.tags, e.start)
	flight := w.shared(uri, w.fence.Load())
	before := w.arrived
	v := w.send(uri)
	switch fetches := w.arrived - before; {
	case cached && (fetches != 0 || !v.done):
		w.failf("%s: %d origin requests although a fresh object is cached", uri, fetches)
	case cached:
	case flight != nil && fetches != 0:
		w.failf("%s: %d origin requests although a fill is under way", uri, fetches)
	case flight != nil && v.fenced:
		flight.next[v] = true
	case flight != nil:
		flight.viewers[v] = true
	case fetches != 1:
		w.failf("%s: %d origin requests for something that is not cached", uri, fetches)
	default:
		w.pending[len(w.pending)-1].viewers[v] = true
	}
}

// shared is the flight that a request for uri joins now, or with fenced, waits for.
func (w *world) shared(uri string, fenced bool) *asked {
	for _, a := range slices.Backward(w.pending) {
		if a.uri == uri && !a.hidden {
			if fenced && a.fenced {
				return a
			}
			if fenced {
				return nil
			}
			if w.covered(uri, nil, a.start) {
				return nil
			}
			return a
		}
	}
	return nil
}

func (w *world) send(uri string) *viewer {
	ctx, cancel := context.WithCancel(context.Background())
	v := &viewer{uri: uri, begin: w.tick, w: httptest.NewRecorder(), leave: cancel, fenced: w.fence.Load()}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	r.Header.Set("X-Viewer", strconv.Itoa(len(w.sent)))
	w.viewers, w.sent = append(w.viewers, v), append(w.sent, v)
	go func() {
		v.broken = w.b.serve(v.w, r)
		v.done = true
	}()
	synctest.Wait()
	return v
}

// release lets the i-th pending origin request be answered, and follows what the edge makes of it.
func (w *world) release(i int, truncate bool) {
	a := w.pending[i]
	w.pending = slices.Delete(w.pending, i, i+1)
	found := w.found(a.uri)
	truncate = truncate && !a.confirm
	how := ""
	if truncate {
		how = "truncate"
	}
	landing, wasCovered := *a, w.covered(a.uri, a.tags, a.start) // a itself moves on if what it brought is confirmed at once
	before := w.arrived
	w.released, a.cut = a, truncate
	a.reply <- how
	synctest.Wait()
	if a.covered && a.confirm && w.retried(a, i) {
		w.released = nil
		return
	}
	w.land(&landing, truncate, wasCovered)
	w.follow(a, found, w.arrived-before, wasCovered)
	w.released = nil
}

// retried says whether the flight of a, the i-th pending one until it was answered with 304, has asked for the whole instead; then that is what is pending.
func (w *world) retried(a *asked, i int) bool {
	last := len(w.pending) - 1
	if last < 0 || w.pending[last].id != a.id {
		return false
	}
	next := w.pending[last]
	w.pending = slices.Insert(w.pending[:last], i, next)
	next.start, next.viewers, next.fencing = a.start, a.viewers, a.fencing
	if a.proof {
		w.failf("%s: fetched although a 304 proved it", a.uri)
	}
	return true
}

// land is what the model thinks is cached after the answer.
func (w *world) land(a *asked, truncated, covered bool) {
	old := w.entries[a.uri]
	switch {
	case truncated, old != nil && old.start > a.start:
	case covered:
		delete(w.entries, a.uri)
	default:
		w.entries[a.uri] = &entry{serial: a.serial, alike: a.alike, tags: a.tags, start: a.start, state: a.state, expires: w.b.clock().Add(worldTTL)}
	}
}

// leave lets a viewer go; a flight without viewers is cancelled.
func (w *world) leave(n int) {
	var waiting []*viewer
	for _, v := range w.viewers {
		if !v.done {
			waiting = append(waiting, v)
		}
	}
	if len(waiting) == 0 {
		return
	}
	v := waiting[n%len(waiting)]
	before, found, gone := w.arrived, w.found(v.uri), []*asked{}
	v.leave()
	synctest.Wait()
	if !v.done {
		w.failf("a viewer who left is still waiting")
	}
	w.pending = slices.DeleteFunc(w.pending, func(a *asked) bool {
		had := a.viewers[v]
		delete(a.viewers, v)
		delete(a.next, v)
		alive := slices.ContainsFunc(w.viewers, func(v *viewer) bool { return a.viewers[v] && !v.done })
		if w.cancelled(a, had && !alive) {
			gone = append(gone, a)
		}
		return a.gone
	})
	for _, a := range gone {
		w.board(a, found, w.arrived-before)
	}
}

// checkDone checks every answer that has come.
func (w *world) checkDone() {
	w.viewers = slices.DeleteFunc(w.viewers, func(v *viewer) bool {
		if v.done && !v.broken {
			w.checkFresh(v)
		}
		if v.done {
			v.leave()
		}
		return v.done
	})
}

func (w *world) checkFresh(v *viewer) {
	text, err := io.ReadAll(v.w.Body)
	if err != nil || v.w.Code != 200 {
		w.failf("%s: status %d, %v", v.uri, v.w.Code, errors.Join(err))
		return
	}
	serial := 0
	if _, err := fmt.Sscan(string(text), &serial); err != nil {
		w.failf("%s: body %q", v.uri, text)
		return
	}
	a := w.bodies[serial]
	if a.uri != v.uri {
		w.failf("%s: got the body of %s", v.uri, a.uri)
	}
	if v.fenced {
		w.checkFenced(v, a)
	}
	if w.coveredBetween(v.uri, a.tags, a.start, v.begin) {
		w.failf("%s: stale: body %d was asked for at %d, the request began at %d; invalidated %q at %v", v.uri, serial, a.start, v.begin, w.items, w.ticks)
	}
	for i, name := range []string{"X-Amz-Meta-Dress", "X-Server"} {
		n, err := strconv.Atoi(v.w.Header().Get(name))
		replaced := w.replaced[v.uri][i]
		if err != nil || n < len(replaced) && w.coveredBetween(v.uri, a.tags, replaced[n], v.begin) {
			w.failf("%s: stale header %s %d, replaced at %v; the request began at %d; invalidated %q at %v", v.uri, name, n, replaced, v.begin, w.items, w.ticks)
		}
	}
}
