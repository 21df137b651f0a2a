package disk

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// Found is what Get finds: an object that is still waiting to be written, or one on the disk.
type Found struct {
	Waiting any // Item.Value of an object that has not been written; then the rest is empty
	Record  Record
	Body    *Body // nil for an empty body
	Whole   []byte
	Again   bool // it was asked for before since it was stored
}

// Get returns the object under key; nil for none. A body up to whole bytes comes read, a larger one as Body, with its first block read and checked.
// An object that cannot be read back soundly is removed, and none is returned.
// The caller asks the purge log, from Record.Checked on; what it learns it may tell with Confirm.
func (s *Store) Get(key Key, whole int64) *Found {
	it, b, e := s.pin(key)
	if it != nil {
		return &Found{Waiting: it.Value}
	}
	if b == nil {
		return nil
	}
	f, err := s.open(b, e, key, whole)
	if f == nil || f.Body == nil {
		s.mu.Lock()
		s.release(b)
		s.mu.Unlock()
	}
	if err != nil {
		s.lose(key, e, err)
		return nil
	}
	if f != nil {
		s.counts.hits.Add(1)
	}
	return f
}

// open reads an object's head and beginning. The caller has pinned b; a Body that comes back takes the pin over. Nil means another key with the same hash.
func (s *Store) open(b *slab, e entry, key Key, whole int64) (*Found, error) {
	h, err := b.readHead(int64(e.place), int64(e.length))
	if err != nil {
		return nil, err
	}
	if h.Key != key {
		return nil, nil
	}
	h.Checked = max(h.Checked, e.checked)
	f := &Found{Record: h.Record, Again: e.used}
	switch {
	case h.size == 0:
		return f, nil
	case h.size <= whole:
		f.Whole, err = b.readAll(&h)
		return f, err
	}
	first, err := b.readBlock(&h, 0, make([]byte, sumSize+blockSize))
	if err != nil {
		return nil, err
	}
	f.Body = &Body{store: s, slab: b, head: h, entry: e, first: first}
	runtime.AddCleanup(f.Body, s.unpin, b) // a body may be shared by viewers who come and go; none of them is the one to close it
	return f, nil
}

func (s *Store) unpin(b *slab) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(b)
}

// readAll reads a body at once and returns it without its checksums.
func (b *slab) readAll(h *head) ([]byte, error) {
	raw := make([]byte, stored(h.size))
	if _, err := b.data.ReadAt(raw, h.at); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	out := raw[:0]
	for n := int64(0); len(raw) > 0; n++ {
		block := raw[:min(len(raw), sumSize+blockSize)]
		raw = raw[len(block):]
		if checksum(blockSalt(h.serial, n), block[sumSize:]) != sum(block) {
			return nil, fmt.Errorf("read body: %w", errDamaged)
		}
		out = append(out, block[sumSize:]...)
	}
	return out, nil
}

// lose removes an object that could not be read.
func (s *Store) lose(key Key, e entry, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := s.hash(key)
	if now, ok := s.index[hash]; ok && now.slab == e.slab && now.place == e.place {
		s.counts.damaged.Add(1)
		s.opts.Logger.Warn("disk tier lost an object", "uri", key.URI, "error", cause)
		s.forget(hash, now)
	}
}

// Confirm notes that no invalidation up to at covers the object with this fill number.
func (s *Store) Confirm(key Key, fill uint64, at purge.Sequence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := s.hash(key)
	if e, ok := s.index[hash]; ok && e.fill == fill && e.checked < at {
		e.checked = at
		s.index[hash] = e
	}
}

// Body is a large body on the disk. It stays readable after its object has been removed, until the store is closed.
type Body struct {
	store *Store
	slab  *slab
	head  head
	entry entry
	first []byte // block
}

// Size is the body's length in bytes.
func (b *Body) Size() int64 { return b.head.size }

// Stored is the object's record as it was when the body was found.
func (b *Body) Stored() Record { return b.head.Record }

// Reader returns a reader of the body from byte at on; 0 is the first.
func (b *Body) Reader(at int64) *Reader { return &Reader{b: b, at: at} }

// Reader reads a body piece by piece, comparing checksums before it gives anything out. It is for one goroutine.
type Reader struct {
	b   *Body
	at  int64
	buf []byte
}

// Next returns the next bytes, which stay valid until the next call, or io.EOF at the end. After any other error the object is gone.
func (r *Reader) Next() ([]byte, error) {
	if r.at >= r.b.head.size {
		return nil, io.EOF
	}
	n, skip := r.at/blockSize, r.at%blockSize
	block := r.b.first
	if n > 0 {
		if r.buf == nil {
			r.buf = make([]byte, sumSize+blockSize)
		}
		var err error
		if block, err = r.b.slab.readBlock(&r.b.head, n, r.buf); err != nil {
			r.b.store.lose(r.b.head.Key, r.b.entry, err)
			return nil, err
		}
	}
	r.at += int64(len(block)) - skip
	return block[skip:], nil
}

// ReadAll reads the whole body into memory.
func (b *Body) ReadAll() ([]byte, error) {
	all, err := b.slab.readAll(&b.head)
	if err != nil {
		b.store.lose(b.head.Key, b.entry, err)
	}
	return all, err
}

// Renew stores r, a newer record for the object that b is the body of, without writing the body again.
// The error says why it was not stored; the older record is gone then.
func (s *Store) Renew(b *Body, r Record) error {
	s.appending.Lock()
	defer s.appending.Unlock()
	h := b.head
	h.Record = r
	err := s.renew(b, &h)
	if err != nil {
		s.Drop(r.Key, r.Fill-1)
		if !errors.Is(err, errCovered) {
			s.counts.dropped.Add(1)
		}
	}
	return err
}

// renew writes another head beside a body that is there. The caller holds appending.
func (s *Store) renew(b *Body, h *head) error {
	if err := s.evictFor(headRoom(&h.Record)); err != nil {
		return err
	}
	s.mu.Lock()
	gone := s.off || b.slab.leaving
	s.mu.Unlock()
	if gone {
		return errSuperseded
	}
	if err := s.check(&h.Record); err != nil {
		return err
	}
	// The body's room is counted with the newest head: entering it forgets the older one.
	return s.enter(b.slab, h, stored(h.size), func() bool { return s.newest(h.Key) < h.Fill })
}
