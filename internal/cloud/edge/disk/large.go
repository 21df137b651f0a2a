package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// tempPrefix begins the names of data files that no index file tells of yet.
const tempPrefix = "tmp-"

// Writer takes a large body as it arrives, into a slab of its own. It is for one goroutine. End it with Commit or Abort.
type Writer struct {
	s      *Store
	data   file
	path   string
	serial uint64
	size   int64  // of the body so far
	end    int64  // of the file
	block  []byte // checksum and bytes of a block that is not full yet
	err    error  // sticks
}

// Create begins a large body. Nothing of it can be found before Commit.
func (s *Store) Create() (*Writer, error) {
	s.appending.Lock()
	s.serial++
	serial := s.serial
	s.appending.Unlock()
	path := filepath.Join(s.opts.Dir, tempPrefix+strconv.FormatUint(serial, 16))
	data, err := s.opts.open(path, true)
	if err != nil {
		s.counts.failed.Add(1)
		return nil, fmt.Errorf("begin large object: %w", err)
	}
	return &Writer{s: s, data: data, path: path, serial: serial, block: make([]byte, sumSize, sumSize+blockSize)}, nil
}

// Write takes the next bytes. After an error the body cannot be committed.
func (w *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for w.err == nil && len(p) > 0 {
		free := min(cap(w.block)-len(w.block), len(p))
		w.block = append(w.block, p[:free]...)
		p = p[free:]
		w.size += int64(free)
		if len(w.block) == cap(w.block) {
			w.flush()
		}
	}
	return n - len(p), w.err
}

// Size is the number of bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// flush writes the block that has come together.
func (w *Writer) flush() {
	binary.LittleEndian.PutUint32(w.block, checksum(blockSalt(w.serial, (w.size-1)/blockSize), w.block[sumSize:]))
	if w.err = w.claim(int64(len(w.block))); w.err != nil {
		return
	}
	if _, err := w.data.WriteAt(w.block, w.end); err != nil {
		w.err = fmt.Errorf("write large object: %w", err)
	}
	w.end += int64(len(w.block))
	w.block = w.block[:sumSize]
}

// claim finds room for n more bytes within the budget.
func (w *Writer) claim(n int64) error {
	if w.end+n > w.s.Largest() {
		return errTooLarge
	}
	w.s.appending.Lock()
	defer w.s.appending.Unlock()
	if err := w.s.evictFor(n); err != nil {
		return err
	}
	w.s.grow(nil, n)
	return nil
}

// Abort removes what was written.
func (w *Writer) Abort() {
	w.s.grow(nil, -w.end)
	_ = errors.Join(w.data.Close(), os.Remove(w.path)) // the next start removes what is left
}

// Commit stores the body as r's, in place of any older object under its key. The error says why it was not stored; the older object is gone all the same.
func (w *Writer) Commit(r Record) error {
	if w.err == nil && len(w.block) > sumSize {
		w.flush()
	}
	s := w.s
	s.Drop(r.Key, r.Fill-1)
	err := w.err
	if err == nil {
		s.appending.Lock()
		err = s.adopt(w, r)
		s.appending.Unlock()
	} else {
		w.Abort()
	}
	s.count(err)
	if err != nil {
		return fmt.Errorf("store large object: %w", err)
	}
	return nil
}

// adopt makes a slab around what w has written. The caller holds appending.
func (s *Store) adopt(w *Writer, r Record) error {
	h, id := head{Record: r, size: w.size, serial: w.serial}, s.nextSlab
	err := s.evictFor(headRoom(&r) + int64(slabHeader))
	if err == nil {
		err = s.check(&h.Record)
	}
	if err == nil {
		err = os.Rename(w.path, slabPath(s.opts.Dir, id, "dat"))
	}
	if err != nil {
		w.Abort()
		return err
	}
	b, err := s.newSlab(w.data)
	if err != nil {
		s.grow(nil, -w.end)
		_ = os.Remove(slabPath(s.opts.Dir, id, "dat")) // it may be gone already
		return err
	}
	b.dataEnd = w.end
	s.grow(nil, -w.end)
	s.grow(b, w.end)
	err = s.enter(b, &h, w.end, func() bool { return s.newest(r.Key) < r.Fill })
	if err != nil {
		s.giveUp(b)
	}
	return err
}
