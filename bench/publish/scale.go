package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/freshet/freshet/bench/publish/blog"
)

// changes is the scenario of a flat site in which some pages have other bytes, spread evenly.
const changes = "changes"

var scaleScenarios = []string{first, nothing, changes}

// steps are the sizes of the curve, as far as it is asked for; the last is what is asked for.
func steps(most int) (out []int) {
	for _, n := range []int{2_000, 20_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000} {
		if n < most {
			out = append(out, n)
		}
	}
	return append(out, most)
}

// changesAt is how many pages of a flat site change: 5,000, but at most 5 %.
func changesAt(n int) int { return max(1, min(5000, n/20)) }

// curve measures freshet alone on flat sites of growing size, at the first of the latencies.
func (b *bench) curve(ctx context.Context) error {
	at := slices.IndexFunc(b.tools, func(t tool) bool { return t.name == ours })
	if at < 0 {
		return fmt.Errorf("measure the curve: it is freshet's, and -tools leaves it out")
	}
	for _, n := range steps(b.opts.scale) {
		if err := b.flat(ctx, b.tools[at], n); err != nil {
			return fmt.Errorf("measure %d files: %w", n, err)
		}
	}
	return nil
}

func (b *bench) flat(ctx context.Context, t tool, n int) (err error) {
	site := filepath.Join(b.dir, "site")
	defer func() { err = joinRemove(err, site) }()
	s, err := b.stage(ctx, t, site)
	if err != nil {
		return err
	}
	defer s.close()
	for _, scenario := range scaleScenarios {
		changed := 0
		switch scenario {
		case first:
			changed, err = blog.WriteFlat(ctx, site, n, 1, changesAt(n), false)
		case changes:
			changed, err = blog.WriteFlat(ctx, site, n, 2, changesAt(n), true)
		}
		if err != nil {
			return err
		}
		if err := b.settle(ctx, site); err != nil {
			return err
		}
		now, err := readTree(ctx, site)
		if err != nil {
			return err
		}
		now.changed = changed
		r, err := b.turn(ctx, s, b.opts.latencies[0], now)
		if err != nil {
			return err
		}
		r.Site, r.Scenario, r.Round, r.Scale = n, scenario, 1, true
		if err := b.keep(r); err != nil {
			return err
		}
	}
	return nil
}

// point is what was measured at one size of the curve.
type point struct {
	files int
	by    map[string]result // by scenario
}

// scalePoints are the points of the curve by size, as far as they are complete and sound; of a repeated one the last counts.
func scalePoints(results []result) (out []point) {
	for _, r := range results {
		if !r.Scale || !r.sound() {
			continue
		}
		i := slices.IndexFunc(out, func(p point) bool { return p.files == r.Site })
		if i < 0 {
			i = len(out)
			out = append(out, point{r.Site, map[string]result{}})
		}
		out[i].by[r.Scenario] = r
	}
	out = slices.DeleteFunc(out, func(p point) bool { return len(p.by) < len(scaleScenarios) })
	slices.SortFunc(out, func(a, b point) int { return a.files - b.files })
	return out
}

func scaleTitle(scenario string) string {
	if scenario == changes {
		return "Some changed"
	}
	return titles[scenario]
}

func scaleTable(points []point) table {
	t := table{head: []string{"files", "", "changed", "wall", "CPU", "peak memory", "requests", "in a row", "sent"}, left: 2}
	for _, p := range points {
		for _, scenario := range scaleScenarios {
			r := p.by[scenario]
			t.rows = append(t.rows, []string{
				thousands(p.files), scaleTitle(scenario), thousands(r.Changed), seconds(r.Wall), seconds(r.CPU), fmt.Sprintf("%.0f MB", r.Peak),
				kinds(r.Kinds), thousands(r.Chain), megabytes(r.Sent),
			})
		}
	}
	return t
}

// line is y = base + each·x.
type line struct{ base, each float64 }

// fitted is the line with the least relative errors: each point weighs 1/y², so that small sizes count as much as large ones. With fewer than
// two sizes, or where the base would be negative, it goes through the origin.
func fitted(x, y []float64) line {
	var w, wx, wy, wxx, wxy float64
	for i := range x {
		k := 1 / (y[i] * y[i])
		w, wx, wy, wxx, wxy = w+k, wx+k*x[i], wy+k*y[i], wxx+k*x[i]*x[i], wxy+k*x[i]*y[i]
	}
	if d := w*wxx - wx*wx; len(x) > 1 && d > 0 {
		each := (w*wxy - wx*wy) / d
		if base := (wy - each*wx) / w; base >= 0 {
			return line{base, each}
		}
	}
	return line{0, wxy / wxx}
}

func (l line) at(x float64) float64 { return l.base + l.each*x }

// estimated is the size for which the curve is continued.
const estimated = 10_000_000

// estimates says what the curve would come to at 10 million files, and how far the points are from it; nothing with fewer than three.
func estimates(points []point) (out []string) {
	if len(points) < 3 {
		return nil
	}
	last := len(points) - 1
	more := estimated / float64(points[last].files)
	for _, scenario := range scaleScenarios {
		var x, wall, peak []float64
		for _, p := range points {
			r := p.by[scenario]
			x, wall, peak = append(x, float64(p.files)), append(wall, r.Wall), append(peak, r.Peak)
		}
		w, m := fitted(x, wall), fitted(x, peak)
		out = append(out, fmt.Sprintf("%s: wall %s + %.1f µs a file, memory %.0f MB + %.0f bytes a file (fitted; off by at most %.0f %% and %.0f %%). At %s files: %s and %s (in proportion to the largest site alone: %s and %s).",
			scaleTitle(scenario), seconds(w.base), w.each*1e6, m.base, m.each*1e6, 100*w.off(x, wall), 100*m.off(x, peak),
			thousands(estimated), seconds(w.at(estimated)), megabytes(int64(m.at(estimated)*1e6)), seconds(wall[last]*more), megabytes(int64(peak[last]*more*1e6))))
	}
	return out
}

// off is the largest relative distance of a point from the line.
func (l line) off(x, y []float64) (most float64) {
	for i := range x {
		d := l.at(x[i])/y[i] - 1
		most = max(most, d, -d)
	}
	return most
}
