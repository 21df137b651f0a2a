package invalidation

import (
	"cmp"
	"maps"
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
	Covers []string `json:"covers"` // the changed URLs that it covers, in byte order; at most MaxListed, never nil
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
	Items []Item `json:"items"` // Choose puts them into byte order of their paths
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

// Choose covers the changed URLs, and drops as little else as it can. untouched
// lists the URLs of the objects that did not change.
//
// Each changed URL gets its own path. One that no path can name exactly is
// covered by the longest prefix that can be written. Where that would be more
// than the 1,000 paths that are free each month, whole folders below the root
// become one wildcard each, those first that drop least; "/*" is sent where
// even that is too much, and where nothing would be left in the caches anyway.
// What any wildcard drops is counted. No item covers another.
func Choose(changed, untouched []URL) Cover { return choose(changed, untouched, defaults) }

func choose(changed, untouched []URL, lim limits) Cover {
	if len(changed) == 0 {
		return Cover{}
	}
	urls := slices.CompactFunc(inOrder(changed), func(a, b URL) bool { return a.Path == b.Path })
	rest := inOrder(untouched)
	paths := make([]Path, len(urls))
	for i, u := range urls {
		paths[i] = Exact(u.Path)
	}
	paths = withoutCovered(paths)
	if len(paths) > lim.paths {
		paths = fold(paths, rest, lim)
	}
	if len(paths) > lim.paths || len(paths) > 1 && nothingStays(paths, rest) {
		paths = []Path{"/*"}
	}
	return price(paths, urls, rest)
}

// nothingStays reports whether paths, of which none covers another, drop all
// the untouched URLs, as "/*" would.
func nothingStays(paths []Path, untouched []URL) bool {
	dropped := 0
	for _, p := range paths {
		dropped += len(matching(untouched, p))
	}
	return dropped == len(untouched)
}

// Price says what the given paths do: which changed URLs each covers and what
// it drops. The paths are taken as they are, in their order.
func Price(paths []Path, changed, untouched []URL) Cover {
	return price(paths, inOrder(changed), inOrder(untouched))
}

// inOrder is a copy of urls in byte order of their paths.
func inOrder(urls []URL) []URL {
	return slices.SortedStableFunc(slices.Values(urls), func(a, b URL) int { return cmp.Compare(a.Path, b.Path) })
}

// price fills in what each path covers and drops. Both lists are in byte order.
func price(paths []Path, changed, untouched []URL) Cover {
	cover := Cover{Items: make([]Item, 0, len(paths))}
	dropped := map[site.Key]int64{}
	for _, p := range paths {
		it := Item{Path: p, Covers: []string{}}
		for _, u := range matching(changed, p) {
			it.CoverCount++
			if len(it.Covers) < MaxListed {
				it.Covers = append(it.Covers, string(u.Path))
			}
			it.Why = cmp.Or(it.Why, u.Why)
		}
		own := objects(matching(untouched, p))
		maps.Copy(dropped, own)
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
