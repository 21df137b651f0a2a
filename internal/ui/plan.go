package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/site"
)

// PlanView is a plan with what people need around it.
type PlanView struct {
	Target  string // "production"
	From    string // "s3://bucket/prefix"
	To      string // the distribution's id, "" for none
	Plan    plan.Plan
	MaxRows int // steps and items listed at most; 0 means all
}

// Plan prints what a deploy does, item by item.
func (s Style) Plan(v PlanView) {
	head := s.paint(bold, v.Target) + "  " + v.From
	if v.To != "" {
		head += " → " + v.To
	}
	s.printf("%s\n\n", head)
	p := v.Plan
	if p.Resumes != "" {
		s.printf("  %s\n\n", s.paint(yellow, "Finishes release "+string(p.Resumes)+", whose run was interrupted."))
	}
	s.steps(p.Steps, v.MaxRows)
	s.printf("  %s\n", s.paint(dim, summary(p)))
	for _, w := range p.Warnings {
		s.printf("  %s %s\n", s.paint(yellow, "warning:"), w)
	}
	s.printf("\n")
	s.invalidation(v)
}

func (s Style) steps(steps []plan.Step, most int) {
	if len(steps) == 0 {
		return
	}
	shown := steps
	if most > 0 && len(shown) > most {
		shown = shown[:most]
	}
	longest := 0
	for _, st := range shown {
		longest = max(longest, Columns(string(st.Object.Key)))
	}
	for _, st := range shown {
		s.step(st, min(longest, s.keyColumns()))
	}
	if rest := len(steps) - len(shown); rest > 0 {
		s.printf("  %s\n", s.paint(dim, fmt.Sprintf("… and %s more; `freshet plan` lists them all", Number(rest))))
	}
	s.printf("\n")
}

// keyColumns is how many columns the names of a list get: on a terminal what
// the size and the reason leave, elsewhere as many as still line up nicely.
func (s Style) keyColumns() int {
	if s.columns == 0 {
		return 64
	}
	return max(s.columns-40, 20)
}

// step prints one step. Only a terminal gets shortened names: what goes into a
// file or a pipe stays whole.
func (s Style) step(st plan.Step, keyColumns int) {
	sign, c := "~", yellow
	size := Bytes(st.Object.Size)
	switch st.Op {
	case plan.OpAdd:
		sign, c = "+", green
	case plan.OpRemove, plan.OpRetire:
		sign, c, size = "-", red, ""
	}
	key := string(st.Object.Key)
	if s.columns > 0 {
		key = clip(key, keyColumns)
	}
	s.printf("  %s %s  %s   %s\n", s.paint(c, sign), pad(key, keyColumns), padLeft(size, 8), st.Why)
}

// summary is one line of counts.
func summary(p plan.Plan) string {
	var parts []string
	if n, bytes := p.Count(plan.OpAdd, plan.OpUpdate); n > 0 {
		parts = append(parts, fmt.Sprintf("%s (%s)", Count(n, "upload"), Bytes(bytes)))
	}
	if n, _ := p.Count(plan.OpHeaders); n > 0 {
		parts = append(parts, Count(n, "header change"))
	}
	now, _ := p.Count(plan.OpRemove)
	later, _ := p.Count(plan.OpRetire)
	if now+later > 0 {
		parts = append(parts, removals(now, later))
	}
	parts = append(parts, Number(p.Unchanged)+" unchanged")
	if p.Foreign > 0 {
		parts = append(parts, Count(p.Foreign, "foreign object")+" left alone")
	}
	return strings.Join(parts, " · ")
}

func removals(now, later int) string {
	switch {
	case later == 0:
		return Count(now, "removal") + " now"
	case now == 0:
		return Count(later, "unused asset") + " kept"
	}
	return fmt.Sprintf("%s now, %s kept", Count(now, "removal"), Count(later, "unused asset"))
}

func (s Style) invalidation(v PlanView) {
	c := v.Plan.Invalidation
	switch {
	case v.To == "" && len(v.Plan.Steps) > 0:
		s.printf("Nothing is invalidated: the target has no distribution.\n")
		return
	case len(c.Items) == 0:
		s.printf("Nothing to invalidate.\n")
		return
	}
	s.printf("Invalidate %s\n", s.paint(bold, Count(len(c.Items), "path")))
	s.Items(c, v.MaxRows)
	s.printf("%s\n", dropped(v.Plan))
}

// Items lists the paths of a cover with what each is for.
func (s Style) Items(c invalidation.Cover, most int) {
	shown := c.Items
	if most > 0 && len(shown) > most {
		shown = shown[:most]
	}
	columns := 0
	for _, it := range shown {
		columns = max(columns, Columns(string(it.Path)))
	}
	columns = min(columns, 64)
	for _, it := range shown {
		s.printf("  %s  %s\n", s.paint(blue, pad(string(it.Path), columns)), purpose(it))
	}
	if rest := len(c.Items) - len(shown); rest > 0 {
		s.printf("  %s\n", s.paint(dim, fmt.Sprintf("… and %s more; `freshet plan` lists them all", Number(rest))))
	}
}

func purpose(it invalidation.Item) string {
	if !it.Path.IsWildcard() {
		return it.Why
	}
	text := Count(it.CoverCount, "URL") + " that changed"
	if it.Drops == 0 {
		return text + "; drops nothing else"
	}
	return fmt.Sprintf("%s; also drops %s (%s)", text, Count(it.Drops, "untouched object"), Bytes(it.DropsBytes))
}

func dropped(p plan.Plan) string {
	c := p.Invalidation
	text := "Drops " + Count(c.Drops, "untouched object")
	if c.Drops > 0 {
		text += " (" + Bytes(c.DropsBytes) + ")"
	}
	text += "."
	if p.LiveObjects > c.Drops {
		text += fmt.Sprintf(` "/*" would drop %s (%s).`, Number(p.LiveObjects), Bytes(p.LiveBytes))
	}
	return text
}

// PlanJSON is the JSON form of a plan; docs/json.md describes it.
type PlanJSON struct {
	Release      string     `json:"release"`
	Base         string     `json:"base"`
	Resumes      string     `json:"resumes"`
	Target       string     `json:"target"`
	Bucket       string     `json:"bucket"`
	Distribution string     `json:"distribution"`
	Steps        []StepJSON `json:"steps"`
	Unchanged    int        `json:"unchanged"`
	Foreign      int        `json:"foreign"`
	Invalidation CoverJSON  `json:"invalidation"`
	Warnings     []string   `json:"warnings"`
	Guards       []string   `json:"guards"`
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

// CoverJSON is the invalidation of a plan.
type CoverJSON struct {
	Items            []invalidation.Item `json:"items"`
	DroppedUntouched int                 `json:"dropped_untouched"`
	DroppedBytes     int64               `json:"dropped_bytes"`
	// EverythingObjects is what "/*" would drop needlessly.
	EverythingObjects int   `json:"everything_objects"`
	EverythingBytes   int64 `json:"everything_bytes"`
}

// NewPlanJSON puts a plan into its JSON form.
func NewPlanJSON(v PlanView) PlanJSON {
	p := v.Plan
	out := PlanJSON{
		Release: string(p.Release), Base: string(p.Base), Resumes: string(p.Resumes),
		Target: v.Target, Bucket: v.From, Distribution: v.To,
		Steps: []StepJSON{}, Unchanged: p.Unchanged, Foreign: p.Foreign,
		Invalidation: NewCoverJSON(p.Invalidation, p.LiveObjects, p.LiveBytes),
		Warnings:     list(p.Warnings), Guards: list(p.Guards),
	}
	for _, s := range p.Steps {
		j := StepJSON{
			Op: string(s.Op), Key: string(s.Object.Key), Size: s.Object.Size,
			Kind: string(s.Object.Kind), Headers: s.Object.Headers, Why: s.Why,
		}
		if !s.Object.Digest.IsZero() {
			j.SHA256 = s.Object.Digest.String()
		}
		if s.Op != plan.OpRemove && s.Op != plan.OpRetire {
			j.Phase = s.Phase.String()
		}
		out.Steps = append(out.Steps, j)
	}
	return out
}

// NewCoverJSON puts a cover into its JSON form.
func NewCoverJSON(c invalidation.Cover, objects int, bytes int64) CoverJSON {
	items := list(slices.Clone(c.Items))
	for i := range items {
		items[i].Covers = list(items[i].Covers)
	}
	return CoverJSON{items, c.Drops, c.DropsBytes, objects, bytes}
}

// list makes sure that an empty list is [] in JSON, never null.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
