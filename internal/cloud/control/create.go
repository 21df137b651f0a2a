package control

import (
	"net/http"
	"net/url"
)

// maxDistributions is how many distributions there may be; spec: cloudfront 5.3.
const maxDistributions = 500

// createDistribution makes a distribution, with tags if the query says so; spec: cloudfront 5.9.
func (s *Server) createDistribution(c *call) (*reply, error) {
	doc, tags, err := c.newDistribution()
	if err != nil {
		return nil, err
	}
	var d stored
	err = s.change(c.ctx, func(t *txn) error {
		id, err := s.create(t, doc, tags)
		if err != nil {
			return err
		}
		d, err = loadIn(t.Tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.worker(d.rec.ID).wake()
	return &reply{
		status: http.StatusCreated, etag: d.rec.ETag, body: s.changedNode(d),
		location: c.base + "distribution/" + url.PathEscape(d.rec.ID),
	}, nil
}

// newDistribution reads the request's configuration and tags.
func (c *call) newDistribution() (config *node, tags []tag, err error) {
	doc, err := c.document()
	if err != nil || !c.query.Has("WithTags") {
		return doc, nil, err
	}
	if doc.name != "DistributionConfigWithTags" {
		return nil, nil, errMalformed(errUnexpectedRoot(doc.name, "DistributionConfigWithTags"))
	}
	if tags, err = parseTags(doc.child("Tags")); err != nil {
		return nil, nil, err
	}
	if config = doc.child("DistributionConfig"); config == nil {
		return nil, nil, invalidArgument("The parameter DistributionConfig is required.")
	}
	return config, tags, nil
}

// create stores a distribution whose caller reference is new.
func (s *Server) create(t *txn, doc *node, tags []tag) (string, error) {
	all, err := parseAll(t.Tx)
	if err != nil {
		return "", err
	}
	for _, d := range all {
		if ref := doc.value("CallerReference"); ref != "" && d.cfg.CallerReference == ref {
			return "", &apiError{http.StatusConflict, "DistributionAlreadyExists",
				"The caller reference that you are using to create a distribution is associated with another distribution. Already exists: " + d.rec.ID}
		}
	}
	if len(all) >= maxDistributions {
		return "", badRequest("TooManyDistributions", "Processing your request would cause you to exceed the maximum number of distributions allowed.")
	}
	return s.insert(t, all, doc, tags)
}

// deleteDistribution forgets a distribution that is disabled at every edge; spec: cloudfront 5.9.
func (s *Server) deleteDistribution(c *call) (*reply, error) {
	id := c.args[0]
	if _, err := s.load(id); err != nil {
		return nil, err
	}
	match, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	if err := s.change(c.ctx, func(t *txn) error { return s.drop(t, id, match) }); err != nil {
		return nil, err
	}
	s.worker(id).wake() // it finds nothing any more, and ends
	return &reply{status: http.StatusNoContent}, nil
}

func (s *Server) drop(t *txn, id, match string) error {
	rec, err := getDistribution(t.Tx, id)
	if err != nil {
		return err
	}
	if err := checkVersion(match, rec.ETag); err != nil {
		return err
	}
	if s.kept(id) {
		return &apiError{http.StatusConflict, "ResourceInUse", "Cannot delete this resource because it is in use: it is the embedded cloud's own."}
	}
	d, err := parseStored(t.Tx, rec)
	if err != nil {
		return err
	}
	// A distribution that was disabled a moment ago still is at work somewhere. CloudFront API Reference,
	// DeleteDistribution: wait until the status is Deployed.
	if d.cfg.Enabled || s.show(d).Status != "Deployed" {
		return &apiError{http.StatusConflict, "DistributionNotDisabled", "The distribution you are trying to delete has not been disabled."}
	}
	return t.do(removeDistribution{id})
}

// keep protects a distribution from deletion.
func (s *Server) keep(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own[id] = true
}

func (s *Server) kept(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own[id]
}
