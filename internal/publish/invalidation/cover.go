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
	Path   site.URLPath `json:"path"`
	Object site.Key     `json:"object"`
	Size   int64        `json:"size"` // bytes of the object
	Why    string       `json:"why"`  // why it changed, for people
	// Kind is the kind by which a cache tag can reach the cached answers of the
	// object; "" where they carry no tags.
	Kind site.Kind `json:"kind,omitempty"`
	// Variants says that answers are cached under query strings too.
	Variants bool `json:"variants,omitempty"`
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

// Price says what the given paths do: which changed URLs each covers and what
// it drops. The paths are taken as they are, in their order.
func Price(paths []Path, changed, untouched []URL) Cover {
	changed, untouched = inOrder(changed), inOrder(untouched)
	return price(paths, places(paths, changed, untouched), changed, untouched)
}

// Seconds is how long it takes to submit c under the limits.
func (c Cover) Seconds(l Limits) float64 { return l.Seconds(c.Paths()) }

// Wildcards counts the items that cover a prefix.
func (c Cover) Wildcards() int {
	n := 0
	for _, it := range c.Items {
		if it.Path.IsWildcard() {
			n++
		}
	}
	return n
}

// inOrder is urls in byte order of their paths.
func inOrder(urls []URL) []URL {
	if slices.IsSortedFunc(urls, func(a, b URL) int { return cmp.Compare(a.Path, b.Path) }) {
		return urls // a large site comes sorted; sorting it again takes longest of all
	}
	return slices.SortedStableFunc(slices.Values(urls), func(a, b URL) int { return cmp.Compare(a.Path, b.Path) })
}

// price fills in what each path covers and drops. Both lists are in byte order;
// places say what those paths that are tags stand for.
func price(paths []Path, places []place, changed, untouched []URL) Cover {
	cover := Cover{Items: make([]Item, 0, len(paths))}
	dropped := map[site.Key]int64{}
	for i, p := range paths {
		it := Item{Path: p, Covers: []string{}}
		for _, u := range covered(changed, p, places[i]) {
			it.CoverCount++
			if len(it.Covers) < MaxListed {
				it.Covers = append(it.Covers, string(u.Path))
			}
			it.Why = cmp.Or(it.Why, u.Why)
		}
		if it.CoverCount == 0 && strings.HasSuffix(string(p), "?*") {
			it.Why = "the same under any query string"
		}
		own := objects(reached(untouched, p, places[i]))
		maps.Copy(dropped, own)
		it.Drops, it.DropsBytes = len(own), sum(own)
		cover.Items = append(cover.Items, it)
	}
	cover.Drops, cover.DropsBytes = len(dropped), sum(dropped)
	return cover
}

// covered are the changed URLs that p covers, be it only their answers under
// query strings: "/search?*".
func covered(changed []URL, p Path, at place) []URL {
	under, ok := strings.CutSuffix(string(p), "?*")
	if !ok || p.IsTag() {
		return reached(changed, p, at)
	}
	return slices.DeleteFunc(slices.Clone(matching(changed, Path(under))), func(u URL) bool { return !u.Variants })
}

// reached is what p, which stands for at where it is a tag, covers among sorted
// urls.
func reached(urls []URL, p Path, at place) []URL {
	if p.IsTag() {
		return tagged(urls, at)
	}
	return matching(urls, p)
}

// matching is the run of sorted urls that p, which is no tag, covers.
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

// objects are the objects behind the URLs with their sizes, each once.
func objects(urls []URL) map[site.Key]int64 {
	out := make(map[site.Key]int64, len(urls))
	for _, u := range urls {
		out[u.Object] = u.Size
	}
	return out
}
