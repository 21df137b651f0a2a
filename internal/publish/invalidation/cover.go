package invalidation

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// URL is a viewer URL with the object that answers it.
type URL struct {
	Path   site.URLPath
	Object site.Key
	Size   int64  // bytes of the object
	Why    string // why it changed, for people
}

// Item is one path of a plan with what it does.
type Item struct {
	Path   Path     `json:"path"`
	Why    string   `json:"why"`
	Covers []string `json:"covers"` // the changed URLs that it covers, in byte order; at most MaxListed
	// CoverCount is how many changed URLs it covers.
	CoverCount int `json:"cover_count"`
	// Drops is how many objects that did not change it throws out of caches,
	// and DropsBytes their size.
	Drops      int   `json:"drops"`
	DropsBytes int64 `json:"drops_bytes"`
}

// MaxListed bounds the lists of URLs that an Item carries for people.
const MaxListed = 20

// Cover is a set of items that covers every changed URL.
type Cover struct {
	Items []Item `json:"items"` // in byte order of their paths
	// Drops counts the untouched objects that the items drop together, each
	// once.
	Drops      int   `json:"drops"`
	DropsBytes int64 `json:"drops_bytes"`
}

// Paths are the items as they are sent.
func (c Cover) Paths() []string {
	out := make([]string, len(c.Items))
	for i, it := range c.Items {
		out[i] = string(it.Path)
	}
	return out
}

// Choose covers the changed URLs: each by its own path, or all of them by "/*"
// where nothing else lives. untouched lists the URLs of the objects that did
// not change. A URL that no path can name exactly is covered by the longest
// prefix that can be written; what that drops is counted.
func Choose(changed, untouched []URL) Cover {
	if len(changed) == 0 {
		return Cover{}
	}
	urls := slices.Clone(changed)
	slices.SortStableFunc(urls, func(a, b URL) int { return cmp.Compare(a.Path, b.Path) })
	urls = slices.CompactFunc(urls, func(a, b URL) bool { return a.Path == b.Path })
	if len(untouched) == 0 && len(urls) > 1 {
		return price([]Path{"/*"}, urls, nil)
	}
	paths := make([]Path, 0, len(urls))
	for _, u := range urls {
		paths = append(paths, Exact(u.Path))
	}
	return price(withoutCovered(paths), urls, untouched)
}

// Price says what the given paths do: which changed URLs each covers and what
// it drops. The paths are taken as they are.
func Price(paths []Path, changed, untouched []URL) Cover {
	urls := slices.Clone(changed)
	slices.SortStableFunc(urls, func(a, b URL) int { return cmp.Compare(a.Path, b.Path) })
	return price(paths, urls, untouched)
}

// withoutCovered drops repeated paths and those that a wildcard among them
// covers anyway: each is billed (fact sheet 1.4).
func withoutCovered(paths []Path) []Path {
	slices.Sort(paths)
	var prefixes []string // of the wildcards, none a prefix of another
	for _, p := range paths {
		if prefix, ok := strings.CutSuffix(string(p), "*"); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	slices.Sort(prefixes)
	prefixes = dropNested(prefixes)
	out := paths[:0]
	for _, p := range slices.Compact(paths) {
		prefix, wildcard := strings.CutSuffix(string(p), "*")
		if cover, ok := coveringPrefix(prefixes, prefix); ok && !(wildcard && cover == prefix) {
			continue
		}
		out = append(out, p)
	}
	return out
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

// price fills in what each path covers and drops. changed is in byte order.
func price(paths []Path, changed, untouched []URL) Cover {
	rest := slices.Clone(untouched)
	slices.SortFunc(rest, func(a, b URL) int { return cmp.Compare(a.Path, b.Path) })
	cover := Cover{Items: make([]Item, 0, len(paths))}
	dropped := map[site.Key]int64{}
	for _, p := range paths {
		it := Item{Path: p}
		for _, u := range matching(changed, p) {
			it.CoverCount++
			if len(it.Covers) < MaxListed {
				it.Covers = append(it.Covers, string(u.Path))
			}
			it.Why = cmp.Or(it.Why, u.Why)
		}
		own := map[site.Key]int64{}
		for _, u := range matching(rest, p) {
			own[u.Object], dropped[u.Object] = u.Size, u.Size
		}
		it.Drops, it.DropsBytes = len(own), sum(own)
		cover.Items = append(cover.Items, it)
	}
	cover.Drops, cover.DropsBytes = len(dropped), sum(dropped)
	return cover
}

// matching is the run of sorted urls that p covers: they stand together.
func matching(urls []URL, p Path) []URL {
	from := strings.TrimSuffix(string(p), "*")
	lo := sort.Search(len(urls), func(i int) bool { return string(urls[i].Path) >= from })
	hi := lo
	for hi < len(urls) && p.Covers(urls[hi].Path) {
		hi++
	}
	return urls[lo:hi]
}

func sum(sizes map[site.Key]int64) int64 {
	var n int64
	for _, s := range sizes {
		n += s
	}
	return n
}
