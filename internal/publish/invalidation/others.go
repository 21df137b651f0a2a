package invalidation

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// someUntouched reports whether anything is untouched.
func (p Problem) someUntouched() bool {
	if p.Others != nil {
		for range p.Others {
			return true
		}
	}
	return len(p.Untouched) > 0
}

// Everything covers all of the changed URLs by "/*".
func (p Problem) Everything() Cover {
	c := Price([]Path{"/*"}, p.Changed, p.Untouched)
	p.addOthers(&c, []Path{"/*"}, []place{{}})
	return c
}

// addOthers adds what the paths drop of p.Others to a cover that has an item
// for each of them. places say what tags stand for.
//
// They are not sorted, as the lists are, but passed by: each looks for the paths
// that cover it.
func (p Problem) addOthers(c *Cover, paths []Path, places []place) {
	if p.Others == nil {
		return
	}
	at := indexOf(paths, places)
	for u := range p.Others {
		dropped := false
		drop := func(item int) {
			c.Items[item].Drops++
			c.Items[item].DropsBytes += u.Size
			dropped = true
		}
		if i, ok := at.exact[u.Path]; ok {
			drop(i)
		}
		at.wildcards.each(string(u.Path), drop)
		if u.Kind != "" {
			at.tags[u.Kind].each(string(u.Path), drop)
		}
		if dropped {
			c.Drops++
			c.DropsBytes += u.Size
		}
	}
}

// index finds those of some paths that cover a URL.
type index struct {
	exact     map[site.URLPath]int
	wildcards prefixes
	tags      map[site.Kind]prefixes // the folders that they stand for
}

func indexOf(paths []Path, places []place) index {
	at := index{exact: map[site.URLPath]int{}, tags: map[site.Kind]prefixes{}}
	for i, p := range paths {
		prefix, wild := strings.CutSuffix(string(p), "*")
		switch {
		case p.IsTag() && places[i].folder != "":
			at.tags[places[i].kind] = append(at.tags[places[i].kind], beginning{places[i].folder, i, none})
		case p.IsTag():
		case wild:
			at.wildcards = append(at.wildcards, beginning{prefix, i, none})
		default:
			at.exact[site.URLPath(p)] = i
		}
	}
	at.wildcards.link()
	for _, tags := range at.tags {
		tags.link()
	}
	return at
}

// prefixes are in byte order.
type prefixes []beginning

type beginning struct {
	text  string
	item  int
	above int // the longest of the others that it begins with
}

const none = -1

func (p prefixes) link() {
	slices.SortFunc(p, func(a, b beginning) int { return cmp.Compare(a.text, b.text) })
	for i := 1; i < len(p); i++ {
		above := i - 1
		for above != none && !strings.HasPrefix(p[i].text, p[above].text) {
			above = p[above].above
		}
		p[i].above = above
	}
}

// each calls do for the items of all that s begins with: the longest of them is
// the last that is not behind s, or stands above that, and all others above it.
func (p prefixes) each(s string, do func(item int)) {
	i := sort.Search(len(p), func(i int) bool { return p[i].text > s }) - 1
	for ; i != none; i = p[i].above {
		if strings.HasPrefix(s, p[i].text) {
			do(p[i].item)
		}
	}
}
