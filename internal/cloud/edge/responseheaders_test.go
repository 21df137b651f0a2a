package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// spec: cloudfront 5.5
func TestResponseHeadersApply(t *testing.T) {
	all := &CORS{Origins: []string{"*"}, Methods: []string{"GET", "PUT"}, Headers: []string{"X-A"}, Expose: []string{"*"}, MaxAge: 600 * time.Second}
	some := &CORS{Origins: []string{"https://example.org"}, Credentials: true, MaxAge: -1}
	over := &CORS{Origins: []string{"*"}, MaxAge: -1, Override: true}
	rows := []struct {
		name   string
		policy ResponseHeaders
		origin http.Header
		ask    viewerAsk
		want   http.Header
	}{
		{"remove and set", ResponseHeaders{Remove: []string{"server", "x-both"}, Set: []HeaderRule{{"x-both", "ours", false}, {"Cache-Control", "no-store", true}}},
			http.Header{"Server": {"S3"}, "X-Both": {"theirs"}, "Cache-Control": {"max-age=9"}}, viewerAsk{},
			http.Header{"X-Both": {"ours"}, "Cache-Control": {"no-store"}}},
		{"without override the origin's stays", ResponseHeaders{Set: []HeaderRule{{"X-A", "ours", false}}}, http.Header{"X-A": {"theirs"}}, viewerAsk{}, http.Header{"X-A": {"theirs"}}},
		{"no CORS without an Origin", ResponseHeaders{CORS: all}, http.Header{}, viewerAsk{method: "GET"}, http.Header{}},
		{"simple CORS", ResponseHeaders{CORS: all}, http.Header{}, viewerAsk{method: "GET", origin: "https://a.example"},
			http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Expose-Headers": {"*"}}},
		{"preflight", ResponseHeaders{CORS: all}, http.Header{}, viewerAsk{"OPTIONS", "https://a.example", true},
			http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Methods": {"GET, PUT"}, "Access-Control-Allow-Headers": {"X-A"}, "Access-Control-Max-Age": {"600"}}},
		{"a listed origin", ResponseHeaders{CORS: some}, http.Header{"Vary": {"Accept-Encoding"}}, viewerAsk{method: "GET", origin: "https://example.org"},
			http.Header{"Access-Control-Allow-Origin": {"https://example.org"}, "Access-Control-Allow-Credentials": {"true"}, "Vary": {"Accept-Encoding", "Origin"}}},
		{"another origin", ResponseHeaders{CORS: some}, http.Header{}, viewerAsk{method: "GET", origin: "https://example.com"}, http.Header{}},
		{"the origin's CORS headers have the last word", ResponseHeaders{CORS: all}, http.Header{"Access-Control-Max-Age": {"1"}}, viewerAsk{method: "GET", origin: "https://a.example"},
			http.Header{"Access-Control-Max-Age": {"1"}}},
		{"unless they are overridden", ResponseHeaders{CORS: over}, http.Header{"Access-Control-Allow-Origin": {"https://b.example"}}, viewerAsk{method: "GET", origin: "https://a.example"},
			http.Header{"Access-Control-Allow-Origin": {"*"}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.policy.apply(row.origin, row.ask)
			if diff := cmp.Diff(row.origin, row.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

// Vary grows without a write to what the cache holds.
func TestVaryIsNotShared(t *testing.T) {
	shared := append(make([]string, 0, 2), "Accept-Encoding")
	one, two := http.Header{"Vary": shared}, http.Header{"Vary": shared}
	addVary(one, "Origin")
	addVary(two, "X-Two")
	if one["Vary"][1] != "Origin" || two["Vary"][1] != "X-Two" {
		t.Errorf("%v and %v", one, two)
	}
}

func TestMatchOrigin(t *testing.T) {
	rows := []struct {
		pattern, origin string
		want            bool
	}{
		{"https://example.org", "https://example.org", true},
		{"https://example.org", "http://example.org", false},
		{"https://example.org", "https://EXAMPLE.org", true},
		{"example.org", "http://example.org", true},
		{"*.example.org", "https://a.b.example.org", true},
		{"*.example.org", "https://example.org", false},
		{"*.example.org", "https://evilexample.org", false},
		{"http://*.example.org:8080", "http://a.example.org:8080", true},
		{"http://*.example.org:8080", "http://a.example.org:8081", false},
		{"http://example.org:*", "http://example.org:1", true},
		{"http://example.org:8080", "http://example.org", false},
		{"http://[::1]:8080", "http://[::1]:8080", true},
		{"example.org", "null", false},
		{"example.org", "", false},
	}
	for _, row := range rows {
		if got := matchOrigin(row.pattern, row.origin); got != row.want {
			t.Errorf("matchOrigin(%q, %q) = %t", row.pattern, row.origin, got)
		}
	}
}

// What the cache holds is the origin's, however often a policy changes what viewers see; error pages and answers to
// conditional requests are changed too.
func TestResponseHeadersAreTheViewers(t *testing.T) {
	rate := 0.0
	shape := &ResponseHeaders{
		Remove: []string{"Vary"}, Set: []HeaderRule{{"Cache-Control", "no-store", true}},
		CORS: &CORS{Origins: []string{"https://example.org"}, MaxAge: -1}, ServerTiming: &rate,
	}
	answer := func(r *http.Request) (*http.Response, error) {
		status := 200
		if strings.HasPrefix(r.URL.Path, "/no") {
			status = 404
		}
		return reply(status, "x", "Cache-Control: max-age=60", `Etag: "1"`, "Vary: Accept-Encoding", "Server-Timing: db;dur=1"), nil
	}
	b := newBench(t, answer, func(c *Config, _ *Options) {
		c.Default.ResponseHeaders = shape
		c.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/404.html", ResponseCode: 404}}
	})
	const ask = "Origin: https://example.org"
	for _, want := range []string{"Miss", "Hit", "Hit"} {
		w := b.get("/a", ask)
		if got := w.Header(); got.Get("X-Cache") != want+" from cloudfront" || got.Get("Cache-Control") != "no-store" ||
			!slices.Equal(got["Vary"], []string{"Origin"}) || got.Get("Access-Control-Allow-Origin") != "https://example.org" {
			t.Errorf("%s: %v", want, got)
		}
	}
	if got := b.get("/a", "If-None-Match: \"1\""); got.Code != 304 || got.Header().Get("Cache-Control") != "no-store" || got.Header().Get("Vary") != "" {
		t.Errorf("conditional: %d %v", got.Code, got.Header())
	}
	if got := b.get("/none"); got.Code != 404 || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("error page: %d %v", got.Code, got.Header())
	}
	if got := b.get("/b", "Pragma: Server-Timing").Header().Get("Server-Timing"); !strings.HasPrefix(got, "db;dur=1,cdn-cache-miss,cdn-pop;desc=") {
		t.Errorf("timing of a miss: %q", got)
	}
	if got := b.get("/b", "Pragma: Server-Timing").Header().Get("Server-Timing"); !strings.HasPrefix(got, "cdn-cache-hit,cdn-pop;desc=") || strings.Contains(got, "db;") {
		t.Errorf("timing of a hit: %q", got)
	}
	if got := b.get("/b").Header().Get("Server-Timing"); got != "db;dur=1" {
		t.Errorf("timing at 0 %%: %q", got)
	}
}

func TestSampled(t *testing.T) {
	b := newBench(t, always(200, ""))
	for percent, want := range map[float64][2]int{0: {0, 0}, 100: {1000, 1000}, 25: {150, 350}} {
		n := 0
		for range 1000 {
			if b.sampled(percent) {
				n++
			}
		}
		if n < want[0] || n > want[1] {
			t.Errorf("%v %%: %d of 1000", percent, n)
		}
	}
}

// What viewers send reaches the origin as the behaviour says, and not the key.
func TestOriginRequestSelections(t *testing.T) {
	var got http.Header
	var query, host string
	answer := func(r *http.Request) (*http.Response, error) {
		got, query, host = r.Header.Clone(), r.URL.RawQuery, r.Host
		return reply(200, "x", "Cache-Control: no-store"), nil
	}
	ask := []string{"X-A: 1", "X-B: 2", "Cookie: a=1; b=2", "Range: bytes=0-0", "If-None-Match: \"1\"", "Connection: X-Hop", "X-Hop: 1", "User-Agent: viewer", "Te: trailers"}
	try := func(change func(*Behavior), s3 bool) {
		b := newBench(t, answer, func(c *Config, _ *Options) {
			c.Default.Policy.Query = Selection{SelectListed, []string{"p"}}
			c.Origins["site"] = Origin{Host: "origin.example", Transport: c.Origins["site"].Transport, S3: s3}
			change(&c.Default)
		})
		b.get("http://viewer.example/a?p=1&q=2", ask...)
	}
	try(func(b *Behavior) {
		b.OriginHeaderMode, b.OriginQuery, b.OriginCookies = SelectAll, Selection{Mode: SelectAll}, Selection{SelectListed, []string{"b"}}
	}, false)
	if query != "p=1&q=2" || host != "viewer.example" || got.Get("Cookie") != "b=2" || got.Get("X-A") != "1" || got.Get("User-Agent") != "viewer" {
		t.Errorf("all: %s %s %v", host, query, got)
	}
	for _, name := range []string{"If-None-Match", "Range", "Connection", "X-Hop", "Te"} {
		if got.Get(name) != "" {
			t.Errorf("all: %s reached the origin", name)
		}
	}
	try(func(b *Behavior) {
		b.OriginHeaderMode, b.OriginHeaders = SelectAllExcept, []string{"host", "x-a"}
		b.OriginQuery = Selection{SelectAllExcept, []string{"q"}}
	}, false)
	if query != "p=1" || host != "origin.example" || got.Get("X-A") != "" || got.Get("X-B") != "2" {
		t.Errorf("all but some: %s %s %v", host, query, got)
	}
	try(func(b *Behavior) { b.OriginHeaderMode = SelectAll }, true)
	if host != "origin.example" {
		t.Errorf("a bucket was asked as %s", host)
	}
	try(func(b *Behavior) { b.OriginHeaders = []string{"x-b"} }, false)
	if query != "p=1" || got.Get("X-A") != "" || got.Get("X-B") != "2" || got.Get("User-Agent") != userAgent {
		t.Errorf("named: %s %v", query, got)
	}
}

// What either selection takes, both together take, and nothing else.
func TestSelectionOr(t *testing.T) {
	names := rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "c"}))
	draw := func(t *rapid.T, what string) Selection {
		return Selection{Mode(rapid.IntRange(0, 3).Draw(t, what+" mode")), names.Draw(t, what)}
	}
	rapid.Check(t, func(t *rapid.T) {
		x, y := draw(t, "x"), draw(t, "y")
		for _, name := range []string{"a", "b", "c", "d"} {
			if got, want := x.or(y).takes(name), x.takes(name) || y.takes(name); got != want {
				t.Fatalf("%v or %v takes %s: %t", x, y, name, got)
			}
		}
	})
}
