package main

import (
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
)

// deployAnswer is the JSON answer of deploy; docs/json.md describes it.
type deployAnswer struct {
	Release          string          `json:"release"`
	Target           string          `json:"target"`
	Changed          bool            `json:"changed"`
	Uploaded         countJSON       `json:"uploaded"`
	UpdatedHeaders   int             `json:"updated_headers"`
	Removed          int             `json:"removed"`
	Retired          int             `json:"retired"`
	Swept            int             `json:"swept"`
	Restores         string          `json:"restores,omitempty"` // of a rollback
	Revision         string          `json:"revision,omitempty"`
	Unchanged        int             `json:"unchanged"`
	Foreign          int             `json:"foreign"`
	Invalidation     submittedJSON   `json:"invalidation"`
	Invalidations    []submittedJSON `json:"invalidations"`
	DroppedUntouched int             `json:"dropped_untouched"`
	Verified         verifiedJSON    `json:"verified"`
	URL              string          `json:"url"`
	DurationMS       int64           `json:"duration_ms"`
	Warnings         []string        `json:"warnings"`
	Error            *errorJSON      `json:"error,omitempty"`
}

type countJSON struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

type submittedJSON struct {
	Distribution string   `json:"distribution"`
	ID           string   `json:"id"`  // of the first request
	IDs          []string `json:"ids"` // of all
	Status       string   `json:"status"`
	Items        []string `json:"items"`
}

// together is the sum of all distributions' invalidations: completed when all
// are. With one distribution, the usual case, it is that one's.
func together(all []submittedJSON) submittedJSON {
	out := submittedJSON{IDs: []string{}, Items: []string{}}
	for i, s := range all {
		if i == 0 {
			out.Distribution, out.ID, out.Status = s.Distribution, s.ID, s.Status
		} else if s.Status != remote.Completed {
			out.Status = s.Status
		}
		out.IDs, out.Items = append(out.IDs, s.IDs...), append(out.Items, s.Items...)
	}
	return out
}

type verifiedJSON struct {
	Checked int         `json:"checked"`
	Of      int         `json:"of"`
	Stale   []staleJSON `json:"stale"`
	// Fleet is null where there are no edges of freshet's own.
	Fleet *verifiedFleetJSON `json:"fleet"`
}

type staleJSON struct {
	URL  string `json:"url"`
	Why  string `json:"why"`
	Edge string `json:"edge,omitempty"` // of a fleet
}

// verifiedFleetJSON is at which edges of a fleet it was proved.
type verifiedFleetJSON struct {
	Edges     int           `json:"edges"`
	Proved    int           `json:"proved"`
	NoAddress int           `json:"no_address"`
	NotAsked  []unaskedJSON `json:"not_asked"`
}

type unaskedJSON struct {
	Edge string `json:"edge"`
	Why  string `json:"why"`
}

func deployJSON(pub *publication, res deploy.Result, took time.Duration) deployAnswer {
	p := pub.plan
	out := deployAnswer{
		Release: string(res.Release), Target: pub.target.name, Changed: res.Changed, Unchanged: p.Unchanged, Foreign: p.Foreign,
		Invalidations: []submittedJSON{},
		Verified:      verified(res.Verified),
		Restores:      string(p.Restores),
		URL:           pub.target.url, DurationMS: took.Milliseconds(), Warnings: append([]string{}, p.Warnings...),
	}
	out.Warnings = append(out.Warnings, res.Warnings...)
	if res.Verified.Unseen != "" && res.Verified.Checked == 0 {
		out.Warnings = append(out.Warnings, "not verified: "+res.Verified.Unseen)
	}
	out.Warnings = append(out.Warnings, res.Verified.Unproved()...)
	for _, sub := range res.Invalidations {
		out.Invalidations = append(out.Invalidations, submitted(sub))
	}
	out.Invalidation = together(out.Invalidations)
	out.DroppedUntouched, _ = p.Drops()
	out.Uploaded.Count, out.Uploaded.Bytes = p.Count(plan.OpAdd, plan.OpUpdate)
	out.UpdatedHeaders, _ = p.Count(plan.OpHeaders)
	out.Removed, _ = p.Count(plan.OpRemove)
	out.Retired, _ = p.Count(plan.OpRetire)
	out.Swept, _ = p.Count(plan.OpSweep)
	if pub.revision != nil {
		out.Revision = pub.revision.Name
	}
	return out
}

func verified(v deploy.Verification) verifiedJSON {
	out := verifiedJSON{Checked: v.Checked, Of: v.Of, Stale: []staleJSON{}}
	for _, s := range v.Stale {
		out.Stale = append(out.Stale, staleJSON{s.Base + string(s.Path), s.Why, s.Edge})
	}
	if f := v.Fleet; f != nil {
		out.Fleet = &verifiedFleetJSON{f.Edges, f.Proved, f.Nameless, []unaskedJSON{}}
		for _, u := range f.Unasked {
			out.Fleet.NotAsked = append(out.Fleet.NotAsked, unaskedJSON{u.Edge, u.Why})
		}
	}
	return out
}

func submitted(s deploy.Submitted) submittedJSON {
	out := submittedJSON{Distribution: s.Distribution, IDs: append([]string{}, s.IDs...), Status: s.Status, Items: append([]string{}, s.Items...)}
	if len(s.IDs) > 0 {
		out.ID = s.IDs[0]
	}
	return out
}
