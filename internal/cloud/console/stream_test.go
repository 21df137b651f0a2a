package console

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reader is the writing end of somebody who reads /events, without a network.
type reader struct {
	mu     sync.Mutex // guards what follows
	got    bytes.Buffer
	head   http.Header
	stuck  chan struct{} // writes wait for it to close, if there is one
	broken error
	writes int
}

func (r *reader) Header() http.Header { return r.head }
func (r *reader) WriteHeader(int)     {}
func (r *reader) Flush()              {}

func (r *reader) Write(p []byte) (int, error) {
	if r.stuck != nil {
		<-r.stuck
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	if r.broken != nil {
		return 0, r.broken
	}
	return r.got.Write(p)
}

// taken returns what was written since the last call.
func (r *reader) taken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.got.Reset()
	return r.got.String()
}

// open reads target in the background; ended is closed when the handler has
// returned.
func (f *fixture) open(ctx context.Context, target string, r *reader) (ended chan struct{}) {
	r.head = http.Header{}
	req := httptest.NewRequestWithContext(ctx, "GET", target, nil)
	req.Host = testHost
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		f.handler.ServeHTTP(r, req)
	}()
	return ended
}

// shown is what a stream says of request(n), added as number n.
func shown(path, time, bytes string) string {
	return `event: request` + "\n" + `data: {"number":` + bytes + `,"time":"2026-11-22T12:00:` + time + `Z","method":"GET","path":"/` + path +
		`","status":200,"cache":"Hit from cloudfront","bytes":` + bytes + `,"duration_ms":1.234}` + "\n\n"
}

func TestStream(t *testing.T) {
	const hello = ": the requests of viewers\n\n"
	synctest.Test(t, func(t *testing.T) {
		f, r := newFixture(), &reader{}
		f.events.Add(request(1))
		ctx, cancel := context.WithCancel(t.Context())
		ended := f.open(ctx, "/events", r)
		step := func(name string, wait time.Duration, want string) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if diff := cmp.Diff(r.taken(), want); diff != "" {
				t.Errorf("%s (-got +want):\n%s", name, diff)
			}
		}
		step("at once", 0, hello)
		if got := r.head.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("type %q", got)
		}
		step("what was before", streamPause, shown("b", "01", "1"))
		step("nothing is new", streamBeat/2, "")
		f.events.Add(request(2))
		step("at once when there was a pause", 0, shown("c", "02", "2"))
		f.events.Add(request(3))
		f.events.Add(request(4))
		step("not before the pause is over", streamPause/2, "")
		step("together after it", streamPause/2, shown("d", "03", "3")+shown("e", "04", "4"))
		step("a sign of life", streamPause+streamBeat, ":\n\n")
		cancel()
		<-ended
		if len(f.events.followers) != 0 {
			t.Error("the reader was not forgotten")
		}
	})
}

func TestStreamBeginsAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := newFixture(), &reader{}
		for i := 1; i <= 3; i++ {
			f.events.Add(request(i))
		}
		ended := f.open(t.Context(), "/events?after=2", r)
		time.Sleep(time.Second)
		f.events.Close()
		<-ended
		if got := r.taken(); strings.Count(got, "event:") != 1 || !strings.Contains(got, shown("d", "03", "3")) {
			t.Errorf("got %s", got)
		}
	})
}

// Who comes late has lost nothing; who reads slowly is told what it lost.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := newFixture(), &reader{stuck: make(chan struct{})}
		for i := range 2 * kept {
			f.events.Add(request(i))
		}
		ended := f.open(t.Context(), "/events", r)
		synctest.Wait() // the reader has begun, and hangs in the greeting
		for i := range 3 * kept {
			f.events.Add(request(i))
		}
		close(r.stuck)
		time.Sleep(time.Second)
		f.events.Close()
		<-ended
		got := r.taken()
		if n := strings.Count(got, "event: request\n"); n != kept {
			t.Errorf("%d requests arrived, want the last %d", n, kept)
		}
		if !strings.Contains(got, "event: lost\ndata: {\"count\":768}\n\n") || strings.Count(got, "event: lost") != 1 {
			t.Errorf("not told of 768 lost requests: %.200s", got)
		}
		if !strings.Contains(got, `"number":1280,`) || strings.Contains(got, `"number":1024,`) {
			t.Error("the requests are not the last ones")
		}
	})
}

func TestStreamEnds(t *testing.T) {
	for _, row := range []struct {
		name   string
		open   time.Duration // how long before the end
		within time.Duration
		end    func(*fixture, *reader, context.CancelFunc)
	}{
		{"the request ends in a pause", streamPause / 2, 0, func(_ *fixture, _ *reader, cancel context.CancelFunc) { cancel() }},
		{"the request ends in silence", 2 * streamPause, 0, func(_ *fixture, _ *reader, cancel context.CancelFunc) { cancel() }},
		{"the events close in a pause", streamPause / 2, 0, func(f *fixture, _ *reader, _ context.CancelFunc) { f.events.Close() }},
		{"the events close in silence, twice", 2 * streamPause, 0, func(f *fixture, _ *reader, _ context.CancelFunc) {
			f.events.Close()
			f.events.Close()
		}},
		{"the reader has gone", streamPause / 2, streamPause + streamBeat, func(f *fixture, r *reader, _ context.CancelFunc) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.broken = errors.New("connection reset")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r := newFixture(), &reader{}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := f.open(ctx, "/events", r)
				time.Sleep(row.open)
				synctest.Wait()
				row.end(f, r, cancel)
				began := time.Now()
				<-ended
				if waited := time.Since(began); waited > row.within {
					t.Errorf("ended after %v", waited)
				}
				if len(f.events.followers) != 0 {
					t.Error("the reader was not forgotten")
				}
			})
		})
	}
}

func TestStreamRefuses(t *testing.T) {
	for _, after := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if w := newFixture().send(t, "GET", "/events?after="+after); w.Code != http.StatusBadRequest {
			t.Errorf("after %s answered %d", after, w.Code)
		}
	}
}

// Over a real connection; goleak sees to it that nothing stays behind.
func TestStreamOverNetwork(t *testing.T) {
	f := newFixture()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = testHost
		f.handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	f.events.Add(request(1))
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
	}
	if !strings.Contains(lines.Text(), `"number":1,`) {
		t.Errorf("read %q, %v", lines.Text(), lines.Err())
	}
	f.events.Close()
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("closed events ended the stream with %v", err)
	}
}
