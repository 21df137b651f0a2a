package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// outline writes a tree in one line: folders with what is in them.
func outline(n *node) string {
	if n.leaf() {
		return n.name
	}
	var in []string
	for _, k := range n.kids {
		in = append(in, outline(k))
	}
	return n.name + "(" + strings.Join(in, " ") + ")"
}

func TestGrowJoinsFoldersWithOneEntry(t *testing.T) {
	for _, tt := range []struct {
		name string
		keys []string
		want string
	}{
		{"nothing", nil, "()"},
		{"one file", []string{"a/b/c.html"}, "(a/b/c.html)"},
		{"a page and its folder", []string{"p/a/index.html", "p/b/index.html"}, "(p/(a/index.html b/index.html))"},
		{"a chain", []string{"a/b/c/1", "a/b/c/2", "z"}, "(a/b/c/(1 2) z)"},
		{"a file and a folder of one name", []string{"a", "a/b", "a/c"}, "(a a/(b c))"},
		{"an object named as a folder", []string{"a/", "a/b"}, "(a/( b))"},
		{"empty segments", []string{"a//b", "a//c", "/d"}, "(/d a//(b c))"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var objects []Object
			for _, k := range tt.keys {
				objects = append(objects, Object{Key: k, Size: 1})
			}
			if got := outline(grow(sortedObjects(objects))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestEveryObjectIsOnTheMapOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "long-name", "index.html", ""}), 1, 5)
		keys := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
			return strings.Join(name.Draw(t, "name"), "/") + rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "end")
		}), 1, 120, rapid.ID[string]).Draw(t, "keys")
		var objects []Object
		for _, k := range keys {
			mark := marks[rapid.IntRange(0, len(marks)-1).Draw(t, "mark")].mark
			objects = append(objects, Object{k, rapid.Int64Range(-1, 1e9).Draw(t, "size"), mark})
		}
		objects = sortedObjects(objects)
		c := canvas{"test", rapid.Float64Range(20, 1200).Draw(t, "w"), rapid.Float64Range(20, 700).Draw(t, "h"), rapid.IntRange(5, 200).Draw(t, "most"), 12}
		by := rapid.SampledFrom([]basis{bySize, byCount}).Draw(t, "by")
		checkMap(t, objects, arrange(grow(objects), c, by), c)
	})
}

func checkMap(t *rapid.T, objects []Object, tiles []tile, c canvas) {
	const eps = 1e-6
	if len(tiles) > max(c.most, len(marks)) {
		t.Errorf("%d tiles, more than %d", len(tiles), c.most)
	}
	files := 0
	for i, a := range tiles {
		if a.w < 0 || a.h < 0 || a.x < -eps || a.y < -eps || a.x+a.w > c.width+eps || a.y+a.h > c.height+eps {
			t.Errorf("tile %v lies outside of the map", a.rect)
		}
		if a.frame {
			continue
		}
		files += a.sum.count
		for _, b := range tiles[i+1:] {
			if !b.frame && min(a.x+a.w, b.x+b.w)-max(a.x, b.x) > eps && min(a.y+a.h, b.y+b.h)-max(a.y, b.y) > eps {
				t.Errorf("%v and %v overlap", a.rect, b.rect)
			}
		}
	}
	if files != len(objects) {
		t.Errorf("the tiles stand for %d files, want %d", files, len(objects))
	}
	for i, ids := range indexTiles(objects, [][]tile{tiles}).of {
		if len(ids) != 1 {
			t.Errorf("%q is in tiles %v, want one", objects[i].Key, ids)
		}
	}
}

func TestSmallFilesAreMergedByFate(t *testing.T) {
	objects := []Object{{"big.bin", 1e9, ""}, {"new.txt", 10, MarkAdded}}
	for i := range 412 {
		objects = append(objects, Object{fmt.Sprintf("small/%03d", i), 5, ""}, Object{fmt.Sprintf("some/%03d", i), 5, ""})
	}
	tiles := arrange(grow(sortedObjects(objects)), wide, bySize)
	var got []string
	for _, x := range tiles {
		got = append(got, fmt.Sprintf("%s %q", marks[x.mark].class, x.note))
	}
	slices.Sort(got)
	if diff := cmp.Diff(got, []string{`added ""`, `same ""`, `same "824 more files"`}); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
	for _, x := range tiles {
		if marks[x.mark].mark == MarkAdded && x.area() < leastMarked*0.9 {
			t.Errorf("what changes has %.0f units², want about %.0f at least", x.area(), leastMarked)
		}
	}
}

func TestAreasFollowTheChoice(t *testing.T) {
	root := grow([]Object{{"a", 3000, ""}, {"b", 1000, ""}})
	for _, tt := range []struct {
		by   basis
		want float64
	}{{bySize, 3}, {byCount, 1}} {
		area := map[string]float64{}
		for _, x := range arrange(root, wide, tt.by) {
			area[x.path] = x.area()
		}
		if got := area["a"] / area["b"]; got < tt.want-1e-6 || got > tt.want+1e-6 {
			t.Errorf("by %s: a is %g times b, want %g", tt.by, got, tt.want)
		}
	}
}
