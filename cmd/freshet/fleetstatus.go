package main

import (
	"context"
	"fmt"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/ui"
)

// fleet asks the target's control API for its edges; nil where it is none of freshet's own.
func (t *target) fleet(ctx context.Context) (*remote.Fleet, error) {
	cdn, ok := t.cdn.(remote.FleetReader)
	if !ok || t.embedded {
		return nil, nil
	}
	return cdn.Fleet(ctx)
}

// showFleet tells of each edge: what it does, how far it is, when it was heard of. f may be nil.
func (a *app) showFleet(f *remote.Fleet) {
	if f == nil {
		return
	}
	a.say("\n  Fleet     %s, as control node %s knows them (%s)", ui.Count(len(f.Edges), "edge"), ui.Visible(f.Node), ui.Visible(f.Version))
	if !f.Reached {
		a.say("            Most of the control nodes cannot be reached: nothing can be changed or invalidated until they are.")
	}
	width := 0
	for _, e := range f.Edges {
		width = max(width, ui.Columns(ui.Visible(e.Name)))
	}
	for _, e := range f.Edges {
		name := ui.Visible(e.Name)
		a.say("    %s%*s  %-7s  %s", name, width-ui.Columns(name), "", ui.Visible(e.State), edgeFacts(e))
	}
}

// edgeFacts are an edge's, in the order in which somebody in a hurry needs them.
func edgeFacts(e remote.FleetEdge) string {
	text := "up to date"
	switch {
	case e.State == "ended":
		return "left, or was given up"
	case e.Lag > 0:
		text = ui.Count(int(e.Lag), "change") + " behind"
	}
	text += fmt.Sprintf(", heard of %.1f s ago, lease %g s, %s", e.Renewed, e.Lease, ui.Visible(e.Version))
	if e.Fenced > 0 {
		text += fmt.Sprintf(", %s without a lease", ui.Count(int(e.Fenced), "time"))
	}
	if e.Address != "" {
		text += ", " + ui.Visible(e.Address)
	}
	return text
}
