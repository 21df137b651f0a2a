package invalidation

import (
	"path"
	"slices"
	"strings"
)

// ShellPattern guesses the pattern that a shell has expanded into args: the
// pattern and true where args hold everything in a directory that exists, or
// everything there that begins alike. "/*" arrives as "/bin /boot /dev …".
//
// list names the entries of a directory as a shell sees it from the working
// directory ("." for the working directory itself); an error from it means
// that the directory is of no interest. Names that begin with a dot are left
// out, as shells do.
func ShellPattern(args []string, list func(dir string) ([]string, error)) (string, bool) {
	byDir := map[string][]string{}
	var dirs []string
	for _, a := range args {
		a = strings.TrimSuffix(a, "/")
		if a == "" || strings.Contains(a, "*") {
			continue
		}
		dir := path.Dir(a)
		if _, seen := byDir[dir]; !seen {
			dirs = append(dirs, dir)
		}
		byDir[dir] = append(byDir[dir], path.Base(a))
	}
	for _, dir := range dirs {
		entries, err := list(dir)
		if err != nil {
			continue
		}
		entries = slices.DeleteFunc(slices.Clone(entries), func(e string) bool { return strings.HasPrefix(e, ".") })
		if stem, ok := expandedStem(byDir[dir], entries, len(args) == 1); ok {
			return dirPrefix(dir) + stem + "*", true
		}
	}
	return "", false
}

// expandedStem finds x such that the names hold exactly the entries that x*
// expands to. A single name is taken for an expansion only where it is alone
// both in its directory and on the command line.
func expandedStem(names, entries []string, sole bool) (string, bool) {
	var there []string
	for _, e := range entries {
		if slices.Contains(names, e) {
			there = append(there, e)
		}
	}
	switch {
	case len(there) == 0, len(there) == 1 && !(sole && len(entries) == 1):
		return "", false
	case len(there) == len(entries):
		return "", true
	}
	stem := commonPrefix(there)
	if stem == "" {
		return "", false
	}
	for _, e := range entries {
		if strings.HasPrefix(e, stem) && !slices.Contains(there, e) {
			return "", false
		}
	}
	return stem, true
}

func commonPrefix(names []string) string {
	first, last := slices.Min(names), slices.Max(names)
	n := 0
	for n < len(first) && n < len(last) && first[n] == last[n] {
		n++
	}
	return first[:n]
}

func dirPrefix(dir string) string {
	switch dir {
	case ".":
		return ""
	case "/":
		return "/"
	}
	return dir + "/"
}
