package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
)

// How much of the invalidations is in one answer.
const (
	maxInvalidations = 50
	maxItems         = 5 // of each; its own address has all
)

// InvalidationList is one page of invalidations, newest first.
type InvalidationList struct {
	List []InvalidationState `json:"list"`
	More bool                `json:"more"` // there are older ones: ask with ?before= and the id of the last
}

// InvalidationState is one invalidation.
type InvalidationState struct {
	ID        string        `json:"id"`
	Status    string        `json:"status"` // InProgress or Completed
	Created   time.Time     `json:"created"`
	Reference string        `json:"caller_reference"`
	Count     int           `json:"count"` // of items
	Items     []string      `json:"items"` // the first 5, in a list; otherwise all
	Dropped   *DroppedState `json:"dropped"`
}

// DroppedState is what an invalidation took out of memory; null where nobody counted, as before a restart.
type DroppedState struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Done    bool  `json:"done"` // every cached object was looked at. Until then there may be more, which serve nobody any more
}

func (c *Console) serveInvalidations(w http.ResponseWriter, r *http.Request) {
	if c.opts.Invalidations == nil {
		answer(w, nil, asked("there is no control API here, and so there are no invalidations"))
		return
	}
	before := r.URL.Query().Get("before")
	if before == "" {
		list, err := c.newest()
		answer(w, list, err)
		return
	}
	found, err := c.opts.Invalidations.Before(c.opts.Distribution, before, maxInvalidations+1)
	answer(w, c.page(found), err)
}

func (c *Console) newest() (*InvalidationList, error) {
	found, err := c.opts.Invalidations.Recent(c.opts.Distribution, maxInvalidations+1)
	if err != nil {
		return nil, fmt.Errorf("show invalidations: %w", err)
	}
	return c.page(found), nil
}

func (c *Console) page(found []control.Recent) *InvalidationList {
	out := &InvalidationList{List: []InvalidationState{}, More: len(found) > maxInvalidations}
	for _, one := range found[:min(len(found), maxInvalidations)] {
		s := c.invalidation(one)
		s.Items = s.Items[:min(len(s.Items), maxItems)]
		out.List = append(out.List, s)
	}
	return out
}

func (c *Console) invalidation(one control.Recent) InvalidationState {
	s := InvalidationState{ID: one.ID, Status: one.Status, Created: one.Created, Reference: one.Reference, Count: len(one.Items), Items: one.Items}
	if d, ok := c.opts.Cache.Dropped(one.Sequence); ok {
		s.Dropped = &DroppedState{d.Objects, d.Bytes, d.Done && s.Status == "Completed"}
	}
	return s
}

func (c *Console) serveInvalidation(w http.ResponseWriter, r *http.Request) {
	if c.opts.Invalidations == nil {
		answer(w, nil, control.ErrUnknown)
		return
	}
	one, err := c.opts.Invalidations.Invalidation(c.opts.Distribution, r.PathValue("id"))
	answer(w, c.invalidation(one), err)
}
