package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

func TestInvalidate(t *testing.T) {
	tests := []struct {
		spec, target, item string
		policy             CachePolicy
		headers            []string
		gone               bool
	}{
		{spec: "1.2 exact", target: "/a.html", item: "/a.html", gone: true},
		{spec: "1.2 query not in the key: the bare path is right", target: "/a?x=1", item: "/a", gone: true},
		{spec: "1.2 query not in the key: with query (unconfirmed)", target: "/a?x=1", item: "/a?x=1"},
		{spec: "1.2 query in the key needs its own path", target: "/a?x=1", item: "/a", policy: CachePolicy{Query: Selection{Mode: SelectAll}}},
		{spec: "1.2 query in the key", target: "/a?x=1", item: "/a?x=1", policy: CachePolicy{Query: Selection{Mode: SelectAll}}, gone: true},
		{spec: "1.2 query in the key, wildcard", target: "/a?x=1", item: "/a*", policy: CachePolicy{Query: Selection{Mode: SelectAll}}, gone: true},
		{spec: "1.2 all header variants", target: "/a", item: "/a", policy: CachePolicy{Headers: []string{"X-A"}}, headers: []string{"X-A: 1"}, gone: true},
		{spec: "1.2 all cookie variants", target: "/a", item: "/a", policy: CachePolicy{MinTTL: 1, Cookies: Selection{Mode: SelectAll}}, headers: []string{"Cookie: a=1"}, gone: true},
		{spec: "1.2 compressed variants", target: "/a", item: "/a", policy: CachePolicy{EnableGzip: true}, headers: []string{"Accept-Encoding: gzip"}, gone: true},
		{spec: "1.2 default root object by its name", target: "/", item: "/index.html", gone: true},
		{spec: "1.2 default root object is not cached as /", target: "/", item: "/"},
		{spec: "1.2 rewritten path", target: "/docs/", item: "/docs/index.html", gone: true},
		{spec: "1.2 not the viewer's path", target: "/docs/", item: "/docs/"},
		{spec: "1.2 relative to the distribution, not to the origin path", target: "/a.html", item: "/production/a.html"},
		{spec: "1.1 encoded as requested", target: "/a%2Bb.html", item: "/a%2Bb.html", gone: true},
		{spec: "1.1 other spelling", target: "/a%2Bb.html", item: "/a+b.html"},
		{spec: "2 tag", target: "/a.html", item: "#KIND:page", gone: true},
		{spec: "2 other tag", target: "/a.html", item: "#kind"},
		{spec: "everything", target: "/x/y.html", item: "/*", gone: true},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			test.policy.DefaultTTL, test.policy.MaxTTL = time.Hour, time.Hour
			b := newBench(t, counter("X-Amz-Meta-Cache-Tag: kind:page, lang:en"), func(c *Config, _ *Options) {
				c.DefaultRootObject, c.TagHeader = "index.html", "x-amz-meta-cache-tag"
				c.Default.Policy, c.Default.Rewrite = test.policy, DirectoryIndex
				if test.policy.Query.Mode != SelectNone || len(test.headers) > 0 {
					c.Default.Rewrite = nil
				}
				if strings.HasPrefix(test.target, "/a?") {
					c.Default.Rewrite = nil
				}
				o := c.Origins["site"]
				o.Path = "/production"
				c.Origins["site"] = o
			})
			b.get(test.target, test.headers...)
			b.get(test.target, test.headers...)
			b.asked(1)
			b.invalidate(test.item)
			b.get(test.target, test.headers...)
			if gone := b.origin.count() == 2; gone != test.gone {
				t.Errorf("refetched: %v, want %v", gone, test.gone)
			}
			b.get(test.target, test.headers...)
			b.get(test.target, test.headers...)
			if n := b.origin.count(); n > 2 {
				t.Errorf("one invalidation caused %d fetches", n-1)
			}
		})
	}
}

func TestInvalidateRefuses(t *testing.T) {
	b := newBench(t, counter())
	b.want("/a", 200, "Miss", "1")
	if _, err := b.Invalidate([]string{"/a", "b"}); !errors.Is(err, purge.ErrItem) {
		t.Errorf("Invalidate = %v", err)
	}
	b.want("/a", 200, "Hit", "1")
}

// spec: cloudfront 2: tags extracted under the old header name are not evaluated against later items
func TestTagHeaderChange(t *testing.T) {
	b := newBench(t, counter("X-Old: t", "X-New: t"), func(c *Config, _ *Options) { c.TagHeader = "X-Old" })
	b.want("/a", 200, "Miss", "1")
	b.want("/b", 200, "Miss", "2")
	b.invalidate("#t")
	b.want("/a", 200, "Miss", "3")
	cfg := basicConfig(b.origin)
	cfg.TagHeader = "X-New"
	if err := b.SetConfig(cfg); err != nil {
		t.Fatal(err)
	}
	b.want("/b", 200, "Miss", "4") // the item of the old header's time still counts
	b.invalidate("#t")
	b.want("/a", 200, "Hit", "3")
	b.want("/b", 200, "Miss", "5")
}

// spec: cloudfront 5.4, and 1.2 error entries
func TestErrorPages(t *testing.T) {
	var mu sync.Mutex
	status, page, pages := 404, "page 1", 0
	set := func(newStatus int, newPage string) {
		mu.Lock()
		defer mu.Unlock()
		status, page = newStatus, newPage
	}
	answer := func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/errors/404.html" {
			pages++
			return reply(200, page, "Content-Type: text/html", `Etag: "p"`), nil
		}
		return reply(status, "xml"), nil
	}
	for _, code := range []int{0, 200, 403} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			set(404, "page 1")
			pages = 0
			shown := code
			if code == 0 {
				shown = 404
			}
			b := newBench(t, answer, func(c *Config, _ *Options) {
				c.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/errors/404.html", ResponseCode: code, MinTTL: 20 * time.Second}}
			})
			b.want("/gone", shown, "Error", "page 1")
			b.want("/gone", shown, "Error", "page 1")
			b.want("/gone-too", shown, "Error", "page 1")
			b.want("/errors/404.html", 200, "Hit", "page 1")
			b.asked(3)
			set(404, "page 2")
			b.invalidate("/errors/404.html")
			b.want("/gone", shown, "Error", "page 2")
			b.asked(4) // the page, not the failing URL
			set(200, "page 2")
			b.want("/gone", shown, "Error", "page 2")
			b.invalidate("/gone")
			b.want("/gone", 200, "Miss", "xml")
			b.want("/gone-too", shown, "Error", "page 2")
			b.advance(21 * time.Second)
			b.want("/gone-too", 200, "Miss", "xml")
			if pages != 2 {
				t.Errorf("the page was fetched %d times", pages)
			}
		})
	}
}

// spec: cloudfront 5.4 and 3.3: a page that cannot be fetched; unreachable origins; stale wins over the page
func TestErrorPageCorners(t *testing.T) {
	withPage := func(status int) func(*Config, *Options) {
		return func(c *Config, _ *Options) {
			c.ErrorResponses = []ErrorResponse{{Status: status, PagePath: "/sorry.html", ResponseCode: 200, MinTTL: 10 * time.Second}}
			c.Default.Policy = CachePolicy{DefaultTTL: time.Minute, MaxTTL: time.Hour}
		}
	}
	b := newBench(t, func(r *http.Request) (*http.Response, error) {
		return reply(404, "no "+r.URL.Path), nil
	}, withPage(404))
	b.want("/a", 404, "Error", "no /sorry.html")

	b = newBench(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/sorry.html" {
			return reply(200, "sorry"), nil
		}
		return nil, errDown
	}, withPage(502))
	b.want("/a", 200, "Error", "sorry")

	failing := false
	b = newBench(t, func(r *http.Request) (*http.Response, error) {
		if failing && r.URL.Path != "/sorry.html" {
			return reply(503, "busy"), nil
		}
		return reply(200, "fine"), nil
	}, withPage(503))
	b.want("/a", 200, "Miss", "fine")
	failing = true
	b.advance(2 * time.Minute)
	b.want("/a", 200, "RefreshHit", "fine")

	b = newBench(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/sorry.html" {
			return reply(200, "sorry"), nil
		}
		return reply(404, "no"), nil
	}, withPage(404), policy(CachingDisabled()))
	b.get("/a", "Range: bytes=0-0", "If-None-Match: \"x\"")
	if h := b.origin.last().Header; b.origin.count() != 2 || h.Get("Range") != "" || h.Get("If-None-Match") != "" {
		t.Errorf("the page was asked for with %v", h)
	}
}

// gate is an origin whose answers wait until the test lets them go. Body and tag are fixed when the request arrives.
type gate struct {
	mu      sync.Mutex // guards what follows
	version int
	tag     string
	waiting []chan struct{}
}

func (g *gate) answer(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	body, tag, open := fmt.Sprint(g.version), g.tag, make(chan struct{})
	g.waiting = append(g.waiting, open)
	g.mu.Unlock()
	select {
	case <-open:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	etag := `"` + body + `"`
	if r.Header.Get("If-None-Match") == etag {
		return reply(304, ""), nil
	}
	return reply(200, body, "Etag: "+etag, "Tags: "+tag), nil
}

func (g *gate) set(version int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.version = version
}

// release lets the i-th request go.
func (g *gate) release(i int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i < len(g.waiting) {
		close(g.waiting[i])
	}
}

// A fill that raced an invalidation serves those who waited already; nobody else, then or later.
func TestRace(t *testing.T) {
	for _, item := range []string{"/a", "/*", "#t"} {
		for _, oldFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s old first %v", item, oldFirst), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := &gate{tag: "t"}
					b := newBench(t, g.answer, func(c *Config, _ *Options) { c.TagHeader = "Tags" })
					defer b.Close()
					ask := func() *httptest.ResponseRecorder {
						w := httptest.NewRecorder()
						go b.ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
						synctest.Wait()
						return w
					}
					before, alsoBefore := ask(), ask()
					g.set(1)
					b.invalidate(item)
					after := ask()
					order := []int{1, 0}
					if item == "#t" { // tags are known with the head only, so the later viewer waits for it, then asks anew
						order = []int{0, 1}
					} else if oldFirst {
						order = []int{0, 1}
					}
					for _, i := range order {
						g.release(i)
						synctest.Wait()
					}
					if before.Body.String() != "0" || alsoBefore.Body.String() != "0" || after.Body.String() != "1" {
						t.Errorf("before %q, %q, after %q", before.Body, alsoBefore.Body, after.Body)
					}
					b.want("/a", 200, "Hit", "1")
					b.asked(2)
				})
			})
		}
	}
}

// A 304 is as new as its request's start, and an object that an invalidation covers is not confirmed but fetched.
func TestRaceWithRevalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		b := newBench(t, g.answer, policy(CachePolicy{DefaultTTL: time.Minute, MaxTTL: time.Hour}))
		defer b.Close()
		ask := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			go b.ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
			synctest.Wait()
			return w
		}
		ask()
		g.release(0)
		synctest.Wait()
		b.advance(2 * time.Minute)
		confirming := ask()
		b.invalidate("/a") // while the 304 is on its way
		g.release(1)
		synctest.Wait()
		if confirming.Header().Get("X-Cache") != "RefreshHit from cloudfront" {
			t.Errorf("the viewer who waited: %v", confirming.Header())
		}
		fetched := ask()
		g.release(2)
		synctest.Wait()
		if fetched.Header().Get("X-Cache") != "Miss from cloudfront" || b.origin.last().Header.Get("If-None-Match") != "" {
			t.Errorf("after the invalidation: %v, asked with %v", fetched.Header(), b.origin.last().Header)
		}
		b.advance(2 * time.Minute)
		b.invalidate("/other") // does not cover it, so it may be confirmed
		confirmed := ask()
		g.release(3)
		synctest.Wait()
		if confirmed.Header().Get("X-Cache") != "RefreshHit from cloudfront" {
			t.Errorf("after another invalidation: %v", confirmed.Header())
		}
		b.want("/a", 200, "Hit", "0")
	})
}

// The sweep removes what is covered, keeps the rest, and lets the log forget.
func TestSweep(t *testing.T) {
	b := newBench(t, counter())
	for i := range 100 {
		b.get(fmt.Sprintf("/old/%d", i))
		b.get(fmt.Sprintf("/new/%d", i))
	}
	b.invalidate("/old/*", "/nothing")
	b.sweep()
	s := b.Stats()
	if s.Objects != 100 || s.Purged != 100 || s.Purge.Items != 0 {
		t.Errorf("stats %+v", s)
	}
	for i := range 100 {
		if w := b.get(fmt.Sprintf("/new/%d", i)); w.Header().Get("X-Cache") != "Hit from cloudfront" {
			t.Errorf("an object that nothing covers: %v", w.Header())
		}
	}
}

// The log keeps what a fill under way may still need, but not for ever.
func TestSweepWaitsForFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		b := newBench(t, g.answer)
		defer b.Close()
		w := httptest.NewRecorder()
		go b.ServeHTTP(w, httptest.NewRequest("GET", "/slow", nil))
		synctest.Wait()
		for i := range maxSegments - 1 {
			b.invalidate(fmt.Sprintf("/%d", i))
			b.sweep()
		}
		if n := b.Stats().Purge.Items; n != maxSegments-1 {
			t.Errorf("%d items, want %d: the slow fill is older than all of them", n, maxSegments-1)
		}
		for i := range 3 * maxSegments {
			b.invalidate(fmt.Sprintf("/%d", i))
			b.sweep()
		}
		if size := b.Stats().Purge; size.Segments > maxSegments+1 {
			t.Errorf("the log holds %+v for one slow fill", size)
		}
		g.release(0)
		synctest.Wait()
		if w.Body.String() != "0" || b.Stats().Objects != 0 {
			t.Errorf("the slow fill gave %q and left %d objects", w.Body, b.Stats().Objects)
		}
	})
}

// The background sweep follows an invalidation by itself.
func TestSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, counter(), func(_ *Config, o *Options) { o.SweepInterval = time.Second })
		defer b.Close()
		for range 3 {
			b.get("/a")
			b.invalidate("/a")
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if s := b.Stats(); s.Objects != 0 || s.Purge.Items != 0 {
				t.Errorf("stats %+v", s)
			}
		}
	})
}

// A walk takes its share and no more, unless the log fills up, and ends with the edge.
func TestGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, counter(), func(_ *Config, o *Options) { o.PurgeBytes = 20_000 })
		walk := func(objects int) time.Duration {
			pace, start := b.gently(), time.Now()
			for i := range objects {
				if i%walkChunk == 0 {
					time.Sleep(time.Millisecond)
				}
				pace()
			}
			return time.Since(start)
		}
		if got := walk(10 * walkChunk); got != 10*walkShare*time.Millisecond {
			t.Errorf("ten chunks of a millisecond took %v", got)
		}
		b.invalidate("/first")
		synctest.Wait() // the sweeper has swept, and waits for an hour
		for i := 0; b.Stats().Purge.Bytes < 5000; i++ {
			b.invalidate(fmt.Sprintf("/%d", i))
		}
		if got := walk(10 * walkChunk); got != 10*time.Millisecond {
			t.Errorf("with a full log ten chunks took %v", got)
		}
		go func() {
			time.Sleep(time.Minute)
			b.Close()
		}()
		start := time.Now()
		if b.rest(time.Hour) || time.Since(start) != time.Minute {
			t.Errorf("rested for %v beyond Close", time.Since(start))
		}
		synctest.Wait()
	})
}
