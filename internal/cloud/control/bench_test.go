package control

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// createOne sends a CreateInvalidation with a reference of its own, without a network.
func createOne(t testing.TB, h http.Handler, distribution string, n int64) {
	body := `<InvalidationBatch><CallerReference>r` + strconv.FormatInt(n, 10) +
		`</CallerReference><Paths><Quantity>2</Quantity><Items><Path>/posts/a*</Path><Path>/index.html</Path></Items></Paths></InvalidationBatch>`
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/2020-05-31/distribution/"+distribution+"/invalidation", strings.NewReader(body)))
	if w.Code != http.StatusCreated {
		t.Fatalf("answered %d %s", w.Code, w.Body)
	}
}

// CreateInvalidation on a server's own file: on disk, and in a volatile file, which shows the processor's part.
func BenchmarkCreateInvalidation(b *testing.B) {
	for _, row := range []struct {
		name     string
		clients  int // for each processor
		volatile bool
	}{
		{"disk/1", 0, false},
		{"disk/64", 32, false},
		{"volatile/1", 0, true},
		{"volatile/64", 32, true},
	} {
		b.Run(row.name, func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "control.db"), &fakeEdges{}, Options{Volatile: row.volatile})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			d, err := s.EnsureDistribution(b.Context(), siteConfig())
			if err != nil {
				b.Fatal(err)
			}
			benchmarkCreate(b, s, d.ID, row.clients)
		})
	}
}

// CreateInvalidation on one of three nodes of a log that takes 0.5 ms, and until all of them are Completed there. The others
// apply the entries on the same machine.
func BenchmarkCreateInvalidationLog(b *testing.B) {
	for _, row := range []struct {
		name           string
		nodes, clients int
	}{
		{"1 node/1", 1, 0}, {"1 node/64", 1, 32}, {"3 nodes/64", 3, 32},
	} {
		b.Run(row.name, func(b *testing.B) {
			l := newLog()
			l.fail(func(_ context.Context, after bool) error {
				if after {
					time.Sleep(500 * time.Microsecond)
				}
				return nil
			})
			n := startFleet(b, l, row.nodes, Options{}, prompt)[0]
			id := newDistribution(b, n.Server, "a")
			entries := l.last()
			benchmarkCreate(b, n.Server, id, row.clients)
			for left := 1; left > 0; time.Sleep(100 * time.Microsecond) {
				d, err := n.load(id)
				if err != nil {
					b.Fatal(err)
				}
				left = d.pending
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "completed/s")
			b.ReportMetric(float64(b.N)/float64(l.last()-entries), "requests/entry")
		})
	}
}

// benchmarkCreate runs clients for each processor, or one alone with 0.
func benchmarkCreate(b *testing.B, s *Server, distribution string, clients int) {
	h := s.Handler()
	b.ResetTimer()
	defer func() { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepted/s") }()
	if clients == 0 {
		for n := range b.N {
			createOne(b, h, distribution, int64(n))
		}
		return
	}
	var n atomic.Int64
	b.SetParallelism(clients)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			createOne(b, h, distribution, n.Add(1))
		}
	})
}
