package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is text in rows and columns.
type table struct {
	head []string
	left int // how many of the first columns are texts; the others are numbers
	rows [][]string
}

// plain writes the table with its columns aligned.
func (t table) plain(w io.Writer) {
	widths := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < t.left {
				line.WriteString(cell + space + "  ")
			} else {
				line.WriteString(space + cell + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// markdown writes the table for a document.
func (t table) markdown(w io.Writer) {
	rules := make([]string, len(t.head))
	for i := range rules {
		rules[i] = "---:"
		if i < t.left {
			rules[i] = "---"
		}
	}
	for _, row := range append([][]string{t.head, rules}, t.rows...) {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

// comparison is the table of one scenario: each tool's medians and fastest turn, and wall, processor time and memory as ratios to the best peer's.
func comparison(g group) table {
	t := table{
		head: []string{"", "wall", "× best", "fastest", "× best", "CPU", "× best", "peak memory", "× best", "requests", "in a row", "sent", "objects invalidated"},
		left: 1,
	}
	for _, r := range g.rows {
		name, dropped := r.Tool, "–"
		if r.broken > 0 {
			name += " (!)"
		}
		if r.Items > 0 {
			dropped = fmt.Sprintf("%s by %s", thousands(r.Invalidated), plural(r.Items, "path"))
		}
		t.rows = append(t.rows, []string{
			name, seconds(r.Wall), ratio(r.Wall, g.best.wall), seconds(r.low), ratio(r.low, g.best.fastest), seconds(r.CPU), ratio(r.CPU, g.best.cpu),
			fmt.Sprintf("%.0f MB", r.Peak), ratio(r.Peak, g.best.peak), kinds(r.Kinds), thousands(r.Chain), megabytes(r.Sent), dropped,
		})
	}
	return t
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// heading says what a group is.
func (g group) heading() string {
	if len(g.rows) == 0 {
		return titles[g.scenario]
	}
	r := g.rows[0]
	switch g.scenario {
	case nothing:
		return fmt.Sprintf("%s: the same bytes with new times, %s files", titles[g.scenario], thousands(r.Files))
	case first:
		return fmt.Sprintf("%s: %s files", titles[g.scenario], thousands(r.Files))
	}
	files := r.Files
	if g.scenario == removal {
		files += r.Changed
	}
	return fmt.Sprintf("%s: %s of %s files differ", titles[g.scenario], thousands(r.Changed), thousands(files))
}

// notes are what has to be said of a group's rows beside the table.
func (g group) notes() (out []string) {
	for _, r := range g.rows {
		if r.broken > 0 {
			out = append(out, fmt.Sprintf("(!) %s: %d of %d turns were not sound (exit %d, %s missing, %s with other bytes), so it is in no ratio. It said: %s",
				r.Tool, r.broken, r.turns, r.Exit, thousands(r.Missing), thousands(r.Different), strings.Join(strings.Fields(r.Said), " ")))
		}
		if r.Left > 0 {
			out = append(out, fmt.Sprintf("%s leaves %s objects without a file in the bucket", r.Tool, thousands(r.Left)))
		}
	}
	return out
}
