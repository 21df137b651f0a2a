package dev

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

const body = "<body>x</body>"

// edge answers as the local edge does, and some more.
func edge(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("ETag", `"e"`)
		h.Set("X-Asked", r.Header.Get("Accept-Encoding")+"|"+r.Header.Get("If-None-Match")+"|"+r.Header.Get("Range"))
		switch r.URL.EscapedPath() {
		case "/gzip":
			h.Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			_, _ = io.WriteString(packed, body)
			_ = packed.Close()
		case "/br":
			h.Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "not text")
		case "/css":
			h.Set("Content-Type", "text/css")
			_, _ = io.WriteString(w, "a{}")
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, body)
		case "/denied":
			h.Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error/>")
		case "/download":
			h.Set("Content-Disposition", "Attachment; filename=x.html")
			_, _ = io.WriteString(w, body)
		case "/a%2Fb//c/../d":
			_, _ = io.WriteString(w, "exact path and query "+r.URL.RawQuery+"</body>")
		case "/not-modified":
			w.WriteHeader(http.StatusNotModified)
		default:
			h.Set("Content-Length", strconv.Itoa(len(body)))
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, body)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// front serves dev's handler in front of edge.
func front(t *testing.T, edge string, hosts ...string) (*httptest.Server, *hub) {
	t.Helper()
	hub := newHub()
	h, idle := handler(Options{Edge: edge, Hosts: hosts}, hub)
	s := httptest.NewServer(h)
	t.Cleanup(func() { hub.close(); s.Close(); idle() })
	return s, hub
}

func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestPagesGetTheScript(t *testing.T) {
	s, hub := front(t, edge(t).URL)
	hub.succeed(true)
	tests := []struct {
		name, path string
		headers    []string
		status     int
		script     bool
		has        string
	}{
		{"a page", "/", nil, 200, true, "<body>x<script"},
		{"its version", "/", nil, 200, true, `data-version="` + hub.version() + `"`},
		{"a page that is opened", "/", []string{"Sec-Fetch-Dest", "document"}, 200, true, ""},
		{"a page in a frame", "/", []string{"Sec-Fetch-Dest", "iframe"}, 200, true, ""},
		{"a page that a script fetches", "/", []string{"Sec-Fetch-Dest", "empty"}, 200, false, body},
		{"stored compressed", "/gzip", []string{"Accept-Encoding", "gzip, br"}, 200, true, "<body>x<script"},
		{"stored in a coding that is not known", "/br", nil, 200, false, "not text"},
		{"a style sheet", "/css", nil, 200, false, "a{}"},
		{"an error page", "/missing", nil, 404, true, "<body>x<script"},
		{"an error that is no page", "/denied", []string{"Accept", "text/html,*/*"}, 403, true, "The site has nothing here"},
		{"such an error for a program", "/denied", nil, 403, false, "<Error/>"},
		{"a page to be kept", "/download", nil, 200, false, body},
		{"an exact path", "/a%2Fb//c/../d?q=1&q=;2", nil, 200, true, "exact path and query q=1&q=;2<script"},
		{"the script itself", "/.freshet/reload.js", nil, 200, false, "EventSource"},
		{"what there is not", "/.freshet/nothing", nil, 404, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, text := ask(t, http.MethodGet, s.URL+tt.path, tt.headers...)
			if res.StatusCode != tt.status || strings.Contains(text, "data-version=") != tt.script || !strings.Contains(text, tt.has) {
				t.Errorf("status %d, want %d; script wanted: %t; %q wanted in:\n%s", res.StatusCode, tt.status, tt.script, tt.has, text)
			}
			if n := res.Header.Get("Content-Length"); n != "" && n != strconv.Itoa(len(text)) {
				t.Errorf("Content-Length %s for %d bytes", n, len(text))
			}
			if tt.script && (res.Header.Get("ETag") != "" || res.Header.Get("Content-Encoding") != "") {
				t.Errorf("a page with the script has the headers %v", res.Header)
			}
		})
	}
}

// The browser asks each time, whatever the site says, and the edge is asked for
// pages as if the browser had none.
func TestBrowsersAskEachTime(t *testing.T) {
	s, _ := front(t, edge(t).URL)
	res, _ := ask(t, http.MethodGet, s.URL+"/css")
	if res.Header.Get("Cache-Control") != "no-cache" || res.Header.Get(keptPolicy) != "public, max-age=3600" || res.Header.Get("ETag") == "" {
		t.Errorf("a style sheet has the headers %v", res.Header)
	}
	if res, _ = ask(t, http.MethodGet, s.URL+"/css", "If-None-Match", `"e"`, "Accept-Encoding", "br"); res.Header.Get("X-Asked") != `identity|"e"|` {
		t.Errorf("the edge was asked for a style sheet with %q", res.Header.Get("X-Asked"))
	}
	res, _ = ask(t, http.MethodGet, s.URL+"/", "If-None-Match", `"e"`, "Range", "bytes=0-1", "Accept", "text/html")
	if res.Header.Get("X-Asked") != "identity||" {
		t.Errorf("the edge was asked for a page with %q", res.Header.Get("X-Asked"))
	}
	if res, _ = ask(t, http.MethodHead, s.URL+"/"); res.StatusCode != 200 || res.Header.Get("Content-Length") != "" {
		t.Errorf("HEAD: %s with the headers %v", res.Status, res.Header)
	}
	if res, _ = ask(t, http.MethodGet, s.URL+"/not-modified"); res.StatusCode != http.StatusNotModified {
		t.Errorf("a page that is not modified: %s", res.Status)
	}
}

func TestNoEdge(t *testing.T) {
	e := edge(t)
	s, _ := front(t, e.URL)
	e.Close()
	res, text := ask(t, http.MethodGet, s.URL+"/<x>")
	if res.StatusCode != http.StatusBadGateway || !strings.Contains(text, "data-version=") || strings.Contains(text, "<x>") {
		t.Errorf("%s: %s", res.Status, text)
	}
}

func TestGuard(t *testing.T) {
	s, _ := front(t, edge(t).URL, "Ada.example:80")
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	tests := []struct {
		name    string
		path    string
		headers []string
		want    int
	}{
		{"localhost", "/", []string{"Host", "LocalHost" + port}, 200},
		{"below localhost", "/", []string{"Host", "a.localhost."}, 200},
		{"an address", "/", []string{"Host", "192.0.2.7:9000"}, 200},
		{"an address of IPv6", "/", []string{"Host", "[::1]" + port}, 200},
		{"a name that was given", "/", []string{"Host", "ada.example"}, 200},
		{"another name", "/", []string{"Host", "evil.example" + port}, 421},
		{"another name, for the script", "/.freshet/reload.js", []string{"Host", "evil.example"}, 421},
		{"another name, for the events", "/.freshet/events", []string{"Host", "evil.example"}, 421},
		{"like an address", "/", []string{"Host", "127.0.0.1.evil.example"}, 421},
		{"another origin", "/.freshet/events", []string{"Origin", "https://evil.example"}, 403},
		{"an origin that is none", "/.freshet/events", []string{"Origin", "null"}, 403},
		{"another port of this machine", "/.freshet/events", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"another site", "/.freshet/events", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another origin of the site", "/.freshet/reload.js", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"its own page", "/.freshet/reload.js", []string{"Sec-Fetch-Site", "same-origin", "Origin", s.URL}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if res, text := ask(t, http.MethodGet, s.URL+tt.path, tt.headers...); res.StatusCode != tt.want {
				t.Errorf("%s, want %d: %s", res.Status, tt.want, text)
			}
		})
	}
	if res, _ := ask(t, http.MethodPost, s.URL+"/.freshet/events"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", res.Status)
	}
}

// events gives the states that a page is told.
func events(t *testing.T, url string) func() string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/.freshet/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if kind := res.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("Content-Type %s", kind)
	}
	lines := bufio.NewScanner(res.Body)
	return func() string {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		return "end"
	}
}

func TestEvents(t *testing.T) {
	s, hub := front(t, "http://127.0.0.1:1")
	next := events(t, s.URL)
	want := func(text string) {
		t.Helper()
		if got := next(); got != text {
			t.Fatalf("told %s, want %s", got, text)
		}
	}
	want(`{"version":"` + hub.run + `-0","problem":null}`)
	hub.succeed(true)
	want(`{"version":"` + hub.run + `-1","problem":null}`)
	hub.fail(problem{Title: "T", Text: "a\nb", Output: []string{"</script>"}})
	const failed = `-1","problem":{"id":1,"title":"T","text":"a\nb","output":["\u003c/script\u003e"]}}`
	want(`{"version":"` + hub.run + failed)
	if got := events(t, s.URL)(); got != `{"version":"`+hub.run+failed {
		t.Errorf("a page that comes later is told %s", got)
	}
	hub.succeed(false)
	want(`{"version":"` + hub.run + `-1","problem":null}`)
	hub.close()
	want("end")
}
