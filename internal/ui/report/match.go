package report

import (
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// span is a run of objects in key order.
type span struct{ lo, hi int }

// finder knows which objects an item concerns. It goes by names, which is good
// enough to light up tiles: what an item covers was decided by the planner.
type finder struct{ objects []Object } // in key order

// spans are the objects below root that the item covers or drops. A wildcard
// covers what begins with it; an address stands for the object of that name,
// or for the page that answers a folder's or a clean address; a tag is known
// only by the addresses listed with it.
func (f finder) spans(root string, it Item) []span {
	if prefix, ok := strings.CutSuffix(it.Path, "*"); ok && strings.HasPrefix(it.Path, "/") {
		prefix = root + keyOf(prefix)
		lo := f.at(prefix)
		hi := lo + sort.Search(len(f.objects)-lo, func(i int) bool {
			return !strings.HasPrefix(f.objects[lo+i].Key, prefix)
		})
		return []span{{lo, hi}}
	}
	addresses := it.Covers
	if strings.HasPrefix(it.Path, "/") {
		addresses = append([]string{it.Path}, addresses...)
	}
	var out []span
	for _, a := range addresses {
		if i, ok := f.answer(root + keyOf(a)); ok {
			out = append(out, span{i, i + 1})
		}
	}
	return out
}

// answer finds the object that answers the address of that key.
func (f finder) answer(key string) (int, bool) {
	forms := []string{key, key + "/index.html", key + ".html"}
	if key == "" || strings.HasSuffix(key, "/") {
		forms = []string{key + "index.html", key}
	}
	for _, form := range forms {
		if i := f.at(form); i < len(f.objects) && f.objects[i].Key == form {
			return i, true
		}
	}
	return 0, false
}

// at is the place of the first key that is not below key.
func (f finder) at(key string) int {
	return sort.Search(len(f.objects), func(i int) bool { return f.objects[i].Key >= key })
}

// keyOf undoes the escaping of an address and leaves its query out.
func keyOf(address string) string {
	address, _, _ = strings.Cut(strings.TrimPrefix(address, "/"), "?")
	if plain, err := url.PathUnescape(address); err == nil {
		return plain
	}
	return address
}

// tileIndex finds the tiles of an object, on all maps.
type tileIndex struct{ of [][]int } // by object; ascending

// indexTiles numbers the tiles of all maps, frames left out, in the order in
// which they stand in the page.
func indexTiles(objects []Object, maps [][]tile) tileIndex {
	x := tileIndex{make([][]int, len(objects))}
	id := 0
	for _, tiles := range maps {
		for _, t := range tiles {
			if t.frame {
				continue
			}
			for _, n := range t.nodes {
				for i := n.lo; i < n.hi; i++ {
					if t.lone || markIndex(objects[i].Mark) == t.mark {
						x.of[i] = append(x.of[i], id)
					}
				}
			}
			id++
		}
	}
	return x
}

// list is the tiles of the objects in spans: "3 17-20".
func (x tileIndex) list(spans []span) string {
	var ids []int
	for _, s := range spans {
		for _, of := range x.of[s.lo:s.hi] {
			ids = append(ids, of...)
		}
	}
	slices.Sort(ids)
	return ranges(slices.Compact(ids))
}

// ranges writes ascending numbers, runs of them shortened.
func ranges(ids []int) string {
	var b strings.Builder
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(ids[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(ids[j]))
		}
		i = j + 1
	}
	return b.String()
}
