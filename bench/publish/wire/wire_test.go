package wire

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKind(t *testing.T) {
	for _, row := range []struct {
		method, target string
		copies         bool
		want           string
	}{
		{"GET", "/site?list-type=2&prefix=a", false, "LIST"},
		{"GET", "/site/?list-type=2", false, "LIST"},
		{"GET", "/site?location", false, "BUCKET"},
		{"PUT", "/site", false, "BUCKET"},
		{"HEAD", "/site", false, "BUCKET"},
		{"POST", "/site?delete", false, "DELETES"},
		{"PUT", "/site/a/b.html", false, "PUT"},
		{"PUT", "/site/a/b.html", true, "COPY"},
		{"PUT", "/site/a.mp4?partNumber=1&uploadId=x", false, "PART"},
		{"POST", "/site/a.mp4?uploads", false, "UPLOAD"},
		{"POST", "/site/a.mp4?uploadId=x", false, "UPLOAD"},
		{"GET", "/site/a.html", false, "GET"},
		{"HEAD", "/site/a.html", false, "HEAD"},
		{"DELETE", "/site/a.html", false, "DELETE"},
		{"POST", "/2020-05-31/distribution/E1/invalidation", false, "CF POST"},
		{"PUT", "/2020/05/a.html", false, "PUT"},
	} {
		u, err := url.Parse(row.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := Kind(row.method, u.Path, u.Query(), row.copies); got != row.want {
			t.Errorf("%s %s: %q, want %q", row.method, row.target, got, row.want)
		}
	}
}

// TestChain runs requests in waves: those of one wave overlap, those of the next begin when they have ended.
func TestChain(t *testing.T) {
	var c counter
	c.reset(0)
	for range 3 {
		var places []int
		for range 4 {
			place, _ := c.begin("GET")
			places = append(places, place)
		}
		for _, place := range places {
			c.end("GET", place, 200, 1, 10)
		}
	}
	want := Counts{Kinds: map[string]int64{"GET": 12}, Failures: map[string]int64{}, Sent: 12, Received: 120, Widest: 4, Chain: 3}
	if diff := cmp.Diff(c.read(), want); diff != "" {
		t.Errorf("counts (-got +want):\n%s", diff)
	}
}

// start starts a proxy before two servers.
func start(t *testing.T, s3, control http.HandlerFunc) *Proxy {
	t.Helper()
	var addresses []string
	for _, h := range []http.HandlerFunc{s3, control} {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		addresses = append(addresses, strings.TrimPrefix(server.URL, "http://"))
	}
	p, err := Listen(addresses[0], addresses[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestPassesOnWhatItGets(t *testing.T) {
	s3 := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, "%s %s %s %s %d", r.Method, r.Host, r.RequestURI, r.Header.Get("X-Test"), len(body))
	}
	control := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "control") }
	p := start(t, s3, control)
	host := strings.TrimPrefix(p.URL(), "http://")
	for _, row := range []struct {
		method, target string
		body           io.Reader
		want           string
	}{
		{"PUT", "/b/a%20b%2B%C3%A9+~?x=1&y=%2F", strings.NewReader("12345"), "PUT " + host + " /b/a%20b%2B%C3%A9+~?x=1&y=%2F v 5"},
		{"PUT", "/b/large", bytes.NewReader(make([]byte, 1<<20)), "PUT " + host + " /b/large v 1048576"},
		{"PUT", "/b/chunked", struct{ io.Reader }{strings.NewReader("123")}, "PUT " + host + " /b/chunked v 3"},
		{"GET", "/b?list-type=2", nil, "GET " + host + " /b?list-type=2 v 0"},
		{"HEAD", "/b/a", nil, ""},
		{"DELETE", "/b/a", nil, ""},
		{"GET", "/2020-05-31/distribution", nil, "control"},
	} {
		req, err := http.NewRequest(row.method, p.URL()+row.target, row.body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Test", "v")
		if row.method == http.MethodPut {
			req.Header.Set("Expect", "100-continue")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", row.method, row.target, err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
		if string(got) != row.want {
			t.Errorf("%s %s: %q, want %q", row.method, row.target, got, row.want)
		}
	}
	got := p.Counts()
	kinds := map[string]int64{"PUT": 3, "LIST": 1, "HEAD": 1, "DELETE": 1, "CF GET": 1}
	if diff := cmp.Diff(got.Kinds, kinds); diff != "" {
		t.Errorf("kinds (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(got.Failures, map[string]int64{"DELETE Not Found": 1}); diff != "" {
		t.Errorf("failures (-got +want):\n%s", diff)
	}
	if got.Sent != 5+1<<20+3 || got.Chain != 7 {
		t.Errorf("sent %d bytes in a chain of %d", got.Sent, got.Chain)
	}
}

func TestWaitsBeforeItPassesOn(t *testing.T) {
	p := start(t, func(http.ResponseWriter, *http.Request) {}, func(http.ResponseWriter, *http.Request) {})
	const latency = 50 * time.Millisecond
	p.Reset(latency)
	var all sync.WaitGroup
	began := time.Now()
	for range 4 {
		all.Go(func() {
			resp, err := http.Get(p.URL() + "/b/k")
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close() // it is empty
		})
	}
	all.Wait()
	if took := time.Since(began); took < latency {
		t.Errorf("answered after %s", took)
	}
	if got := p.Counts(); got.Kinds["GET"] != 4 {
		t.Errorf("counted %v", got.Kinds)
	}
}
