package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/freshet/freshet/bench/publish/chart"
)

const scaleChart = "scale.svg"

func chartName(site int) string { return fmt.Sprintf("wall-%d.svg", site) }

// writeCharts draws a chart for each size of the site, and the curve, into a folder.
func writeCharts(dir string, results []result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	groups := summarize(results)
	var sites []int
	for _, g := range groups {
		if !slices.Contains(sites, g.site) {
			sites = append(sites, g.site)
		}
	}
	for _, site := range sites {
		if err := os.WriteFile(filepath.Join(dir, chartName(site)), wallChart(groups, site).SVG(), 0o644); err != nil {
			return err
		}
	}
	if points := scalePoints(results); len(points) > 0 {
		return os.WriteFile(filepath.Join(dir, scaleChart), curveChart(points).SVG(), 0o644)
	}
	return nil
}

// wallChart shows wall times: a row for each scenario, a column for each latency.
func wallChart(groups []group, site int) chart.Bars {
	b := chart.Bars{
		Title:    fmt.Sprintf("Publishing a blog of %s files", thousands(site)),
		Subtitle: "Median wall time; in brackets its ratio to the best of the others. Thin lines go from the fastest turn to the slowest.\nThe rows have scales of their own. A bar with a gap is longer than it is drawn.",
	}
	var latencies []int64
	for _, g := range groups {
		if g.site == site && !slices.Contains(latencies, g.latency) {
			latencies = append(latencies, g.latency)
			b.Columns = append(b.Columns, fmt.Sprintf("+%d ms for each request", g.latency))
		}
	}
	for _, scenario := range scenarioNames {
		row := chart.Row{Title: titles[scenario], Panels: make([]chart.Panel, len(latencies))}
		for _, g := range groups {
			if g.site == site && g.scenario == scenario {
				row.Panels[slices.Index(latencies, g.latency)] = panel(g)
			}
		}
		if slices.ContainsFunc(row.Panels, func(p chart.Panel) bool { return len(p.Bars) > 0 }) {
			b.Rows = append(b.Rows, row)
		}
	}
	return b
}

func panel(g group) (p chart.Panel) {
	for _, r := range g.rows {
		bar := chart.Bar{Label: r.Tool, Value: r.Wall, Low: r.low, High: r.high, Text: seconds(r.Wall), Accent: isOurs(r.result)}
		switch {
		case r.broken > 0:
			bar.Text += " (not sound)"
		case bar.Accent && g.best.wall > 0:
			bar.Text += " (" + ratio(r.Wall, g.best.wall) + "×)"
		}
		p.Bars = append(p.Bars, bar)
	}
	return p
}

// axisSeconds writes a time with no more digits than it needs.
func axisSeconds(v float64) string {
	if v >= 100 {
		return thousands(int(v+0.5)) + " s"
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + " s"
}

// curveChart shows wall time and memory over the number of files.
func curveChart(points []point) chart.Lines {
	l := chart.Lines{
		Title:    "freshet on sites of many small files",
		Subtitle: fmt.Sprintf("Against its own embedded S3, +%d ms. Some changed: 5,000 files, at most 5 %%.", points[0].by[first].Latency),
		Sizes:    "files in the site",
		Panels: []chart.Curves{
			{Title: "Wall time", Tick: func(v float64) string { return axisSeconds(v) }},
			{Title: "Peak memory", Tick: func(v float64) string { return thousands(int(v+0.5)) + " MB" }},
		},
	}
	for _, p := range points {
		l.X = append(l.X, float64(p.files))
	}
	for _, scenario := range scaleScenarios {
		wall, peak := chart.Series{Name: scaleTitle(scenario)}, chart.Series{Name: scaleTitle(scenario)}
		for _, p := range points {
			wall.Y, peak.Y = append(wall.Y, p.by[scenario].Wall), append(peak.Y, p.by[scenario].Peak)
		}
		l.Panels[0].Series, l.Panels[1].Series = append(l.Panels[0].Series, wall), append(l.Panels[1].Series, peak)
	}
	return l
}
