package disk

import "fmt"

// evictFor gives slabs back until there is room for size bytes within the budget. The caller holds appending.
func (s *Store) evictFor(size int64) error {
	for {
		s.mu.Lock()
		fits := s.total+size <= s.opts.Bytes
		victim := s.victim()
		s.mu.Unlock()
		switch {
		case fits:
			return nil
		case victim == nil:
			return fmt.Errorf("make room for %d bytes: %w", size, errTooLarge)
		}
		s.evict(victim)
	}
}

// victim is the slab to give back next: one that is mostly dead, or else the oldest. The caller holds mu and appending.
func (s *Store) victim() *slab {
	var oldest, emptiest *slab
	least := 0.5 // of its bytes: below, keeping the rest costs less than it gains
	for _, b := range s.slabs {
		if b.leaving || b == s.current && len(s.slabs) > 1 {
			continue
		}
		if oldest == nil || b.id < oldest.id {
			oldest = b
		}
		if b.bytes > 0 {
			if share := float64(b.liveBytes) / float64(b.bytes); share < least {
				emptiest, least = b, share
			}
		}
	}
	if emptiest != nil {
		return emptiest
	}
	return oldest
}

// evict gives b back, after carrying what deserves it into the current slab. The caller holds appending.
// The files go first, because the disk may be full; whoever reads them goes on, and so do look-ups of what is carried over.
func (s *Store) evict(b *slab) {
	if s.current == b {
		s.current = nil
	}
	kept := s.survivors(b)
	s.mu.Lock()
	s.unlink(b)
	s.mu.Unlock()
	_ = s.bury() // it has told the log
	for _, k := range kept {
		// The checksums move with the body, so damage is still found when it is read.
		err := s.append(k.head, k.data, func() bool { return s.index[s.hash(k.head.Key)] == k.entry })
		if err != nil {
			s.counts.evicted.Add(1)
			s.opts.Logger.Debug("disk tier could not keep an object", "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandon(b)
}

// survivor is an object that outlives its slab. All of them are in memory while the slab goes: at most half a slab, 32 MiB.
type survivor struct {
	head  head
	entry entry
	data  []byte
}

// survivors takes the objects of b out of the index, but for those that deserve to stay, which it returns: everything that lives if b is mostly dead,
// else what was asked for since it was stored; at most half of a slab's size, so that each eviction gains.
func (s *Store) survivors(b *slab) []survivor {
	s.mu.Lock()
	all := b.liveBytes*2 < b.bytes
	limit := min(b.bytes, s.slabSize()) / 2
	s.mu.Unlock()
	var kept []survivor
	b.walk(b.idxEnd, func(p placed) bool {
		e, lives := s.entryAt(b, &p)
		if !p.live || !lives {
			return true
		}
		if (all || e.used) && e.room <= limit {
			data := make([]byte, stored(p.size))
			if _, err := b.data.ReadAt(data, p.at); err == nil {
				limit -= e.room
				kept = append(kept, survivor{p.head, e, data})
				return true
			}
		}
		s.expel(b, &p)
		return true
	})
	return kept
}

// entryAt returns the index entry that stands for the head at p, if there is one.
func (s *Store) entryAt(b *slab, p *placed) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.index[s.hash(p.Key)]
	return e, ok && e.slab == b.id && int64(e.place) == p.place
}

// expel takes the object at p out of the index.
func (s *Store) expel(b *slab, p *placed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := s.hash(p.Key)
	if e, ok := s.index[hash]; ok && e.slab == b.id && int64(e.place) == p.place {
		delete(s.index, hash)
		b.liveBytes -= e.room
		b.objects--
		s.counts.evicted.Add(1)
	}
}
