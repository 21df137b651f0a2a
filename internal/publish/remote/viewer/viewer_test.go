package viewer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves handler and makes a client for it whose base URL has the given
// path.
func start(t *testing.T, path string, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(server.URL+path, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestPathsAreSentAsTheyAreSpelled(t *testing.T) {
	for _, path := range []site.URLPath{
		"/", "/a", "/a/", "/a%2Bb", "/%E6%97%A5/", "/%e6%97%a5/", "/it's", "/a~b", "/a%7Eb", "/a|b", "/a[1]", "/a!$&()*,;=:@b",
		"/100%25", "/a%20b", "/a%3Fb", "/a%23b", "/a%2Fb", "/a%5Cb", "/%7B%7D%5E%60", "/a|b%20c", "/a+b", "/a;b", "/..%2Fa", "/a//b",
		site.Key("posts/it's ~100%|[日]+{x}/index.html").URLPath(),
	} {
		t.Run(string(path), func(t *testing.T) {
			var sent, host string
			c := start(t, "", func(_ http.ResponseWriter, r *http.Request) { sent, host = r.RequestURI, r.Host })
			if _, err := c.Ask(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			if sent != string(path) || "http://"+host != c.String() {
				t.Errorf("sent %q to %q, want %q to %q", sent, host, path, c)
			}
		})
	}
}

func TestTheBaseMayHaveAPath(t *testing.T) {
	for base, want := range map[string]string{"": "/a%2B|", "/": "/a%2B|", "/my%20blog": "/my%20blog/a%2B|", "/blog/": "/blog/a%2B|"} {
		var sent string
		c := start(t, base, func(_ http.ResponseWriter, r *http.Request) { sent = r.RequestURI })
		if _, err := c.Ask(t.Context(), "/a%2B|"); err != nil || sent != want {
			t.Errorf("base %q: sent %q, %v, want %q", base, sent, err, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	body := bytes.Repeat([]byte("freshet"), 100_000)
	c := start(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x-test; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Cache", "Hit from cloudfront")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(body)
	})
	got, err := c.Ask(t.Context(), "/")
	want := remote.Answer{
		Status: 418, ContentType: "text/x-test; charset=utf-8", CacheControl: "no-cache", Cache: "Hit from cloudfront",
		Digest: site.Digest(sha256.Sum256(body)),
	}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("%v; answer (-got +want):\n%s", err, diff)
	}
}

// The bytes are compared with the object's, so they must be those that the
// edge sent, unpacked by nobody.
func TestContentIsNotDecoded(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	var asked http.Header
	c := start(t, "", func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	got, err := c.Ask(t.Context(), "/")
	if err != nil || got.Digest != site.Digest(sha256.Sum256(packed.Bytes())) {
		t.Errorf("digest %s, %v, want that of the packed bytes", got.Digest, err)
	}
	if asked.Get("Accept-Encoding") != "identity" || asked.Get("User-Agent") != "freshet" || asked.Get("Cache-Control") != "" {
		t.Errorf("asked with %v", asked)
	}
}

func TestRedirectsAreAnswers(t *testing.T) {
	var requests atomic.Int32
	c := start(t, "", func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	got, err := c.Ask(t.Context(), "/a")
	if err != nil || got.Status != http.StatusFound || requests.Load() != 1 {
		t.Errorf("status %d after %d requests, %v, want 302 after one", got.Status, requests.Load(), err)
	}
}

// answerRaw takes the connection over and sends exactly these bytes.
func answerRaw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(answer))
	}
}

func TestHalfAnAnswerIsAnError(t *testing.T) {
	for _, tt := range []struct{ name, answer string }{
		{"a body cut off", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"},
		{"no body at all", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"},
		{"a chunk cut off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\na\r\nrest"},
		{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"},
		{"headers cut off", "HTTP/1.1 200 OK\r\nContent-Le"},
		{"nothing", ""},
		{"no HTTP", "hello\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := start(t, "", answerRaw(tt.answer)).Ask(t.Context(), "/a|b")
			if err == nil || got != (remote.Answer{}) || !strings.Contains(err.Error(), "/a|b: ") {
				t.Errorf("got %+v, %v, want an error with the path", got, err)
			}
		})
	}
}

func TestAskErrors(t *testing.T) {
	c := start(t, "", func(http.ResponseWriter, *http.Request) {})
	for _, path := range []site.URLPath{"", "a", "/%zz", "/100%"} {
		if _, err := c.Ask(t.Context(), path); err == nil || !strings.Contains(err.Error(), "not the path of a URL") {
			t.Errorf("Ask(%q): %v, want an error", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Ask(ctx, "/"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct{ base, want string }{
		{"https://www.example.org", ""},
		{"http://127.0.0.1:8080/blog/", ""},
		{"", "does not begin with http"},
		{"www.example.org", "does not begin with http"},
		{"ftp://example.org", "does not begin with http"},
		{"http:///path", "does not begin with http"},
		{"http://[::1", "parse the site's URL"},
		{"https://example.org/?a=b", "query or a fragment"},
		{"https://example.org/#a", "query or a fragment"},
	} {
		t.Run(tt.base, func(t *testing.T) {
			c, err := New(tt.base, 1)
			if tt.want == "" && (err != nil || c.String() != tt.base) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("New: %v, %v, want %q", c, err, tt.want)
			}
		})
	}
}

func TestConcurrentAsks(t *testing.T) {
	c := start(t, "", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) })
	errs := make(chan error)
	for i := range 32 {
		go func() {
			path := fmt.Sprint("/", i)
			got, err := c.Ask(t.Context(), site.URLPath(path))
			if err == nil && got.Digest != site.Digest(sha256.Sum256([]byte(path))) {
				err = fmt.Errorf("%s: another's answer", path)
			}
			errs <- err
		}()
	}
	for range 32 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// A host to which no connection can be made is told from one that answers
// badly: it says nothing about what others are served.
func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	server.Close()
	c, err := New(base, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ask(t.Context(), "/"); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("a closed port: %v, want ErrUnreachable", err)
	}
	cut := start(t, "", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := cut.Ask(t.Context(), "/"); err == nil || errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("a connection that is cut: %v, want another error", err)
	}
}
