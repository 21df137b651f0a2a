package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers connections one after the other, each by a function of its own;
// the last serves all that follow.
func script(t *testing.T, serve ...func(net.Conn, *bufio.Reader)) (host string, accepted *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int64)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(accepted.Add(1))
			wg.Go(func() {
				defer c.Close()
				serve[min(n, len(serve))-1](c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String(), accepted
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"e\"\r\n\r\n"

// take reads one request whole.
func take(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err == nil {
		_, err = io.Copy(io.Discard, req.Body)
	}
	return err == nil
}

// always answers every request with text.
func always(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for take(r) {
			io.WriteString(c, text)
		}
	}
}

// once answers one request with text and closes.
func once(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		if take(r) {
			io.WriteString(c, text)
		}
	}
}

func client(t *testing.T, host string, conns int) *Client {
	c := New(host, conns, 10*time.Second)
	t.Cleanup(func() {
		for cn := c.pop(); cn != nil; cn = c.pop() {
			cn.Close()
		}
	})
	return c
}

func request(t *testing.T, host string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, "http://"+host+"/b/a%20b?x-id=PutObject", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func do(t *testing.T, c *Client, host string, body []byte) (*http.Response, error) {
	t.Helper()
	return c.Do(t.Context(), request(t, host), bytes.NewReader(body), int64(len(body)))
}

// TestConnections counts them.
func TestConnections(t *testing.T) {
	rows := []struct {
		name  string
		serve []func(net.Conn, *bufio.Reader)
		want  int64
	}{
		{"kept", []func(net.Conn, *bufio.Reader){always(ok)}, 1},
		{"closed as announced", []func(net.Conn, *bufio.Reader){always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")}, 3},
		{"closed without a word", []func(net.Conn, *bufio.Reader){once(ok)}, 3},
		{"of version 1.0", []func(net.Conn, *bufio.Reader){once("HTTP/1.0 200 OK\r\n\r\n")}, 3},
		{"with more than one answer", []func(net.Conn, *bufio.Reader){always(ok + ok)}, 3},
		{"with a body that is read", []func(net.Conn, *bufio.Reader){always("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n")}, 1},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			host, accepted := script(t, r.serve...)
			c := client(t, host, 2)
			for range 3 {
				if _, err := do(t, c, host, []byte("body")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond) // lets a close arrive, or not: both must work
			}
			if got := accepted.Load(); got != r.want {
				t.Errorf("%d connections, want %d", got, r.want)
			}
		})
	}
}

// TestAnswers reads what a service may say, also while the body is being sent.
func TestAnswers(t *testing.T) {
	refusal := "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nDenied"
	early := func(after func(net.Conn)) func(net.Conn, *bufio.Reader) {
		return func(c net.Conn, _ *bufio.Reader) { io.WriteString(c, refusal); after(c) }
	}
	rows := []struct {
		name  string
		serve func(net.Conn, *bufio.Reader)
		want  string // status and body, or the error
	}{
		{"plain", always(refusal), "403 Denied"},
		{"after interim answers", always("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + refusal), "403 Denied"},
		{"early, from one who does not read", early(func(c net.Conn) { time.Sleep(300 * time.Millisecond) }), "403 Denied"},
		{"early, from one who stops sending", early(func(c net.Conn) { c.(*net.TCPConn).CloseWrite(); time.Sleep(300 * time.Millisecond) }), "403 Denied"},
		{"none", func(net.Conn, *bufio.Reader) {}, "gone"},
		{"none to the whole request", func(_ net.Conn, r *bufio.Reader) { take(r) }, "EOF"},
		{"half of one", once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), "unexpected EOF"},
		{"half of a body", once("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nhal"), "unexpected EOF"},
		{"no HTTP", always("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "malformed HTTP response"},
		{"without end", always("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", largestAnswer) + "\r\n\r\n"), errTooLong.Error()},
		{"interim ones without end", always(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 10)), errTooLong.Error()},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			host, _ := script(t, r.serve)
			c := client(t, host, 1)
			c.stall = 20 * time.Millisecond
			resp, err := do(t, c, host, make([]byte, 16<<20))
			got := fmt.Sprint(err)
			if err == nil {
				data, _ := io.ReadAll(resp.Body)
				got = fmt.Sprint(resp.StatusCode, " ", string(data))
			} else if errors.Is(err, errGone) && r.want == "gone" {
				got = "gone" // reset or broken pipe, as it comes
			}
			if !strings.Contains(got, r.want) {
				t.Errorf("got %q, want %q", got, r.want)
			}
		})
	}
}

// TestSlowService: sending may take as long as it takes, whatever the stall.
func TestSlowService(t *testing.T) {
	const size = 8 << 20
	var sum atomic.Int64
	host, _ := script(t, func(c net.Conn, r *bufio.Reader) {
		time.Sleep(100 * time.Millisecond)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, req.Body)
		sum.Add(n)
		io.WriteString(c, ok)
	})
	c := client(t, host, 1)
	c.stall = 5 * time.Millisecond
	if resp, err := do(t, c, host, make([]byte, size)); err != nil || resp.StatusCode != 200 || sum.Load() != size {
		t.Errorf("%d bytes arrived; %v, %v", sum.Load(), resp, err)
	}
}

func TestLimits(t *testing.T) {
	release := make(chan struct{})
	host, accepted := script(t, func(_ net.Conn, r *bufio.Reader) { take(r); <-release })
	defer close(release)
	t.Run("no answer in time", func(t *testing.T) {
		c := New(host, 1, 20*time.Millisecond)
		if _, err := do(t, c, host, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if got := accepted.Load(); got != 1 {
			t.Errorf("%d connections for one request", got)
		}
	})
	t.Run("the caller gives up", func(t *testing.T) {
		c, cause := New(host, 1, time.Minute), errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
		if _, err := c.Do(ctx, request(t, host), strings.NewReader(""), 0); !errors.Is(err, cause) {
			t.Errorf("error %v", err)
		}
		if _, err := c.Do(ctx, request(t, host), strings.NewReader(""), 0); !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v of a call that came too late", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		gone := server.Listener.Addr().String()
		server.Close()
		if _, err := do(t, New(gone, 1, time.Minute), gone, nil); err == nil || !strings.HasPrefix(err.Error(), "dial tcp") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a short body", func(t *testing.T) {
		_, err := New(host, 1, time.Minute).Do(t.Context(), request(t, host), strings.NewReader("abc"), 4)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v", err)
		}
	})
}

// TestConnectionsAtOnce never makes more than it may.
func TestConnectionsAtOnce(t *testing.T) {
	var now, most atomic.Int64
	host, _ := script(t, func(c net.Conn, r *bufio.Reader) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		take(r)
		time.Sleep(time.Millisecond)
		now.Add(-1) // before the answer: after it, the client may come again
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	c := client(t, host, 3)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := do(t, c, host, []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > 3 {
		t.Errorf("%d at once", got)
	}
}

// TestArrives: whatever is sent arrives, on kept connections too.
func TestArrives(t *testing.T) {
	var seen *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = r
		body, _ = io.ReadAll(r.Body)
	}))
	t.Cleanup(server.Close)
	host := server.Listener.Addr().String()
	c := client(t, host, 1)
	rapid.Check(t, func(rt *rapid.T) {
		want := bytes.Repeat([]byte{rapid.Byte().Draw(rt, "byte")}, rapid.IntRange(0, 3*bufferSize).Draw(rt, "size"))
		value := strings.Repeat("v", rapid.SampledFrom([]int{1, 100, bufferSize - 200, bufferSize + 1}).Draw(rt, "header"))
		req := request(t, host)
		req.Header.Set("X-Long", value)
		resp, err := c.Do(t.Context(), req, bytes.NewReader(want), int64(len(want)))
		if err != nil || resp.StatusCode != 200 {
			rt.Fatalf("%v, %v", resp, err)
		}
		if !bytes.Equal(body, want) || seen.RequestURI != "/b/a%20b?x-id=PutObject" || seen.Header.Get("X-Long") != value || seen.Host != host || seen.ContentLength != int64(len(want)) {
			rt.Fatalf("arrived: %s %s, %d bytes, host %s", seen.Method, seen.RequestURI, len(body), seen.Host)
		}
	})
}

func TestIdleIsClosed(t *testing.T) {
	host, _ := script(t, always(ok))
	c := client(t, host, 1)
	if _, err := do(t, c, host, nil); err != nil {
		t.Fatal(err)
	}
	c.closeIdle()
	if len(c.idle) != 1 || c.sweep == nil {
		t.Fatalf("%d connections are kept", len(c.idle))
	}
	c.idle[0].since = time.Now().Add(-idleTimeout)
	c.closeIdle()
	if len(c.idle) != 0 || c.sweep != nil {
		t.Errorf("%d connections are kept for ever", len(c.idle))
	}
}

func TestValid(t *testing.T) {
	for value, want := range map[string]bool{"": true, "a b\tc": true, "über": true, "a\r\nb": false, "a\nb": false, "a\x00": false, "\x7f": false} {
		if got := Valid(value); got != want {
			t.Errorf("Valid(%q) = %v", value, got)
		}
	}
}
