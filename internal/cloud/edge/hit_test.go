package edge

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// counted counts the requests that the loop answered.
type counted struct {
	*Edge
	hits atomic.Int64
}

func (c *counted) Hit(rq *front.Request, resp *front.Response) bool {
	if !c.Edge.Hit(rq, resp) {
		return false
	}
	c.hits.Add(1)
	return true
}

// pair is one edge behind two servers: with the loop before net/http, and without.
type pair struct {
	*bench
	engine      *counted
	fast, plain *wire
	mu          sync.Mutex // guards events
	events      []Event
}

// wire is one connection to a server.
type wire struct {
	net.Conn
	raw bytes.Buffer
	r   *bufio.Reader
}

func newPair(t testing.TB, answer func(*http.Request) (*http.Response, error), change ...func(*Config, *Options)) *pair {
	t.Helper()
	p := &pair{}
	p.bench = newBench(t, answer, append(change, func(_ *Config, o *Options) { o.OnRequest = p.event })...)
	p.engine = &counted{Edge: p.Edge}
	p.fast, p.plain = p.serve(front.Options{Handler: p.Edge, Engine: p.engine}), p.serve(front.Options{Handler: p.Edge})
	return p
}

func (p *pair) event(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
}

func (p *pair) serve(opts front.Options) *wire {
	p.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	s := front.New(opts)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	w := &wire{Conn: nc}
	w.r = bufio.NewReader(io.TeeReader(nc, &w.raw))
	p.t.Cleanup(func() {
		nc.Close()
		if err := errors.Join(s.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			p.t.Error(err)
		}
	})
	return w
}

// requestIDs are where a response names its request.
var requestIDs = regexp.MustCompile(`X-Amz-Cf-Id: [A-Za-z0-9_-]{54}==\r\n|cdn-rid;desc="[A-Za-z0-9_-]{54}=="`)

// exchange sends one request and returns the response as it stands, without its id.
func (p *pair) exchange(w *wire, method, text string) string {
	p.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		p.t.Fatalf("read the answer to %q: %v", text, err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		p.t.Fatalf("read the answer to %q: %v", text, err)
	}
	defer w.raw.Reset()
	text = requestIDs.ReplaceAllString(w.raw.String(), "")
	if resp.Header.Get("Server") == "CloudFront" { // the edge's own errors get net/http's date, by the real clock
		text = strings.Replace(text, "Date: "+resp.Header.Get("Date"), "", 1)
	}
	return text
}

// trace is what a request leaves behind in the edge.
type trace struct {
	Answer string
	Event  Event
	Stats  Stats
	Hits   int64 // of objects
}

// traced sends one request and returns what came of it.
func (p *pair) traced(w *wire, method, text string) trace {
	p.t.Helper()
	before, hits := p.Stats(), p.objectHits()
	answer := p.exchange(w, method, text)
	event := p.lastEvent()
	after := p.Stats()
	counts := Stats{ // those that do not depend on how far an earlier fill has come
		Requests: after.Requests - before.Requests, Hits: after.Hits - before.Hits, Misses: after.Misses - before.Misses,
		RefreshHits: after.RefreshHits - before.RefreshHits, Errors: after.Errors - before.Errors, Redirects: after.Redirects - before.Redirects,
		OriginRequests: after.OriginRequests - before.OriginRequests, BytesOut: after.BytesOut - before.BytesOut,
	}
	return trace{answer, event, counts, p.objectHits() - hits}
}

// lastEvent takes the event of the only request under way; the viewer may have its answer before.
func (p *pair) lastEvent() Event {
	for {
		p.mu.Lock()
		events := p.events
		p.events = nil
		p.mu.Unlock()
		if len(events) == 1 {
			return events[0]
		}
		if len(events) > 1 {
			p.t.Fatalf("%d events for one request", len(events))
		}
		time.Sleep(time.Millisecond)
	}
}

// settle waits for fills to end: HEAD and conditional requests are answered before.
func (p *pair) settle() {
	under := func() int {
		p.flights.mu.Lock()
		defer p.flights.mu.Unlock()
		return len(p.flights.all)
	}
	for under() > 0 {
		time.Sleep(time.Millisecond)
	}
}

func (p *pair) objectHits() (n int64) {
	for o := range p.Objects() {
		n += o.Hits
	}
	return n
}

// site is an origin with something of everything.
func site(r *http.Request) (*http.Response, error) {
	switch r.URL.Path {
	case "/page", "/docs/index.html", "/index.html", "/errors/404.html":
		return reply(200, "page "+r.URL.Path, `Etag: "p1"`, "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT", "Cache-Control: s-maxage=100"), nil
	case "/large":
		return reply(200, strings.Repeat("large", 20_000), `Etag: W/"l"`, "X-Odd: \t b\u00e9 ", "Vary: Origin, Accept-Encoding"), nil
	case "/empty":
		return reply(200, "", "Server: AmazonS3", "Age: 7", "X-Cache: x"), nil
	case "/none":
		return reply(204, ""), nil
	case "/moved":
		return reply(301, "moved", "Location: /page"), nil
	case "/unknown":
		return reply(299, "odd"), nil
	case "/untyped":
		resp := reply(200, "<html>", "Date: Mon, 01 Jan 2024 00:00:00 GMT")
		resp.Header.Del("Content-Type")
		return resp, nil
	case "/unsized":
		resp := reply(200, "no length announced")
		resp.ContentLength = -1
		return resp, nil
	case "/private":
		return reply(200, "private", "Cache-Control: private", "Set-Cookie: a=b"), nil
	case "/500":
		return reply(500, "broken"), nil
	}
	return reply(404, "no such key"), nil
}

var pairConfigs = map[string]func(*Config, *Options){
	"plain":     policy(CachePolicy{DefaultTTL: 24 * time.Hour, MaxTTL: 8760 * time.Hour}),
	"optimized": policy(CachingOptimized()),
	"disabled":  policy(CachingDisabled()),
	"queries":   policy(CachePolicy{DefaultTTL: time.Hour, MaxTTL: time.Hour, Query: Selection{Mode: SelectListed, Names: []string{"q"}}}),
	"cookies":   policy(CachePolicy{DefaultTTL: time.Hour, MaxTTL: time.Hour, Cookies: Selection{Mode: SelectAll}}),
	"headers":   policy(CachePolicy{DefaultTTL: time.Hour, MaxTTL: time.Hour, Headers: []string{"Origin"}}),
	"compress":  func(c *Config, _ *Options) { c.Default.Compress = true },
	"https":     func(c *Config, _ *Options) { c.Default.ViewerProtocol = RedirectToHTTPS },
	"policy": func(c *Config, _ *Options) {
		c.Default.ResponseHeaders = &ResponseHeaders{
			Remove: []string{"Server"}, Set: []HeaderRule{{"X-Frame-Options", "DENY", true}, {"Etag", `"ours"`, false}},
			CORS: &CORS{Origins: []string{"*.example"}, MaxAge: -1, Override: true},
		}
	},
	"rfc9111": func(c *Config, _ *Options) { c.Rules = RFC9111 },
	"timing": func(c *Config, _ *Options) {
		percent := 100.0
		c.Default.ResponseHeaders = &ResponseHeaders{ServerTiming: &percent}
	},
	"static site": func(c *Config, o *Options) {
		c.DefaultRootObject, c.TagHeader, c.CacheForbidden, o.POP = "index.html", "X-Odd", true, "FRA1-P1"
		c.Hidden = []string{"/large"}
		c.Default.Policy, c.Default.Rewrite = CachingOptimized(), DirectoryIndex
		c.Behaviors = []Behavior{{PathPattern: "/un*", OriginID: "site", Policy: CachePolicy{Query: Selection{Mode: SelectAll}, DefaultTTL: time.Hour, MaxTTL: time.Hour}}}
		c.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/errors/404.html", ResponseCode: 200, MinTTL: time.Minute}, {Status: 500, MinTTL: time.Minute}}
	},
}

var (
	pairTargets = []string{
		"/", "/page", "/docs/", "/docs", "/docs/index.html", "/large", "/empty", "/none", "/moved", "/unknown", "/untyped", "/unsized", "/private", "/500",
		"/missing", "/page?", "/page?q=1", "/page?q=1&r=2", "/page?r=2", "//page", "/a/../page", "/%70age", "/%6carge", "/pa|ge", "/page%20x",
	}
	pairFields = []string{
		"Accept-Encoding: gzip", "accept-encoding: br;q=1, gzip;q=0", "Accept-Encoding: identity", `If-None-Match: "p1"`, `if-none-match: "x", W/"p1"`, "If-None-Match: *",
		"If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT", "If-Modified-Since: yesterday", "Range: bytes=1-2", "Range: bytes=999999-", `If-Range: "p1"`, `If-Match: "y"`,
		"If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT", "Cookie: a=b", "Cache-Control: no-cache", "Pragma: no-cache", "Origin: https://a.example",
		"User-Agent: Mozilla/5.0", "X-Forwarded-For: 1.2.3.4", "Connection: keep-alive", "Authorization: Basic x", "Accept: */*",
	}
)

// Through the loop and through net/http alone the same request gets the same answer, byte for byte, and leaves the same traces.
func TestHitIsServeHTTP(t *testing.T) {
	for name, config := range pairConfigs {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, site, config)
			rapid.Check(t, func(rt *rapid.T) { p.compare(rt) })
			switch hits := p.engine.hits.Load(); {
			case slices.Contains([]string{"disabled", "cookies", "headers", "https", "timing", "rfc9111"}, name) && hits != 0:
				t.Errorf("the loop answered %d requests", hits)
			case slices.Contains([]string{"plain", "optimized", "queries", "policy", "static site"}, name) && hits < 10:
				t.Errorf("the loop answered only %d requests: the comparison says little", hits)
			}
		})
	}
}

func (p *pair) compare(rt *rapid.T) {
	method := rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "OPTIONS"}).Draw(rt, "method")
	target := rapid.SampledFrom(pairTargets).Draw(rt, "target")
	fields := rapid.SliceOfN(rapid.SampledFrom(pairFields), 0, 3).Draw(rt, "fields")
	switch rapid.IntRange(0, 9).Draw(rt, "before") {
	case 0:
		p.invalidate(rapid.SampledFrom([]string{"/*", "/page", "/p*", "/docs*", "/l*"}).Draw(rt, "item"))
	case 1:
		p.advance(time.Duration(rapid.IntRange(0, 150).Draw(rt, "seconds")) * time.Second)
	case 2:
		cfg := p.dist.Load().Config
		cfg.Domain = rapid.SampledFrom([]string{"one.example", "two.example"}).Draw(rt, "domain") // Via tells
		if err := p.SetConfig(cfg); err != nil {
			rt.Fatal(err)
		}
	}
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: d111111abcdef8.cloudfront.net\r\n", method, target)
	for _, f := range fields {
		text += f + "\r\n"
	}
	text += "\r\n"
	p.traced(p.plain, method, text) // fills
	p.settle()
	want := p.traced(p.plain, method, text)
	p.settle() // a request that always asks the origin would share the fill of the one before
	got := p.traced(p.fast, method, text)
	if diff := cmp.Diff(got, want); diff != "" {
		rt.Fatalf("%q with the loop, without:\n%s", text, diff)
	}
}

// What an invalidation covers is never a hit, whatever was made ready for it before.
func TestHitAfterInvalidation(t *testing.T) {
	p := newPair(t, counter(`Etag: "x"`))
	ask := func() string {
		answer := p.exchange(p.fast, "GET", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
		return answer[strings.LastIndexByte(answer, '\n')+1:]
	}
	for i := 1; i < 4; i++ {
		want := fmt.Sprint(i)
		if first, second := ask(), ask(); first != want || second != want {
			t.Errorf("answers %s and %s, want %s", first, second, want)
		}
		p.invalidate("/*")
	}
	if hits := p.engine.hits.Load(); hits != 3 {
		t.Errorf("the loop answered %d requests, want 3", hits)
	}
}

// A hit allocates next to nothing.
func TestHitAllocations(t *testing.T) {
	b := newBench(t, always(200, strings.Repeat("x", 1000)), policy(CachingOptimized()))
	b.get("/page.html", "Accept-Encoding: gzip, br")
	rq := front.Request{Target: []byte("/page.html"), Host: []byte("a"), Fields: []front.Field{
		{Name: []byte("Accept-Encoding"), Value: []byte("gzip, deflate, br")}, {Name: []byte("User-Agent"), Value: []byte("test")},
	}}
	var resp front.Response
	n := testing.AllocsPerRun(1000, func() {
		resp.Head = resp.Head[:0]
		if !b.Hit(&rq, &resp) {
			t.Fatal("no hit")
		}
		resp.Receipt.Sent(&rq, &resp, 1000, nil)
	})
	if n > 4 { // with the race detector one more: its pools forget
		t.Errorf("%v allocations for a hit", n)
	}
}

func BenchmarkFrontHit(b *testing.B) {
	for _, encoding := range []string{"", "gzip, deflate, br"} {
		b.Run(encoding, func(b *testing.B) {
			e := newBench(b, always(200, strings.Repeat("x", 1<<10), `Etag: "1"`, "Cache-Control: max-age=60"), policy(CachingOptimized()))
			e.get("/posts/index.html", "Accept-Encoding: "+encoding)
			rq := front.Request{Target: []byte("/posts/index.html"), Host: []byte("a"), Fields: []front.Field{
				{Name: []byte("User-Agent"), Value: []byte("bench")}, {Name: []byte("Accept-Encoding"), Value: []byte(encoding)},
			}}
			var resp front.Response
			b.ReportAllocs()
			for b.Loop() {
				resp.Head = resp.Head[:0]
				if !e.Hit(&rq, &resp) {
					b.Fatal("no hit")
				}
				resp.Receipt.Sent(&rq, &resp, int64(len(resp.Body)), nil)
			}
		})
	}
}
