package console

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
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
func (f *fixture) open(ctx context.Context, target string, r *reader, header ...string) (ended chan struct{}) {
	r.head = http.Header{}
	req := httptest.NewRequestWithContext(ctx, "GET", target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Host = testHost
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		f.handler.ServeHTTP(r, req)
	}()
	return ended
}

// Parts of a stream.
const (
	hello         = "event: hello\ndata: {\"started\":\"2026-11-22T12:00:00Z\"}\n\n"
	noneYet       = "event: invalidations\ndata: {\"list\":[],\"more\":false}\n\n"
	nothingIsLive = "event: releases\ndata: {\"version\":\"\"}\n\n"
)

// shown is what a stream says of requests that are request(n), added as number n.
func shown(others int, numbers ...int) string {
	var list []string
	for _, n := range numbers {
		list = append(list, fmt.Sprintf(`{"number":%d,"time":"2026-11-22T12:00:%02dZ","method":"GET","path":"/%c","status":200,"cache":"Hit from cloudfront","bytes":%d,"duration_ms":1.234}`,
			n, n, rune('a'+n), n))
	}
	last := numbers[len(numbers)-1]
	return fmt.Sprintf("id: %d\nevent: requests\ndata: {\"last\":%d,\"list\":[%s],\"others\":%d}\n\n", last, last, strings.Join(list, ","), others)
}

func TestStream(t *testing.T) {
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
		step("at once", 0, hello+noneYet+nothingIsLive)
		if got := r.head.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("type %q", got)
		}
		step("what was before", streamPause, shown(0, 1))
		step("nothing is new", streamBeat/2, "")
		f.events.Add(request(2))
		step("at once when there was a pause", 0, shown(0, 2))
		f.events.Add(request(3))
		f.events.Add(request(4))
		step("not before the pause is over", streamPause/2, "")
		step("together after it", streamPause/2, shown(0, 3, 4))
		step("a sign of life", streamBeat+streamLook, ":\n\n")
		cancel()
		<-ended
		if len(f.events.followers) != 0 || len(f.console.streams) != 0 {
			t.Error("the reader was not forgotten")
		}
	})
}

// What is no request is told when it has changed, within a second.
func TestStreamTellsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := newFixture(), &reader{}
		runs := make(chan struct{})
		ended := f.open(t.Context(), "/events", r)
		step := func(name string, change func(), events ...string) {
			t.Helper()
			synctest.Wait()
			r.taken()
			f.change(change)
			time.Sleep(streamLook + streamPause)
			synctest.Wait()
			var got []string
			for line := range strings.SplitSeq(r.taken(), "\n") {
				if name, ok := strings.CutPrefix(line, "event: "); ok {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(got, events); diff != "" {
				t.Errorf("%s (-got +want):\n%s", name, diff)
			}
		}
		time.Sleep(streamPause)
		step("nothing", func() {})
		step("an invalidation", func() { f.invalidations.mark = control.Mark{Newest: 1, Pending: 1} }, "invalidations")
		step("it is complete", func() { f.invalidations.mark = control.Mark{Newest: 1} }, "invalidations")
		step("it drops something", func() { f.cache.version++ }, "invalidations")
		step("a deploy", func() { f.releases.version = "tag" }, "releases")
		step("the file does not answer", func() {
			f.invalidations.err, f.releases.err, f.cache.version = errors.New("closed"), errors.New("closed"), 9
		})
		step("it does again", func() { f.invalidations.err, f.releases.err = nil, nil }, "invalidations")
		go func() {
			defer close(runs)
			f.console.Run(t.Context())
		}()
		step("samples", func() {}, "sample")
		f.events.Close()
		<-ended
		<-runs
	})
}

func TestStreamBeginsAfter(t *testing.T) {
	for _, row := range []struct {
		name, target, id string
		want             string
	}{
		{"what was asked for", "/events?after=2", "", shown(0, 3)},
		{"where the browser left off", "/events?after=1", "2", shown(0, 3)},
		{"from before a restart", "/events?after=99", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r := newFixture(alone), &reader{}
				for i := 1; i <= 3; i++ {
					f.events.Add(request(i))
				}
				header := []string{}
				if row.id != "" {
					header = append(header, "Last-Event-ID", row.id)
				}
				ended := f.open(t.Context(), row.target, r, header...)
				time.Sleep(time.Second)
				f.events.Close()
				<-ended
				if diff := cmp.Diff(r.taken(), hello+row.want); diff != "" {
					t.Errorf("(-got +want):\n%s", diff)
				}
			})
		})
	}
}

// Who comes late has lost nothing; who reads slowly is told what it lost.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := newFixture(alone), &reader{stuck: make(chan struct{})}
		for i := range 2 * kept {
			f.events.Add(request(i))
		}
		ended := f.open(t.Context(), "/events", r)
		synctest.Wait() // the reader has begun, and hangs in the greeting
		for i := range 3 * kept {
			f.events.Add(request(2*kept + i))
		}
		close(r.stuck)
		time.Sleep(time.Second)
		f.events.Close()
		<-ended
		got := r.taken()
		if n := strings.Count(got, `"number":`); n != kept {
			t.Errorf("%d requests arrived, want the last %d", n, kept)
		}
		if !strings.Contains(got, fmt.Sprintf(`"others":%d}`, 3*kept)) {
			t.Errorf("not told of %d lost requests: …%.200s", 3*kept, got[len(got)-200:])
		}
		if !strings.Contains(got, fmt.Sprintf(`"number":%d,`, 5*kept)) || strings.Contains(got, fmt.Sprintf(`"number":%d,`, 4*kept)) {
			t.Error("the requests are not the last ones")
		}
	})
}

func TestTooManyStreams(t *testing.T) {
	f := newFixture()
	for range maxStreams {
		f.console.streams <- struct{}{}
	}
	if w := f.send(t, "GET", "/events"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d", w.Code)
	}
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
		{"the reader has gone", streamPause / 2, streamPause + streamBeat + 2*streamLook, func(f *fixture, r *reader, _ context.CancelFunc) {
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
	for lines.Scan() && !strings.Contains(lines.Text(), `"number"`) {
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
