package main

import (
	"bytes"
	"fmt"
	"maps"

	"github.com/freshet/freshet/internal/durable"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/ui"
	"github.com/freshet/freshet/internal/ui/report"
)

// writeReport draws the plan of pub as a page.
func (pub *publication) writeReport(path string) error {
	var page bytes.Buffer
	if err := report.Write(&page, pub.report()); err != nil {
		return err
	}
	if err := durable.WriteFile(path, page.Bytes(), 0o644); err != nil {
		return noPlace(fmt.Errorf("write the report: %w", err), "`freshet plan --html report.html`")
	}
	return nil
}

func (pub *publication) report() report.Data {
	p := pub.plan
	d := report.Data{
		Target: pub.target.name, Bucket: pub.target.store.String(), Made: pub.made,
		Release: string(p.Release), Base: string(p.Base), Summary: ui.Summary(p), Objects: pub.marked(),
		Money:    report.Money{Paths: p.Money.Paths, Used: p.Money.Used, Budget: p.Money.Budget, Price: p.Money.Price, Text: ui.Money(p.Money)},
		Warnings: p.Warnings, Guards: p.Guards,
	}
	for _, s := range p.Steps {
		d.Steps = append(d.Steps, report.Step{Op: report.Op(s.Op), Key: string(s.Object.Key), Size: s.Object.Size, Why: s.Why})
	}
	for i, u := range p.Purges {
		d.Distributions = append(d.Distributions, reportOf(pub.target.distributions[i], u))
	}
	return d
}

func reportOf(dist distribution, u plan.Purge) report.Distribution {
	out := report.Distribution{
		ID: u.Distribution, Domain: dist.Domain, Drops: u.Cover.Drops, DropsBytes: u.Cover.DropsBytes,
		EverythingObjects: u.LiveObjects, EverythingBytes: u.LiveBytes,
		Optimal: optimal(u.Policy), Seconds: u.Seconds, Policy: string(u.Policy),
	}
	for _, it := range u.Cover.Items {
		out.Items = append(out.Items, report.Item{
			Path: string(it.Path), Why: ui.Purpose(it), Covers: it.Covers, CoverCount: it.CoverCount, Drops: it.Drops, DropsBytes: it.DropsBytes,
		})
	}
	return out
}

// optimal says in what sense a cover is the best.
func optimal(policy invalidation.Policy) string {
	switch policy {
	case invalidation.PolicyExact:
		return "No other set of paths drops fewer untouched objects, and none that drops as few is shorter."
	case invalidation.PolicyFrugal:
		return "No shorter set of paths covers everything that changed, and none as short drops fewer untouched objects."
	}
	return "Nothing untouched is dropped as long as the month's share of paths allows; beyond it one path weighs as much as ten untouched objects."
}

// marked lists every object with what the plan does to it.
func (pub *publication) marked() []report.Object {
	marks := map[site.Key]report.Mark{}
	for _, s := range pub.plan.Steps {
		marks[s.Object.Key] = map[plan.Op]report.Mark{
			plan.OpAdd: report.MarkAdded, plan.OpUpdate: report.MarkUpdated, plan.OpHeaders: report.MarkHeaders,
			plan.OpRemove: report.MarkRemoved, plan.OpSweep: report.MarkRemoved, plan.OpRetire: report.MarkRetired,
		}[s.Op]
	}
	var out []report.Object
	seen := map[site.Key]bool{}
	add := func(o site.Object, mark report.Mark) {
		if !seen[o.Key] {
			seen[o.Key] = true
			out = append(out, report.Object{Key: string(o.Key), Size: o.Size, Mark: mark})
		}
	}
	dropped := pub.dropped(marks)
	for o := range pub.plan.Site.All() {
		mark := marks[o.Key]
		if dropped[o.Key] {
			mark = report.MarkDropped
		}
		add(o, mark)
	}
	for o := range pub.live.All() {
		mark, changed := marks[o.Object.Key]
		if !changed && !o.Ours {
			mark = report.MarkForeign
		}
		add(*o.Object, mark)
	}
	return out
}

// dropped are the objects that the plan throws out of the caches although they
// do not change.
func (pub *publication) dropped(marks map[site.Key]report.Mark) map[site.Key]bool {
	out := map[site.Key]bool{}
	for i, u := range pub.plan.Purges {
		if u.Cover.Drops == 0 {
			continue
		}
		var untouched []invalidation.URL
		for o := range pub.plan.Site.All() {
			path, shown := pub.target.distributions[i].view.Own(o.Key)
			if _, changed := marks[o.Key]; !shown || changed {
				continue
			}
			url := invalidation.URL{Path: path, Object: o.Key}
			if o.Headers.Get().Tags != "" {
				url.Kind = o.Kind
			}
			untouched = append(untouched, url)
		}
		maps.Copy(out, u.Cover.Dropped(untouched))
	}
	return out
}
