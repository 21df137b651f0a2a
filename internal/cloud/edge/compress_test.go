package edge

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
)

// prose is n bytes of text that compresses well but not to nothing.
func prose(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "<p>%s %d</p>\n", []string{"invalidation", "distribution", "origin", "behaviour"}[r.IntN(4)], r.IntN(1000))
	}
	return b.String()[:n]
}

// compressing turns compression on, with the usual policy.
func compressing(c *Config, _ *Options) {
	c.Default.Policy, c.Default.Compress = CachingOptimized(), true
}

const both = "Accept-Encoding: gzip, deflate, br"

// decoded is what a viewer sees of a body under its Content-Encoding.
func decoded(t interface{ Fatal(...any) }, w *httptest.ResponseRecorder) string {
	var r io.Reader = bytes.NewReader(w.Body.Bytes())
	switch coding := w.Header().Get("Content-Encoding"); coding {
	case "br":
		r = brotli.NewReader(r)
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	case "":
	default:
		t.Fatal("unknown coding " + coding)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCompressedTypes(t *testing.T) {
	if n := len(compressedTypes); n != 48 {
		t.Errorf("%d types, the guide lists 48", n)
	}
}

// Which responses are compressed: each row differs from the first in one condition. spec: cloudfront 4.4
func TestCompressionConditions(t *testing.T) {
	none := func(*Config, *Options) {}
	flags := func(br, gzip bool) func(*Config, *Options) {
		return func(c *Config, _ *Options) {
			c.Default.Policy.EnableBrotli, c.Default.Policy.EnableGzip = br, gzip
		}
	}
	rows := map[string]struct {
		change func(*Config, *Options)
		status int
		size   int // negative: unknown length
		kind   string
		header string
		accept string
		want   string // Content-Encoding
	}{
		"all conditions met":                   {none, 200, 5000, "text/html", "", "gzip, deflate, br", "br"},
		"gzip only":                            {none, 200, 5000, "text/html", "", "gzip", "gzip"},
		"br only":                              {none, 200, 5000, "text/html", "", "br", "br"},
		"br before gzip, whatever the quality": {none, 200, 5000, "text/html", "", "gzip;q=1, br;q=0.1", "br"},
		"br refused":                           {none, 200, 5000, "text/html", "", "br;q=0, gzip", "gzip"},
		"neither":                              {none, 200, 5000, "text/html", "", "deflate, zstd", ""},
		"identity":                             {none, 200, 5000, "text/html", "", "identity", ""},
		"no Accept-Encoding":                   {none, 200, 5000, "text/html", "", "", ""},
		"policy: gzip only":                    {flags(false, true), 200, 5000, "text/html", "", "gzip, br", "gzip"},
		"policy: br only":                      {flags(true, false), 200, 5000, "text/html", "", "gzip, br", "br"},
		"policy: neither":                      {flags(false, false), 200, 5000, "text/html", "", "gzip, br", ""},
		"Compress off":                         {func(c *Config, _ *Options) { c.Default.Compress = false }, 200, 5000, "text/html", "", "gzip, br", ""},
		"caching off":                          {policy(CachePolicy{EnableGzip: true, EnableBrotli: true}), 200, 5000, "text/html", "", "gzip, br", ""},
		"403":                                  {none, 403, 5000, "text/html", "", "br", "br"},
		"404":                                  {none, 404, 5000, "text/html", "", "br", "br"},
		"410":                                  {none, 410, 5000, "text/html", "", "br", ""},
		"500":                                  {none, 500, 5000, "text/html", "", "br", ""},
		"301":                                  {none, 301, 5000, "text/html", "Location: /", "br", ""},
		"203":                                  {none, 203, 5000, "text/html", "", "br", ""},
		"999 bytes":                            {none, 200, 999, "text/html", "", "br", ""},
		"1,000 bytes":                          {none, 200, 1000, "text/html", "", "br", "br"},
		"10,000,000 bytes":                     {none, 200, 10_000_000, "text/html", "", "gzip", "gzip"},
		"10,000,001 bytes":                     {none, 200, 10_000_001, "text/html", "", "gzip", ""},
		"no Content-Length":                    {none, 200, -5000, "text/html", "", "br", ""},
		"parameters":                           {none, 200, 5000, "text/css; charset=utf-8", "", "br", "br"},
		"upper case":                           {none, 200, 5000, "Text/HTML ;charset=utf-8", "", "br", "br"},
		"wasm":                                 {none, 200, 5000, "application/wasm", "", "br", "br"},
		"svg":                                  {none, 200, 5000, "image/svg+xml", "", "br", "br"},
		"web manifest":                         {none, 200, 5000, "application/manifest+json", "", "br", ""},
		"atom feed":                            {none, 200, 5000, "application/atom+xml", "", "br", ""},
		"woff2":                                {none, 200, 5000, "font/woff2", "", "br", ""},
		"png":                                  {none, 200, 5000, "image/png", "", "br", ""},
		"no type":                              {none, 200, 5000, "", "", "br", ""},
		"encoded by the origin":                {none, 200, 5000, "text/html", "Content-Encoding: zstd", "br", "zstd"},
		"identity by the origin":               {none, 200, 5000, "text/html", "Content-Encoding: identity", "br", "identity"},
		"no-transform does not matter":         {none, 200, 5000, "text/html", "Cache-Control: no-transform", "br", "br"},
		"not stored":                           {none, 200, 5000, "text/html", "Cache-Control: no-store", "br", "br"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			text := prose(max(row.size, -row.size))
			b := newBench(t, func(*http.Request) (*http.Response, error) {
				resp := reply(row.status, text, "Content-Type: "+row.kind)
				resp.Header["Content-Type"] = []string{row.kind}
				if row.header != "" {
					addHeaders(resp.Header, []string{row.header})
				}
				if row.size < 0 {
					resp.ContentLength = -1
				}
				return resp, nil
			}, compressing, row.change)
			for range 2 {
				w := b.get("/a", "Accept-Encoding: "+row.accept)
				if got := w.Header().Get("Content-Encoding"); got != row.want || w.Code != row.status {
					t.Fatalf("status %d, Content-Encoding %q, want %d, %q", w.Code, got, row.status, row.want)
				}
				if row.want == "br" || row.want == "gzip" {
					if decoded(t, w) != text || w.Body.Len() >= len(text) {
						t.Fatalf("the body of %d bytes is not the origin's %d, compressed", w.Body.Len(), len(text))
					}
				} else if w.Body.String() != text {
					t.Fatal("the body is not the origin's")
				}
			}
		})
	}
}

// Viewers whose Accept-Encoding is normalised alike share one fill and one entry, however they spell it. spec: cloudfront 4.3
func TestCompressionCollapses(t *testing.T) {
	resp, origin := slowReply(5000)
	b := newBench(t, func(*http.Request) (*http.Response, error) { return resp, nil }, compressing)
	accepts := []string{"gzip, deflate, br", "br,gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1"}
	got := make(chan *httptest.ResponseRecorder)
	for _, accept := range accepts {
		go func() { got <- b.get("/a", "Accept-Encoding: "+accept) }()
	}
	_, _ = io.WriteString(origin, prose(5000)[:2000])
	for aboard := 0; aboard < len(accepts); time.Sleep(time.Millisecond) {
		b.flights.mu.Lock()
		for f := range b.flights.all {
			aboard = f.viewers
		}
		b.flights.mu.Unlock()
	}
	_, _ = io.WriteString(origin, prose(5000)[2000:])
	origin.Close()
	for range accepts {
		if w := <-got; w.Header().Get("Content-Encoding") != "br" || decoded(t, w) != prose(5000) {
			t.Errorf("headers %v", w.Header())
		}
	}
	b.asked(1)
}

// HTTP/1.0 requests lose their Accept-Encoding. spec: cloudfront 4.3
func TestCompressionHTTP10(t *testing.T) {
	b := newBench(t, always(200, prose(5000)), compressing)
	r := httptest.NewRequest("GET", "/a", nil)
	r.Header.Set("Accept-Encoding", "gzip, br")
	r.Proto, r.ProtoMinor = "HTTP/1.0", 0
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "" || w.Body.String() != prose(5000) {
		t.Errorf("headers %v", w.Header())
	}
}

func TestWeakened(t *testing.T) {
	for etag, want := range map[string]string{`"x"`: `W/"x"`, `W/"x"`: `W/"x"`, "x": "", "w/x": "", "": ""} { // spec: cloudfront 4.4
		if got := weakened(etag); got != want {
			t.Errorf("weakened(%q) = %q, want %q", etag, got, want)
		}
	}
}

// visible are the headers that compression changes.
func visible(w *httptest.ResponseRecorder) map[string]string {
	got := map[string]string{"status": strconv.Itoa(w.Code)}
	for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Range", "Etag", "Vary", "X-Cache"} {
		if v := w.Header().Get(name); v != "" {
			got[name] = strings.TrimSuffix(v, " from cloudfront")
		}
	}
	return got
}

func TestCompressedAnswers(t *testing.T) {
	text := prose(20_000)
	b := newBench(t, always(200, text, `Etag: "x"`), compressing)
	miss := b.get("/a", both)
	size := strconv.Itoa(miss.Body.Len())
	with := func(more ...string) map[string]string {
		m := map[string]string{"status": "200", "Content-Encoding": "br", "Etag": `W/"x"`, "Vary": "Accept-Encoding", "X-Cache": "Hit"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	part := func(w *httptest.ResponseRecorder) string { return w.Body.String() }
	rows := map[string]struct {
		got  *httptest.ResponseRecorder
		want map[string]string
		body string
	}{
		"miss, streamed":              {miss, with("X-Cache", "Miss"), part(miss)},
		"hit":                         {b.get("/a", both), with("Content-Length", size), part(miss)},
		"HEAD":                        {b.do("HEAD", "/a", both), with("Content-Length", size), ""},
		"weak validator":              {b.get("/a", both, `If-None-Match: W/"x"`), with("status", "304"), ""},
		"the origin's own":            {b.get("/a", both, `If-None-Match: "x"`), with("status", "304"), ""},
		"range of compressed":         {b.get("/a", both, "Range: bytes=10-19"), with("status", "206", "Content-Length", "10", "Content-Range", "bytes 10-19/"+size), part(miss)[10:20]}, // spec: cloudfront 3.7
		"If-Range needs a strong tag": {b.get("/a", both, "Range: bytes=10-19", `If-Range: W/"x"`), with("Content-Length", size), part(miss)},
		"uncompressed says so too": {b.get("/a"), map[string]string{
			"status": "200", "Content-Length": "20000", "Etag": `"x"`, "Vary": "Accept-Encoding", "X-Cache": "Miss",
		}, text},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(visible(row.got), row.want); diff != "" {
				t.Errorf("headers, got and want:\n%s", diff)
			}
			if row.got.Body.String() != row.body {
				t.Errorf("body of %d bytes, want %d", row.got.Body.Len(), len(row.body))
			}
		})
	}
	b.asked(2)
	if held := b.Stats().ObjectBytes; held > 20_000+int64(miss.Body.Len())+4*objectOverhead {
		t.Errorf("two variants weigh %d bytes", held)
	}
}

// A HEAD that misses fills the entry as a GET does.
func TestCompressedHead(t *testing.T) {
	b := newBench(t, always(200, prose(5000)), compressing)
	if got := visible(b.do("HEAD", "/a", both)); got["Content-Encoding"] != "br" || got["Content-Length"] != "" {
		t.Errorf("headers %v", got)
	}
	w := b.get("/a", both)
	if decoded(t, w) != prose(5000) {
		t.Error("the body is not the origin's")
	}
	b.asked(1)
}

// What is stored for viewers of one coding serves those who accept both. spec: cloudfront 4.3
func TestFirstCodingStays(t *testing.T) {
	b := newBench(t, always(200, prose(5000)), compressing)
	step := func(accept, coding, result string) {
		t.Helper()
		w := b.get("/a", "Accept-Encoding: "+accept)
		if got := visible(w); got["Content-Encoding"] != coding || got["X-Cache"] != result || decoded(t, w) != prose(5000) {
			t.Errorf("%s gets %v, want %q by %s", accept, got, coding, result)
		}
	}
	step("gzip", "gzip", "Miss")
	step("gzip, br", "gzip", "Hit")
	step("br", "br", "Miss")
	step("gzip, br", "br", "Hit")
	b.invalidate("/a")
	step("gzip, br", "br", "Miss")
	step("gzip", "gzip", "Miss")
	step("gzip, br", "br", "Hit")
	b.advance(25 * time.Hour)
	step("gzip, br", "br", "Miss")
	step("gzip", "gzip", "Miss")
	b.asked(6)
	b.advance(25 * time.Hour)
	step("gzip", "gzip", "Miss")
	b.invalidate("/a")
	step("br", "br", "Miss")
	b.advance(25 * time.Hour)
	step("gzip, br", "br", "Miss")
	b.asked(9)
}

// Only compressed objects do: what is stored uncompressed for one viewer says nothing of the others.
func TestUncompressedIsNoCoding(t *testing.T) {
	b := newBench(t, always(200, "tiny"), compressing)
	for _, accept := range []string{"gzip", "gzip, br"} {
		if w := b.get("/a", "Accept-Encoding: "+accept); w.Header().Get("X-Cache") != "Miss from cloudfront" || w.Body.String() != "tiny" {
			t.Errorf("%s gets %v", accept, w.Header())
		}
	}
}

// Vary names Accept-Encoding exactly where it decides, whatever the viewer sent.
func TestCompressionVaries(t *testing.T) {
	rows := map[string]struct {
		change func(*Config)
		size   int
		vary   string // the origin's
		want   string
	}{
		"it decides":        {func(*Config) {}, 5000, "", "Accept-Encoding"},
		"once":              {func(*Config) {}, 5000, "accept-encoding", "accept-encoding"},
		"beside others":     {func(c *Config) { c.Default.Policy.Headers = []string{"Origin"} }, 5000, "Origin", "Origin, Accept-Encoding"},
		"too small":         {func(*Config) {}, 999, "", ""},
		"Compress off":      {func(c *Config) { c.Default.Compress = false }, 5000, "", ""},
		"policy: no coding": {func(c *Config) { c.Default.Policy.EnableBrotli, c.Default.Policy.EnableGzip = false, false }, 5000, "", ""},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, always(200, prose(row.size), "Vary: "+row.vary), compressing, func(c *Config, _ *Options) { row.change(c) })
			for _, accept := range []string{"br", "identity"} {
				if got := b.get("/a", "Accept-Encoding: "+accept).Header().Get("Vary"); got != row.want {
					t.Errorf("%s gets Vary: %q, want %q", accept, got, row.want)
				}
			}
		})
	}
}

// The origin is asked with its own entity tag, and what it confirms stays compressed, or not. spec: cloudfront 4.4
func TestCompressedRevalidation(t *testing.T) {
	for _, etag := range []string{`"x"`, `W/"x"`, "x"} {
		for _, on := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, compressed %v", etag, on), func(t *testing.T) {
				b := newBench(t, func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("If-None-Match") == etag {
						return reply(304, "", "Etag: "+etag), nil
					}
					return reply(200, prose(5000), "Etag: "+etag), nil
				}, compressing, func(c *Config, _ *Options) { c.Default.Compress = on })
				first := b.get("/a", both)
				cfg := b.dist.Load().Config
				cfg.Default.Compress = true
				if err := b.SetConfig(cfg); err != nil {
					t.Fatal(err)
				}
				b.advance(25 * time.Hour)
				for _, want := range []string{"RefreshHit", "Hit"} {
					w := b.get("/a", both)
					got := visible(w)
					if got["X-Cache"] != want || (got["Content-Encoding"] == "br") != on || got["Etag"] != first.Header().Get("Etag") || w.Body.String() != first.Body.String() {
						t.Errorf("got %v, want %s", got, want)
					}
				}
				b.asked(2)
			})
		}
	}
}

func TestCompressedErrorPage(t *testing.T) {
	b := newBench(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/404.html" {
			return reply(200, prose(3000), "Content-Type: text/html"), nil
		}
		return reply(404, "no such key"), nil
	}, compressing, func(c *Config, _ *Options) {
		c.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/404.html", ResponseCode: 404, MinTTL: time.Minute}}
	})
	for range 2 {
		w := b.get("/gone", both)
		if got := visible(w); w.Code != 404 || got["Content-Encoding"] != "br" || decoded(t, w) != prose(3000) {
			t.Errorf("got %v", got)
		}
	}
	b.asked(2)
}
