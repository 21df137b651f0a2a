// Command changelog writes the part of CHANGELOG.md that is not yet released,
// from the files in changes/.
//
//	go run ./tools/changelog
//
// A file in changes/ has a heading, a paragraph on the problem in the past
// tense, and what holds now; the entry is the heading and what holds now. An
// entry stands under Added unless the file's last line is <!-- Changed -->,
// <!-- Deprecated -->, <!-- Removed -->, <!-- Fixed --> or <!-- Security -->.
//
// It promises to leave everything else of CHANGELOG.md alone: what is above the
// heading Unreleased, and the versions below. The form is that of Keep a
// Changelog 1.1.0, read 2026-11.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var kinds = []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "changelog:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	name := filepath.Join(root, "CHANGELOG.md")
	old, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the change log: %w", err)
	}
	text, err := updated(string(old), filepath.Join(root, "changes"))
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

// updated is the change log with what the folder of changes holds.
func updated(old, dir string) (string, error) {
	const heading = "\n## [Unreleased]\n"
	before, after, ok := strings.Cut(old, heading)
	if !ok {
		return "", errors.New("CHANGELOG.md has no heading [Unreleased]")
	}
	rest := ""
	if i := strings.Index(after, "\n## ["); i >= 0 {
		rest = after[i:]
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return "", fmt.Errorf("list the changes: %w", err)
	}
	slices.Sort(names)
	entries := map[string][]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read a change: %w", err)
		}
		kind, line, err := entry(filepath.Base(name), string(text))
		if err != nil {
			return "", err
		}
		entries[kind] = append(entries[kind], line)
	}
	var out strings.Builder
	out.WriteString(before + heading)
	for _, kind := range kinds {
		if list := entries[kind]; len(list) > 0 {
			fmt.Fprintf(&out, "\n### %s\n\n%s\n", kind, strings.Join(list, "\n"))
		}
	}
	return out.String() + rest, nil
}

var mark = regexp.MustCompile(`(?m)^<!-- (\w+) -->\s*\z`)

// entry is the line of one change, and where it stands.
func entry(name, text string) (kind, line string, err error) {
	kind = "Added"
	if found := mark.FindStringSubmatch(text); found != nil {
		kind, text = found[1], mark.ReplaceAllString(text, "")
	}
	parts := strings.SplitN(strings.TrimSpace(text), "\n\n", 3)
	title, ok := strings.CutPrefix(parts[0], "# ")
	if !ok || len(parts) < 3 || !slices.Contains(kinds, kind) {
		return "", "", fmt.Errorf("changes/%s: a change has a heading, what the problem was and what holds now", name)
	}
	now := strings.ReplaceAll(flat(parts[2]), "](../", "](")
	number, _, _ := strings.Cut(name, "-")
	return kind, fmt.Sprintf("- **%s** ([%s](changes/%s)).%s", title, cmp.Or(number, name), name, now), nil
}

// flat is a text as one paragraph, and its lists as lists within it, to be put
// behind a full stop.
func flat(text string) string {
	var out []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		items := strings.Split("\n"+paragraph, "\n- ")
		for i, item := range items {
			line := strings.Join(strings.Fields(item), " ")
			switch {
			case line == "":
			case i > 0:
				out = append(out, "\n  - "+line)
			case len(out) > 0 && strings.HasPrefix(out[len(out)-1], "\n"):
				out = append(out, "\n\n  "+line)
			default:
				out = append(out, " "+line)
			}
		}
	}
	return strings.Join(out, "")
}
