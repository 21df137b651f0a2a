package front

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type panicking struct{}

func (panicking) Hit(*Request, *Response) bool { panic("engine") }

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func pemOf(kind string, data []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
}

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	data, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", data)
}

func limits(o *Options) {
	o.HeadTimeout, o.IdleTimeout, o.WriteTimeout = 10*time.Second, time.Minute, 20*time.Second
}

// lives checks that the server closes the connection between the two times from now, and returns when it has.
func (c *client) lives(from, to time.Duration) {
	c.t.Helper()
	began := time.Now()
	if data, err := io.ReadAll(c.r); len(data) > 0 || err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Errorf("read %q, %v", data, err)
	}
	if lived := time.Since(began); lived < from || lived > to {
		c.t.Errorf("the connection lived for %v, want %v to %v", lived, from, to)
	}
}

func TestTimeLimits(t *testing.T) {
	tests := []struct {
		name     string
		talk     func(*client)
		from, to time.Duration
	}{
		{"no first byte", func(*client) {}, 10 * time.Second, 10 * time.Second},
		{"first head unfinished", func(c *client) { c.send("GET /hit HTTP/1.1\r\nHo") }, 10 * time.Second, 10 * time.Second},
		{"idle after a hit", func(c *client) { c.want("/hit") }, time.Minute, time.Minute},
		{"idle after an answer of net/http", func(c *client) { c.want("/miss") }, time.Minute, time.Minute},
		{"idle after both", func(c *client) { c.want("/miss", "/hit", "/miss", "/hit") }, time.Minute, time.Minute},
		{"idle after many hits", func(c *client) {
			for range 20 {
				c.want("/hit")
				time.Sleep(59 * time.Second / 10)
			}
		}, time.Minute - 15*time.Second, time.Minute},
		{"later head unfinished", func(c *client) { c.want("/hit"); c.send("GET /hit HTTP/1.1\r\nHo") }, 10 * time.Second, 10 * time.Second},
		{"head dripping", func(c *client) {
			c.want("/hit", "/miss")
			for _, b := range []byte("GET /hit ") {
				c.send(string(b))
				time.Sleep(time.Second)
			}
		}, time.Second, time.Second},
		{"odd head unfinished", func(c *client) { c.want("/hit"); c.send("POST /x HTTP/1.1\r\nHost: a\r\n") }, 10 * time.Second, 10 * time.Second},
		{"oversized head unfinished", func(c *client) {
			c.want("/hit")
			c.send("GET /hit HTTP/1.1\r\nX: " + strings.Repeat("x", largestBuffer))
		}, 10 * time.Second, 10 * time.Second},
		{"head unfinished behind a hit", func(c *client) {
			c.send(get("/hit") + "GET ")
			c.answer("GET")
		}, 10 * time.Second, 10 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, newPipes(), limits)
				defer s.end()
				c := s.dial()
				defer c.Close()
				test.talk(c)
				c.lives(test.from, test.to)
			})
		})
	}
}

// A viewer who does not take its answer loses the connection in the end, and gets nothing else in the answer's place.
func TestWriteLimit(t *testing.T) {
	for _, target := range []string{"/hit", "/hit/100000", "/miss"} {
		for _, before := range []string{"/hit", "/miss"} {
			t.Run(target+" after "+before, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { stall(t, before, target) }) })
		}
	}
}

// stall takes one answer and not the next.
func stall(t *testing.T, before, target string) {
	s := serve(t, newPipes(), limits)
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.want("/hit", before)
	c.send(get(target))
	time.Sleep(50 * time.Second)
	synctest.Wait()
	c.lives(0, 0)
}

// A head that is too long gets net/http's answer.
func TestLongHead(t *testing.T) {
	s := serve(t, nil, func(o *Options) { o.MaxHeadBytes = 32 << 10 })
	defer s.end()
	c := s.dial()
	defer c.Close()
	c.want("/hit")
	c.send(lines("GET /hit HTTP/1.1", "Host: a", "X: "+strings.Repeat("x", 40<<10)))
	if got := c.answer("GET"); got != "431 Request Header Fields Too Large" {
		t.Errorf("answer %q", got)
	}
	c = s.dial()
	defer c.Close()
	c.send("GET /" + strings.Repeat("x", 40<<10))
	if got := c.answer("GET"); got != "431 Request Header Fields Too Large" {
		t.Errorf("answer %q", got)
	}
}

// Shutdown lets answers under way finish, of both kinds, and closes what waits.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, newPipes(), limits, func(o *Options) {
			o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-release
				echo(w, r)
			})
		})
		unused, idle, half, hit, slow := s.dial(), s.dial(), s.dial(), s.dial(), s.dial()
		idle.want("/hit")
		half.want("/hit")
		half.send("GET /h")
		hit.send(get("/hit/100000")) // the pipe holds nothing: the answer is under way until it is read
		slow.want("/hit")
		slow.send(get("/miss"))
		synctest.Wait()
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- s.Shutdown(t.Context()) }()
		s.ended()
		for _, c := range []*client{unused, idle, half} {
			c.over()
		}
		time.Sleep(2 * time.Second)
		select {
		case err := <-done:
			t.Fatalf("Shutdown returned %v with answers under way", err)
		default:
		}
		if got := hit.answer("GET"); got != expected("/hit/100000") {
			t.Errorf("answer %.40q", got)
		}
		hit.over()
		close(release)
		if got := slow.answer("GET"); got != expected("/miss") {
			t.Errorf("answer %q", got)
		}
		slow.over()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("Shutdown took %v", took)
		}
	})
}

// Shutdown gives up with its context; Close then ends what is left.
func TestShutdownEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, newPipes(), func(o *Options) { o.WriteTimeout = time.Hour })
		c := s.dial()
		defer c.Close()
		c.send(get("/hit/100000"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown returned %v", err)
		}
		s.end()
		synctest.Wait()
		if got := s.engine.receipts(); len(got) != 1 || got[0] != "/hit/100000 0 true" {
			t.Errorf("receipts %q", got)
		}
	})
}
