package control

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// SetDistribution is EnsureDistribution for a configuration that is kept elsewhere: a distribution that is there
// already takes cfg in place of its own, and keeps its id and its invalidations.
func (s *Server) SetDistribution(ctx context.Context, cfg DistributionConfig) (Distribution, error) {
	if !s.begin() {
		return Distribution{}, fmt.Errorf("set distribution: %w", errClosed)
	}
	defer s.calls.Done()
	var id string
	err := s.db.Update(func(tx *bbolt.Tx) (err error) {
		if id, err = s.ensure(tx, cfg.document()); err != nil {
			return err
		}
		return s.overwrite(tx, id, cfg.document())
	})
	if err != nil {
		return Distribution{}, fmt.Errorf("set distribution: %w", err)
	}
	s.keep(id)
	return s.awaitDeployed(ctx, id)
}

// overwrite stores the document, whatever version there is, unless it is the one that is there.
func (s *Server) overwrite(tx *bbolt.Tx, id string, doc *node) error {
	rec, err := getDistribution(tx, id)
	if err != nil {
		return err
	}
	if _, err := s.admit(tx, doc); err != nil {
		return err
	}
	if bytes.Equal(doc.render(), rec.Document) {
		return nil
	}
	return s.replace(tx, id, rec.ETag, doc)
}
