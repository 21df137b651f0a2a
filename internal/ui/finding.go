package ui

import (
	"os"
	"strings"

	"golang.org/x/term"
)

// Finding is the outcome of a check.
type Finding struct {
	Level      string   // "ok", "unknown", "warning" or "problem"
	Check      string   // "conditional writes"
	What       string   // what was found
	Why, Next  string   // may be ""
	Details    []string // one line each
	MaxDetails int      // how many of them to print; 0 means all
}

// Finding prints one.
func (s Style) Finding(f Finding) {
	sign := s.paint(green, "✓")
	switch f.Level {
	case "unknown":
		sign = s.paint(dim, "?")
	case "warning":
		sign = s.paint(yellow, "!")
	case "problem":
		sign = s.paint(red, "✗")
	}
	head := f.Check + ": "
	if f.Level == "warning" || f.Level == "problem" {
		head = s.paint(bold, f.Check) + ": "
	}
	first := true
	for _, line := range s.wrap(f.Check+": "+f.What, 4) {
		if first {
			s.printf("  %s %s\n", sign, head+strings.TrimPrefix(line, f.Check+": "))
			first = false
			continue
		}
		s.printf("    %s\n", line)
	}
	shown := f.Details
	if f.MaxDetails > 0 && len(shown) > f.MaxDetails {
		shown = shown[:f.MaxDetails]
	}
	for _, line := range shown {
		s.printf("        %s\n", Visible(line))
	}
	if more := len(f.Details) - len(shown); more > 0 {
		s.printf("        and %s more (--verbose lists them)\n", Number(more))
	}
	for _, line := range s.wrap(f.Why, 4) {
		s.printf("    %s\n", s.paint(dim, line))
	}
	for i, line := range s.wrap(f.Next, 6) {
		mark := "  "
		if i == 0 {
			mark = s.paint(blue, "→ ")
		}
		s.printf("    %s%s\n", mark, line)
	}
}

// Heading prints what the findings below are about.
func (s Style) Heading(text string) { s.printf("%s\n", s.paint(bold, text)) }

// Change prints a setting that becomes another.
func (s Style) Change(setting, before, after string) {
	switch {
	case before == "":
		s.printf("  %s %s: %s\n", s.paint(green, "+"), setting, after)
	case after == "":
		s.printf("  %s %s: %s\n", s.paint(red, "-"), setting, before)
	default:
		s.printf("  %s %s: %s → %s\n", s.paint(yellow, "~"), setting, before, after)
	}
}

// readable is how wide running text is at most.
const readable = 100

// wrap breaks text between words into lines that fit beside an indent; none for
// "". Text that is not for a terminal stays on one line, for grep.
func (s Style) wrap(text string, indent int) []string {
	if text == "" {
		return nil
	}
	columns := min(s.columns, readable) - indent
	if s.columns == 0 || columns < 20 {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && Columns(line)+1+Columns(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// IsTerminal reports whether somebody sits at the other end of a stream.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
