package edge

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many viewers and two invalidators at full speed, under the race detector: no answer may hold bytes that the origin was asked for
// before an invalidation that had completed when the viewer's request began.
func TestStress(t *testing.T) {
	var clock atomic.Int64 // orders events
	var mu sync.Mutex      // guards done
	type invalidation struct {
		item       string
		start, end int64
	}
	var done []invalidation
	b := newBench(t, func(*http.Request) (*http.Response, error) {
		asked := clock.Add(1)
		for range rand.IntN(20) {
			runtime.Gosched()
		}
		return reply(200, fmt.Sprint(asked), "Etag: \"x\"", "Tags: t"), nil
	}, func(c *Config, o *Options) {
		c.TagHeader = "Tags"
		o.MemoryBytes, o.SweepInterval, o.PurgeBytes = 20_000, time.Millisecond, 4_000
	})
	uris := []string{"/a", "/a/b", "/b", "/c"}
	items := []string{"/a", "/a*", "/b", "/*", "#t", "/nothing"}
	covers := func(item, uri string) bool {
		prefix, wild := strings.CutSuffix(item, "*")
		return item == uri || item == "#t" || wild && strings.HasPrefix(uri, prefix)
	}
	const rounds = 400
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range rounds {
				v := invalidation{item: items[rand.IntN(len(items))], start: clock.Add(1)}
				if _, err := b.Invalidate([]string{v.item}); err != nil {
					t.Error(err)
				}
				v.end = clock.Add(1)
				mu.Lock()
				done = append(done, v)
				mu.Unlock()
				runtime.Gosched()
			}
		})
	}
	type answered struct {
		uri          string
		begin, asked int64
	}
	answers := make([][]answered, 8)
	for i := range answers {
		all.Go(func() {
			for range rounds {
				a := answered{uri: uris[rand.IntN(len(uris))], begin: clock.Add(1)}
				w := httptest.NewRecorder()
				b.ServeHTTP(w, httptest.NewRequest("GET", a.uri, nil))
				if _, err := fmt.Sscan(w.Body.String(), &a.asked); err != nil {
					t.Errorf("GET %s = %d %q", a.uri, w.Code, w.Body)
				}
				answers[i] = append(answers[i], a)
			}
		})
	}
	all.Wait()
	for _, list := range answers {
		for _, a := range list {
			for _, v := range done {
				if v.end < a.begin && a.asked < v.start && covers(v.item, a.uri) {
					t.Fatalf("stale: %s begun at %d got what was asked for at %d; %q was invalidated from %d to %d", a.uri, a.begin, a.asked, v.item, v.start, v.end)
				}
			}
		}
	}
}
