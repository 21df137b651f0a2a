package control

import (
	"bytes"
	"context"
	"fmt"
)

// SetDistribution is EnsureDistribution for a configuration that is kept elsewhere: a distribution that is there
// already takes cfg in place of its own, and keeps its id and its invalidations.
func (s *Server) SetDistribution(ctx context.Context, cfg DistributionConfig) (Distribution, error) {
	if !s.begin() {
		return Distribution{}, fmt.Errorf("set distribution: %w", errClosed)
	}
	defer s.calls.Done()
	var id string
	err := s.change(ctx, func(t *txn) (err error) {
		if id, err = s.ensure(t, cfg.document()); err != nil {
			return err
		}
		return s.overwrite(t, id, cfg.document())
	})
	if err != nil {
		return Distribution{}, fmt.Errorf("set distribution: %w", err)
	}
	s.keep(id)
	return s.awaitDeployed(ctx, id)
}

// overwrite stores the document, whatever version there is, unless it is the one that is there.
func (s *Server) overwrite(t *txn, id string, doc *node) error {
	rec, err := getDistribution(t.Tx, id)
	if err != nil {
		return err
	}
	if _, err := s.admit(t.Tx, doc); err != nil {
		return err
	}
	if bytes.Equal(doc.render(), rec.Document) {
		return nil
	}
	return s.replace(t, id, rec.ETag, doc)
}
