package ui

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// CI is the system that runs the program, as far as its logs understand more
// than text; "" for any other and for people.
type CI string

// The systems that are known.
const (
	GitHub CI = "github"
	GitLab CI = "gitlab"
)

// FindCI looks for what the systems set in every job. GitHub, "Variables
// reference", GITHUB_ACTIONS; GitLab, "Predefined CI/CD variables reference",
// GITLAB_CI; read 2026-11.
func FindCI(getenv func(string) string) CI {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return GitHub
	case getenv("GITLAB_CI") == "true":
		return GitLab
	}
	return ""
}

// Annotation is what a CI system shows beside a job, or beside a file.
type Annotation struct {
	Level        string // "error" or "warning"
	Title        string
	File         string // relative to the repository; "" for none
	Line, Column int    // from 1; 0 for none
	Message      string // may have several lines
}

// Annotate writes a, where the system knows annotations. GitHub, "Workflow
// commands for GitHub Actions", read 2026-11.
func (c CI) Annotate(w io.Writer, a Annotation) {
	if c != GitHub {
		return
	}
	var properties []string
	set := func(name, value string) { properties = append(properties, name+"="+githubProperty(value)) }
	if a.File != "" {
		set("file", a.File)
	}
	if a.File != "" && a.Line > 0 {
		set("line", fmt.Sprint(a.Line))
	}
	if a.File != "" && a.Column > 0 {
		set("col", fmt.Sprint(a.Column))
	}
	if a.Title != "" {
		set("title", a.Title)
	}
	head := a.Level
	if len(properties) > 0 {
		head += " " + strings.Join(properties, ",")
	}
	fmt.Fprintf(w, "::%s::%s\n", head, githubData(a.Message))
}

// Group begins a part of the log that folds, closed; end ends it. Elsewhere it
// prints nothing. title is one line. GitLab, "CI/CD job logs", custom
// collapsible sections, read 2026-11.
func (c CI) Group(w io.Writer, name, title string, now func() time.Time) (end func()) {
	switch c {
	case GitHub:
		fmt.Fprintf(w, "::group::%s\n", githubData(title))
		return func() { fmt.Fprintln(w, "::endgroup::") }
	case GitLab:
		fmt.Fprintf(w, "\x1b[0Ksection_start:%d:freshet_%s[collapsed=true]\r\x1b[0K%s\n", now().Unix(), name, Visible(title))
		return func() { fmt.Fprintf(w, "\x1b[0Ksection_end:%d:freshet_%s\r\x1b[0K\n", now().Unix(), name) }
	}
	return func() {}
}

// githubData is the message of a workflow command: one line. GitHub,
// actions/toolkit, packages/core/src/command.ts, escapeData and
// escapeProperty; read 2026-11.
func githubData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// githubProperty is the value of a property.
func githubProperty(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(text)
}

// MarkdownTable writes rows below a head, for a summary in GitHub's Markdown.
// Nothing in a cell is read as Markdown or HTML but what Code makes.
func MarkdownTable(w io.Writer, head []string, rows [][]string) {
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(strings.Split(strings.Repeat("---,", len(head)-1)+"---", ","))
	for _, row := range rows {
		line(row)
	}
	fmt.Fprintln(w)
}

// Plain is text that stands for itself in Markdown: no mark, link, mention or
// HTML is seen in it.
func Plain(text string) string {
	var out strings.Builder
	for _, r := range Visible(text) {
		if strings.ContainsRune("&<>\"'\\`*_{}[]()!|~@:#", r) {
			fmt.Fprintf(&out, "&#%d;", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// Code is text as code in Markdown.
func Code(text string) string { return "<code>" + Plain(text) + "</code>" }
