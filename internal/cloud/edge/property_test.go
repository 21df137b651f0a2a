package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// The edge against a brute-force model: random interleavings of requests, slow origin answers, truncations, leaving viewers,
// origin changes, expiry, evictions, sweeps and invalidations.
//
// Stale: an answer whose body the origin was asked for before an invalidation that covers it and that completed before the request began.
// Wasteful: an origin request although the model knows a fresh object, or a fill under way, that no invalidation covers.
// Neither may ever happen. Every operation runs until nothing moves any more, so the order of events is known exactly.

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
	kinds := []string{"request", "request", "request", "release", "release", "invalidate", "change", "advance", "evict", "sweep", "leave", "truncate"}
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
	start   int // tick
	confirm bool
	reply   chan string // "", "truncate"
	viewers map[*viewer]bool
}

// viewer is a request under way.
type viewer struct {
	uri    string
	begin  int // tick
	w      *httptest.ResponseRecorder
	leave  context.CancelFunc
	done   bool
	broken bool
}

// entry is what the model thinks is cached under a URI.
type entry struct {
	serial  int
	tags    []string
	start   int
	expires time.Time
}

type world struct {
	b        *bench
	tick     int
	versions map[string]int
	bodies   []*asked // by serial: the request that fetched it
	pending  []*asked
	arrived  int
	entries  map[string]*entry
	viewers  []*viewer
	items    []string // invalidated, with ticks
	ticks    []int
	sweeps   int
	errs     []string
}

func newWorld(t *testing.T) *world {
	w := &world{versions: map[string]int{}, entries: map[string]*entry{}}
	w.b = newBench(t, w.answer, func(c *Config, o *Options) {
		c.TagHeader = "Tags"
		c.Default.Policy = CachePolicy{DefaultTTL: worldTTL, MaxTTL: time.Hour, Query: Selection{Mode: SelectAll}}
		o.OriginTimeout = 1000 * time.Hour
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
	case "change":
		w.versions[uri]++
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
	}
}

// answer is the origin. It fixes what it will say when the request arrives, and says it when released.
func (w *world) answer(r *http.Request) (*http.Response, error) {
	uri := r.URL.RequestURI()
	version := w.versions[uri]
	a := &asked{
		uri: uri, serial: len(w.bodies), start: w.tick, reply: make(chan string), viewers: map[*viewer]bool{},
		tags: []string{fmt.Sprintf("t%d", version%2)},
	}
	etag := fmt.Sprintf(`"%s %d"`, uri, version)
	w.arrive(a, r, etag)
	select {
	case how := <-a.reply:
		if a.confirm {
			return reply(304, ""), nil
		}
		resp := reply(200, fmt.Sprint(a.serial), "Etag: "+etag, "Tags: "+a.tags[0])
		if how == "truncate" {
			resp.ContentLength += 5
		}
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// arrive records an origin request and checks that a conditional one confirms what nothing covers.
func (w *world) arrive(a *asked, r *http.Request, etag string) {
	w.arrived++
	w.pending = append(w.pending, a)
	w.bodies = append(w.bodies, a)
	condition := r.Header.Get("If-None-Match")
	if condition == "" {
		return
	}
	e := w.entries[a.uri]
	if e == nil || w.covered(a.uri, e.tags, e.start) {
		w.failf("%s: a covered or unknown object is confirmed (%s)", a.uri, condition)
		return
	}
	if condition == etag {
		a.confirm = true
		w.bodies[a.serial] = &asked{uri: a.uri}
		a.serial, a.tags = e.serial, e.tags
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
	cached := e != nil && w.b.clock().Before(e.expires) && !w.covered(uri, e.tags, e.start)
	flight := w.shared(uri)
	before := w.arrived
	v := w.send(uri)
	switch fetches := w.arrived - before; {
	case cached && (fetches != 0 || !v.done):
		w.failf("%s: %d origin requests although a fresh object is cached", uri, fetches)
	case cached:
	case flight != nil && fetches != 0:
		w.failf("%s: %d origin requests although a fill is under way", uri, fetches)
	case flight != nil:
		flight.viewers[v] = true
	case fetches != 1:
		w.failf("%s: %d origin requests for something that is not cached", uri, fetches)
	default:
		w.pending[len(w.pending)-1].viewers[v] = true
	}
}

// shared is the flight that a request for uri joins now.
func (w *world) shared(uri string) *asked {
	for _, a := range slices.Backward(w.pending) {
		if a.uri == uri {
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
	v := &viewer{uri: uri, begin: w.tick, w: httptest.NewRecorder(), leave: cancel}
	w.viewers = append(w.viewers, v)
	go func() {
		v.broken = w.b.serve(v.w, httptest.NewRequestWithContext(ctx, http.MethodGet, uri, nil))
		v.done = true
	}()
	synctest.Wait()
	return v
}

// release lets the i-th pending origin request be answered, and follows what the edge makes of it.
func (w *world) release(i int, truncate bool) {
	a := w.pending[i]
	w.pending = slices.Delete(w.pending, i, i+1)
	truncate = truncate && !a.confirm
	how := ""
	if truncate {
		how = "truncate"
	}
	wasCovered := w.covered(a.uri, a.tags, a.start)
	w.land(a, truncate, wasCovered)
	before := w.arrived
	a.reply <- how
	synctest.Wait()
	fetches := w.arrived - before
	if fetches > 1 || fetches == 1 && !wasCovered {
		w.failf("%s: %d origin requests after a fill that brought what was wanted", a.uri, fetches)
	}
	if again := w.shared(a.uri); again != nil { // where the waiters went that need something newer
		for v := range a.viewers {
			again.viewers[v] = !v.done
		}
	}
}

// land is what the model thinks is cached after the answer.
func (w *world) land(a *asked, truncated, covered bool) {
	old := w.entries[a.uri]
	switch {
	case truncated, old != nil && old.start > a.start:
	case covered:
		delete(w.entries, a.uri)
	default:
		w.entries[a.uri] = &entry{serial: a.serial, tags: a.tags, start: a.start, expires: w.b.clock().Add(worldTTL)}
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
	v.leave()
	synctest.Wait()
	if !v.done {
		w.failf("a viewer who left is still waiting")
	}
	w.pending = slices.DeleteFunc(w.pending, func(a *asked) bool {
		had := a.viewers[v]
		delete(a.viewers, v)
		alive := slices.ContainsFunc(w.viewers, func(v *viewer) bool { return a.viewers[v] && !v.done })
		return had && !alive
	})
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
	if w.coveredBetween(v.uri, a.tags, a.start, v.begin) {
		w.failf("%s: stale: body %d was asked for at %d, the request began at %d; invalidated %q at %v", v.uri, serial, a.start, v.begin, w.items, w.ticks)
	}
}
