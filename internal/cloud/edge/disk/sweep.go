package disk

import (
	"context"
	"fmt"
	"slices"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// Sweep removes what invalidations cover, and makes the purge file forget them. Upto is the purge log's number of before the call:
// when Sweep has returned nil, no object here is covered by an invalidation up to it, after a restart neither.
// It reads all heads in sequence, holding up nobody. The error is that of ctx, or of a disk that fails.
func (s *Store) Sweep(ctx context.Context, upTo purge.Sequence) error {
	if err := s.journal.Wait(upTo); err != nil {
		return fmt.Errorf("sweep disk tier: %w", err)
	}
	for _, part := range s.extents() {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("sweep disk tier: %w", err)
		}
		part.slab.walk(part.end, func(p placed) bool {
			s.judge(part.slab, &p)
			return ctx.Err() == nil
		})
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sweep disk tier: %w", err)
	}
	if err := s.syncMarks(); err != nil {
		return fmt.Errorf("sweep disk tier: %w", err)
	}
	s.giveBackEmpty()
	if err := s.bury(); err != nil { // a slab with a head that could not be marked may be among them
		return fmt.Errorf("sweep disk tier: %w", err)
	}
	s.journal.swept(upTo)
	return nil
}

// extent is the part of a slab that a sweep looks at.
type extent struct {
	slab *slab
	end  int64
}

// extents are the slabs of now, oldest first, up to their present ends.
func (s *Store) extents() []extent {
	s.appending.Lock()
	defer s.appending.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []extent
	for _, b := range s.slabs {
		all = append(all, extent{b, b.idxEnd})
	}
	slices.SortFunc(all, func(a, b extent) int { return int(a.slab.id) - int(b.slab.id) })
	return all
}

// judge removes the object at p if an invalidation covers it. A head that counts on disk but not in memory is marked dead:
// no later start may take it for one that this sweep has let pass.
func (s *Store) judge(b *slab, p *placed) {
	if !p.live {
		return
	}
	e, lives := s.entryAt(b, p)
	covered, at := false, purge.Sequence(0)
	if lives {
		covered, at = s.log.Covered(p.Key.URI, p.Tags, max(p.Checked, e.checked))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := s.hash(p.Key)
	now, ok := s.index[hash]
	same := ok && now.slab == b.id && int64(now.place) == p.place
	switch {
	case b.leaving:
	case same && covered:
		s.counts.purged.Add(1)
		s.forget(hash, now)
	case same && lives:
		now.checked = max(now.checked, at)
		s.index[hash] = now
	case !same:
		b.dirty = true
		if err := b.kill(p.place, p.length); err != nil {
			s.opts.Logger.Warn("disk tier gives up a slab", "error", err)
			s.abandon(b)
		}
	}
}

// syncMarks brings the marks of dead heads to the disk. A slab that cannot be synced is given up.
func (s *Store) syncMarks() error {
	s.mu.Lock()
	var dirty []*slab
	for _, b := range s.slabs {
		if b.dirty {
			b.dirty = false
			b.refs++
			dirty = append(dirty, b)
		}
	}
	s.mu.Unlock()
	var failed error
	for _, b := range dirty {
		err := b.idx.Sync()
		s.mu.Lock()
		if err != nil {
			failed = err
			s.abandon(b)
		}
		s.release(b)
		s.mu.Unlock()
	}
	return failed
}

// giveBackEmpty removes the slabs without a live object, but for the current one.
func (s *Store) giveBackEmpty() {
	s.appending.Lock()
	defer s.appending.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.slabs {
		if b.objects == 0 && b != s.current {
			s.abandon(b)
		}
	}
}
