package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/bbolt"
)

// batch is a CreateInvalidation request.
type batch struct {
	reference string
	items     []string // at least one, each accepted by validItem
}

// parseBatch reads and checks an InvalidationBatch document; spec: cloudfront 1.6 and 1.7.
func parseBatch(doc *node) (batch, error) {
	if doc.name != "InvalidationBatch" {
		return batch{}, errMalformed(errUnexpectedRoot(doc.name, "InvalidationBatch"))
	}
	b := batch{reference: doc.value("CallerReference")}
	if b.reference == "" {
		return batch{}, invalidArgument("The parameter CallerReference is required.")
	}
	paths := doc.child("Paths")
	for _, item := range paths.child("Items").children() {
		if item.name != "Path" {
			return batch{}, errMalformed(fmt.Errorf("unexpected element %s in Items", item.name))
		}
		b.items = append(b.items, item.text)
	}
	if quantity := paths.value("Quantity"); quantity != "" || len(b.items) > 0 {
		if err := checkQuantity(quantity, len(b.items)); err != nil {
			return batch{}, err
		}
	}
	if len(b.items) == 0 {
		return batch{}, invalidArgument("The parameter Paths is required: an invalidation has at least one path.")
	}
	if !slices.ContainsFunc(b.items, func(item string) bool { return !validItem(item) }) {
		return b, nil
	}
	return batch{}, errInvalidPaths()
}

// checkQuantity compares the number that the client states with the number of paths that it sent.
func checkQuantity(stated string, found int) error {
	n, err := strconv.Atoi(strings.TrimSpace(stated))
	if err != nil {
		return errMalformed(errors.New("quantity of Paths is missing or not a number"))
	}
	if n != found {
		return errQuantities("Paths", n, found)
	}
	return nil
}

// sameItems is whether two batches ask for the same, in any order.
func sameItems(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// hasTag is whether a batch names a cache tag.
func (b batch) hasTag() bool {
	return slices.ContainsFunc(b.items, func(item string) bool { return item[0] == '#' })
}

// createInvalidation accepts a batch: it is in the file before it is answered. A repeat of a caller reference
// answers the earlier invalidation, also with 201; spec: cloudfront 1.5.
func (s *Server) createInvalidation(c *call) (*reply, error) {
	distribution := c.args[0]
	takesTags, err := s.takesTags(distribution)
	if err != nil {
		return nil, err
	}
	doc, err := c.document()
	if err != nil {
		return nil, err
	}
	b, err := parseBatch(doc)
	if err != nil {
		return nil, err
	}
	if !takesTags && b.hasTag() {
		return nil, invalidArgument("The distribution has no CacheTagConfig.")
	}
	rec, status, err := s.accept(c.ctx, distribution, b)
	if err != nil {
		return nil, err
	}
	s.worker(distribution).wake()
	return &reply{
		status: http.StatusCreated, body: invalidationNode(rec, status),
		location: c.base + "distribution/" + url.PathEscape(distribution) + "/invalidation/" + rec.ID,
	}, nil
}

// takesTags says whether a batch for the distribution, which must be there, may name tags. It reads the configuration, which costs more than
// all the rest of an invalidation, only where that decides.
func (s *Server) takesTags(distribution string) (bool, error) {
	if s.opts.RefuseTags {
		d, err := s.load(distribution)
		return d.cfg.CacheTagConfig != nil, err
	}
	return true, s.db.View(func(tx *bbolt.Tx) error {
		_, err := historyOf(tx, distribution)
		return err
	})
}

// accept stores the batch, or finds the invalidation that its caller reference already names.
func (s *Server) accept(ctx context.Context, distribution string, b batch) (rec invalidationRecord, status string, err error) {
	err = s.change(ctx, func(t *txn) error {
		h, err := historyOf(t.Tx, distribution)
		if err != nil {
			return err
		}
		earlier, found, err := h.byReference(b.reference)
		if err != nil {
			return err
		}
		if found {
			rec, status = earlier, h.status(earlier)
			if !sameItems(earlier.Items, b.items) {
				return s.errReusedReference()
			}
			return nil
		}
		if err := s.pace.check(s.opts.Limits, loadOf(b.items), h, s.opts.Now()); err != nil {
			return err
		}
		rec = invalidationRecord{Reference: b.reference, Created: s.now(), Items: b.items}
		if rec.ID, err = s.newID("I"); err != nil {
			return err
		}
		status = "InProgress"
		return t.add(distribution, h, &rec, s.opts.History)
	})
	if err != nil { // who gave up waiting leaves rec to the change, which may go on
		return invalidationRecord{}, "", err
	}
	return rec, status, nil
}

// invalidationNode is the Invalidation document; spec: cloudfront 1.7.
func invalidationNode(rec invalidationRecord, status string) *node {
	return el("Invalidation", leaf("Id", rec.ID), leaf("Status", status), timestamp("CreateTime", rec.Created),
		el("InvalidationBatch", leaves("Paths", "Path", rec.Items), leaf("CallerReference", rec.Reference)))
}

func (s *Server) getInvalidation(c *call) (*reply, error) {
	var body *node
	err := s.db.View(func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, c.args[0])
		if err != nil {
			return err
		}
		rec, err := h.byID(c.args[1])
		if err != nil {
			return err
		}
		body = invalidationNode(rec, h.status(rec))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &reply{body: body}, nil
}

// listInvalidations answers one page, newest first; spec: cloudfront 1.7.
func (s *Server) listInvalidations(c *call) (*reply, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	var items []*node
	next := ""
	err = s.db.View(func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, c.args[0])
		if err != nil {
			return err
		}
		items, next, err = h.pageOf(p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &reply{body: p.list("InvalidationList", next, items)}, nil
}

// pageOf reads the records older than the marker, newest first, and the marker of the next page.
func (h history) pageOf(p page) (items []*node, next string, err error) {
	c := h.records.Cursor()
	key, _ := c.Last()
	if p.marker != "" {
		at := h.ids.Get([]byte(p.marker))
		if at == nil {
			return nil, "", errBadMarker(p.marker)
		}
		c.Seek(at)
		key, _ = c.Prev()
	}
	last := ""
	for ; key != nil; key, _ = c.Prev() {
		if len(items) == p.max {
			return items, last, nil
		}
		rec, err := h.bySequence(key)
		if err != nil {
			return nil, "", err
		}
		last = rec.ID
		items = append(items, el("InvalidationSummary",
			leaf("Id", rec.ID), timestamp("CreateTime", rec.Created), leaf("Status", h.status(rec))))
	}
	return items, "", nil
}
