package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slow answers after a while.
func slow(d time.Duration, then func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return then(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// piped is a response whose body the test writes.
func piped(length int64) (*http.Response, *io.PipeWriter) {
	r, w := io.Pipe()
	resp := reply(200, "")
	resp.Body, resp.ContentLength = r, length
	return resp, w
}

// crowd sends n GETs for target at once and returns their recorders when all are through.
func (b *bench) crowd(n int, target string) []*httptest.ResponseRecorder {
	recorders := make([]*httptest.ResponseRecorder, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { recorders[i] = b.get(target) })
	}
	all.Wait()
	return recorders
}

// spec: cloudfront 3.8: one Miss, the others Hits
func TestCollapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(500*time.Millisecond, always(200, "body")))
		defer b.Close()
		start := time.Now()
		results := map[string]int{}
		for _, w := range b.crowd(200, "/a") {
			results[w.Header().Get("X-Cache")+" "+w.Body.String()]++
		}
		if results["Miss from cloudfront body"] != 1 || results["Hit from cloudfront body"] != 199 {
			t.Errorf("results %v", results)
		}
		if took := time.Since(start); took > 520*time.Millisecond {
			t.Errorf("took %v", took)
		}
		b.asked(1)
		if s := b.Stats(); s.Collapsed != 199 {
			t.Errorf("collapsed %d", s.Collapsed)
		}
	})
}

// spec: cloudfront 3.8: where requests do not share
func TestNoCollapse(t *testing.T) {
	tests := []struct {
		spec   string
		policy CachePolicy
		cc     string
		asked  int
	}{
		{"caching disabled", CachePolicy{}, "max-age=60", 5},
		{"cookies forwarded", CachePolicy{DefaultTTL: day, MaxTTL: day, Cookies: Selection{Mode: SelectAll}}, "max-age=60", 5},
		{"private", CachePolicy{DefaultTTL: day, MaxTTL: day}, "private", 5},
		{"max-age=0", CachePolicy{DefaultTTL: day, MaxTTL: day}, "max-age=0", 5},
		{"private with Min TTL", CachePolicy{MinTTL: time.Second, DefaultTTL: day, MaxTTL: day}, "private", 1},
		{"max-age=0 with s-maxage", CachePolicy{DefaultTTL: day, MaxTTL: day}, "max-age=0, s-maxage=60", 1},
	}
	for _, test := range tests {
		t.Run(test.spec, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, slow(time.Second, always(200, "x", "Cache-Control: "+test.cc)), policy(test.policy))
				defer b.Close()
				for _, w := range b.crowd(5, "/a") {
					if w.Code != 200 || w.Body.String() != "x" {
						t.Errorf("%d %q", w.Code, w.Body)
					}
				}
				b.asked(test.asked)
			})
		})
	}
}

// The body reaches every waiter as it arrives, and one who joins late gets it from the start.
func TestStreaming(t *testing.T) {
	for name, length := range map[string]int64{"known length": 6, "unknown length": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resp, w := piped(length)
				b := newBench(t, func(*http.Request) (*http.Response, error) { return resp, nil })
				defer b.Close()
				first, second := newTrickle(), newTrickle()
				go b.ServeHTTP(first, httptest.NewRequest("GET", "/a", nil))
				mustWrite(t, w, "one")
				synctest.Wait()
				if got := first.text(); got != "one" {
					t.Errorf("first viewer has %q before the body is complete", got)
				}
				go b.ServeHTTP(second, httptest.NewRequest("GET", "/a", nil))
				synctest.Wait()
				if got := second.text(); got != "one" {
					t.Errorf("a viewer who joined has %q", got)
				}
				mustWrite(t, w, "two")
				w.Close()
				synctest.Wait()
				if first.text() != "onetwo" || second.text() != "onetwo" {
					t.Errorf("viewers have %q and %q", first.text(), second.text())
				}
				b.want("/a", 200, "Hit", "onetwo")
				b.asked(1)
			})
		})
	}
}

// trickle is a ResponseWriter that can be read while it is written.
type trickle struct {
	mu   sync.Mutex // guards body
	body strings.Builder
	h    http.Header
}

func newTrickle() *trickle { return &trickle{h: http.Header{}} }

func (r *trickle) Header() http.Header { return r.h }
func (r *trickle) WriteHeader(int)     {}
func (r *trickle) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body.Write(p)
}

func (r *trickle) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body.String()
}

func mustWrite(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

// serve runs one request that may be aborted, and says whether it was.
func (b *bench) serve(w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			aborted = true
		}
	}()
	b.ServeHTTP(w, r)
	return false
}

// spec: cloudfront 3.6: whoever leaves first, the others get the whole; when all have left, nothing is stored.
func TestViewersLeave(t *testing.T) {
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var cancelled error
				b := newBench(t, func(r *http.Request) (*http.Response, error) {
					resp, err := slow(time.Minute/2, always(200, "body"))(r)
					mu.Lock()
					defer mu.Unlock()
					cancelled = err
					return resp, err
				}, func(_ *Config, o *Options) { o.OriginTimeout = time.Hour })
				defer b.Close()
				ctx, leave := context.WithCancel(t.Context())
				go b.serve(newTrickle(), httptest.NewRequestWithContext(ctx, "GET", "/a", nil))
				synctest.Wait()
				stays := newTrickle()
				if !all {
					go b.serve(stays, httptest.NewRequest("GET", "/a", nil))
				}
				synctest.Wait()
				leave()
				time.Sleep(time.Minute)
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				if all {
					if cancelled == nil || b.Stats().Objects != 0 {
						t.Errorf("origin request ended with %v, %d objects stored", cancelled, b.Stats().Objects)
					}
					return
				}
				if cancelled != nil || stays.text() != "body" || b.Stats().Objects != 1 {
					t.Errorf("origin request ended with %v, the viewer who stayed has %q", cancelled, stays.text())
				}
				b.asked(1)
			})
		})
	}
}

// A viewer who needs no more than the head, or a part, does not end the fill.
func TestSatisfiedViewersLeave(t *testing.T) {
	tests := map[string]func() *http.Request{
		"HEAD":  func() *http.Request { return httptest.NewRequest("HEAD", "/a", nil) },
		"304":   func() *http.Request { return withHeader(httptest.NewRequest("GET", "/a", nil), "If-None-Match", `"1"`) },
		"range": func() *http.Request { return withHeader(httptest.NewRequest("GET", "/a", nil), "Range", "bytes=0-0") },
	}
	for name, request := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resp, w := piped(6)
				resp.Header.Set("Etag", `"1"`)
				b := newBench(t, func(r *http.Request) (*http.Response, error) {
					context.AfterFunc(r.Context(), func() { w.CloseWithError(r.Context().Err()) })
					return resp, nil
				})
				defer b.Close()
				go func() { _, _ = io.WriteString(w, "one") }()
				b.ServeHTTP(httptest.NewRecorder(), request())
				synctest.Wait()
				mustWrite(t, w, "two")
				w.Close()
				synctest.Wait()
				b.want("/a", 200, "Hit", "onetwo")
				b.asked(1)
			})
		})
	}
}

func withHeader(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

// A key that was filled between a viewer's look-up and its place in a flight is not filled again.
func TestFilledMeanwhile(t *testing.T) {
	b := newBench(t, counter())
	b.want("/a", 200, "Miss", "1")
	rq := &request{method: http.MethodGet, path: "/a", header: http.Header{}}
	target, _ := b.aim(b.dist.Load(), rq)
	place, o, err := b.board(rq, target, false)
	if place != nil || o == nil || err != nil {
		t.Errorf("board = %v, %v, %v, want the cached object", place, o, err)
	}
	b.asked(1)
}

// Bodies that end early reach viewers as an aborted response and are never stored.
func TestTruncated(t *testing.T) {
	broken := errors.New("connection reset")
	tests := map[string]func() *http.Response{
		"shorter than announced": func() *http.Response {
			r := reply(200, "half")
			r.ContentLength = 8
			return r
		},
		"longer than announced": func() *http.Response {
			r := reply(200, "too much")
			r.ContentLength = 3
			return r
		},
		"error, known length": func() *http.Response {
			r := reply(200, "")
			r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("ha"), &failing{broken})), 8
			return r
		},
		"error, unknown length": func() *http.Response {
			r := reply(200, "")
			r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("ha"), &failing{broken})), -1
			return r
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(*http.Request) (*http.Response, error) { return make(), nil })
			for range 2 {
				if !b.serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/a", nil)) {
					t.Error("the response was not aborted")
				}
			}
			b.asked(2)
			if n := b.Stats().Objects; n != 0 {
				t.Errorf("%d objects stored", n)
			}
		})
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// spec: cloudfront 5.1, timeouts: 504 without an answer, an aborted response where the body stalls
func TestOriginTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(time.Hour, always(200, "x")))
		defer b.Close()
		start := time.Now()
		if w := b.get("/a"); w.Code != 504 || time.Since(start) != DefaultOriginTimeout {
			t.Errorf("%d after %v", w.Code, time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(r *http.Request) (*http.Response, error) {
			resp, w := piped(6)
			context.AfterFunc(r.Context(), func() { w.CloseWithError(r.Context().Err()) })
			go io.WriteString(w, "one")
			return resp, nil
		})
		defer b.Close()
		start := time.Now()
		if !b.serve(newTrickle(), httptest.NewRequest("GET", "/a", nil)) || time.Since(start) != DefaultOriginTimeout {
			t.Errorf("not aborted, or only after %v", time.Since(start))
		}
	})
}

// Objects larger than a quarter of the budget pass through unstored, in bounded memory.
func TestTooLarge(t *testing.T) {
	const size = 5 << 20
	large := func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Range") != "" {
			return reply(206, "part", "Content-Range: bytes 0-3/5242880"), nil
		}
		return reply(200, strings.Repeat("x", size)), nil
	}
	unknown := func(r *http.Request) (*http.Response, error) {
		resp, err := large(r)
		resp.ContentLength = -1
		return resp, err
	}
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){"known length": large, "unknown length": unknown} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, answer, func(_ *Config, o *Options) { o.MemoryBytes = 4 << 20 })
			for i := range 2 {
				if w := b.get("/a"); w.Body.Len() != size || w.Header().Get("X-Cache") != "Miss from cloudfront" {
					t.Errorf("request %d: %d bytes, %v", i, w.Body.Len(), w.Header())
				}
			}
			for _, w := range b.crowd(4, "/a") {
				if w.Body.Len() != size {
					t.Errorf("one of four has %d bytes", w.Body.Len())
				}
			}
			if n := b.Stats().Objects; n != 0 {
				t.Errorf("%d objects stored", n)
			}
			if w := b.do("HEAD", "/a"); w.Code != 200 {
				t.Errorf("HEAD: %d", w.Code)
			}
		})
	}
	t.Run("range", func(t *testing.T) {
		b := newBench(t, large, func(_ *Config, o *Options) { o.MemoryBytes = 4 << 20 })
		if w := b.get("/a", "Range: bytes=0-3"); w.Code != 206 || w.Body.String() != "part" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}

// A passing body waits for its slowest viewer, and holds no more than its window.
func TestPassingIsBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b := newBody()
	b.pass()
	r := b.attach()
	go func() {
		for range 64 {
			room, err := b.room(ctx)
			if err != nil {
				b.finish(err)
				return
			}
			b.commit(min(len(room), 256<<10))
		}
		b.finish(nil)
	}()
	total := 0
	for {
		p, err := r.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(p) > 2*passWindow {
			t.Fatalf("%d bytes in memory", len(p))
		}
		total += len(p)
	}
	if total == 0 {
		t.Error("nothing passed")
	}
	r.close()
	if _, err := b.room(ctx); err != nil && !errors.Is(err, errNoReader) {
		t.Error(err)
	}
}

func TestEviction(t *testing.T) {
	b := newBench(t, always(200, strings.Repeat("x", 10_000)), func(_ *Config, o *Options) { o.MemoryBytes = 200_000 })
	for i := range 200 {
		b.get(fmt.Sprintf("/%d", i))
	}
	b.store.cache.CleanUp()
	s := b.Stats()
	if s.ObjectBytes > 200_000 || s.Evicted < 150 || s.Objects == 0 {
		t.Errorf("stats %+v", s)
	}
}

// After Close: waiting viewers are let go, later requests get 503, and no goroutine is left (see TestMain).
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(time.Hour, always(200, "x")), func(_ *Config, o *Options) { o.OriginTimeout = 2 * time.Hour })
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() { defer close(done); b.ServeHTTP(w, httptest.NewRequest("GET", "/a", nil)) }()
		synctest.Wait()
		b.Close()
		<-done
		if late := b.get("/a"); w.Code != 503 || late.Code != 503 {
			t.Errorf("waiting viewer: %d, later one: %d", w.Code, late.Code)
		}
	})
}
