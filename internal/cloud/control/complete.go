package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// completeNext waits until the edges have applied the oldest invalidation in progress, which they find in the log by themselves, and marks
// completed all that they have come past meanwhile: however many there are, they cost one wait and one transaction.
func (s *Server) completeNext(ctx context.Context, w *worker) (done bool, wait time.Duration, err error) {
	rec, ok, err := s.nextPending(w.id)
	if err != nil || !ok {
		return true, 0, err
	}
	if wait := s.untilDue(rec); wait > 0 {
		return false, wait, nil
	}
	through, err := s.past(ctx, rec.Log)
	if err != nil {
		return false, 0, fmt.Errorf("complete invalidation %s, entry %d: %w", rec.ID, rec.Log, err)
	}
	err = s.mark(ctx, func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, w.id)
		if err != nil {
			return err
		}
		return h.complete(through, s.due)
	})
	if err != nil {
		return false, 0, fmt.Errorf("complete invalidations through entry %d: %w", through, err)
	}
	return false, 0, nil
}

// past waits until all edges have applied the log through sequence. Members and Applied are by then what they are after that entry: the
// file may be ahead of them for a moment, and a member that has just joined must not be overlooked.
func (s *Server) past(ctx context.Context, sequence uint64) (through uint64, err error) {
	if err := s.AwaitApplied(ctx, sequence); err != nil {
		return 0, err
	}
	through, err = s.opts.Completed(ctx, sequence)
	if err == nil && through < sequence {
		err = fmt.Errorf("the edges are at entry %d only", through)
	}
	return through, err
}

// due is whether an invalidation is held back no longer.
func (s *Server) due(h history, key []byte) (bool, error) {
	if s.opts.Delay == 0 {
		return true, nil
	}
	rec, err := h.bySequence(key)
	return s.untilDue(rec) <= 0, err
}

// complete takes the invalidations through a position of the log out of those in progress, oldest first, while they are due.
func (h history) complete(through uint64, due func(h history, key []byte) (bool, error)) error {
	var past [][]byte
	c := h.pending.Cursor()
	for key, at := c.First(); key != nil && position(at) <= through; key, at = c.Next() {
		ok, err := due(h, key)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		past = append(past, bytes.Clone(key))
	}
	for _, key := range past {
		if err := h.pending.Delete(key); err != nil {
			return fmt.Errorf("complete invalidation %x: %w", key, err)
		}
	}
	return nil
}

// position is what stands beside an invalidation in progress: where it is in the log, 0 without one.
func position(value []byte) uint64 {
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}
