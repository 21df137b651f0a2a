package control

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Recent is one invalidation with its items, for programs in the same process. The time of completion is not in
// it: neither CloudFront's API nor the file has one.
type Recent struct {
	ID        string
	Status    string    // InProgress or Completed; spec: cloudfront 1.5
	Created   time.Time // when it was accepted
	Reference string    // the caller reference
	Items     []string  // as accepted, at least one
}

// Recent returns the newest n invalidations of a distribution, newest first; fewer if there are fewer, none for an
// n below 1. It fails for an unknown distribution and on a closed Server.
func (s *Server) Recent(distribution string, n int) ([]Recent, error) {
	if !s.begin() {
		return nil, errClosed
	}
	defer s.calls.Done()
	var out []Recent
	err := s.db.View(func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, distribution)
		if err != nil {
			return err
		}
		out, err = h.newest(n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read invalidations of %s: %w", distribution, err)
	}
	return out, nil
}

// newest reads at most n records, from the last one back.
func (h history) newest(n int) ([]Recent, error) {
	var out []Recent
	c := h.records.Cursor()
	for key, _ := c.Last(); key != nil && len(out) < n; key, _ = c.Prev() {
		rec, err := h.bySequence(key)
		if err != nil {
			return nil, err
		}
		out = append(out, Recent{
			ID: rec.ID, Status: h.status(rec), Created: rec.Created, Reference: rec.Reference, Items: rec.Items,
		})
	}
	return out, nil
}
