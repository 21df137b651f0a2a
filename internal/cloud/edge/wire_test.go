package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Over a real connection: paths arrive raw at the origin, and a truncated body is no complete response.
func TestWire(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.RequestURI)
		mu.Unlock()
		if r.RequestURI == "/short" {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}))
	defer origin.Close()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	b := newBench(t, nil, func(c *Config, _ *Options) {
		c.Origins["site"] = Origin{Host: strings.TrimPrefix(origin.URL, "http://"), Transport: transport}
	})
	front := httptest.NewServer(b)
	defer front.Close()
	paths := []string{"/", "//", "//a//b", "/a/../b", "/./a", "/%2F", "/%2e%2e/x", "/a%20b", "/*", "/a+b", "/~x", "/%E3%81%82", "/a|b", "/[x]", "/a'b", "/a;b=c", "/%c3%A9"}
	for _, path := range paths {
		if status := rawGet(t, front, path); status != 200 {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	mu.Lock()
	for i, path := range paths {
		if seen[i] != path {
			t.Errorf("the origin saw %q, want %q", seen[i], path)
		}
	}
	mu.Unlock()
	resp, err := front.Client().Get(front.URL + "/short")
	if err == nil {
		if resp.StatusCode != 200 {
			t.Errorf("the origin's answer has become %d", resp.StatusCode)
		}
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("a truncated body looks complete to the viewer")
	}
}

// rawGet sends path as it stands.
func rawGet(t *testing.T, s *httptest.Server, path string) int {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
