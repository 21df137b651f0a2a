package standalone

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

// limited starts an edge whose limits are short.
func limitedEdge(t *testing.T, origin string, limits Limits) *Server {
	t.Helper()
	return run(t, Options{
		Origin: Origin{URL: origin}, Listeners: []Listener{{Address: anyPort}}, Limits: limits, Cache: Cache{Rules: edge.RFC9111},
	})
}

// ends reports what comes on c until the other side ends it.
func ends(t *testing.T, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("the connection is still open after %q", got)
	}
	return string(got)
}

func TestSlowHeadIsEnded(t *testing.T) {
	s := limitedEdge(t, origin(t, nil), Limits{HeaderTimeout: 50 * time.Millisecond})
	c := dial(t, s.Info().Viewers[0])
	fmt.Fprint(c, "GET /a HTTP/1.1\r\nHost: a\r\nX-Slow: ")
	if got := ends(t, c); strings.Contains(got, "200 OK") {
		t.Errorf("got %q", got)
	}
}

func TestIdleConnectionIsEnded(t *testing.T) {
	s := limitedEdge(t, origin(t, nil), Limits{IdleTimeout: 50 * time.Millisecond})
	c := dial(t, s.Info().Viewers[0])
	fmt.Fprint(c, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
	if got := ends(t, c); !strings.HasPrefix(got, "HTTP/1.1 200 OK") {
		t.Errorf("got %q", got)
	}
}

func TestLargeHeadIsRefused(t *testing.T) {
	s := limitedEdge(t, origin(t, nil), Limits{MaxHeaderBytes: 1 << 10})
	c := dial(t, s.Info().Viewers[0])
	fmt.Fprintf(c, "GET /a HTTP/1.1\r\nHost: a\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 8<<10))
	if got := ends(t, c); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("got %q", got)
	}
}

// A body that stops coming ends its connection, whether the origin wants it or the edge refuses the request.
func TestSlowBodyIsEnded(t *testing.T) {
	for _, rules := range []edge.RuleSet{edge.RFC9111, edge.CloudFront} {
		s := run(t, Options{
			Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}},
			Limits: Limits{Transfer: 50 * time.Millisecond}, Cache: Cache{Rules: rules},
		})
		c := dial(t, s.Info().Viewers[0])
		fmt.Fprint(c, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfive.")
		if got := ends(t, c); strings.Contains(got, "200 OK") {
			t.Errorf("%v: got %q", rules, got)
		}
	}
}

// A body that comes in pieces, each in time, arrives; and what the origin takes for its answer is not the viewer's time.
func TestSteadyBodyArrives(t *testing.T) {
	release := make(chan struct{})
	s := limitedEdge(t, origin(t, release), Limits{Transfer: 200 * time.Millisecond})
	c := dial(t, s.Info().Viewers[0])
	fmt.Fprint(c, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	for _, b := range []byte("piece") {
		time.Sleep(50 * time.Millisecond)
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	time.AfterFunc(400*time.Millisecond, func() { close(release) })
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || string(body) != "page /slowpiece" {
		t.Errorf("%s %q %v", resp.Status, body, err)
	}
}

// A viewer who takes nothing does not hold a connection for ever.
func TestSlowReaderIsEnded(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 32<<20)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(large) }))
	defer s.Close()
	e := limitedEdge(t, s.URL, Limits{Transfer: 50 * time.Millisecond, MaxConns: 1})
	c := dial(t, e.Info().Viewers[0])
	fmt.Fprint(c, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	next := dial(t, e.Info().Viewers[0]) // has the only place once the first is given up
	fmt.Fprint(next, "HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n")
	if err := next.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Read(make([]byte, 1)); err != nil {
		t.Errorf("the next viewer: %v", err)
	}
}

// No more connections than allowed are served; the next is served when one goes.
func TestConnectionsAreLimited(t *testing.T) {
	s := limitedEdge(t, origin(t, nil), Limits{MaxConns: 2})
	ask := func(c net.Conn) error {
		fmt.Fprint(c, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
		if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			return err
		}
		_, err := c.Read(make([]byte, 1))
		return err
	}
	first, second, third := dial(t, s.Info().Viewers[0]), dial(t, s.Info().Viewers[0]), dial(t, s.Info().Viewers[0])
	if err := errors.Join(ask(first), ask(second)); err != nil {
		t.Fatal(err)
	}
	if err := ask(third); err == nil {
		t.Error("a third connection was served")
	}
	first.Close()
	if err := third.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Read(make([]byte, 1)); err != nil {
		t.Errorf("the third after the first has gone: %v", err)
	}
}
