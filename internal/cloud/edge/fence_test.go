package edge

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// leaseSwitch is a lease that is valid until cut.
type leaseSwitch struct{ cut atomic.Bool }

func (l *leaseSwitch) Valid(time.Time) bool { return !l.cut.Load() }

func leased(l *leaseSwitch) func(*Config, *Options) {
	return func(_ *Config, o *Options) { o.Lease = l }
}

func errorPages(c *Config, _ *Options) {
	c.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/404.html", MinTTL: time.Hour}, {Status: 503, MinTTL: time.Hour}, {Status: 502, MinTTL: time.Hour}}
}

// Whatever the cache has, a request that begins without a lease is answered with what the origin says after that.
func TestFenced(t *testing.T) {
	down := func() (*http.Response, error) { return nil, errDown }
	missing := func() (*http.Response, error) { return reply(404, "missing"), nil }
	tests := []struct {
		name    string
		both    string                         // header that the origin's 200 and 304 have
		first   func() (*http.Response, error) // the origin's answer that is cached
		wait    time.Duration                  // after that
		then    func() (*http.Response, error) // its answer to the request without a lease; nil for the page, changed
		method  string                         // of that request
		headers []string                       // of that request
		status  int
		body    string
	}{
		{name: "fresh", status: 200, body: "two"},
		{name: "HEAD", method: http.MethodHead, status: 200},
		{name: "range", headers: []string{"Range: bytes=0-1"}, status: 206, body: "tw"},
		{name: "viewer's copy", headers: []string{`If-None-Match: "1"`}, status: 200, body: "two"},
		{name: "max-stale", headers: []string{"Cache-Control: max-stale"}, status: 200, body: "two"},
		{name: "stale-while-revalidate", both: "Cache-Control: max-age=60, stale-while-revalidate=600", wait: 2 * time.Minute, status: 200, body: "two"},
		{name: "origin down, fresh", then: down, status: 502},
		{name: "origin down, expired", both: "Cache-Control: max-age=60, stale-if-error=600", wait: 2 * time.Minute, then: down, status: 502},
		{name: "missing before", first: missing, status: 200, body: "two"},
		{name: "missing now", then: missing, status: 404, body: "missing"},
		{name: "down before", first: down, status: 200, body: "two"},
	}
	for _, rules := range []RuleSet{CloudFront, RFC9111} {
		for _, test := range tests {
			t.Run(rules.String()+" "+test.name, func(t *testing.T) {
				lease := &leaseSwitch{}
				b, p := newPage(t, leased(lease), func(c *Config, _ *Options) { c.Rules = rules })
				errorMinTTL(b)
				if test.both != "" {
					p.both = []string{test.both}
				}
				p.fail = test.first
				b.get("/a")
				b.advance(test.wait)
				p.requests()
				p.body, p.etag, p.modified, p.fail = "two", `"2"`, b.clock().Add(-time.Second), test.then
				lease.cut.Store(true)
				method := test.method
				if method == "" {
					method = http.MethodGet
				}
				w := b.do(method, "/a", test.headers...)
				if w.Code != test.status || test.body != "" && w.Body.String() != test.body {
					t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.status, test.body)
				}
				if asked := p.requests(); asked == "" {
					t.Error("the origin was not asked")
				}
				if s := b.Stats(); s.Fenced != 1 {
					t.Errorf("%d requests counted as fenced", s.Fenced)
				}
			})
		}
	}
}

// errorMinTTL has errors cached for an hour.
func errorMinTTL(b *bench) {
	cfg := b.dist.Load().Config
	cfg.ErrorResponses = []ErrorResponse{{Status: 404, MinTTL: time.Hour}, {Status: 502, MinTTL: time.Hour}, {Status: 503, MinTTL: time.Hour}}
	if err := b.SetConfig(cfg); err != nil {
		b.t.Fatal(err)
	}
}

// The page in place of an error is asked for as well.
// spec: cloudfront 5.4
func TestFencedErrorPage(t *testing.T) {
	lease, page := &leaseSwitch{}, "old page"
	b := newBench(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/404.html" {
			return reply(200, page, "Cache-Control: max-age=600"), nil
		}
		return reply(404, "missing"), nil
	}, leased(lease), errorPages)
	b.want("/gone", 404, "Error", "old page")
	b.want("/gone", 404, "Error", "old page")
	b.asked(2)
	page = "new page"
	lease.cut.Store(true)
	b.want("/gone", 404, "Error", "new page")
	b.asked(4)
}

// The bytes stay: a 304 proves them as after an invalidation, headers included, and what has been proved or fetched serves once the lease is valid again.
func TestFencedKeepsBytes(t *testing.T) {
	for _, rules := range []RuleSet{CloudFront, RFC9111} {
		t.Run(rules.String(), func(t *testing.T) {
			lease := &leaseSwitch{}
			b, p := newPage(t, leased(lease), func(c *Config, _ *Options) { c.Rules = rules })
			b.get("/a")
			p.wantAsked("GET")
			lease.cut.Store(true)
			b.advance(30 * time.Second)
			for range 2 {
				if w := b.get("/a"); w.Code != 200 || w.Body.String() != "one" {
					t.Errorf("got %d %q", w.Code, w.Body)
				}
				p.wantAsked("GET if")
			}
			p.whole, p.modified = []string{"X-Amz-Meta-New: 1"}, b.clock().Add(-5*time.Second) // a copy onto itself: other headers, the same entity tag
			if w := b.get("/a"); w.Header().Get("X-Amz-Meta-New") != "1" && rules == CloudFront {
				t.Errorf("old headers: %v", w.Header())
			}
			p.requests()
			lease.cut.Store(false)
			b.advance(40 * time.Second)
			if w := b.get("/a"); w.Header().Get("Age") != "40" || w.Body.String() != "one" {
				t.Errorf("after the fence: %v %q", w.Header(), w.Body)
			}
			p.wantAsked("")
		})
	}
}

// A failure without a lease neither shows nor costs what is cached: a lease that is valid again says that it was right all along.
// What the origin says is gone is gone.
func TestFencedFailure(t *testing.T) {
	for name, fail := range map[string]func() (*http.Response, error){
		"unreachable": func() (*http.Response, error) { return nil, errDown },
		"503":         func() (*http.Response, error) { return reply(503, "broken"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			lease := &leaseSwitch{}
			b, p := newPage(t, leased(lease), errorPages)
			b.get("/a")
			p.fail = fail
			lease.cut.Store(true)
			for range 2 { // no failure is remembered
				if w := b.get("/a"); w.Code < 500 {
					t.Errorf("got %d %q", w.Code, w.Body)
				}
			}
			b.asked(3)
			lease.cut.Store(false)
			b.want("/a", 200, "Hit", "one")
			b.asked(3)
			lease.cut.Store(true)
			p.fail = func() (*http.Response, error) { return reply(403, "secret"), nil }
			b.want("/a", 403, "Error", "secret")
			lease.cut.Store(false)
			b.want("/a", 403, "Error", "secret")
		})
	}
}

// What lies on the disk alone, or is stored for another coding, is no answer either.
func TestFencedBelow(t *testing.T) {
	dir, lease := t.TempDir(), &leaseSwitch{}
	b := newBench(t, counter("Cache-Control: max-age=600"), onDisk(dir, 1<<20), leased(lease))
	b.get("/a")
	b.Close()
	next := newBench(t, b.origin.answer, onDisk(dir, 1<<20), leased(lease))
	lease.cut.Store(true)
	next.want("/a", 200, "Miss", "2")
	lease.cut.Store(false)
	next.want("/a", 200, "Hit", "2")
	next.Close()
	last := newBench(t, b.origin.answer, onDisk(dir, 1<<20), leased(lease))
	last.want("/a", 200, "Hit", "2")
}

func TestFencedCodings(t *testing.T) {
	lease := &leaseSwitch{}
	b := newBench(t, counter("Content-Encoding: gzip", "Cache-Control: max-age=600"), leased(lease), policy(CachingOptimized()))
	b.get("/a", "Accept-Encoding: gzip")
	if w := b.get("/a", "Accept-Encoding: gzip, br"); w.Body.String() != "1" {
		t.Fatalf("got %q", w.Body)
	}
	lease.cut.Store(true)
	if w := b.get("/a", "Accept-Encoding: gzip, br"); w.Body.String() != "2" {
		t.Errorf("got %q", w.Body)
	}
}

// The hit loop leaves such requests to ServeHTTP.
func TestFencedHit(t *testing.T) {
	lease := &leaseSwitch{}
	b := newBench(t, counter("Cache-Control: max-age=600"), leased(lease))
	b.get("/a")
	rq, resp := &front.Request{Target: []byte("/a"), Host: []byte("x")}, &front.Response{}
	if !b.Hit(rq, resp) || !strings.HasPrefix(string(resp.Head), "HTTP/1.1 200") {
		t.Fatal("no hit with a lease")
	}
	lease.cut.Store(true)
	if b.Hit(rq, resp) {
		t.Error("a hit without a lease")
	}
}

// What the origin says is no longer there, or not for caches, does not come back with the lease, evidence or not.
func TestFencedGone(t *testing.T) {
	lease, answer := &leaseSwitch{}, func() *http.Response { return reply(200, "one", "Cache-Control: max-age=600") }
	b := newBench(t, func(*http.Request) (*http.Response, error) { return answer(), nil }, leased(lease))
	b.get("/a")
	lease.cut.Store(true)
	answer = func() *http.Response { return reply(403, "secret") }
	b.want("/a", 403, "Error", "secret")
	lease.cut.Store(false)
	b.want("/a", 403, "Error", "secret")
	b.asked(3)
}
