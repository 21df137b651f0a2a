package controlnode

import (
	"fmt"
	"io"
	"sync"
)

// histogram counts durations for Prometheus.
type histogram struct {
	// mu guards what follows.
	mu     sync.Mutex
	counts []uint64 // of each bucket alone, the last without a bound
	sum    float64
	total  uint64
}

// bounds of the buckets, in seconds.
var bounds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newHistogram() *histogram { return &histogram{counts: make([]uint64, len(bounds)+1)} }

func (h *histogram) observe(seconds float64) {
	at := 0
	for at < len(bounds) && seconds > bounds[at] {
		at++
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[at]++
	h.sum += seconds
	h.total++
}

func (h *histogram) write(w io.Writer, name, help string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head(w, name, "histogram", help)
	upTo := uint64(0)
	for i, bound := range bounds {
		upTo += h.counts[i]
		fmt.Fprintf(w, "%s_bucket{le=\"%g\"} %d\n", name, bound, upTo)
	}
	fmt.Fprintf(w, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %g\n%s_count %d\n", name, h.total, name, h.sum, name, h.total)
}
