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

// Parse adds the patterns of a .freshetignore: one a line, with the rules of
// .gitignore (https://git-scm.com/docs/gitignore, read 2026-11). A leading "!"
// takes names back, a trailing "/" means folders only, a pattern with another
// slash is rooted in the site folder and any other matches at every depth, "#"
// begins a comment, and a backslash takes a character's meaning away. What
// lies in a folder that is left out cannot be taken back. Character classes by
// name, as [[:digit:]], are not known.
func (ig Ignore) Parse(r io.Reader) (Ignore, error) {
	patterns := slices.Clone(ig.patterns)
	scanner := bufio.NewScanner(r)
	for line := 1; scanner.Scan(); line++ {
		text := scanner.Text()
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		p, ok := parsePattern(text)
		if !ok {
			continue
		}
		if !doublestar.ValidatePattern(p.glob) {
			return Ignore{}, fmt.Errorf(".freshetignore:%d: the pattern %q is malformed", line, text)
		}
		patterns = append(patterns, p)
	}
	if err := scanner.Err(); err != nil {
		return Ignore{}, fmt.Errorf("read .freshetignore: %w", err)
	}
	return Ignore{patterns}, nil
}

// parsePattern reads one line; it is false for a line without a pattern.
func parsePattern(text string) (p pattern, ok bool) {
	text = trimSpace(text)
	if strings.HasPrefix(text, "#") {
		return p, false
	}
	text, p.negate = strings.CutPrefix(text, "!")
	text, p.dirOnly = strings.CutSuffix(text, "/")
	rooted := strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	if text == "" {
		return p, false
	}
	if strings.HasSuffix(text, "/**") {
		text += "/*" // what is inside, not the folder itself
	}
	if !rooted {
		text = "**/" + text
	}
	p.glob = bracesAsTheyAre(text)
	return p, true
}

// trimSpace takes blanks off the end, but for one behind a backslash.
func trimSpace(text string) string {
	trimmed := strings.TrimRight(text, " \t\r")
	slashes := len(trimmed) - len(strings.TrimRight(trimmed, `\`))
	if slashes%2 == 1 && len(trimmed) < len(text) {
		return text[:len(trimmed)+1]
	}
	return trimmed
}

// bracesAsTheyAre escapes what doublestar gives a meaning and git does not.
func bracesAsTheyAre(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '\\' && i+1 < len(glob):
			b.WriteString(glob[i : i+2])
			i++
		case c == '{' || c == '}':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// With adds names relative to the site folder that are left out as well. They
// are names, not patterns.
func (ig Ignore) With(names ...string) Ignore {
	ig.patterns = slices.Clone(ig.patterns)
	for _, n := range names {
		ig.patterns = append(ig.patterns, pattern{glob: globMeta.Replace(n)})
	}
	return ig
}

var globMeta = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`)

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
// on it. Case does not matter: on a disk that does not know it, ".GIT" is git's
// folder, and a link to ".ENV" finds ".env".
func builtIn(base string, isDir bool) bool {
	base = strings.ToLower(base)
	switch base {
	case ".git", ".hg", ".svn", ".bzr", ".freshet", ".idea", ".vscode", ".trashes":
		return true // .git is a file in a worktree
	case ".aws", ".ssh", ".gnupg", ".git-credentials", ".pypirc":
		return true // a home folder that was named by mistake
	case ".ds_store", "thumbs.db", "desktop.ini", ".gitignore", ".gitattributes", ".gitmodules", ".gitkeep",
		".freshetignore", ".npmrc", ".netrc", ".htpasswd", ".directory":
		return true
	}
	switch {
	case strings.HasPrefix(base, ".env"), strings.HasPrefix(base, "._"), strings.HasPrefix(base, ".#"):
		return true
	case isDir:
		return false
	case len(base) > 1 && strings.HasSuffix(base, "~"), len(base) > 2 && strings.HasPrefix(base, "#") && strings.HasSuffix(base, "#"):
		return true
	case strings.HasPrefix(base, "."):
		ext := path.Ext(base)
		return ext == ".swp" || ext == ".swo" || ext == ".swx"
	}
	return false
}
