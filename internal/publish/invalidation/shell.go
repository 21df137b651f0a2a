package invalidation

import (
	"path"
	"slices"
	"strings"
)

// ShellPattern guesses the pattern that a shell has expanded into args: the
// pattern and true where a run of args is everything in a directory that
// exists, or everything there that begins alike. "/*" arrives as
// "/bin /boot /dev …".
//
// list names the entries of a directory as a shell sees it from the working
// directory ("." for the working directory itself); an error from it means
// that the directory is of no interest. Names that begin with a dot are left
// out, as shells do. A single argument counts only where it is the only entry
// of its directory. Patterns with more than the one "*" at their end, and two
// patterns side by side in one directory, are not recognised.
func ShellPattern(args []string, list func(dir string) ([]string, error)) (string, bool) {
	known := map[string]map[string]bool{}
	for i := 0; i < len(args); {
		dir := dirOf(args[i])
		if _, ok := known[dir]; !ok {
			known[dir] = visible(list(dir))
		}
		names, end := run(args, i, dir, known[dir])
		if stem, ok := expandedStem(names, known[dir], len(args) == 1); ok {
			return dirPrefix(dir) + stem + "*", true
		}
		i = max(end, i+1)
	}
	return "", false
}

// visible are the entries that a "*" stands for; none where there is an error.
func visible(entries []string, err error) map[string]bool {
	out := map[string]bool{}
	if err != nil {
		return out
	}
	for _, e := range entries {
		if !strings.HasPrefix(e, ".") {
			out[e] = true
		}
	}
	return out
}

// run collects the names of args[from:end], which all lie in dir and exist.
func run(args []string, from int, dir string, entries map[string]bool) (names map[string]bool, end int) {
	names = map[string]bool{}
	for end = from; end < len(args); end++ {
		base := path.Base(args[end])
		if dirOf(args[end]) != dir || !entries[base] {
			break
		}
		names[base] = true
	}
	return names, end
}

// dirOf is the directory of an argument, as list is asked for it. path.Dir
// would take "posts/" for its own directory.
func dirOf(arg string) string { return path.Dir(strings.TrimRight(arg, "/")) }

// expandedStem finds x such that the names are exactly the entries that x*
// expands to. A single name is taken for an expansion only where it is alone
// both in its directory and on the command line: "freshet invalidate /posts"
// means the page, even where a directory /posts exists.
func expandedStem(names, entries map[string]bool, sole bool) (string, bool) {
	switch {
	case len(names) == 0, len(names) == 1 && !(sole && len(entries) == 1):
		return "", false
	case len(names) == len(entries):
		return "", true
	}
	stem := commonPrefix(names)
	if stem == "" {
		return "", false
	}
	for e := range entries {
		if strings.HasPrefix(e, stem) && !names[e] {
			return "", false
		}
	}
	return stem, true
}

func commonPrefix(names map[string]bool) string {
	var all []string
	for name := range names {
		all = append(all, name)
	}
	first, last := slices.Min(all), slices.Max(all)
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
