package control

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// ErrUnknown: there is no invalidation of that id.
var ErrUnknown = errors.New("no such invalidation")

// Mark tells two moments of a distribution's invalidations apart: it differs whenever one was accepted or completed in between.
type Mark struct {
	Newest  uint64 // sequence number of the newest; 0 for none
	Pending uint64 // of the oldest in progress; 0 for none
}

// Mark is where a distribution's invalidations stand. It costs two look-ups, however many there are.
func (s *Server) Mark(distribution string) (m Mark, err error) {
	err = s.look(distribution, func(h history) error {
		m = h.mark()
		return nil
	})
	return m, err
}

func (h history) mark() (m Mark) {
	if key, _ := h.records.Cursor().Last(); key != nil {
		m.Newest = binary.BigEndian.Uint64(key)
	}
	// They complete in their order, so the oldest one tells of all.
	if key, _ := h.pending.Cursor().First(); key != nil {
		m.Pending = binary.BigEndian.Uint64(key)
	}
	return m
}

// Before returns the newest n invalidations that are older than the one with an id, newest first. The error is ErrUnknown for an unknown id, also one that
// has been forgotten.
func (s *Server) Before(distribution, id string, n int) (out []Recent, err error) {
	err = s.look(distribution, func(h history) error {
		at := h.ids.Get([]byte(id))
		if at == nil {
			return ErrUnknown
		}
		out, err = h.before(at, n)
		return err
	})
	return out, err
}

// Invalidation returns one with all its items. The error is ErrUnknown for an unknown id.
func (s *Server) Invalidation(distribution, id string) (out Recent, err error) {
	err = s.look(distribution, func(h history) error {
		at := h.ids.Get([]byte(id))
		if at == nil {
			return ErrUnknown
		}
		rec, err := h.bySequence(at)
		out = h.recent(rec)
		return err
	})
	return out, err
}

// look reads a distribution's history.
func (s *Server) look(distribution string, read func(history) error) error {
	if !s.begin() {
		return errClosed
	}
	defer s.calls.Done()
	err := s.db.View(func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, distribution)
		if err != nil {
			return err
		}
		return read(h)
	})
	if err != nil {
		return fmt.Errorf("read invalidations of %s: %w", distribution, err)
	}
	return nil
}

// Effective are the items of a batch that would reach the edges; it fails for a batch that the API would refuse.
func Effective(items []string) ([]string, error) {
	for _, item := range items {
		if !validItem(item) {
			return nil, fmt.Errorf("%q cannot be invalidated: an item is a path that begins with a slash, its special characters percent-encoded, or a # and a tag", item)
		}
	}
	return effective(items), nil
}
