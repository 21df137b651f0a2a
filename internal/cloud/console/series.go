package console

import (
	"net/http"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

// What the charts show: the last five minutes by seconds, the last hour by quarters of a minute.
const (
	sampleStep = time.Second
	fineKept   = 301 // one more than there are steps: each step is a difference
	coarseKept = 241
	coarseStep = 15 // fine samples for a coarse one
)

// Sample is the edge's totals at one moment: when, in Unix milliseconds; requests; hits; refresh hits; misses; errors; redirects; bytes to viewers; requests
// to the origin. The difference of two is what happened in between.
type Sample [9]int64

func sample(at time.Time, s edge.Stats) Sample {
	return Sample{at.UnixMilli(), s.Requests, s.Hits, s.RefreshHits, s.Misses, s.Errors, s.Redirects, s.BytesOut, s.OriginRequests}
}

// Series is the answer of /api/series, oldest first.
type Series struct {
	Fine   []Sample `json:"fine"`   // about one a second, the last five minutes
	Coarse []Sample `json:"coarse"` // about one in fifteen seconds, the last hour
}

// series remembers samples. The zero value is ready.
type series struct {
	// mu guards what follows; held for a copy.
	mu           sync.Mutex
	fine, coarse []Sample
	n            int
}

func (s *series) add(one Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fine = push(s.fine, one, fineKept)
	if s.n%coarseStep == 0 {
		s.coarse = push(s.coarse, one, coarseKept)
	}
	s.n++
}

func push(list []Sample, one Sample, keep int) []Sample {
	if len(list) == keep {
		copy(list, list[1:])
		list = list[:keep-1]
	}
	return append(list, one)
}

func (s *series) all() Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Series{append([]Sample{}, s.fine...), append([]Sample{}, s.coarse...)}
}

// newest is the last sample; false before the first.
func (s *series) newest() (Sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fine) == 0 {
		return Sample{}, false
	}
	return s.fine[len(s.fine)-1], true
}

func (c *Console) serveSeries(w http.ResponseWriter, _ *http.Request) { answer(w, c.series.all(), nil) }
