package deploy

import (
	"cmp"
	"fmt"
	"slices"
)

// FleetVerification is what the edges of a fleet were seen to serve, each by
// itself.
type FleetVerification struct {
	Edges    int       // that answer from their caches
	Proved   int       // of these, those that gave the new version and nothing else
	Nameless int       // those that say no address, and were not asked
	Unasked  []Unasked // those that gave no answer, by name
	Unread   string    // why nobody knows which edges there are, "" where somebody does
}

// Unasked is an edge that could not be asked.
type Unasked struct{ Edge, Why string }

// verification is what has been seen at all places.
func (e *Engine) verification(r round, of int) Verification {
	v := Verification{Of: of}
	if r.fleet != nil {
		known := *r.fleet
		known.Unasked = slices.Clone(known.Unasked)
		v.Fleet = &known
	}
	for _, p := range r.places {
		stale := e.stale(p)
		switch {
		case p.unasked != nil && p.edge == "":
			v.Unseen = p.unasked.Error()
			continue
		case p.unasked != nil:
			v.Fleet.Unasked = append(v.Fleet.Unasked, Unasked{p.edge, p.unasked.Error()})
			continue
		case p.edge != "" && len(stale) == 0:
			v.Fleet.Proved++
		}
		v.Checked = max(v.Checked, len(p.asked))
		v.Stale = append(v.Stale, stale...)
	}
	if v.Fleet != nil {
		slices.SortStableFunc(v.Fleet.Unasked, func(a, b Unasked) int { return cmp.Compare(a.Edge, b.Edge) })
	}
	return v
}

// Unproved says, a line each, at which places of a fleet nothing could be proved;
// nil without a fleet.
func (v Verification) Unproved() []string {
	f := v.Fleet
	if f == nil {
		return nil
	}
	var out []string
	if f.Unread != "" {
		out = append(out, "no edge was asked by itself: "+f.Unread)
	}
	if v.Unseen != "" && f.Proved > 0 {
		out = append(out, "where the site's name leads could not be asked: "+v.Unseen)
	}
	const most = 5
	var others []string
	for i, u := range f.Unasked {
		if i < most {
			out = append(out, fmt.Sprintf("%s could not be asked: %s", u.Edge, u.Why))
		} else {
			others = append(others, u.Edge)
		}
	}
	if len(others) > 0 {
		out = append(out, fmt.Sprintf("%d more edges could not be asked: %s", len(others), some(others)))
	}
	if f.Nameless > 0 {
		out = append(out, fmt.Sprintf("%d of %d edges could not be asked: they name no address", f.Nameless, f.Edges))
	}
	return out
}

// proved is the number of edges of which it is told; 0 for nil.
func (v *FleetVerification) proved() int {
	if v == nil {
		return 0
	}
	return v.Proved
}
