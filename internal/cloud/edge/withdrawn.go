package edge

import (
	"maps"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// An object that an invalidation covers serves nobody from then on. If there is evidence, it is not dropped but withdrawn: it stays in memory, within the
// budget and evictable as before, only so that the next fill of its key can ask the origin whether it is still the same. It never stands in for a
// failing origin, is never listed, and never goes to the disk. Its checked number stays behind the invalidation, so that the purge log
// covers it as long as it exists, also once the log has forgotten the items.

// withdrawnFor is how long a withdrawn object waits to be asked for.
const withdrawnFor = 10 * time.Minute

// reclaimPause is how long to wait between two walks that look for those that have waited long enough.
const reclaimPause = time.Minute

// withdraw takes o, which is covered, out of use: out of the cache, but for what may still be proved.
func (s *store) withdraw(o *object) {
	if o.evidence == nil && o.selecting == nil || o.below != nil {
		if s.drop(o) {
			s.dropped(o)
		}
		return
	}
	gone, first := false, false
	s.cache.Compute(o.key, func(old *object, found bool) (*object, otter.ComputeOp) {
		if s.disk != nil && (!found || old == o) {
			gone = s.disk.Drop(o.key.disk(), o.fill)
		}
		if found && old == o && o.withdrawn.CompareAndSwap(0, s.now().UnixNano()) {
			gone, first = true, s.withdrawn.Add(1) == 1
		}
		return nil, otter.CancelOp
	})
	if gone {
		s.dropped(o)
	}
	if first {
		select {
		case s.anyLeft <- struct{}{}:
		default:
		}
	}
}

// former returns the withdrawn object under key; nil for none. It is not to be served.
func (s *store) former(key cacheKey) *object {
	o := s.present(key)
	if o == nil || o.withdrawn.Load() == 0 {
		return nil
	}
	return o
}

// former is the withdrawn object that a fill for rq may have the origin prove; nil for none.
func (e *Edge) former(rq *request, t *target) *object {
	if e.store.withdrawn.Load() == 0 && !rq.fenced || e.opts.Now().UnixNano() < t.b.noProof.Load() {
		return nil
	}
	key := t.key
	if t.d.rules.vary && key.variant == "" { // the note of what selects among variants is withdrawn with them
		if note := e.store.former(cacheKey{uri: key.uri, variant: variants}); note != nil {
			key.variant = secondary(note.selecting, rq)
			e.store.get(key) // nobody may have found it covered yet
		}
	}
	o := e.store.former(key)
	if rq.fenced {
		o = e.store.present(key)
	}
	if o == nil || o.evidence == nil || o.evidence.b != t.b {
		return nil
	}
	return o
}

// dropFormer removes what f's response has shown to be of no use.
func (e *Edge) dropFormer(f *flight) {
	switch {
	case f.fenced:
		e.store.forgo(f.target.key, f.number)
	case f.former != nil:
		e.store.drop(f.former)
	}
}

// prove returns what f's former object becomes if the origin's 304 proves it, bytes and headers, and stores it; nil if the 304 proves nothing.
func (e *Edge) prove(f *flight, resp *http.Response, asked, now time.Time) *object {
	p, t := f.former, f.target
	shown := t.d.rules.show(resp, t.b, now)
	found := p.evidence.examine(p, shown, t.d.rules.update != nil)
	if found == unproved {
		t.b.noProof.Store(now.Add(withdrawnFor).UnixNano())
	}
	if found != proved || varyStar(resp.Header) {
		return nil
	}
	o := f.renew(p, now)
	if update := t.d.rules.update; update == nil {
		e.redate(o, t, shown, asked, now)
	} else if !e.freshen(o, t, update, resp, asked, now) {
		return nil
	}
	f.head.verdict = o.verdict
	if t.d.rules.vary {
		f.variant = e.learn(f)
		o.key = f.variant
	}
	if o.verdict.store {
		e.store.put(o)
	} else {
		e.store.drop(p)
	}
	return o
}

// redate makes o what fetching it now would have made of it, given that no other header has changed.
func (e *Edge) redate(o *object, t *target, shown http.Header, asked, now time.Time) {
	o.header = maps.Clone(o.header)
	o.header["Date"] = shown["Date"]
	o.tags = purge.Tags(t.d.TagHeader, o.header.Values(t.d.TagHeader))
	o.verdict = e.verdictOn(t, response{o.status, o.header, now}, asked)
	o.expires = now.Add(o.verdict.lifetime - o.verdict.age)
}

// unconditional is req without its condition.
func unconditional(req *http.Request) *http.Request {
	whole := *req
	whole.Header = req.Header.Clone()
	delete(whole.Header, "If-None-Match")
	return &whole
}

// reclaimWithdrawn drops withdrawn objects that nobody has asked for. It sleeps while there are none.
func (e *Edge) reclaimWithdrawn() {
	for {
		select {
		case <-e.store.anyLeft:
		case <-e.ctx.Done():
			return
		}
		for e.store.withdrawn.Load() > 0 {
			if !e.rest(reclaimPause) {
				return
			}
			e.store.reclaim(e.gently())
		}
	}
}

// reclaim drops what was withdrawn long enough ago, and calls pace after each object.
func (s *store) reclaim(pace func()) {
	until := s.now().Add(-withdrawnFor).UnixNano()
	for _, o := range s.cache.All() {
		if at := o.withdrawn.Load(); at != 0 && at <= until {
			s.drop(o)
		}
		pace()
	}
}
