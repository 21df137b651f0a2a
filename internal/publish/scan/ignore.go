package scan

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Ignore says which names are not published. The zero Ignore leaves out only
// what is on the built-in list: version control, secrets, and what editors and
// desktops leave behind.
type Ignore struct{ patterns []pattern }

type pattern struct {
	glob    string
	negate  bool
	dirOnly bool
}

// Parse adds the patterns of a .freshetignore: one a line, as in .gitignore. A
// leading "!" takes names back, a trailing "/" means folders only, a pattern
// without another slash matches at any depth, and "#" begins a comment.
func (ig Ignore) Parse(r io.Reader) (Ignore, error) {
	ig.patterns = slices.Clone(ig.patterns)
	scanner := bufio.NewScanner(r)
	for line := 1; scanner.Scan(); line++ {
		text := strings.TrimRight(scanner.Text(), " \t\r")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		p := parsePattern(text)
		if !doublestar.ValidatePattern(p.glob) {
			return Ignore{}, fmt.Errorf(".freshetignore:%d: the pattern %q is malformed", line, text)
		}
		ig.patterns = append(ig.patterns, p)
	}
	return ig, scanner.Err()
}

func parsePattern(text string) pattern {
	var p pattern
	text, p.negate = strings.CutPrefix(text, "!")
	text = strings.TrimPrefix(text, `\`) // so that a name may begin with ! or #
	text, p.dirOnly = strings.CutSuffix(text, "/")
	rooted := strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	if !rooted {
		text = "**/" + text
	}
	p.glob = text
	return p
}

// With adds names relative to the site folder that are left out as well.
func (ig Ignore) With(names ...string) Ignore {
	ig.patterns = slices.Clone(ig.patterns)
	for _, n := range names {
		ig.patterns = append(ig.patterns, pattern{glob: n})
	}
	return ig
}

// Match reports whether the name rel, relative to the site folder and with
// slashes, is left out. The last pattern that matches decides, after the
// built-in list.
func (ig Ignore) Match(rel string, isDir bool) bool {
	ignored := builtIn(path.Base(rel), isDir)
	for _, p := range ig.patterns {
		if p.dirOnly && !isDir {
			continue
		}
		if doublestar.MatchUnvalidated(p.glob, rel) {
			ignored = !p.negate
		}
	}
	return ignored
}

// builtIn is the list of what nobody wants on a web site. ".well-known" is not
// on it.
func builtIn(base string, isDir bool) bool {
	switch base {
	case ".git", ".hg", ".svn", ".bzr", ".freshet", ".idea", ".vscode", ".Trashes":
		return true // .git is a file in a worktree
	case ".DS_Store", "Thumbs.db", "desktop.ini", ".gitignore", ".gitattributes", ".gitmodules", ".gitkeep",
		".freshetignore", ".npmrc", ".netrc", ".htpasswd", ".directory":
		return true
	}
	switch {
	case strings.HasPrefix(base, ".env"), strings.HasPrefix(base, "._"), strings.HasPrefix(base, ".#"):
		return true
	case isDir:
		return false
	case strings.HasSuffix(base, "~"), strings.HasPrefix(base, "#") && strings.HasSuffix(base, "#"):
		return true
	case strings.HasPrefix(base, "."):
		ext := path.Ext(base)
		return ext == ".swp" || ext == ".swo" || ext == ".swx"
	}
	return false
}
