package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// accountID stands in ARNs; the embedded cloud has no accounts.
const accountID = "000000000000"

// stored is a distribution as read from the file.
type stored struct {
	rec     distributionRecord
	doc     *node              // the whole configuration
	cfg     DistributionConfig // what the package knows of it
	version string             // of the configuration and of the policies that it names
	pending int                // invalidations in progress
	log     uint64             // position in the log of the last entry that changed cfg; 0 without a log
}

// EnsureDistribution returns the distribution whose configuration has cfg.CallerReference, as it is now, or makes
// it from cfg. Either way the edges have the configuration when it returns, or the error says why not: a refused
// configuration, or the context's end while edges fail. The API does not delete it while the Server runs.
func (s *Server) EnsureDistribution(ctx context.Context, cfg DistributionConfig) (Distribution, error) {
	if !s.begin() {
		return Distribution{}, fmt.Errorf("ensure distribution: %w", errClosed)
	}
	defer s.calls.Done()
	var id string
	err := s.change(ctx, func(t *txn) (err error) {
		id, err = s.ensure(t, cfg.document())
		return err
	})
	if err != nil {
		return Distribution{}, fmt.Errorf("ensure distribution: %w", err)
	}
	s.keep(id)
	return s.awaitDeployed(ctx, id)
}

// ensure returns the id of the distribution with the document's caller reference, made if there is none.
func (s *Server) ensure(t *txn, doc *node) (string, error) {
	all, err := parseAll(t.Tx)
	if err != nil {
		return "", err
	}
	for _, d := range all {
		if d.cfg.CallerReference == doc.value("CallerReference") {
			return d.rec.ID, nil
		}
	}
	return s.insert(t, all, doc, nil)
}

// insert stores a new distribution beside all others and returns its id.
func (s *Server) insert(t *txn, all []stored, doc *node, tags []tag) (string, error) {
	cfg, err := s.admit(t.Tx, doc)
	if err != nil {
		return "", err
	}
	if err := checkAliases(all, "", cfg.Aliases); err != nil {
		return "", err
	}
	rec := distributionRecord{Modified: s.now(), Document: doc.render(), Tags: tags}
	if rec.ID, err = s.newID("E"); err != nil {
		return "", err
	}
	if rec.ETag, err = s.newID("E"); err != nil {
		return "", err
	}
	if slices.ContainsFunc(all, func(d stored) bool { return d.rec.ID == rec.ID }) {
		return "", fmt.Errorf("make distribution %s: the id is taken", rec.ID)
	}
	return rec.ID, t.do(putDistribution{rec})
}

// awaitDeployed returns the distribution once the edges have its configuration.
func (s *Server) awaitDeployed(ctx context.Context, id string) (Distribution, error) {
	w := s.worker(id)
	w.wake()
	for {
		_, changed := w.configured()
		d, err := s.load(id)
		if err != nil {
			return Distribution{}, fmt.Errorf("await distribution %s: %w", id, err)
		}
		if shown := s.show(d); shown.Status == "Deployed" {
			return shown, nil
		}
		select {
		case <-changed:
		case <-s.closing:
			return Distribution{}, fmt.Errorf("await configuration of %s: %w", id, errClosed)
		case <-ctx.Done():
			return Distribution{}, fmt.Errorf("await configuration of %s: %w", id, ctx.Err())
		}
	}
}

// Distributions returns every distribution in the order of their IDs. It fails when the Server is closed or its
// file unreadable.
func (s *Server) Distributions() ([]Distribution, error) {
	if !s.begin() {
		return nil, fmt.Errorf("list distributions: %w", errClosed)
	}
	defer s.calls.Done()
	all, err := s.loadAll()
	if err != nil {
		return nil, fmt.Errorf("list distributions: %w", err)
	}
	var out []Distribution
	for _, d := range all {
		out = append(out, s.show(d))
	}
	return out, nil
}

// admit completes a configuration document, checks it, and returns it with its policies.
func (s *Server) admit(tx *bbolt.Tx, doc *node) (DistributionConfig, error) {
	if err := checkDocument(doc); err != nil {
		return DistributionConfig{}, err
	}
	fillDefaults(doc)
	cfg, err := decodeConfig(doc)
	if err != nil {
		return cfg, errMalformed(err)
	}
	if err := checkConfig(cfg); err != nil {
		return cfg, err
	}
	if _, _, err := resolve(tx, &cfg); err != nil {
		return cfg, err
	}
	return cfg, s.checkResolved(cfg)
}

// checkResolved refuses a configuration whose policies do not go with it, or that the edges cannot carry out.
func (s *Server) checkResolved(cfg DistributionConfig) error {
	if err := checkResolved(cfg); err != nil {
		return err
	}
	if err := s.opts.CheckConfig(cfg); err != nil {
		return invalidArgument("The embedded cloud cannot carry out this configuration: %v.", err)
	}
	return nil
}

// checkAliases refuses an alias that another distribution of the file has; spec: cloudfront 5.9.
func checkAliases(all []stored, id string, aliases []string) error {
	taken := map[string]bool{}
	for _, d := range all {
		for _, a := range d.cfg.Aliases {
			taken[strings.ToLower(a)] = taken[strings.ToLower(a)] || d.rec.ID != id
		}
	}
	for _, a := range aliases {
		if taken[strings.ToLower(a)] {
			return &apiError{http.StatusConflict, "CNAMEAlreadyExists", "The CNAME specified is already defined for CloudFront."}
		}
	}
	return nil
}

func (s *Server) records() (all []distributionRecord, err error) {
	err = s.db.View(func(tx *bbolt.Tx) (err error) {
		all, err = allDistributions(tx)
		return err
	})
	return all, err
}

// load reads one distribution.
func (s *Server) load(id string) (d stored, err error) {
	err = s.db.View(func(tx *bbolt.Tx) (err error) {
		d, err = loadIn(tx, id)
		return err
	})
	return d, err
}

func loadIn(tx *bbolt.Tx, id string) (stored, error) {
	rec, err := getDistribution(tx, id)
	if err != nil {
		return stored{}, err
	}
	return parseStored(tx, rec)
}

// loadAll reads every distribution.
func (s *Server) loadAll() (all []stored, err error) {
	err = s.db.View(func(tx *bbolt.Tx) (err error) {
		all, err = parseAll(tx)
		return err
	})
	return all, err
}

func parseAll(tx *bbolt.Tx) ([]stored, error) {
	recs, err := allDistributions(tx)
	if err != nil {
		return nil, err
	}
	var all []stored
	for _, rec := range recs {
		d, err := parseStored(tx, rec)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// parseStored reads the record's document and counts its invalidations in progress.
func parseStored(tx *bbolt.Tx, rec distributionRecord) (stored, error) {
	doc, err := parseXML(rec.Document)
	if err != nil {
		return stored{}, fmt.Errorf("read distribution %s: %w", rec.ID, err)
	}
	cfg, err := decodeConfig(doc)
	if err != nil {
		return stored{}, fmt.Errorf("read distribution %s: %w", rec.ID, err)
	}
	version, log, err := resolve(tx, &cfg)
	if err != nil && !hasCode(err, http.StatusNotFound) { // a policy of an older file, when none was checked
		return stored{}, fmt.Errorf("read distribution %s: %w", rec.ID, err)
	}
	h, err := historyOf(tx, rec.ID)
	if err != nil {
		return stored{}, fmt.Errorf("read distribution %s: %w", rec.ID, err)
	}
	return stored{rec: rec, doc: doc, cfg: cfg, version: rec.ETag + version, log: max(rec.Log, log), pending: h.pendingCount()}, nil
}

// show is the distribution as callers see it.
func (s *Server) show(d stored) Distribution {
	status := "InProgress"
	if version, _ := s.worker(d.rec.ID).configured(); version == d.version {
		status = "Deployed"
	}
	return Distribution{
		ID: d.rec.ID, ARN: "arn:aws:cloudfront::" + accountID + ":distribution/" + d.rec.ID,
		DomainName: s.opts.Domain(d.rec.ID), Status: status, ETag: d.rec.ETag,
		LastModifiedTime: d.rec.Modified, InProgressInvalidationBatches: d.pending, Config: d.cfg,
	}
}

// changedNode is the Distribution document right after a change: InProgress, however fast the edges are.
func (s *Server) changedNode(d stored) *node {
	shown := s.show(d)
	shown.Status = "InProgress"
	return distributionNode(shown, d.doc)
}

// distributionNode is the Distribution document; spec: cloudfront 5.9.
func distributionNode(shown Distribution, config *node) *node {
	off := func(name string) *node { return el(name, boolean("Enabled", false), number("Quantity", 0)) }
	return el("Distribution",
		leaf("Id", shown.ID), leaf("ARN", shown.ARN), leaf("Status", shown.Status),
		timestamp("LastModifiedTime", shown.LastModifiedTime),
		number("InProgressInvalidationBatches", int64(shown.InProgressInvalidationBatches)),
		leaf("DomainName", shown.DomainName),
		off("ActiveTrustedSigners"), off("ActiveTrustedKeyGroups"), config)
}

func (s *Server) getDistribution(c *call) (*reply, error) {
	d, err := s.load(c.args[0])
	if err != nil {
		return nil, err
	}
	return &reply{etag: d.rec.ETag, body: distributionNode(s.showTo(c, d), d.doc)}, nil
}

func (s *Server) getDistributionConfig(c *call) (*reply, error) {
	d, err := s.load(c.args[0])
	if err != nil {
		return nil, err
	}
	return &reply{etag: d.rec.ETag, body: d.doc}, nil
}

// showTo is show for an answer. Edges that have all that this server knows of may lack what it does not.
func (s *Server) showTo(c *call, d stored) Distribution {
	shown := s.show(d)
	if c.behind {
		shown.Status = "InProgress"
	}
	return shown
}

// summaryNode is the DistributionSummary document; spec: cloudfront 5.9.
func summaryNode(d stored, shown Distribution) *node {
	n := el("DistributionSummary",
		leaf("Id", shown.ID), leaf("ARN", shown.ARN), leaf("ETag", shown.ETag), leaf("Status", shown.Status),
		timestamp("LastModifiedTime", shown.LastModifiedTime), leaf("DomainName", shown.DomainName))
	for _, name := range []string{"Aliases", "Origins", "OriginGroups", "DefaultCacheBehavior", "CacheBehaviors",
		"CustomErrorResponses", "Comment", "PriceClass", "Enabled", "ViewerCertificate", "Restrictions",
		"WebACLId", "HttpVersion", "IsIPV6Enabled", "Staging"} {
		if c := d.doc.child(name); c != nil {
			n.kids = append(n.kids, c)
		}
	}
	return n
}

func (s *Server) listDistributions(c *call) (*reply, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	all, err := s.loadAll()
	if err != nil {
		return nil, err
	}
	shown, next, err := cut(all, p, func(d stored) string { return d.rec.ID })
	if err != nil {
		return nil, err
	}
	var items []*node
	for _, d := range shown {
		items = append(items, summaryNode(d, s.showTo(c, d)))
	}
	return &reply{body: p.list("DistributionList", next, items)}, nil
}

// etagToken is the shape of a version; anything else in If-Match is malformed.
var etagToken = regexp.MustCompile(`^[A-Z0-9]+$`)

// updateDistribution replaces the whole configuration if the client has seen the current one;
// spec: cloudfront 5.9.
func (s *Server) updateDistribution(c *call) (*reply, error) {
	id := c.args[0]
	if _, err := s.load(id); err != nil {
		return nil, err
	}
	match, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	doc, err := c.document()
	if err != nil {
		return nil, err
	}
	var d stored
	err = s.change(c.ctx, func(t *txn) (err error) {
		if err := s.replace(t, id, match, doc); err != nil {
			return err
		}
		d, err = loadIn(t.Tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.worker(id).wake()
	return &reply{etag: d.rec.ETag, body: s.changedNode(d)}, nil
}

// replace stores the new document if the version still is the one that the client names.
func (s *Server) replace(t *txn, id, match string, doc *node) error {
	rec, err := getDistribution(t.Tx, id)
	if err != nil {
		return err
	}
	cfg, err := s.admit(t.Tx, doc)
	if err != nil {
		return err
	}
	if err := checkVersion(match, rec.ETag); err != nil {
		return err
	}
	all, errAll := parseAll(t.Tx)
	old, errOld := parseStored(t.Tx, rec)
	if err := errors.Join(errAll, errOld); err != nil {
		return err
	}
	if cfg.CallerReference != old.cfg.CallerReference {
		return badRequest("IllegalUpdate", "The update contains modifications that are not allowed: CallerReference cannot change.")
	}
	if err := checkAliases(all, id, cfg.Aliases); err != nil {
		return err
	}
	rec.Document, rec.Modified = doc.render(), s.now()
	if rec.ETag, err = s.newID("E"); err != nil {
		return err
	}
	return t.do(putDistribution{rec})
}
