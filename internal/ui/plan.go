package ui

import (
	"fmt"
	"strings"

	"github.com/freshet/freshet/internal/publish/plan"
)

// PlanView is a plan with what people need around it.
type PlanView struct {
	Target  string // "production"
	From    string // "s3://bucket/prefix"
	To      string // the distributions' ids, "" for none
	Plan    plan.Plan
	MaxRows int // steps and items listed at most; 0 means all
	// Ledger says why the month's count is not whole; "" where it is.
	Ledger string
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
	if p.Restores != "" {
		s.printf("  %s\n\n", s.paint(bold, "Makes release "+string(p.Restores)+" live again, as release "+string(p.Release)+"."))
	}
	s.steps(p.Steps, v.MaxRows)
	s.printf("  %s\n", s.paint(dim, Summary(p)))
	for _, w := range p.Warnings {
		s.printf("  %s %s\n", s.paint(yellow, "warning:"), Visible(w))
	}
	s.printf("\n")
	s.purges(v)
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
		longest = max(longest, Columns(Visible(string(st.Object.Key))))
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
	case plan.OpRemove, plan.OpRetire, plan.OpSweep:
		sign, c, size = "-", red, ""
	}
	key := Visible(string(st.Object.Key))
	if s.columns > 0 {
		key = clip(key, keyColumns)
	}
	s.printf("  %s %s  %s   %s\n", s.paint(c, sign), pad(key, keyColumns), padLeft(size, 8), Visible(st.Why))
}

// Summary is one line of counts.
func Summary(p plan.Plan) string {
	var parts []string
	if n, bytes := p.Count(plan.OpAdd, plan.OpUpdate); n > 0 {
		what := "upload"
		if p.Restores != "" {
			what = "restored object" // copied within the bucket
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", Count(n, what), Bytes(bytes)))
	}
	if n, _ := p.Count(plan.OpHeaders); n > 0 {
		parts = append(parts, Count(n, "header change"))
	}
	now, _ := p.Count(plan.OpRemove)
	later, _ := p.Count(plan.OpRetire)
	if now+later > 0 {
		parts = append(parts, removals(now, later))
	}
	if n, _ := p.Count(plan.OpSweep); n > 0 {
		parts = append(parts, Count(n, "unused asset")+" deleted")
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
