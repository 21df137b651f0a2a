package edge

import (
	"fmt"
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

// The RFC 9111 rules against a brute-force model: variants, slow fills, unsafe requests, invalidations, evictions and sweeps in any order.
//
// The origin is any HTTP server: a change of bytes changes the entity tag; a change of headers alone keeps it, and like every write sets
// Last-Modified; a header of the server's own changes without either, but is in a 304 too.
//
// Wrong: another variant's body. Stale: a body whose origin request began before an invalidation, or before the end of an unsafe request,
// that covers its URI and that completed before the viewer's request began, whatever the variant, and that the origin has not had since; or a header
// that had been replaced before such an invalidation.
// Wasteful: an origin request although a fresh object of the variant is cached that nothing covers.
// While the edge has no lease, stale is also what the origin had replaced when the request began.

var (
	varyURIs  = []string{"/a", "/a/b", "/plain"} // the last one has no variants
	varyLangs = []string{"", "de", "en"}
	varyItems = []string{"/a", "/a*", "/a/b", "/plain", "/*", "#t0", "#t1", "/elsewhere*"}
)

type varyAsk struct {
	uri, lang string
	serial    int
	version   int
	start     int // tick; moves when the body is confirmed
	date      time.Time
	leader    string // the viewer whose flight it is
	state     state
	proof     bool // a 304, and nothing that it repeats or dates has changed
	reply     chan bool
}

func (a *varyAsk) tag() string { return fmt.Sprintf("t%d", a.version%2) }

type varyViewer struct {
	uri, lang string
	begin     int
	w         *httptest.ResponseRecorder
	done      bool
	fenced    bool // it began without a lease
}

// varyEntry is what must be cached, and reachable.
type varyEntry struct {
	serial  int
	start   int
	expires time.Time
}

type varyWorld struct {
	b        *bench
	tick     int
	states   map[string]state
	replaced map[string][2][]int // by URI: when dress and server of each number were replaced
	mu       sync.Mutex          // guards what the origin writes: bodies, pending, arrived, errs; held for one arrival
	bodies   []*varyAsk
	pending  []*varyAsk
	arrived  int
	entries  map[[2]string]varyEntry
	landed   map[[2]string]int // when the newest fill that is stored began
	viewers  []*varyViewer
	sent     int
	items    []string
	ticks    []int
	sweeps   int
	fence    atomic.Bool
	errs     []string
}

// Valid is the edge's lease.
func (w *varyWorld) Valid(time.Time) bool { return !w.fence.Load() }

func TestVaryModel(t *testing.T) {
	kinds := []string{"request", "request", "request", "request", "release", "release", "release", "invalidate", "change", "advance", "evict", "forget", "write", "sweep", "dress", "serve", "blink", "fence"}
	rapid.Check(t, func(rt *rapid.T) {
		script := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) op {
			return op{rapid.SampledFrom(kinds).Draw(rt, "kind"), rapid.IntRange(0, 71).Draw(rt, "n")}
		}), 30, 80).Draw(rt, "script")
		var failure string
		synctest.Test(t, func(t *testing.T) { failure = newVaryWorld(t).run(script) })
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

func newVaryWorld(t *testing.T) *varyWorld {
	w := &varyWorld{states: map[string]state{}, replaced: map[string][2][]int{}, entries: map[[2]string]varyEntry{}, landed: map[[2]string]int{}}
	w.b = newBench(t, w.answer, func(c *Config, o *Options) {
		setOrigin(c, false, false)
		c.Rules, c.TagHeader = RFC9111, "Tags"
		o.OriginTimeout, o.Lease = 1000*time.Hour, w
	})
	return w
}

func (w *varyWorld) failf(format string, args ...any) {
	w.errs = append(w.errs, fmt.Sprintf("tick %d: ", w.tick)+fmt.Sprintf(format, args...))
}

func (w *varyWorld) run(script []op) string {
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
	for len(w.pending) > 0 {
		w.release(0)
		synctest.Wait()
	}
	return ""
}

func (w *varyWorld) step(o op) {
	uri, lang := varyURIs[o.n%3], varyLangs[o.n/3%3]
	switch o.kind {
	case "request":
		w.request(uri, lang)
	case "release":
		if len(w.pending) > 0 {
			w.release(o.n % len(w.pending))
		}
	case "invalidate":
		w.invalidate(varyItems[o.n%len(varyItems)])
	case "write": // answered at once, with 204
		w.b.do(http.MethodPut, uri)
		w.items, w.ticks = append(w.items, uri), append(w.ticks, w.tick)
	case "change", "dress", "serve":
		s, replaced := w.state(uri), w.replaced[uri]
		w.states[uri] = s.change(o.kind, w.tick, w.b.clock(), &replaced)
		w.replaced[uri] = replaced
	case "blink":
		w.b.advance(700 * time.Millisecond)
	case "advance":
		w.b.advance(40 * time.Second)
	case "evict":
		key := entryKey(uri, lang)
		w.b.store.cache.Invalidate(cacheKey{uri: uri, variant: secondary(varyOf(uri), &request{header: langHeader(lang)})})
		delete(w.entries, key)
		delete(w.landed, key)
	case "forget": // the note of the variants is evicted, so nothing need be found until the next fill
		w.b.store.cache.Invalidate(cacheKey{uri: uri, variant: variants})
		if uri != "/plain" {
			for _, lang := range varyLangs {
				delete(w.entries, entryKey(uri, lang))
			}
		}
	case "fence":
		w.fence.Store(!w.fence.Load())
	case "sweep":
		if w.sweeps++; w.sweeps < maxSegments {
			w.b.sweep()
		}
	}
}

func (w *varyWorld) invalidate(item string) {
	w.b.invalidate(item)
	w.items, w.ticks = append(w.items, item), append(w.ticks, w.tick)
}

func varyOf(uri string) []string {
	if uri == "/plain" {
		return nil
	}
	return []string{"Accept-Language"}
}

func entryKey(uri, lang string) [2]string {
	if uri == "/plain" {
		lang = ""
	}
	return [2]string{uri, lang}
}

func langHeader(lang string) http.Header {
	if lang == "" {
		return http.Header{}
	}
	return http.Header{"Accept-Language": {lang}}
}

// answer is the origin. What it says is fixed when the request arrives, and said when released.
func (w *varyWorld) answer(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
	}
	uri := r.URL.RequestURI()
	s, now := w.state(uri), w.b.clock().Truncate(time.Second)
	w.mu.Lock() // one release may make several viewers ask again, each for its variant
	a := &varyAsk{
		uri: uri, lang: r.Header.Get("Accept-Language"), serial: len(w.bodies), version: s.version, start: w.tick, date: now, leader: r.Header.Get("X-Viewer"), state: s, reply: make(chan bool),
	}
	w.arrived++
	w.pending, w.bodies = append(w.pending, a), append(w.bodies, a)
	confirms := w.confirms(a, r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since") != "")
	w.mu.Unlock()
	select {
	case <-a.reply:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	headers := []string{
		"Cache-Control: max-age=60", fmt.Sprintf(`Etag: "%d"`, a.serial), "Tags: " + a.tag(), fmt.Sprint("X-Server: ", s.server),
		"Last-Modified: " + s.modified.Format(http.TimeFormat), "Date: " + now.Format(http.TimeFormat),
	}
	if uri != "/plain" {
		headers = append(headers, "Vary: Accept-Language")
	}
	if confirms != nil {
		return reply(304, "", headers...), nil
	}
	return reply(200, fmt.Sprint(a.serial), append(headers, fmt.Sprint("Content-Language: ", s.dress))...), nil
}

func (w *varyWorld) state(uri string) state {
	s, known := w.states[uri]
	if !known {
		s.modified = writtenBefore
	}
	return s
}

// confirms returns the body that the condition names if it is still the current version, and checks that what is covered is named by nothing else.
func (w *varyWorld) confirms(a *varyAsk, etag string, dated bool) *varyAsk {
	serial := 0
	if _, err := fmt.Sscanf(etag, `"%d"`, &serial); err != nil {
		return nil
	}
	old := w.bodies[serial]
	if w.covered(old, old.start, w.tick+1) && dated || entryKey(old.uri, old.lang) != entryKey(a.uri, a.lang) {
		w.failf("%s %q: a covered object is confirmed by its date, or another variant is", a.uri, a.lang)
	}
	if old.version != a.version {
		return nil
	}
	a.serial = serial
	a.proof = !dated && old.state == a.state
	old.start = max(old.start, a.start) // the origin still has these bytes
	return old
}

func (w *varyWorld) covered(a *varyAsk, after, before int) bool {
	for i, item := range w.items {
		if w.ticks[i] <= after || w.ticks[i] >= before {
			continue
		}
		prefix, isPrefix := strings.CutSuffix(item, "*")
		if item == a.uri || isPrefix && strings.HasPrefix(a.uri, prefix) || item == "#"+a.tag() {
			return true
		}
	}
	return false
}

func (w *varyWorld) request(uri, lang string) {
	e, known := w.entries[entryKey(uri, lang)]
	must := known && !w.fence.Load() && w.b.clock().Before(e.expires) && !w.covered(w.bodies[e.serial], e.start, w.tick+1)
	before := w.arrived
	v := &varyViewer{uri: uri, lang: lang, begin: w.tick, w: httptest.NewRecorder(), fenced: w.fence.Load()}
	w.viewers = append(w.viewers, v)
	w.sent++
	number := strconv.Itoa(w.sent)
	go func() {
		r := httptest.NewRequest(http.MethodGet, uri, nil)
		r.Header = langHeader(lang)
		r.Header.Set("X-Viewer", number)
		w.b.ServeHTTP(v.w, r)
		v.done = true
	}()
	synctest.Wait()
	if must && (w.arrived != before || !v.done) {
		w.failf("%s %q: the origin is asked although a fresh object is cached", uri, lang)
	}
}

func (w *varyWorld) release(i int) {
	a := w.pending[i]
	w.pending = slices.Delete(w.pending, i, i+1)
	body := w.bodies[a.serial]
	landing := *a // a itself moves on if what it brought is confirmed at once
	a.reply <- true
	synctest.Wait()
	if again := slices.IndexFunc(w.pending, func(p *varyAsk) bool { return p.leader == a.leader }); again >= 0 { // a 304 that proved nothing
		if w.pending[again].start = a.start; a.proof {
			w.failf("%s %q: fetched although a 304 proved it", a.uri, a.lang)
		}
		return
	}
	a = &landing
	covered := w.covered(a, a.start, w.tick+1) || w.covered(body, a.start, w.tick+1)
	key := entryKey(a.uri, a.lang)
	if w.landed[key] <= a.start { // an earlier fill never replaces a later one, even one that has expired
		delete(w.entries, key)
		if !covered {
			w.landed[key] = a.start
			w.entries[key] = varyEntry{a.serial, a.start, a.date.Add(time.Minute)}
		}
	}
}

func (w *varyWorld) checkDone() {
	w.viewers = slices.DeleteFunc(w.viewers, func(v *varyViewer) bool {
		if v.done {
			w.check(v)
		}
		return v.done
	})
}

func (w *varyWorld) check(v *varyViewer) {
	serial := 0
	if _, err := fmt.Sscan(v.w.Body.String(), &serial); err != nil || v.w.Code != http.StatusOK {
		w.failf("%s: %d %q", v.uri, v.w.Code, v.w.Body)
		return
	}
	a := w.bodies[serial]
	if entryKey(a.uri, a.lang) != entryKey(v.uri, v.lang) {
		w.failf("%s %q: wrong: got the body for %s %q", v.uri, v.lang, a.uri, a.lang)
	}
	if v.fenced && a.start < v.begin {
		w.failf("%s %q: stale: a request without a lease began at %d, its answer is of %d", v.uri, v.lang, v.begin, a.start)
	}
	if w.covered(a, a.start, v.begin) {
		w.failf("%s %q: stale: body %d was asked for at %d, the request began at %d; invalidated %q at %v", v.uri, v.lang, serial, a.start, v.begin, w.items, w.ticks)
	}
	for i, name := range []string{"Content-Language", "X-Server"} {
		n, err := strconv.Atoi(v.w.Header().Get(name))
		replaced := w.replaced[v.uri][i]
		missed := n < len(replaced) && (v.fenced && replaced[n] < v.begin || w.covered(a, replaced[n], v.begin))
		if err != nil || missed {
			w.failf("%s %q: stale header %s %d, replaced at %v; the request began at %d; invalidated %q at %v", v.uri, v.lang, name, n, replaced, v.begin, w.items, w.ticks)
		}
	}
}
