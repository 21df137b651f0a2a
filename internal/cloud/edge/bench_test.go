package edge

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// sink is a ResponseWriter that costs nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkHit(b *testing.B) {
	for _, size := range []int{1 << 10, 20 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			e := newBench(b, always(200, strings.Repeat("x", size), `Etag: "1"`, "Cache-Control: max-age=60"))
			e.get("/posts/index.html")
			r := httptest.NewRequest("GET", "/posts/index.html", nil)
			r.Header.Set("User-Agent", "bench")
			r.Header.Set("Accept-Encoding", "gzip, br")
			w := &sink{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				e.ServeHTTP(w, r)
			}
			if e.origin.count() != 1 {
				b.Errorf("%d origin requests", e.origin.count())
			}
		})
	}
}

// The cost of an invalidation must not depend on what is cached.
func BenchmarkInvalidate(b *testing.B) {
	for _, objects := range []int{0, 1000, 100_000} {
		for _, item := range []string{"/nothing/here.html", "/nothing/*", "#nothing"} {
			b.Run(fmt.Sprintf("%d objects %s", objects, item), func(b *testing.B) {
				e := newBench(b, always(200, "x"), func(c *Config, _ *Options) { c.TagHeader = "Tags" })
				for i := range objects {
					e.get(fmt.Sprintf("/posts/%d/index.html", i))
				}
				e.sweep()
				items := []string{item}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Invalidate(items); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// One sweep over 100,000 objects, in the background of whatever else goes on.
func BenchmarkSweep(b *testing.B) {
	e := newBench(b, always(200, "x"))
	for i := range 100_000 {
		e.get(fmt.Sprintf("/posts/%d/index.html", i))
	}
	for b.Loop() {
		if _, err := e.Invalidate([]string{"/nothing"}); err != nil {
			b.Fatal(err)
		}
		e.sweep()
	}
}

// What compression costs the first viewer of a page, and the next ones.
func BenchmarkCompress(b *testing.B) {
	for _, size := range []int{20 << 10, 500 << 10} {
		text := prose(size)
		for _, coding := range []string{"identity", "gzip", "br"} {
			e := newBench(b, always(200, text, `Etag: "1"`), compressing)
			r := httptest.NewRequest("GET", "/posts/index.html", nil)
			r.Header.Set("Accept-Encoding", coding)
			w := &sink{h: http.Header{}}
			ask := func() {
				clear(w.h)
				e.ServeHTTP(w, r)
			}
			b.Run(fmt.Sprintf("miss/%dKB/%s", size>>10, coding), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					e.invalidate("/posts/index.html")
					ask()
				}
			})
			b.Run(fmt.Sprintf("hit/%dKB/%s", size>>10, coding), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					ask()
				}
			})
		}
	}
}

// deadline is a lease as a fleet's member has it.
type deadline struct{ until atomic.Int64 }

func (d *deadline) Valid(now time.Time) bool { return now.UnixNano() < d.until.Load() }

// What asking for a lease costs a plain hit.
func BenchmarkHitLease(b *testing.B) {
	valid := &deadline{}
	valid.until.Store(math.MaxInt64)
	for name, lease := range map[string]Lease{"none": nil, "valid": valid} {
		b.Run(name, func(b *testing.B) {
			e := newBench(b, always(200, strings.Repeat("x", 1<<10), `Etag: "1"`, "Cache-Control: max-age=60"), func(_ *Config, o *Options) { o.Lease = lease })
			e.get("/posts/index.html")
			rq, resp := &front.Request{Target: []byte("/posts/index.html"), Host: []byte("example.org")}, &front.Response{}
			b.ReportAllocs()
			for b.Loop() {
				resp.Head = resp.Head[:0]
				if !e.Hit(rq, resp) {
					b.Fatal("no hit")
				}
			}
		})
	}
}
