package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func plain(c *Config, _ *Options) { c.Rules = RFC9111 }

// from is what Cache-Status says of an answer, without the edge's name.
func from(w *httptest.ResponseRecorder) string {
	return strings.TrimPrefix(w.Header().Get("Cache-Status"), "freshet; ")
}

// RFC 9111 rules seen from outside: what the origin is asked, and what viewers get. Each step's origin answers are taken in turn.
func TestRFC9111(t *testing.T) {
	type step struct {
		after   time.Duration
		method  string // "" is GET
		headers []string
		status  int
		body    string
		from    string // Cache-Status
		asked   int    // in all
	}
	type answers = []func(*http.Request) (*http.Response, error)
	const fresh, etag = "Cache-Control: max-age=60", `Etag: "1"`
	tests := []struct {
		spec   string
		origin answers
		steps  []step
	}{
		{"4 hit", answers{always(200, "1", fresh)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {9 * time.Second, "", nil, 200, "1", "hit; ttl=51", 1},
		}},
		{"4.3 confirmed", answers{always(200, "1", fresh, etag), always(304, "", fresh)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {61 * time.Second, "", nil, 200, "1", "fwd=stale; fwd-status=304", 2}, {59 * time.Second, "", nil, 200, "1", "hit; ttl=1", 2},
		}},
		{"4.3.4 a 304 for another version leaves all as it was", answers{always(200, "1", fresh, etag), always(304, "", fresh, `Etag: "2"`)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {61 * time.Second, "", nil, 200, "1", "fwd=stale; fwd-status=304", 2}, {0, "", nil, 200, "1", "fwd=stale; fwd-status=304", 3},
		}},
		{"3.2 a 304 may end it", answers{always(200, "1", fresh, etag), always(304, "", "Cache-Control: no-store"), always(200, "2")}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {61 * time.Second, "", nil, 200, "1", "fwd=stale; fwd-status=304", 2}, {0, "", nil, 200, "2", "fwd=uri-miss", 3},
		}},
		{"4.2.4 disconnected: stale", answers{always(200, "1", fresh), down}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {90 * time.Second, "", nil, 200, "1", "hit; fwd=stale; ttl=-30", 2}, {time.Second, "", nil, 200, "1", "hit; ttl=-31", 2},
		}},
		{"4.2.4 a 503 is not disconnected, and leaves what is stored", answers{always(200, "1", fresh, etag), always(503, "busy"), always(304, "")}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {61 * time.Second, "", nil, 503, "busy", "fwd=stale", 2}, {0, "", nil, 200, "1", "fwd=stale; fwd-status=304", 3},
		}},
		{"5.2.2.2 must-revalidate: 504", answers{always(200, "1", fresh+", must-revalidate"), down}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {61 * time.Second, "", nil, 504, "", "fwd=stale", 2},
		}},
		{"5.2.2.10 s-maxage: 504", answers{always(200, "1", "Cache-Control: s-maxage=60"), down}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {61 * time.Second, "", nil, 504, "", "fwd=stale", 2},
		}},
		{"RFC 5861 4 stale-if-error", answers{always(200, "1", fresh+", stale-if-error=30"), always(503, "busy")}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {89 * time.Second, "", nil, 200, "1", "hit; fwd=stale; fwd-status=503; ttl=-29", 2}, {11 * time.Second, "", nil, 503, "busy", "fwd=stale", 3},
		}},
		{"5.2.1.4 no-cache", answers{always(200, "1", fresh, etag), always(304, "")}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {0, "", []string{"Cache-Control: no-cache"}, 200, "1", "fwd=request; fwd-status=304", 2},
		}},
		{"5.2.1.5 no-store", answers{always(200, "1", fresh)}, []step{
			{0, "", []string{"Cache-Control: no-store"}, 200, "1", "fwd=request", 1}, {0, "", nil, 200, "1", "fwd=uri-miss; stored", 2},
		}},
		{"5.2.1.7 only-if-cached", answers{always(200, "1", fresh)}, []step{
			{0, "", []string{"Cache-Control: only-if-cached"}, 504, "", "", 0}, {0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {0, "", []string{"Cache-Control: only-if-cached"}, 200, "1", "hit; ttl=60", 1},
		}},
		{"5.2.1.7 only-if-cached past the cache", answers{always(200, "1", fresh)}, []step{
			{0, "", []string{"Cache-Control: only-if-cached, no-store"}, 504, "", "", 0},
		}},
		{"5.2.1.2 max-stale", answers{always(200, "1", fresh)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {70 * time.Second, "", []string{"Cache-Control: max-stale=10"}, 200, "1", "hit; ttl=-10", 1},
		}},
		{"3.5 Authorization", answers{always(200, "1", fresh)}, []step{
			{0, "", []string{"Authorization: x"}, 200, "1", "fwd=uri-miss", 1}, {0, "", nil, 200, "1", "fwd=uri-miss; stored", 2}, {0, "", []string{"Authorization: x"}, 200, "1", "hit; ttl=60", 2},
		}},
		{"4.4 an unsafe method invalidates", answers{always(200, "1", fresh), always(200, "done"), always(200, "2", fresh)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {0, "PURGE-LIKE", nil, 200, "done", "fwd=method", 2}, {0, "", nil, 200, "2", "fwd=uri-miss; stored", 3},
		}},
		{"4.4 not when it fails", answers{always(200, "1", fresh), always(500, "no")}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {0, "POST", nil, 500, "no", "fwd=method", 2}, {0, "", nil, 200, "1", "hit; ttl=60", 2},
		}},
		{"4 HEAD from what GET stored", answers{always(200, "1", fresh)}, []step{
			{0, "HEAD", nil, 200, "", "fwd=bypass", 1}, {0, "", nil, 200, "1", "fwd=uri-miss; stored", 2}, {0, "HEAD", nil, 200, "", "hit; ttl=60", 2},
		}},
		{"4.3.5 HEAD renews", answers{always(200, "1", fresh, etag), always(200, "1", fresh, etag)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {61 * time.Second, "HEAD", nil, 200, "", "fwd=bypass", 2}, {0, "", nil, 200, "1", "hit; ttl=60", 2},
		}},
		{"4.3.5 HEAD of another version", answers{always(200, "1", "Cache-Control: max-age=1, stale-if-error=99", etag), always(200, "1", fresh, `Etag: "2"`), always(200, "2", fresh)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {2 * time.Second, "HEAD", nil, 200, "", "fwd=bypass", 2}, {0, "", nil, 200, "2", "fwd=uri-miss; stored", 3},
		}},
		{"RFC 9110 14 a range of what is stored", answers{always(200, "0123", fresh)}, []step{
			{0, "", nil, 200, "0123", "fwd=uri-miss; stored", 1}, {0, "", []string{"Range: bytes=1-2"}, 206, "12", "hit; ttl=60", 1},
		}},
		{"3.3 a range of what is not goes to the origin", answers{always(206, "12", fresh, "Content-Range: bytes 1-2/4"), always(200, "0123", fresh)}, []step{
			{0, "", []string{"Range: bytes=1-2"}, 206, "12", "fwd=partial", 1}, {0, "", nil, 200, "0123", "fwd=uri-miss; stored", 2},
		}},
		{"4.3.2 If-Modified-Since with Date alone", answers{always(200, "1", fresh, ruleDate)}, []step{
			{0, "", nil, 200, "1", "fwd=uri-miss; stored", 1}, {0, "", []string{"If-Modified-Since: " + ruleMinute}, 304, "", "hit; ttl=60", 1},
		}},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			b := newBench(t, script(test.origin...), plain)
			for _, s := range test.steps {
				b.advance(s.after)
				if s.method == "" {
					s.method = "GET"
				}
				w := b.do(s.method, "/a", s.headers...)
				body := w.Body.String()
				if w.Header().Get("Server") != "" {
					t.Errorf("the edge calls itself %q", w.Header().Get("Server"))
				}
				if w.Header().Get("Content-Type") == "text/html" { // the edge's own page
					body = ""
				}
				if w.Code != s.status || body != s.body || from(w) != s.from && s.from != "" {
					t.Errorf("%s = %d %q, %q; want %d %q, %q", s.method, w.Code, body, from(w), s.status, s.body, s.from)
				}
				b.asked(s.asked)
			}
		})
	}
}

// RFC 5861 3: the stale answer goes out at once, one request confirms it, and the next viewer has the new one.
func TestStaleWhileRevalidate(t *testing.T) {
	for _, rules := range []RuleSet{CloudFront, RFC9111} { // spec: cloudfront 3.3
		synctest.Test(t, func(t *testing.T) {
			const fresh = "Cache-Control: max-age=60, stale-while-revalidate=30"
			g := make(chan struct{})
			b := newBench(t, script(always(200, "old", fresh), func(*http.Request) (*http.Response, error) {
				<-g
				return reply(200, "new", fresh), nil
			}), func(c *Config, _ *Options) { c.Rules = rules })
			b.get("/a")
			b.advance(89 * time.Second)
			for range 3 {
				if got := b.get("/a").Body.String(); got != "old" {
					t.Errorf("%v: %q while it is confirmed", rules, got)
				}
			}
			synctest.Wait()
			b.asked(2)
			close(g)
			synctest.Wait()
			if got := b.get("/a").Body.String(); got != "new" {
				t.Errorf("%v: %q after it was confirmed", rules, got)
			}
			b.asked(2)
			b.Close()
		})
	}
}

// RFC 9111 3.1, 3.2, 5.1; RFC 9110 7.6: what is stored, updated and passed on.
func TestPlainHeaders(t *testing.T) {
	b := newBench(t, script(
		always(200, "hello", `Etag: "1"`, "Cache-Control: max-age=60, no-cache=\"secret\"", ruleDate, "Age: 5", "Set-Cookie: a=1", "Secret: s", "Connection: x-hop, close",
			"X-Hop: 1", "Keep-Alive: 1", "Proxy-Authenticate: p", "Vary: Foo, X", "Via: 1.0 up", "Cache-Status: up; hit", "X-Amz-Request-Id: r", "CDN-Cache-Control: "),
		always(304, "", "Set-Cookie: a=2", "New: 1", ruleDate, "Content-Length: 77", "X-Hop: 2", "Connection: x-hop")), plain)
	common := http.Header{
		"Content-Type": {"text/plain"}, "Content-Length": {"5"}, "Etag": {`"1"`}, "Cache-Control": {`max-age=60, no-cache="secret"`}, "Date": {ruleDate[6:]},
		"Vary": {"Foo, X"}, "Via": {"1.0 up, 1.1 freshet"}, "X-Amz-Request-Id": {"r"}, "Cdn-Cache-Control": {""},
	}
	tests := []struct {
		name  string
		after time.Duration
		extra []string
	}{
		{"miss", 0, []string{"Age: 5", "Secret: s", "Set-Cookie: a=1", "Cache-Status: up; hit", "Cache-Status: freshet; fwd=uri-miss; stored"}},
		{"hit", 50 * time.Second, []string{"Age: 55", "Set-Cookie: a=1", "Cache-Status: up; hit", "Cache-Status: freshet; hit; ttl=5"}},
		{"confirmed", 5 * time.Second, []string{"Age: 55", "Set-Cookie: a=2", "New: 1", "Cache-Status: up; hit", "Cache-Status: freshet; fwd=stale; fwd-status=304"}},
	}
	for _, test := range tests {
		b.advance(test.after)
		got := b.get("/a", "Foo: 1").Header()
		want := common.Clone()
		addHeaders(want, test.extra)
		if test.name == "confirmed" { // the Date of the 304 is 55 s old
			want["Via"] = []string{"1.1 freshet"}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: got, want:\n%s", test.name, diff)
		}
	}
}

// RFC 9110 7.6: the origin gets what the viewer sent from end to end; the edge answers conditions itself.
func TestPlainOriginRequest(t *testing.T) {
	b := newBench(t, always(200, ""), plain)
	b.get("/%41?b=2&a=1", "Authorization: x", "Cookie: a=1", "X-Other: o", "Accept-Encoding: br, gzip;q=0.5", "X-Forwarded-For: 10.0.0.1", "Via: 1.0 up",
		"Connection: x-hop", "X-Hop: 1", "Te: trailers", "If-None-Match: \"1\"", "Cache-Control: max-age=9")
	r := b.origin.last()
	if got := r.URL.EscapedPath() + "?" + r.URL.RawQuery; got != "/%41?b=2&a=1" {
		t.Errorf("asked for %s", got)
	}
	want := header("Authorization: x", "Cookie: a=1", "X-Other: o", "Accept-Encoding: br, gzip;q=0.5", "X-Forwarded-For: 10.0.0.1, 192.0.2.1",
		"Via: 1.0 up, 1.1 freshet", "Cache-Control: max-age=9", `Surrogate-Capability: freshet="Surrogate/1.0"`, "User-Agent: ")
	if diff := cmp.Diff(r.Header, want); diff != "" {
		t.Errorf("headers got, want:\n%s", diff)
	}
}

// RFC 9111 4.4: which URIs an unsafe request invalidates, all variants of each, and nothing that only begins alike.
func TestWriteThrough(t *testing.T) {
	tests := []struct {
		name, path string
		response   []string
		gone, kept string
	}{
		{"the target with all variants", "/a", nil, "/a", "/ab"},
		{"a star is itself", "/*", nil, "/*", "/a"},
		{"Location", "/x", []string{"Location: a?q=1"}, "/a?q=1", "/a"},
		{"Content-Location", "/x", []string{"Content-Location: http://example.com/a"}, "/a", "/ab"},
		{"another host", "/x", []string{"Location: http://other.example/a"}, "", "/a"},
		{"no reference", "/x", []string{"Location: :%"}, "", "/a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodGet {
					return reply(201, "", test.response...), nil
				}
				return reply(200, "", "Cache-Control: max-age=60", "Vary: Lang"), nil
			}, plain)
			langs := []string{"de", "en"}
			for _, path := range []string{test.gone, test.kept} {
				for _, lang := range langs {
					if path != "" {
						b.get(path, "Lang: "+lang)
					}
				}
			}
			if test.gone != "" {
				b.get(test.gone, "Lang: de") // a hit, and so checked against the log
			}
			b.do(http.MethodPost, test.path)
			for _, lang := range langs {
				if test.gone != "" {
					if got := from(b.get(test.gone, "Lang: "+lang)); !strings.Contains(got, "miss") {
						t.Errorf("%s %s: %s", test.gone, lang, got)
					}
				}
				if got := from(b.get(test.kept, "Lang: "+lang)); !strings.HasPrefix(got, "hit") {
					t.Errorf("%s %s: %s", test.kept, lang, got)
				}
			}
		})
	}
}

// Viewers of several variants who come before anything is known of them cost one request a variant.
func TestCollapseVariants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := make(chan struct{})
		b := newBench(t, func(r *http.Request) (*http.Response, error) {
			<-g
			return reply(200, r.Header.Get("Lang"), "Cache-Control: max-age=60", "Vary: Lang"), nil
		}, plain)
		var wait sync.WaitGroup
		for i := range 30 {
			wait.Go(func() {
				lang := fmt.Sprint(i % 3)
				if got := b.get("/a", "Lang: "+lang).Body.String(); got != lang {
					t.Errorf("asked for %s, got %s", lang, got)
				}
			})
		}
		synctest.Wait()
		b.asked(1)
		close(g)
		wait.Wait()
		b.asked(3)
		for lang := range 3 {
			if got := from(b.get("/a", fmt.Sprintf("Lang: %d", lang))); !strings.HasPrefix(got, "hit") {
				t.Errorf("%d: %s", lang, got)
			}
		}
		n := 0
		for info := range b.Objects() {
			n++
			if info.URI != "/a" || info.Status != 200 {
				t.Errorf("object %+v", info)
			}
		}
		if n != 3 {
			t.Errorf("%d objects are shown", n)
		}
		b.Close()
	})
}

// Interim responses reach the viewer over a real connection, before the response, on a miss and on a pass; hits have none.
func TestInterim(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</s.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "body")
	}))
	defer origin.Close()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	b := newBench(t, nil, plain, func(c *Config, _ *Options) {
		c.Origins["site"] = Origin{Host: strings.TrimPrefix(origin.URL, "http://"), Transport: transport}
	})
	front := httptest.NewServer(b.Edge)
	defer front.Close()
	for _, test := range []struct {
		method string
		hints  int
	}{{"GET", 1}, {"GET", 0}, {"POST", 1}} {
		got := rawRequest(t, front.Listener.Addr().String(), test.method+" / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if n := strings.Count(got, "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"); n != test.hints || strings.Count(got, "Link:") != n || !strings.HasSuffix(got, "body") {
			t.Errorf("%s: %q", test.method, got)
		}
	}
	if got := rawRequest(t, front.Listener.Addr().String(), "POST / HTTP/1.0\r\n\r\n"); strings.Contains(got, "103") {
		t.Errorf("HTTP/1.0: %q", got)
	}
}

// rawRequest sends bytes and returns all that comes back until the connection ends.
func rawRequest(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	if _, err := all.ReadFrom(bufio.NewReader(conn)); err != nil {
		t.Fatal(err)
	}
	return all.String()
}
