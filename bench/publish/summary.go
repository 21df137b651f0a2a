package main

import (
	"cmp"
	"fmt"
	"slices"
)

// summary is what a tool did in a scenario over all rounds.
type summary struct {
	result            // the turn with the median wall time: its counts and, if it was not sound, its errors
	low, high float64 // wall times, the shortest and the longest
	turns     int
	broken    int // how many of the turns were not sound
}

// group is one scenario with one site at one latency.
type group struct {
	site     int
	latency  int64
	scenario string
	rows     []summary // in the order of the tools' first turns
	best     bests
}

// bests are the least figures of the peers (every tool but freshet) whose turns were all sound; 0 where there is none.
type bests struct {
	wall, fastest, cpu, peak float64
}

// summarize joins the turns of each tool, in the order in which sites, latencies, scenarios and tools first appear.
func summarize(results []result) []group {
	var groups []group
	turns := map[string][]result{}
	key := func(r result) string { return fmt.Sprint(r.Site, " ", r.Latency, " ", r.Scenario, " ", r.Tool) }
	for _, r := range results {
		if r.Scale {
			continue
		}
		g := slices.IndexFunc(groups, func(g group) bool { return g.site == r.Site && g.latency == r.Latency && g.scenario == r.Scenario })
		if g < 0 {
			g = len(groups)
			groups = append(groups, group{site: r.Site, latency: r.Latency, scenario: r.Scenario})
		}
		if len(turns[key(r)]) == 0 {
			groups[g].rows = append(groups[g].rows, summary{result: r})
		}
		turns[key(r)] = append(turns[key(r)], r)
	}
	for i := range groups {
		for j := range groups[i].rows {
			groups[i].rows[j] = joined(turns[key(groups[i].rows[j].result)])
		}
		groups[i].best = bestOf(groups[i].rows)
	}
	return groups
}

// joined joins turns of one tool: medians of wall and processor time, the highest peak.
func joined(turns []result) summary {
	byWall := slices.SortedFunc(slices.Values(turns), func(a, b result) int { return cmp.Compare(a.Wall, b.Wall) })
	byCPU := slices.SortedFunc(slices.Values(turns), func(a, b result) int { return cmp.Compare(a.CPU, b.CPU) })
	s := summary{result: byWall[(len(turns)-1)/2], low: byWall[0].Wall, high: byWall[len(turns)-1].Wall, turns: len(turns)}
	s.CPU = byCPU[(len(turns)-1)/2].CPU
	for _, t := range turns {
		s.Peak = max(s.Peak, t.Peak)
		if !t.sound() {
			s.broken++
			s.Exit, s.Missing, s.Different, s.Said = t.Exit, t.Missing, t.Different, t.Said
		}
	}
	return s
}

func bestOf(rows []summary) (b bests) {
	for _, row := range rows {
		if isOurs(row.result) || row.broken > 0 {
			continue
		}
		b.wall, b.fastest = least(b.wall, row.Wall), least(b.fastest, row.low)
		b.cpu, b.peak = least(b.cpu, row.CPU), least(b.peak, row.Peak)
	}
	return b
}

// isOurs says whether the turn is freshet's, under whatever name it was measured: it is the one that is compared with the others.
func isOurs(r result) bool { return r.Tool == ours || r.Ours }

func least(old, value float64) float64 {
	if old == 0 {
		return value
	}
	return min(old, value)
}

// ratio is value ÷ best to two places, or a dash where there is no best.
func ratio(value, best float64) string {
	if best == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", value/best)
}

// seconds writes a time with three digits that count.
func seconds(s float64) string {
	switch {
	case s < 9.995:
		return fmt.Sprintf("%.2f s", s)
	case s < 99.95:
		return fmt.Sprintf("%.1f s", s)
	}
	return thousands(int(s+0.5)) + " s"
}

// megabytes writes bytes as MB, of 10^6, or GB.
func megabytes(n int64) string {
	mb := float64(n) / 1e6
	switch {
	case mb < 9.95:
		return fmt.Sprintf("%.1f MB", mb)
	case mb >= 9_950:
		return fmt.Sprintf("%.1f GB", mb/1000)
	}
	return thousands(int(mb+0.5)) + " MB"
}
