package edge

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/freshet/freshet/internal/cloud/edge/disk"
	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// object is a whole cached response. All fields but the atomic ones are fixed once it is stored.
type object struct {
	key     cacheKey
	fill    uint64 // number of the flight that stored it; later flights have greater ones
	stamp   purge.Sequence
	status  int
	header  http.Header
	body    []byte     // nil if it is below
	below   *disk.Body // the body, if it is on the disk only
	tags    []string   // in the purge log's form
	born    time.Time
	expires time.Time
	verdict verdict

	selecting []string // of a note, not a response: the request headers that select among the objects of its URI

	original http.Header // the origin's Etag and Content-Length where the edge has compressed the body; nil otherwise

	checked atomic.Uint64 // purge sequence up to which no invalidation covers it
	retry   atomic.Int64  // do not ask a failing origin again before, in Unix nanoseconds
	hits    atomic.Int64

	prepared atomic.Pointer[prepared] // for Hit, once asked for

	evidence  *evidence    // what lets the origin prove it after an invalidation; nil where nothing does. Not kept on the disk
	withdrawn atomic.Int64 // when an invalidation was found to cover it, in Unix nanoseconds; 0 for not. From then on it serves nobody
}

// resting says whether the origin failed so recently that the stale object is served without asking.
// spec: cloudfront 3.3: the origin is tried again after each error-caching minimum TTL
func (o *object) resting(now time.Time) bool {
	return now.UnixNano() < o.retry.Load() && (o.mayStandIn(now, true) || o.mayStandIn(now, false))
}

// mayStandIn says whether the expired object may be served because the origin is unreachable, or failing with 5xx.
// spec: cloudfront 3.3
func (o *object) mayStandIn(now time.Time, unreachable bool) bool {
	s := o.verdict.stale
	if (unreachable && !s.unreachable) || (!unreachable && !s.failing) {
		return false
	}
	if s.afterExpiry != never && now.Sub(o.expires) > s.afterExpiry {
		return false
	}
	return now.Sub(o.born) <= s.maxAge
}

// objectOverhead is what one object costs beyond its bytes and strings, in bytes, roughly: also what is made ready for Hit.
const objectOverhead = 1200

// weight is the memory that the object counts for, in bytes.
func (o *object) weight() int {
	n := objectOverhead + len(o.key.uri) + len(o.key.variant) + len(o.body)
	for name, values := range o.header {
		n += len(name) + 48
		for _, v := range values {
			n += len(v) + 16
			n += 2 * (len(name) + len(v) + 4) // prepared
		}
	}
	for _, t := range o.tags {
		n += len(t) + 16
	}
	return n
}

// store is the memory tier: objects by key within a byte budget, seen through the purge log; and the disk tier below it, if there is one.
type store struct {
	cache   *otter.Cache[cacheKey, *object]
	log     *purge.Log
	disk    *disk.Store // nil for none
	largest int         // weight of the largest object that is stored
	evicted atomic.Int64
	purged  atomic.Int64
	drops   *drops // nil where nobody counts

	now       func() time.Time
	withdrawn atomic.Int64  // how many objects are
	anyLeft   chan struct{} // holds one word that there are such again
}

// largestShare is the part of the budget that one object may take: a quarter.
const largestShare = 4

func newStore(bytes int, log *purge.Log, now func() time.Time) (*store, error) {
	s := &store{log: log, largest: min(bytes/largestShare, 1<<30), now: now, anyLeft: make(chan struct{}, 1)}
	cache, err := otter.New(&otter.Options[cacheKey, *object]{
		MaximumWeight:    uint64(bytes),
		Weigher:          func(_ cacheKey, o *object) uint32 { return uint32(o.weight()) },
		OnAtomicDeletion: s.count,
	})
	if err != nil {
		return nil, fmt.Errorf("make memory tier of %d bytes: %w", bytes, err)
	}
	s.cache = cache
	return s, nil
}

// count runs under a lock of the cache, and so must not touch it.
func (s *store) count(e otter.DeletionEvent[cacheKey, *object]) {
	withdrawn := e.Value.withdrawn.Load() != 0
	if withdrawn {
		s.withdrawn.Add(-1)
	}
	if e.WasEvicted() {
		s.evicted.Add(1)
		if s.disk != nil && !withdrawn { // a restart may not know the invalidation any more
			s.disk.Add(item(e.Value))
		}
	}
}

// get returns the object under key, or nil if there is none that no invalidation covers.
// The object is then clean up to the purge log's number at some moment after the call began.
func (s *store) get(key cacheKey) *object {
	o, ok := s.cache.GetIfPresent(key)
	if !ok {
		return s.lower(key)
	}
	if !s.clean(o) {
		return nil
	}
	return o
}

// clean checks o against the purge log, remembers the answer, and takes o out of use if it is covered.
func (s *store) clean(o *object) bool {
	since := purge.Sequence(o.checked.Load())
	if since >= s.log.Current() {
		return true // a withdrawn object is never checked as far as that
	}
	if o.withdrawn.Load() != 0 {
		return false
	}
	covered, at := s.log.Covered(o.key.uri, o.tags, since)
	if covered {
		s.withdraw(o)
		return false
	}
	for at > since && !o.checked.CompareAndSwap(uint64(since), uint64(at)) {
		since = purge.Sequence(o.checked.Load())
	}
	return true
}

// put stores o unless an invalidation covers it, a later fill is there already, or it is too large.
// What it replaces is removed even where o itself is not kept.
func (s *store) put(o *object) {
	o.checked.Store(uint64(o.stamp))
	covered, _ := s.log.Covered(o.key.uri, o.tags, o.stamp)
	if o.below != nil && !covered {
		_ = s.putBelow(o, nil) // what cannot be stored is fetched again
		return
	}
	keep := !covered && o.weight() <= s.largest
	s.cache.Compute(o.key, func(old *object, found bool) (*object, otter.ComputeOp) {
		if found && old.fill > o.fill || !found && s.lowered(o) {
			return nil, otter.CancelOp
		}
		s.supersede(o, !keep && !covered)
		switch {
		case keep:
			return o, otter.WriteOp
		case found:
			return nil, otter.InvalidateOp
		}
		return nil, otter.CancelOp
	})
}

// drop removes o, unless another object has taken its place, and says whether it did.
func (s *store) drop(o *object) bool {
	dropped := false
	s.cache.Compute(o.key, func(old *object, found bool) (*object, otter.ComputeOp) {
		if s.disk != nil && (!found || old == o) {
			dropped = s.disk.Drop(o.key.disk(), o.fill)
		}
		if !found || old != o {
			return nil, otter.CancelOp
		}
		dropped = true
		return nil, otter.InvalidateOp
	})
	return dropped
}
