package ui

import (
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/site"
)

// PlanJSON is the JSON form of a plan; docs/json.md describes it.
type PlanJSON struct {
	Release       string      `json:"release"`
	Base          string      `json:"base"`
	Resumes       string      `json:"resumes"`
	Target        string      `json:"target"`
	Bucket        string      `json:"bucket"`
	Steps         []StepJSON  `json:"steps"`
	Unchanged     int         `json:"unchanged"`
	Foreign       int         `json:"foreign"`
	Invalidations []PurgeJSON `json:"invalidations"`
	// DroppedUntouched is over all distributions.
	DroppedUntouched int        `json:"dropped_untouched"`
	Money            plan.Money `json:"money"`
	Warnings         []string   `json:"warnings"`
	Guards           []string   `json:"guards"`
}

// StepJSON is one step of a plan.
type StepJSON struct {
	Op      string       `json:"op"`
	Phase   string       `json:"phase,omitempty"`
	Key     string       `json:"key"`
	Size    int64        `json:"size"`
	SHA256  string       `json:"sha256,omitempty"`
	Kind    string       `json:"kind"`
	Headers site.Headers `json:"headers"`
	Why     string       `json:"why"`
}

// PurgeJSON is what is invalidated on one distribution.
type PurgeJSON struct {
	Distribution     string              `json:"distribution"`
	Policy           string              `json:"policy"`
	Items            []invalidation.Item `json:"items"`
	Changed          []URLJSON           `json:"changed"`
	DroppedUntouched int                 `json:"dropped_untouched"`
	DroppedBytes     int64               `json:"dropped_bytes"`
	// EverythingObjects is what "/*" would drop needlessly.
	EverythingObjects int     `json:"everything_objects"`
	EverythingBytes   int64   `json:"everything_bytes"`
	SubmitSeconds     float64 `json:"submit_seconds"`
}

// URLJSON is a viewer URL whose answer changes, and why it is one.
type URLJSON struct {
	URL string `json:"url"`
	Key string `json:"key"`
	Why string `json:"why"`
}

// NewPlanJSON puts a plan into its JSON form.
func NewPlanJSON(v PlanView) PlanJSON {
	p := v.Plan
	out := PlanJSON{
		Release: string(p.Release), Base: string(p.Base), Resumes: string(p.Resumes), Target: v.Target, Bucket: v.From,
		Steps: []StepJSON{}, Unchanged: p.Unchanged, Foreign: p.Foreign, Invalidations: []PurgeJSON{}, Money: p.Money,
		Warnings: list(p.Warnings), Guards: list(p.Guards),
	}
	out.DroppedUntouched, _ = p.Drops()
	for _, s := range p.Steps {
		out.Steps = append(out.Steps, stepJSON(s))
	}
	for _, u := range p.Purges {
		out.Invalidations = append(out.Invalidations, purgeJSON(u))
	}
	return out
}

func stepJSON(s plan.Step) StepJSON {
	j := StepJSON{
		Op: string(s.Op), Key: string(s.Object.Key), Size: s.Object.Size,
		Kind: string(s.Object.Kind), Headers: s.Object.Headers.Get(), Why: s.Why,
	}
	if !s.Object.Digest.IsZero() {
		j.SHA256 = s.Object.Digest.String()
	}
	if s.Op != plan.OpRemove && s.Op != plan.OpRetire {
		j.Phase = s.Phase.String()
	}
	return j
}

func purgeJSON(u plan.Purge) PurgeJSON {
	out := PurgeJSON{
		Distribution: u.Distribution, Policy: string(u.Policy), Items: Items(u.Cover.Items), Changed: []URLJSON{},
		DroppedUntouched: u.Cover.Drops, DroppedBytes: u.Cover.DropsBytes,
		EverythingObjects: u.LiveObjects, EverythingBytes: u.LiveBytes, SubmitSeconds: u.Seconds,
	}
	for _, c := range u.Changed {
		out.Changed = append(out.Changed, URLJSON{string(c.Path), string(c.Object), c.Why})
	}
	return out
}

// Items is items for JSON: no list in them is null. The given ones stay as they
// are.
func Items(items []invalidation.Item) []invalidation.Item {
	out := make([]invalidation.Item, len(items))
	for i, it := range items {
		it.Covers = list(it.Covers)
		out[i] = it
	}
	return out
}

// list makes sure that an empty list is [] in JSON, never null.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
