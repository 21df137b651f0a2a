package control

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
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

// Invalidate does what a signed CreateInvalidation does, with the same checks, limits and repeats, for callers in the same process: an invalidation is stored,
// and in the log, before it is returned. Refusal says what the API answers for the error.
func (s *Server) Invalidate(ctx context.Context, distribution, reference string, items []string) (Recent, error) {
	if !s.begin() {
		return Recent{}, errClosed
	}
	defer s.calls.Done()
	doc := el("InvalidationBatch", leaves("Paths", "Path", items), leaf("CallerReference", reference))
	c := &call{ctx: ctx, args: []string{distribution}, body: doc.render()}
	if len(c.body) > maxBody {
		return Recent{}, errTooLarge()
	}
	answer, err := s.carryOut(operation{name: "CreateInvalidation", method: http.MethodPost, do: (*Server).createInvalidation}, c)
	if err != nil {
		return Recent{}, fmt.Errorf("invalidate in %s: %w", distribution, err)
	}
	return s.Invalidation(distribution, answer.body.value("Id"))
}

// Refusal is what the API answers for an error of Invalidate, or of a distribution that there is not: an HTTP status, a code that SDKs key on, and a
// sentence for whoever asked.
func Refusal(err error) (status int, code, message string) {
	e := asAPIError(err)
	return e.status, e.code, e.message
}
