package edge

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// spec: cloudfront 6, viewer response headers
func TestHeaders(t *testing.T) {
	b := newBench(t, always(200, "hello",
		`Etag: "1"`, "Server: AmazonS3", "X-Amz-Request-Id: r", "X-Amz-Id-2: i", "Set-Cookie: a=1", "X-Amz-Meta-Kind: page",
		"Connection: close, X-Hop", "X-Hop: 1", "Vary: Origin, accept-encoding", "Date: Sun, 22 Nov 2026 11:59:00 GMT"))
	miss := b.get("/a")
	b.advance(90 * time.Second)
	hit := b.get("/a")
	want := http.Header{
		"Content-Type": {"text/plain"}, "Content-Length": {"5"}, "Etag": {`"1"`}, "Server": {"AmazonS3"}, "X-Amz-Meta-Kind": {"page"},
		"Vary": {"accept-encoding"}, "Date": {"Sun, 22 Nov 2026 11:59:00 GMT"},
		"X-Cache": {"Miss from cloudfront"}, "X-Amz-Cf-Pop": {"LOC50-P1"},
	}
	for name, w := range map[string]*httptest.ResponseRecorder{"miss": miss, "hit": hit} {
		got := w.Header().Clone()
		if id := got.Get("X-Amz-Cf-Id"); len(id) != 56 || !strings.HasSuffix(id, "==") {
			t.Errorf("%s: X-Amz-Cf-Id %q", name, id)
		}
		if via := got.Get("Via"); !regexp.MustCompile(`^1\.1 [0-9a-f]{32}\.cloudfront\.net \(CloudFront\)$`).MatchString(via) {
			t.Errorf("%s: Via %q", name, via)
		}
		got.Del("X-Amz-Cf-Id")
		got.Del("Via")
		if name == "hit" {
			want.Set("X-Cache", "Hit from cloudfront")
			want.Set("Age", "90")
		} else {
			want.Set("X-Cache", "Miss from cloudfront")
			want.Del("Age")
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: got, want:\n%s", name, diff)
		}
	}
	if miss.Header().Get("X-Amz-Cf-Id") == hit.Header().Get("X-Amz-Cf-Id") {
		t.Error("two requests have the same id")
	}
}

// spec: cloudfront 3.9, headers to the origin
func TestOriginRequest(t *testing.T) {
	b := newBench(t, always(200, ""), func(c *Config, _ *Options) {
		o := c.Origins["site"]
		o.Path = "/production"
		c.Origins["site"] = o
		c.Default.Policy.Headers = []string{"x-kept"}
		c.Default.Policy.Query = Selection{Mode: SelectListed, Names: []string{"b", "a"}}
		c.Default.OriginHeaders = []string{"origin"}
		c.Default.Policy.EnableGzip = true
	})
	b.get("/%41/x?b=2&c=3&a=1", "Authorization: secret", "Cookie: a=1", "X-Kept: k", "X-Other: o", "Origin: https://o", "Pragma: no-cache",
		"User-Agent: me", "Accept-Encoding: br, gzip;q=0.5", "X-Forwarded-For: 10.0.0.1", "Cache-Control: no-cache", "If-None-Match: \"1\"")
	r := b.origin.last()
	if got := r.URL.EscapedPath() + "?" + r.URL.RawQuery; got != "/production/%41/x?b=2&a=1" {
		t.Errorf("asked for %s", got)
	}
	got := r.Header.Clone()
	got.Del("Via")
	got.Del("X-Amz-Cf-Id")
	want := http.Header{
		"User-Agent": {"Amazon CloudFront"}, "Accept-Encoding": {"gzip"}, "X-Kept": {"k"}, "Origin": {"https://o"},
		"Cache-Control": {"no-cache"}, "Pragma": {"no-cache"}, "X-Forwarded-For": {"10.0.0.1, 192.0.2.1"},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("headers got, want:\n%s", diff)
	}
	if r.Host != "bucket.example" || r.Method != http.MethodGet {
		t.Errorf("%s to host %s", r.Method, r.Host)
	}
}

// Two requests are one cache entry or two.
func TestCacheKey(t *testing.T) {
	all := Selection{Mode: SelectAll}
	tests := []struct {
		spec              string
		policy            CachePolicy
		first, second     string
		headers, headers2 []string
		same              bool
	}{
		{spec: "4.1 query is not in the key by default", first: "/a?v=1", second: "/a?v=2", same: true},
		{spec: "4.5 all: value", policy: CachePolicy{Query: all}, first: "/a?v=1", second: "/a?v=2"},
		{spec: "4.5 all: order", policy: CachePolicy{Query: all}, first: "/a?x=1&y=2", second: "/a?y=2&x=1"},
		{spec: "4.5 empty query is none", policy: CachePolicy{Query: all}, first: "/a?", second: "/a", same: true},
		{spec: "4.2 whitelist", policy: CachePolicy{Query: Selection{SelectListed, []string{"v"}}}, first: "/a?v=1&x=1", second: "/a?x=2&v=1", same: true},
		{spec: "4.2 allExcept", policy: CachePolicy{Query: Selection{SelectAllExcept, []string{"utm"}}}, first: "/a?utm=1&v=1", second: "/a?v=1&utm=2", same: true},
		{spec: "4.2 allExcept: others count", policy: CachePolicy{Query: Selection{SelectAllExcept, []string{"utm"}}}, first: "/a?v=1", second: "/a?v=2"},
		{spec: "4.2 star in a name list is literal", policy: CachePolicy{Query: Selection{SelectListed, []string{"*"}}}, first: "/a?v=1", second: "/a?v=2", same: true},
		{spec: "4.6 bytes: percent-encoding", first: "/%7Ea", second: "/~a"},
		{spec: "4.6 bytes: double slash", first: "//a", second: "/a"},
		{spec: "4.6 bytes: dots", first: "/x/../a", second: "/a"},
		{spec: "4.6 case", first: "/A", second: "/a"},
		{spec: "LinkFormat trailing slash", first: "/a/", second: "/a"},
		{spec: "4.1 headers are not in the key", first: "/a", second: "/a", headers: []string{"X-A: 1"}, headers2: []string{"X-A: 2"}, same: true},
		{spec: "4.2 listed header", policy: CachePolicy{Headers: []string{"x-a"}}, first: "/a", second: "/a", headers: []string{"X-A: 1"}, headers2: []string{"X-A: 2"}},
		{spec: "3.9 Vary does not split", first: "/a", second: "/a", headers: []string{"Accept-Language: de"}, headers2: []string{"Accept-Language: en"}, same: true},
		{spec: "4.2 cookies", policy: CachePolicy{Cookies: Selection{SelectListed, []string{"s"}}}, first: "/a", second: "/a", headers: []string{"Cookie: s=1; t=1"}, headers2: []string{"Cookie: s=2; t=1"}},
		{spec: "4.2 other cookies", policy: CachePolicy{Cookies: Selection{SelectListed, []string{"s"}}}, first: "/a", second: "/a", headers: []string{"Cookie: t=1; s=1"}, headers2: []string{"Cookie: s=1; t=2"}, same: true},
		{spec: "4.3 flags off", first: "/a", second: "/a", headers: []string{"Accept-Encoding: gzip"}, same: true},
		{spec: "4.3 gzip or not", policy: CachePolicy{EnableGzip: true}, first: "/a", second: "/a", headers: []string{"Accept-Encoding: gzip"}},
		{spec: "4.3 order is normalised", policy: CachePolicy{EnableGzip: true, EnableBrotli: true}, first: "/a", second: "/a",
			headers: []string{"Accept-Encoding: gzip, deflate, br"}, headers2: []string{"Accept-Encoding: br;q=1, gzip"}, same: true},
		{spec: "4.3 refused coding", policy: CachePolicy{EnableGzip: true}, first: "/a", second: "/a", headers: []string{"Accept-Encoding: gzip;q=0.0"}, same: true},
		{spec: "3.1 viewers cannot refresh", first: "/a", second: "/a", headers2: []string{"Cache-Control: no-cache", "Pragma: no-cache"}, same: true},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			test.policy.DefaultTTL, test.policy.MaxTTL = time.Hour, time.Hour
			b := newBench(t, counter("Vary: Accept-Language"), policy(test.policy))
			first := b.get(test.first, test.headers...).Body.String()
			second := b.get(test.second, test.headers2...).Body.String()
			if (first == second) != test.same {
				t.Errorf("same entry: %v, want %v", first == second, test.same)
			}
		})
	}
}

// spec: cloudfront 5.2, 5.3, 5.6, 4.6: what a path leads to
func TestAim(t *testing.T) {
	b := newBench(t, func(r *http.Request) (*http.Response, error) {
		return reply(200, r.Host+r.URL.EscapedPath()), nil
	}, func(c *Config, _ *Options) {
		c.DefaultRootObject = "index.html"
		c.Hidden = []string{"/.freshet-"}
		c.Default.Rewrite = DirectoryIndex
		c.Origins["img"] = Origin{Host: "img", Transport: c.Origins["site"].Transport}
		img := Behavior{PathPattern: "img/*", OriginID: "img", Policy: c.Default.Policy}
		img.Rewrite = func(uri string) string { return "/new" + uri }
		c.Behaviors = []Behavior{img}
	})
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "bucket.example/index.html"},
		{"/docs", 200, "bucket.example/docs/index.html"},
		{"/docs/", 200, "bucket.example/docs/index.html"},
		{"/docs/a.html", 200, "bucket.example/docs/a.html"},
		{"/a.b/c", 200, "bucket.example/a.b/c/index.html"},
		{"/img/a", 200, "img/new/img/a"},
		{"/img//../img/a", 200, "img/new/img//../img/a"},
		{"/x/../img/a.png", 200, "img/new/x/../img/a.png"},
		{"/img/../a.png", 200, "bucket.example/img/../a.png"},
		{"/.freshet-0f/manifest.json", 403, ""},
		{"/%2Efreshet-0f/manifest.json", 403, ""},
		{"//.freshet-0f/manifest.json", 403, ""},
		{"/a/..%2f.freshet-0f/m.json", 403, ""},
		{"/.well-known/x.txt", 200, "bucket.example/.well-known/x.txt"},
	}
	for _, test := range tests {
		w := b.get(test.path)
		if w.Code != test.status || (test.want != "" && w.Body.String() != test.want) {
			t.Errorf("GET %s = %d %q, want %d %q", test.path, w.Code, w.Body, test.status, test.want)
		}
	}
	b.want("/docs", 200, "Hit", "bucket.example/docs/index.html") // spec: 5.6, three spellings share one entry
}

// spec: cloudfront 3.6
func TestMethods(t *testing.T) {
	tests := []struct {
		spec, method string
		allowed      []string
		body         string
		status       int
		asked        int
	}{
		{"GET", "GET", nil, "", 200, 1},
		{"HEAD", "HEAD", nil, "", 200, 1},
		{"GET with a body", "GET", nil, "x", 403, 0},
		{"method not allowed", "POST", nil, "x", 403, 0},
		{"OPTIONS not allowed by default", "OPTIONS", nil, "", 403, 0},
		{"OPTIONS passes through, each time", "OPTIONS", []string{"GET", "HEAD", "OPTIONS"}, "", 200, 2},
		{"PUT passes through", "PUT", []string{"GET", "HEAD", "PUT"}, "x", 200, 2},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			b := newBench(t, always(200, "body"), func(c *Config, _ *Options) { c.Default.AllowedMethods = test.allowed })
			for range 2 {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(test.method, "/a", strings.NewReader(test.body))
				if test.body == "" {
					r = httptest.NewRequest(test.method, "/a", nil)
				}
				r.Header.Set("Authorization", "kept for writes")
				b.ServeHTTP(w, r)
				if w.Code != test.status {
					t.Errorf("status %d, want %d", w.Code, test.status)
				}
				if w.Code == 403 && (w.Header().Get("Server") != "CloudFront" || w.Header().Get("X-Cache") != "Error from cloudfront") {
					t.Errorf("an error of the edge has headers %v", w.Header())
				}
			}
			b.asked(test.asked)
			if test.asked == 0 {
				return
			}
			if kept := b.origin.last().Header.Get("Authorization") != ""; kept != (test.method == "PUT") {
				t.Errorf("Authorization kept: %v", kept)
			}
		})
	}
}

// spec: cloudfront 3.6, OPTIONS optionally cached, keyed separately
func TestCachedOptions(t *testing.T) {
	b := newBench(t, counter(), func(c *Config, _ *Options) {
		c.Default.AllowedMethods, c.Default.CacheOptions = []string{"GET", "HEAD", "OPTIONS"}, true
	})
	b.want("/a", 200, "Miss", "1")
	for range 2 {
		if got := b.do("OPTIONS", "/a").Body.String(); got != "2" {
			t.Errorf("OPTIONS gave %s", got)
		}
	}
	if got := b.origin.last().Method; got != "OPTIONS" {
		t.Errorf("the origin was asked with %s", got)
	}
}

// spec: cloudfront 3.6, quotas
func TestTooLong(t *testing.T) {
	b := newBench(t, always(200, ""))
	if w := b.get("/" + strings.Repeat("a", 8191)); w.Code != 200 {
		t.Errorf("URL of 8,192 bytes: %d", w.Code)
	}
	if w := b.get("/" + strings.Repeat("a", 8192)); w.Code != 414 || w.Header().Get("Connection") != "close" {
		t.Errorf("URL of 8,193 bytes: %d %v", w.Code, w.Header())
	}
	if w := b.get("/a", "X: "+strings.Repeat("a", 33000)); w.Code != 494 || w.Header().Get("Connection") != "close" {
		t.Errorf("headers of 33,000 bytes: %d %v", w.Code, w.Header())
	}
}

// GET and HEAD share the key: a HEAD that misses fills the entry.
func TestHead(t *testing.T) {
	b := newBench(t, always(200, "hello"))
	w := b.do("HEAD", "/a")
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") != "5" || w.Header().Get("X-Cache") != "Miss from cloudfront" {
		t.Errorf("HEAD: %v %q", w.Header(), w.Body)
	}
	b.want("/a", 200, "Hit", "hello")
	if w := b.do("HEAD", "/a"); w.Header().Get("X-Cache") != "Hit from cloudfront" || w.Header().Get("Content-Length") != "5" || w.Body.Len() != 0 {
		t.Errorf("HEAD of a cached object: %v", w.Header())
	}
	b.asked(1)
}

// spec: cloudfront 3.1, all TTLs 0
func TestCachingDisabled(t *testing.T) {
	b := newBench(t, counter(), policy(CachingDisabled()))
	b.want("/a", 200, "Miss", "1")
	b.want("/a", 200, "Miss", "2")
	b.get("/a", "Range: bytes=0-1")
	if got := b.origin.last().Header.Get("Range"); got != "bytes=0-1" {
		t.Errorf("Range forwarded as %q", got)
	}
}

// spec: cloudfront 3.9, Set-Cookie
func TestSetCookie(t *testing.T) {
	forward := CachePolicy{MinTTL: time.Minute, DefaultTTL: time.Hour, MaxTTL: time.Hour, Cookies: Selection{Mode: SelectAll}}
	tests := []struct {
		spec       string
		policy     CachePolicy
		cc         string
		first, hit bool
	}{
		{"stripped", CachePolicy{DefaultTTL: time.Hour, MaxTTL: time.Hour}, "public", false, false},
		{"stored and replayed", forward, "public", true, true},
		{"not stored", forward, `no-cache="Set-Cookie"`, true, false},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			b := newBench(t, always(200, "x", "Set-Cookie: a=1", "Cache-Control: "+test.cc), policy(test.policy))
			first, second := b.get("/a"), b.get("/a")
			if got := first.Header().Get("Set-Cookie") != ""; got != test.first {
				t.Errorf("first: %v", got)
			}
			if got := second.Header().Get("Set-Cookie") != ""; got != test.hit || second.Header().Get("X-Cache") != "Hit from cloudfront" {
				t.Errorf("second: %v, %v", got, second.Header())
			}
		})
	}
}

// spec: cloudfront 5.3, ViewerProtocolPolicy
func TestViewerProtocol(t *testing.T) {
	for protocol, want := range map[Protocol][2]int{AllowAll: {200, 200}, HTTPSOnly: {403, 403}, RedirectToHTTPS: {301, 307}} {
		b := newBench(t, always(200, ""), func(c *Config, _ *Options) {
			c.Default.ViewerProtocol, c.Default.AllowedMethods = protocol, []string{"GET", "HEAD", "POST"}
		})
		get, post := b.get("/a?b"), b.do("POST", "/a?b")
		if get.Code != want[0] || post.Code != want[1] {
			t.Errorf("protocol %d: %d, %d, want %v", protocol, get.Code, post.Code, want)
		}
		if protocol == RedirectToHTTPS && (get.Header().Get("Location") != "https://example.com/a?b" || get.Header().Get("X-Cache") != "Redirect from cloudfront") {
			t.Errorf("redirect: %v", get.Header())
		}
	}
}

func TestConfigRefused(t *testing.T) {
	transport := &fakeOrigin{}
	for name, change := range map[string]func(*Config){
		"unknown origin":    func(c *Config) { c.Default.OriginID = "other" },
		"no transport":      func(c *Config) { c.Origins["site"] = Origin{} },
		"TTLs out of order": func(c *Config) { c.Default.Policy = CachePolicy{MinTTL: 2, DefaultTTL: 1, MaxTTL: 3} },
		"page without /":    func(c *Config) { c.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "404.html"}} },
	} {
		cfg := basicConfig(transport)
		change(&cfg)
		if _, err := New(cfg, Options{}); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spec: cloudfront 4.1: a config change purges nothing, and later requests follow the new one
func TestSetConfig(t *testing.T) {
	b := newBench(t, counter())
	b.want("/a", 200, "Miss", "1")
	cfg := basicConfig(&fakeOrigin{answer: always(200, "new")})
	if err := b.SetConfig(cfg); err != nil {
		t.Fatal(err)
	}
	b.want("/a", 200, "Hit", "1")
	b.want("/b", 200, "Miss", "new")
	cfg.Default.OriginID = "gone"
	if err := b.SetConfig(cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("SetConfig = %v", err)
	}
	b.want("/b", 200, "Hit", "new")
}

func TestStatsObjectsEvents(t *testing.T) {
	var events []Event
	b := newBench(t, always(200, "hello", `Etag: "1"`), func(_ *Config, o *Options) {
		o.OnRequest = func(e Event) { events = append(events, e) }
	})
	b.get("/a?x=1", "Referer: http://r/", "User-Agent: ua")
	b.get("/a")
	b.do("POST", "/a")
	b.invalidate("/b", "#t")
	s := b.Stats()
	if s.Requests != 3 || s.Hits != 1 || s.Misses != 1 || s.Errors != 1 || s.OriginRequests != 1 || s.Objects != 1 ||
		s.BytesOut < 10 || s.Invalidations != 1 || s.InvalidationItems != 2 {
		t.Errorf("stats %+v", s)
	}
	objects := slices.Collect(b.Objects())
	want := []ObjectInfo{{
		URI: "/a", Status: 200, Size: 5, Type: "text/plain", ETag: `"1"`, Stored: b.now, Expires: b.now.Add(24 * time.Hour), Hits: 1,
	}}
	if diff := cmp.Diff(objects, want); diff != "" {
		t.Errorf("objects got, want:\n%s", diff)
	}
	wantEvent := Event{Time: b.now, Method: "GET", Path: "/a", URI: "/a", Status: 200, Result: Miss, Bytes: 5, Viewer: Viewer{
		Address: "192.0.2.1", Protocol: "HTTP/1.1", Host: "example.com", Query: "x=1", Referer: "http://r/", UserAgent: "ua",
	}}
	if len(events) != 3 || events[0] != wantEvent || events[1].Result != Hit || events[2].Status != 403 {
		t.Errorf("events %+v", events)
	}
}
