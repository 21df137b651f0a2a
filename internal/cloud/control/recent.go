package control

import (
	"time"
)

// Recent is one invalidation with its items, for programs in the same process. The time of completion is not in
// it: neither CloudFront's API nor the file has one.
type Recent struct {
	ID        string
	Sequence  uint64    // by which Edges.Invalidate had it
	Status    string    // InProgress or Completed; spec: cloudfront 1.5
	Created   time.Time // when it was accepted
	Reference string    // the caller reference
	Items     []string  // as accepted, at least one
}

// Recent returns the newest n invalidations of a distribution, newest first; fewer if there are fewer, none for an
// n below 1. It fails for an unknown distribution and on a closed Server.
func (s *Server) Recent(distribution string, n int) (out []Recent, err error) {
	err = s.look(distribution, func(h history) error {
		out, err = h.before(nil, n)
		return err
	})
	return out, err
}

// before reads at most n records, newest first, from the one before the sequence key at; from the last one for nil.
func (h history) before(at []byte, n int) ([]Recent, error) {
	var out []Recent
	c := h.records.Cursor()
	key, _ := c.Last()
	if at != nil {
		c.Seek(at)
		key, _ = c.Prev()
	}
	for ; key != nil && len(out) < n; key, _ = c.Prev() {
		rec, err := h.bySequence(key)
		if err != nil {
			return nil, err
		}
		out = append(out, h.recent(rec))
	}
	return out, nil
}

func (h history) recent(rec invalidationRecord) Recent {
	return Recent{
		ID: rec.ID, Sequence: rec.Sequence, Status: h.status(rec), Created: rec.Created, Reference: rec.Reference, Items: rec.Items,
	}
}
