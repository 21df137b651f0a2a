package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/ui"
)

// summaryRows is how many objects and paths a job's summary lists.
const summaryRows = 50

// summarise adds what was published to the page of a GitHub job, if this is
// one. GitHub, "Workflow commands", adding a job summary, read 2026-11.
func (a *app) summarise(pub *publication, res deploy.Result, failed error, took time.Duration) error {
	path := a.getenv("GITHUB_STEP_SUMMARY")
	if a.ci() != ui.GitHub || path == "" {
		return nil
	}
	var page bytes.Buffer
	writeSummary(&page, pub, res, failed, took)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the job's summary: %w", err)
	}
	_, err = f.Write(page.Bytes())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the job's summary: %w", err)
	}
	return nil
}

// writeSummary writes what the run did, in Markdown.
func writeSummary(w io.Writer, pub *publication, res deploy.Result, failed error, took time.Duration) {
	name := ui.Code(pub.target.name)
	switch {
	case failed != nil:
		fmt.Fprintf(w, "### freshet: %s: exit code %d\n\n", name, classify(failed).code)
		fmt.Fprintf(w, "%s\n\n", ui.Plain(classify(failed).Error()))
		if hint := classify(failed).hint; hint != "" {
			fmt.Fprintf(w, "%s\n\n", ui.Plain(hint))
		}
	case !res.Changed:
		fmt.Fprintf(w, "### freshet: %s has not changed\n\n", name)
	default:
		fmt.Fprintf(w, "### freshet: %s is published\n\n", name)
	}
	ui.MarkdownTable(w, []string{"", ""}, facts(pub, res, took))
	if failed == nil && !res.Changed {
		return
	}
	writeSteps(w, pub.plan)
	writePaths(w, res)
}

// facts are the rows of the summary.
func facts(pub *publication, res deploy.Result, took time.Duration) [][]string {
	rows := [][]string{
		{"Release", ui.Code(string(res.Release))},
		{"Objects", ui.Plain(ui.Summary(pub.plan))},
		{"Took", ui.Duration(took)},
	}
	if pub.revision != nil {
		rows = append(rows, []string{"Built from", ui.Code(pub.revision.Name)})
	}
	for _, sub := range res.Invalidations {
		rows = append(rows, []string{"Invalidated", fmt.Sprintf("%s on %s: %s", ui.Count(len(sub.Items), "path"), ui.Code(sub.Distribution), ui.Plain(sub.Status))})
	}
	if v := res.Verified; v.Of > 0 {
		rows = append(rows, []string{"Verified", fmt.Sprintf("%s of %s at the edge%s, %s stale",
			ui.Number(v.Checked), ui.Count(v.Of, "URL"), provedAt(v.Fleet), ui.Number(len(v.Stale)))})
		for _, line := range v.Unproved() {
			rows = append(rows, []string{"Not asked", ui.Plain(line)})
		}
	}
	for _, w := range append(append([]string{}, pub.plan.Warnings...), res.Warnings...) {
		rows = append(rows, []string{"Warning", ui.Plain(w)})
	}
	if url := pub.target.url; strings.HasPrefix(url, "https://") {
		rows = append(rows, []string{"Site", "<" + url + "/>"})
	}
	return rows
}

// writeSteps lists the objects that changed, folded.
func writeSteps(w io.Writer, p plan.Plan) {
	if len(p.Steps) == 0 {
		return
	}
	var rows [][]string
	for _, s := range p.Steps[:min(len(p.Steps), summaryRows)] {
		rows = append(rows, []string{string(s.Op), ui.Code(string(s.Object.Key)), ui.Bytes(s.Object.Size), ui.Plain(s.Why)})
	}
	fold(w, ui.Count(len(p.Steps), "object"), []string{"", "Object", "Size", "Why"}, rows, len(p.Steps))
}

// writePaths lists what was invalidated, folded.
func writePaths(w io.Writer, res deploy.Result) {
	var rows [][]string
	total := 0
	for _, sub := range res.Invalidations {
		total += len(sub.Items)
		for _, item := range sub.Items[:min(len(sub.Items), max(0, summaryRows-len(rows)))] {
			rows = append(rows, []string{ui.Code(item), ui.Code(sub.Distribution)})
		}
	}
	if total > 0 {
		fold(w, ui.Count(total, "invalidated path"), []string{"Path", "Distribution"}, rows, total)
	}
}

func fold(w io.Writer, title string, head []string, rows [][]string, total int) {
	fmt.Fprintf(w, "<details><summary>%s</summary>\n\n", title)
	ui.MarkdownTable(w, head, rows)
	if rest := total - len(rows); rest > 0 {
		fmt.Fprintf(w, "… and %s more\n\n", ui.Number(rest))
	}
	fmt.Fprint(w, "</details>\n\n")
}
