package edge

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// Lease says whether an edge that is one of several may answer from its cache: whether it would know of an invalidation that all of them count as done.
type Lease interface {
	// Valid is asked at the start of every request, with Options.Now's value of then, its monotonic part included. It must be quick and safe for concurrent use.
	Valid(now time.Time) bool
}

// A request that begins without a valid lease is fenced: it gets nothing that the origin was not asked for after the request began, because an invalidation
// that this edge has not heard of may cover all that is older. That holds for whole answers, parts, HEAD, errors and their pages alike.
//
//   - Nothing in the cache is its answer, stands in for a failing origin, or serves while it is being confirmed.
//   - What is in the cache under its key counts as withdrawn (withdrawn.go) as far as this request goes: if there is evidence, a 304 may prove it, bytes and headers.
//   - It shares a fill with requests that came before the fill began, as it did itself; those who come while a fill waits for the origin share the next one,
//     so that a key still costs its origin one request at a time.
//   - What it brings is stored, and serves everybody once the lease is valid again. Only failures (5xx, no answer) are not, and leave alone what is there.
//
// What is in the cache stays there meanwhile: a lease that is valid again says that it was right all along.

// leased says whether a request that begins now may be answered from the cache.
func (e *Edge) leased(now time.Time) bool {
	return e.opts.Lease == nil || e.opts.Lease.Valid(now)
}

// fence has rq answered by fills that begin from now on.
func (e *Edge) fence(rq *request) {
	e.stats.fenced.Add(1)
	rq.fenced, rq.after = true, e.flights.newest()
}

// newest is the number of the latest flight.
func (fs *flights) newest() uint64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.number
}

// behind says whether rq, which may not share f, waits until f is ready, to share the next one with all who came meanwhile.
func (rq *request) behind(f *flight) bool {
	if !rq.fenced || !f.fenced {
		return false
	}
	select {
	case <-f.ready:
		return false
	default:
		return true
	}
}

// present returns the object under key, whatever invalidations say of it; nil for none in memory. It is not to be served.
func (s *store) present(key cacheKey) *object {
	entry, ok := s.cache.GetEntryQuietly(key)
	if !ok {
		return nil
	}
	return entry.Value
}

// forgo removes what is under key from before the given fill.
func (s *store) forgo(key cacheKey, fill uint64) {
	s.cache.Compute(key, func(old *object, found bool) (*object, otter.ComputeOp) {
		if s.disk != nil {
			s.disk.Drop(key.disk(), fill-1)
		}
		if !found || old.fill >= fill {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
}
