package front

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAlternate(t *testing.T) {
	s := serve(t, nil)
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.want("/hit", "/hit/1000", "/miss", "/hit", "/miss", "/miss", "/hit/100000", "/hit/0", "/hit")
}

func TestHead(t *testing.T) {
	s := serve(t, nil)
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.send(lines("HEAD /hit/9 HTTP/1.1", "Host: a"))
	if got := c.answer("HEAD"); got != "engine " {
		t.Errorf("answer %q", got)
	}
	c.want("/hit")
	s.end()
	want := []string{"/hit/9 0 false", "/hit 4 false"}
	if diff := cmp.Diff(s.engine.receipts(), want); diff != "" {
		t.Errorf("receipts got, want:\n%s", diff)
	}
	s.done <- http.ErrServerClosed
}

// Any mix of requests, cut into any segments, gets the answers that net/http alone would give, in order.
func TestPipelining(t *testing.T) {
	fronted := serve(t, nil)
	defer fronted.end()
	alone := serve(t, nil, func(o *Options) { o.Engine = nil })
	defer alone.end()
	requests := map[string]string{
		"/hit": get("/hit"), "/hit/1": get("/hit/1"), "/hit/5000": get("/hit/5000"), "/miss": get("/miss"),
		"/post": lines("POST /post HTTP/1.1", "Host: a", "Content-Length: 12") + "GET /hit HTT", "/options": lines("OPTIONS /options HTTP/1.1", "Host: a"),
		"/chunked": lines("POST /chunked HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "3\r\nGET\r\n0\r\n\r\n",
		"/long":    lines("GET /long HTTP/1.1", "Host: a", "X: "+strings.Repeat("x", 20_000)),
		"/middle":  lines("GET /hit/2 HTTP/1.1", "Host: a", "X: "+strings.Repeat("x", 9_000)),
		"/empty":   lines("POST /empty HTTP/1.1", "Host: a"),
	}
	names := []string{"/hit", "/hit/1", "/hit/5000", "/miss", "/middle", "/hit", "/options", "/post", "/chunked", "/long", "/empty"}
	rapid.Check(t, func(rt *rapid.T) {
		var all strings.Builder
		list := rapid.SliceOfN(rapid.SampledFrom(names), 1, 50).Draw(rt, "requests")
		for _, name := range list {
			all.WriteString(requests[name])
		}
		cuts := rapid.SliceOfN(rapid.IntRange(1, 300), 1, 5).Draw(rt, "segments")
		got, want := converse(t, fronted, all.String(), cuts, len(list)), converse(t, alone, all.String(), nil, len(list))
		if diff := cmp.Diff(got, want); diff != "" {
			rt.Fatalf("bodies with the loop, without:\n%s", diff)
		}
	})
}

// converse sends text in segments of the sizes in turn, and returns the bodies of the answers.
func converse(t *testing.T, s *served, text string, sizes []int, answers int) []string {
	c := s.dial()
	defer c.Close()
	go func() {
		for i := 0; text != ""; i++ {
			n := len(text)
			if len(sizes) > 0 {
				n = min(n, sizes[i%len(sizes)])
			}
			if _, err := io.WriteString(c, text[:n]); err != nil {
				return // the reader below says so
			}
			text = text[n:]
		}
	}()
	var bodies []string
	for range answers {
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatalf("read an answer after %d: %v", len(bodies), err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("answer %d: %s, %v", len(bodies), resp.Status, err)
		}
		// Where it has no engine, the handler echoes the target in place of the engine's body.
		bodies = append(bodies, string(bodyOf(string(body))))
	}
	return bodies
}

// What the loop does not take on faith reaches net/http as it came, and so does all that follows.
func TestOddIsNetHTTPs(t *testing.T) {
	fronted := serve(t, nil)
	defer fronted.end()
	alone := serve(t, nil, func(o *Options) { o.Engine = nil })
	defer alone.end()
	for _, test := range heads {
		if test.want != odd {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			text := test.head + lines("GET /hit HTTP/1.1", "Host: a", "Connection: close")
			got, want := everything(t, fronted, text), everything(t, alone, text)
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("answers to %q with the loop, without:\n%s", text, diff)
			}
			if strings.Contains(got, "engine") {
				t.Errorf("the engine answered behind %q", text)
			}
		})
	}
}

// everything sends text and returns all that comes back, without dates.
func everything(t *testing.T, s *served, text string) string {
	t.Helper()
	c := s.dial()
	defer c.Close()
	c.send(text)
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	data, _ := io.ReadAll(c.r) // net/http may reset a connection that it has refused
	var kept []string
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "Date: ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestContinue(t *testing.T) {
	s := serve(t, nil)
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.want("/hit")
	c.send(lines("POST /post HTTP/1.1", "Host: a", "Content-Length: 2", "Expect: 100-continue"))
	if line, err := c.r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	if _, err := c.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.send("hi")
	if got := c.answer("POST"); got != "net/http /post with hi" {
		t.Errorf("answer %q", got)
	}
	c.want("/miss")
}

// HTTP/1.0 is net/http's, keep-alive included.
func TestHTTP10(t *testing.T) {
	s := serve(t, nil)
	defer s.end()
	c := s.dial()
	defer c.Close()
	for range 2 {
		c.send(lines("GET /hit HTTP/1.0", "Connection: keep-alive"))
		if got := c.answer("GET"); got != "net/http /hit" {
			t.Errorf("answer %q", got)
		}
	}
	c.send(lines("GET /hit HTTP/1.0"))
	c.answer("GET")
	c.over()
}

// A viewer who leaves while its request is served ends the request's context, whether or not it has sent more before.
func TestViewerLeaves(t *testing.T) {
	left := make(chan error, 1)
	s := serve(t, nil, func(o *Options) {
		o.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			left <- r.Context().Err()
		})
	})
	defer s.end()
	c := s.dial()
	c.want("/hit")
	c.send(get("/wait"))
	c.Close()
	if err := <-left; err == nil {
		t.Error("the context has no error")
	}
}

// Requests that arrive while an earlier one is being served wait for it, and none of their bytes is lost.
func TestRequestsDuringAnother(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := serve(t, nil, func(o *Options) {
		o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				close(begun)
				<-release
				if err := r.Context().Err(); err != nil {
					t.Errorf("the request's context has ended: %v", err)
				}
			}
			echo(w, r)
		})
	})
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.send(get("/wait"))
	<-begun
	c.send("G")
	c.send(get("/hit")[1:] + get("/miss") + get("/hit/7")[:9])
	time.Sleep(10 * time.Millisecond) // for the server to see it; without, the test only says less
	close(release)
	for _, target := range []string{"/wait", "/hit", "/miss"} {
		if got := c.answer("GET"); got != expected(target) {
			t.Errorf("answer %q, want %q", got, expected(target))
		}
	}
	c.send(get("/hit/7")[9:])
	if got := c.answer("GET"); got != expected("/hit/7") {
		t.Errorf("answer %q", got)
	}
}

func TestHijack(t *testing.T) {
	s := serve(t, nil, func(o *Options) {
		o.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			nc, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			line, err := rw.ReadString('\n')
			fmt.Fprintf(nc, "read %q %v", line, err)
		})
	})
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.want("/hit")
	c.send(get("/take") + "and more\n")
	if got, err := io.ReadAll(c.r); string(got) != `read "and more\n" <nil>` {
		t.Errorf("got %q, %v", got, err)
	}
}

// Over TLS net/http serves alone, HTTP/2 and HTTP/1.1.
func TestTLS(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	certFile, keyFile := writeCertificate(t, certificate.TLS.Certificates[0])
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Handler: http.HandlerFunc(echo), Engine: &fakeEngine{}})
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l, certFile, keyFile) }()
	for _, h2 := range []bool{true, false} {
		transport := certificate.Client().Transport.(*http.Transport).Clone()
		transport.ForceAttemptHTTP2 = h2
		if !h2 {
			transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
		resp, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String() + "/hit")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := map[bool]int{true: 2, false: 1}[h2]; resp.ProtoMajor != want || resp.Header.Get("By") != "net/http" {
			t.Errorf("HTTP/%d by %s, want HTTP/%d", resp.ProtoMajor, resp.Header.Get("By"), want)
		}
		transport.CloseIdleConnections()
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-done
}

// A panic of the engine ends its connection and no other.
func TestEnginePanics(t *testing.T) {
	s := serve(t, nil, func(o *Options) {
		o.Engine = panicking{}
		o.ErrorLog = discardLog()
	})
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.send(get("/hit"))
	c.over()
	s.dial().Close()
}

// Every connection that the limit allows is served, and the next one as soon as one goes.
func TestMaxConns(t *testing.T) {
	s := serve(t, nil, func(o *Options) { o.MaxConns = 2 })
	defer s.end()
	a, b, c := s.dial(), s.dial(), s.dial()
	defer b.Close()
	defer c.Close()
	a.want("/hit")
	b.want("/miss")
	c.send(get("/hit")) // the kernel has accepted it, the server has not
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.r.Peek(1); err == nil {
		t.Error("a connection beyond the limit is served")
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	c.r = bufio.NewReader(c.Conn)
	if got := c.answer("GET"); got != expected("/hit") {
		t.Errorf("answer %q", got)
	}
}

func writeCertificate(t *testing.T, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for path, data := range map[string][]byte{certFile: pemOf("CERTIFICATE", c.Certificate[0]), keyFile: keyPEM(t, c.PrivateKey)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
