package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// report prints tables, and draws charts and writes the document where that was asked for.
func (b *bench) report(w io.Writer) error {
	printTables(w, b.results)
	if b.opts.charts != "" {
		if err := writeCharts(b.opts.charts, b.results); err != nil {
			return err
		}
	}
	if b.opts.write == "" {
		return nil
	}
	return writeDocument(b.opts.write, b.machine, b.results)
}

func printTables(w io.Writer, results []result) {
	for _, g := range summarize(results) {
		fmt.Fprintf(w, "\n%s, +%d ms\n", g.heading(), g.latency)
		comparison(g).plain(w)
		for _, note := range g.notes() {
			fmt.Fprintln(w, note)
		}
	}
	if points := scalePoints(results); len(points) > 0 {
		fmt.Fprintln(w)
		scaleTable(points).plain(w)
		for _, line := range estimates(points) {
			fmt.Fprintln(w, line)
		}
	}
}

// again reports what an earlier run has stored.
func (o options) again() error {
	f, err := os.Open(o.from)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	b := &bench{opts: o}
	if b.machine, b.results, err = readResults(f); err != nil {
		return fmt.Errorf("read %s: %w", o.from, err)
	}
	return b.report(os.Stdout)
}

// readResults reads what -json wrote. Where the file holds several runs, the machine is that of the last.
func readResults(r io.Reader) (m machine, results []result, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var one result
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return m, nil, fmt.Errorf("line %d: %w", n, err)
		}
		if one.Tool != "" {
			results = append(results, one)
			continue
		}
		m = machine{}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return m, nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return m, results, lines.Err()
}

// document is what of docs/performance.md the bench writes.
const document = "performance.md"

// writeDocument replaces what stands between the markers of the document by what these results say, and draws the charts beside it.
// A part for which there are no results stays as it is.
func writeDocument(dir string, m machine, results []result) error {
	path := filepath.Join(dir, document)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(data)
	charts := filepath.Join(dir, "performance")
	if groups := summarize(results); len(groups) > 0 {
		if text, err = between(text, "tools", toolsPart(m, groups, results)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if points := scalePoints(results); len(points) > 0 {
		if text, err = between(text, "scale", scalePart(m, points)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return errors.Join(writeCharts(charts, results), os.WriteFile(path, []byte(text), 0o644))
}

// between replaces what stands between the markers of a part.
func between(text, part, content string) (string, error) {
	begin, end := "<!-- bench/publish begin "+part+" -->\n", "<!-- bench/publish end "+part+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("find %q and %q: they are not there", strings.TrimSpace(begin), end)
	}
	return before + begin + content + end + after, nil
}

// toolsPart is the comparison with the peers, for the document.
func toolsPart(m machine, groups []group, results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n", m)
	toolTable := table{head: []string{"tool", "version", "how it was run"}, left: 3}
	for _, t := range m.Tools {
		toolTable.rows = append(toolTable.rows, []string{t.Name, t.Version, t.Says})
	}
	toolTable.markdown(&b)
	turns, shown := 0, 0
	for _, r := range results {
		turns = max(turns, r.Round)
	}
	fmt.Fprintf(&b, "\n%s of each tool, medians. In the charts the thin line goes from the fastest turn to the slowest.\n", plural(turns, "turn"))
	for i, g := range groups {
		if g.site != shown {
			shown = g.site
			fmt.Fprintf(&b, "\n### %s files\n\n![Wall time of each tool in each scenario](performance/%s)\n", thousands(g.site), chartName(g.site))
		}
		if i == 0 || groups[i-1].latency != g.latency || groups[i-1].site != g.site {
			fmt.Fprintf(&b, "\n#### %s files, %d ms added to each request\n", thousands(g.site), g.latency)
		}
		fmt.Fprintf(&b, "\n**%s.**\n\n", g.heading())
		comparison(g).markdown(&b)
		for _, note := range g.notes() {
			fmt.Fprintf(&b, "\n%s.\n", note)
		}
	}
	return b.String()
}

// scalePart is the curve, for the document.
func scalePart(m machine, points []point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n![Wall time and memory over the number of files](performance/%s)\n\n", m, scaleChart)
	scaleTable(points).markdown(&b)
	fmt.Fprintln(&b)
	for _, line := range estimates(points) {
		fmt.Fprintf(&b, "%s\n\n", line)
	}
	return b.String()
}
