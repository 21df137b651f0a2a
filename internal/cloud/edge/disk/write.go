package disk

import (
	"errors"
	"fmt"
)

// write empties the queue whenever there is something in it, until the store is closed.
func (s *Store) write() {
	for {
		select {
		case <-s.wake:
			_ = s.bury() // it has told the log
			s.writeWaiting()
		case <-s.stop:
			return
		}
	}
}

// writeWaiting writes what is in the queue.
func (s *Store) writeWaiting() {
	for {
		it, wanted := s.next()
		if it == nil {
			return
		}
		if wanted {
			s.count(s.put(it))
		}
		s.written(it)
	}
}

func (s *Store) count(err error) {
	switch {
	case err == nil:
		s.counts.stored.Add(1)
	case errors.Is(err, errCovered):
		s.counts.purged.Add(1)
	case errors.Is(err, errTooLarge), errors.Is(err, errSuperseded), errors.Is(err, errOff):
		s.counts.dropped.Add(1)
	default:
		s.counts.failed.Add(1)
		s.opts.Logger.Warn("disk tier could not store an object", "error", err)
	}
}

// next returns the first of the queue, and whether it is still wanted; nil at the end.
func (s *Store) next() (it *Item, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.queue = nil
		return nil, false
	}
	it = s.queue[0]
	return it, s.waiting[it.Key] == it
}

// written takes the first off the queue.
func (s *Store) written(it *Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.queued -= it.Size
	if s.waiting[it.Key] == it {
		delete(s.waiting, it.Key)
	}
}

var (
	errCovered    = errors.New("an invalidation covers it")
	errSuperseded = errors.New("a newer object has come")
)

// put writes one waiting item.
func (s *Store) put(it *Item) error {
	r, body := it.Encode()
	s.appending.Lock()
	defer s.appending.Unlock()
	s.serial++
	h := head{Record: r, size: int64(len(body)), serial: s.serial}
	return s.append(h, encodeBody(h.serial, body), func() bool { return s.waiting[it.Key] == it })
}

// Put is Add that waits until the item is written, however full the queue is.
func (s *Store) Put(it *Item) {
	s.mu.Lock()
	if s.off || s.newest(it.Key) >= it.Fill {
		s.mu.Unlock()
		return
	}
	s.dropLocked(it.Key, it.Fill-1)
	s.waiting[it.Key] = it
	s.mu.Unlock()
	s.count(s.put(it))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[it.Key] == it {
		delete(s.waiting, it.Key)
	}
}

// append writes an object into the current slab, or into one of its own if it is large. Data is the body in blocks.
// Wanted says, under mu, whether it is still to be entered into the index. The caller holds appending.
//
// Why that order: a sweep reads the slabs' ends under appending, after the purge log's newest number is on the disk. So an object that the sweep
// does not see was compared with the log later than that, and its Checked, which claims nothing beyond the disk, is at least that number.
func (s *Store) append(h head, data []byte, wanted func() bool) error {
	b, err := s.room(int64(len(data)) + headRoom(&h.Record))
	if err != nil {
		return err
	}
	if err := s.check(&h.Record); err != nil {
		return err
	}
	h.at = b.dataEnd
	if _, err := b.data.WriteAt(data, h.at); err != nil {
		s.giveUp(b)
		return fmt.Errorf("write body: %w", err)
	}
	b.dataEnd += int64(len(data))
	s.grow(b, int64(len(data)))
	return s.enter(b, &h, int64(len(data)), wanted)
}

// headRoom is at least what a head takes in an index file.
func headRoom(r *Record) int64 {
	n := 64 + len(r.Key.URI) + len(r.Key.Variant) + len(r.Meta)
	for _, t := range r.Tags {
		n += len(t) + 4
	}
	return int64(n)
}

// check compares an object with the purge log, and sets its Checked to what the log and the disk both know.
func (s *Store) check(r *Record) error {
	known := s.journal.synced()
	covered, at := s.log.Covered(r.Key.URI, r.Tags, r.Checked)
	if covered {
		return errCovered
	}
	r.Checked = min(max(r.Checked, at), known)
	return nil
}

// enter writes the head of an object whose body is in b already, and puts it into the index. Room is what the body takes. The caller holds appending.
func (s *Store) enter(b *slab, h *head, room int64, wanted func() bool) error {
	place, length, err := b.appendHead(h)
	if err != nil {
		s.giveUp(b)
		return err
	}
	s.grow(b, length)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := entry{
		slab: b.id, place: uint32(place), length: uint32(length), room: room + length, fill: h.Fill, checked: h.Checked,
	}
	b.liveBytes += e.room
	b.objects++
	hash := s.hash(h.Key)
	old, found := s.index[hash]
	if s.off || !wanted() || found && old.fill > e.fill {
		s.forget(hash, e) // of the new one: the map may hold another
		if found {
			s.index[hash] = old
		}
		return errSuperseded
	}
	if found {
		s.forget(hash, old)
	}
	s.index[hash] = e
	s.maxFill = max(s.maxFill, e.fill)
	return nil
}

// grow counts bytes that a slab has gained, or with nil a body that has no slab yet.
func (s *Store) grow(b *slab, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b == nil {
		s.total += n
	} else if !b.leaving {
		s.total += n
		b.bytes += n
	}
}

// giveUp stops writing into b after a failure: what it has stays, and its torn end is of no object. The caller holds appending.
func (s *Store) giveUp(b *slab) {
	if s.current == b {
		s.current = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.liveBytes == 0 {
		s.abandon(b)
	}
}

// room returns the slab to write an object of the given size into, with space for it within the budget. The caller holds appending.
func (s *Store) room(size int64) (*slab, error) {
	if size > s.opts.Bytes/largestShare {
		return nil, fmt.Errorf("store %d bytes: %w", size, errTooLarge)
	}
	if b := s.current; b != nil && b.dataEnd+b.idxEnd+size > s.slabSize() && b.idxEnd > int64(slabHeader) {
		s.current = nil
	}
	need := size
	if s.current == nil {
		need += int64(slabHeader)
	}
	if err := s.evictFor(need); err != nil {
		return nil, err
	}
	if s.current == nil {
		b, err := s.newSlab(nil)
		if err != nil {
			return nil, err
		}
		s.current = b
	}
	return s.current, nil
}

// newSlab makes a slab, around data if that is given. The caller holds appending.
func (s *Store) newSlab(data file) (*slab, error) {
	s.mu.Lock()
	off := s.off
	s.mu.Unlock()
	if off {
		return nil, errOff
	}
	id := s.nextSlab
	s.nextSlab++
	b, err := makeSlab(s.opts.open, s.opts.Dir, id, data)
	if err != nil {
		return nil, fmt.Errorf("make slab: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slabs[id] = b
	b.bytes = b.idxEnd
	s.total += b.bytes
	return b, nil
}
