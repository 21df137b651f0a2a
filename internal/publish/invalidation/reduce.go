package invalidation

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// limits say how much Choose may send before it prefers wildcards.
type limits struct {
	// paths is how many may be sent at most.
	paths int
	// wildcards is how many of them may be there so that a folder is still
	// folded into one more.
	wildcards int
	// weight is how many untouched objects may be dropped to save one path.
	weight int
}

// defaults are what Choose keeps to. They stand in for a planner that knows
// the account's limits and the month's use.
var defaults = limits{
	paths:     1000, // free a month; CloudFront pricing, fact sheet 1.4, read 2026-11
	wildcards: 15,   // in progress, by the limits that some accounts still have; fact sheet 1.3, read 2026-11
	weight:    10,   // DESIGN section 5, policy "balanced"
}

// folder is a folder right below the root with what one wildcard for all of it
// would do.
type folder struct {
	prefix    string // "/posts/"
	paths     int    // how many paths the wildcard replaces, at least two
	wildcards int    // how many of those are wildcards themselves
	drops     int    // untouched objects below the folder
}

// saved is how many paths less there are once f is one wildcard.
func (f folder) saved() int { return f.paths - 1 }

// fold makes many paths fewer, by one wildcard each for some of the folders
// right below the root, those first whose wildcard drops the least for a path
// saved. It goes on while lim demands it or while what is dropped is worth
// less than what is saved. What it returns covers everything that paths covers
// and may still be too long. paths holds none that covers another; untouched
// is in byte order.
func fold(paths []Path, untouched []URL, lim limits) []Path {
	left, wild := len(paths), countWildcards(paths)
	folded := map[string]bool{}
	for _, f := range folders(paths, untouched) {
		wanted := left > lim.paths || f.drops <= lim.weight*f.saved()
		if !wanted || f.wildcards == 0 && wild >= lim.wildcards {
			continue
		}
		folded[f.prefix] = true
		left, wild = left-f.saved(), wild+1-f.wildcards
	}
	out := make([]Path, 0, left)
	for _, p := range paths {
		if !folded[topFolder(p)] {
			out = append(out, p)
		}
	}
	for prefix := range folded {
		out = append(out, Path(prefix+"*"))
	}
	slices.Sort(out)
	return out
}

// folders lists the folders below the root that at least two of the paths lie
// in, the cheapest to fold first.
func folders(paths []Path, untouched []URL) []folder {
	byPrefix := map[string]folder{}
	for _, p := range paths {
		f := byPrefix[topFolder(p)]
		f.prefix, f.paths, f.wildcards = topFolder(p), f.paths+1, f.wildcards+countWildcards([]Path{p})
		byPrefix[f.prefix] = f
	}
	delete(byPrefix, "") // files at the top
	var out []folder
	for _, f := range byPrefix {
		if f.paths > 1 {
			f.drops = len(objects(matching(untouched, Path(f.prefix+"*"))))
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b folder) int {
		return cmp.Or(cmp.Compare(a.drops*b.saved(), b.drops*a.saved()), cmp.Compare(b.paths, a.paths), strings.Compare(a.prefix, b.prefix))
	})
	return out
}

// topFolder is "/posts/" for "/posts/2026/*", and "" for what lies at the top.
func topFolder(p Path) string {
	s, _, _ := strings.Cut(string(p), "?")
	if i := strings.IndexByte(strings.TrimPrefix(s, "/"), '/'); i >= 0 {
		return s[:i+2]
	}
	return ""
}

func countWildcards(paths []Path) int {
	n := 0
	for _, p := range paths {
		if p.IsWildcard() {
			n++
		}
	}
	return n
}

// objects are the objects behind the URLs with their sizes, each once.
func objects(urls []URL) map[site.Key]int64 {
	out := make(map[site.Key]int64, len(urls))
	for _, u := range urls {
		out[u.Object] = u.Size
	}
	return out
}

// withoutCovered drops repeated paths and those that a wildcard among them
// covers anyway: each is billed (fact sheet 1.4). The result is in byte order.
func withoutCovered(paths []Path) []Path {
	paths = slices.Compact(slices.Sorted(slices.Values(paths)))
	var prefixes []string // of the wildcards, none a prefix of another
	for _, p := range paths {
		if prefix, ok := strings.CutSuffix(string(p), "*"); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	slices.Sort(prefixes)
	prefixes = dropNested(prefixes)
	return slices.DeleteFunc(paths, func(p Path) bool {
		prefix, wildcard := strings.CutSuffix(string(p), "*")
		cover, ok := coveringPrefix(prefixes, prefix)
		return ok && !(wildcard && cover == prefix)
	})
}

func dropNested(sorted []string) []string {
	out := sorted[:0]
	for _, s := range sorted {
		if len(out) == 0 || !strings.HasPrefix(s, out[len(out)-1]) {
			out = append(out, s)
		}
	}
	return out
}

// coveringPrefix finds the one of the sorted, unnested prefixes that s begins
// with.
func coveringPrefix(prefixes []string, s string) (string, bool) {
	i := sort.SearchStrings(prefixes, s)
	if i < len(prefixes) && prefixes[i] == s {
		return s, true
	}
	if i > 0 && strings.HasPrefix(s, prefixes[i-1]) {
		return prefixes[i-1], true
	}
	return "", false
}
