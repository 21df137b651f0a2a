package controlnode

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
)

// How much the page is told at a time.
const (
	maxDistributions = 200
	maxInvalidations = 50 // of a distribution, the newest
	maxItems         = 5  // of an invalidation in a list; its own address has all
)

// Distributions are those of the fleet as this node knows them.
type Distributions struct {
	List []Distribution `json:"list"` // by id, the first 200
	More int            `json:"more"` // further ones
}

// Distribution is one distribution at a glance.
type Distribution struct {
	ID       string   `json:"id"`
	Domain   string   `json:"domain"`
	Aliases  []string `json:"aliases"`
	Comment  string   `json:"comment"`
	Enabled  bool     `json:"enabled"`
	Deployed bool     `json:"deployed"` // every edge that may answer from its cache has the configuration
	Pending  int      `json:"pending"`  // invalidations that are not Completed
	Mark     string   `json:"mark"`     // differs whenever an invalidation was accepted or completed in between
}

// Invalidations are the newest of a distribution, at most 50, newest first.
type Invalidations struct {
	List []Invalidation `json:"list"`
}

// Invalidation is one invalidation.
type Invalidation struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"` // InProgress or Completed
	Created   time.Time `json:"created"`
	Reference string    `json:"caller_reference"`
	Count     int       `json:"count"` // of items
	Items     []string  `json:"items"` // the first 5, in a list; otherwise all
}

// showDistributions reads this node's own view, which costs the log nothing: the page asks each second.
func (p *page) showDistributions(w http.ResponseWriter, _ *http.Request) {
	found, err := p.s.server().Glances()
	if err != nil {
		p.refuseAs(w, err)
		return
	}
	shown := found[:min(len(found), maxDistributions)]
	out := Distributions{List: make([]Distribution, 0, len(shown)), More: len(found) - len(shown)}
	for _, d := range shown {
		out.List = append(out.List, Distribution{
			ID: d.ID, Domain: d.DomainName, Aliases: append([]string{}, d.Aliases...), Comment: d.Comment, Enabled: d.Enabled,
			Deployed: d.Deployed, Pending: d.Pending, Mark: fmt.Sprintf("%d-%d", d.Mark.Newest, d.Mark.Pending),
		})
	}
	answer(w, http.StatusOK, out)
}

func (p *page) showInvalidations(w http.ResponseWriter, r *http.Request) {
	found, err := p.s.server().Recent(r.PathValue("id"), maxInvalidations)
	if err != nil {
		p.refuseAs(w, err)
		return
	}
	out := Invalidations{List: make([]Invalidation, 0, len(found))}
	for _, one := range found {
		brief := all(one)
		brief.Items = brief.Items[:min(len(brief.Items), maxItems)]
		out.List = append(out.List, brief)
	}
	answer(w, http.StatusOK, out)
}

func (p *page) showInvalidation(w http.ResponseWriter, r *http.Request) {
	found, err := p.s.server().Invalidation(r.PathValue("id"), r.PathValue("invalidation"))
	switch {
	case errors.Is(err, control.ErrUnknown):
		refuse(w, http.StatusNotFound, control.ErrUnknown)
	case err != nil:
		p.refuseAs(w, err)
	default:
		answer(w, http.StatusOK, all(found))
	}
}

// all is an invalidation with all its items.
func all(one control.Recent) Invalidation {
	return Invalidation{
		ID: one.ID, Status: one.Status, Created: one.Created, Reference: one.Reference, Count: len(one.Items), Items: one.Items,
	}
}
