package invalidation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

// series are n URLs "/dir/0000" and on, each of its own object.
func series(dir string, n int) []URL {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s%04d", dir, i)
	}
	return urls(paths...)
}

func join(lists ...[]URL) []URL { return slices.Concat(lists...) }

func TestChooseOfMany(t *testing.T) {
	for _, tt := range []struct {
		name               string
		changed, untouched []URL
		items              int
		want               []string // some of the items, as brief shows them
		drops              int
	}{
		{"1,000 are sent one by one", series("/a/", 1000), urls("/b"), 1000, []string{"/a/0000 1/0/0", "/a/0999 1/0/0"}, 0},
		{"1,001 become a wildcard", series("/a/", 1001), urls("/b"), 1, []string{"/a/* 1001/0/0"}, 0},
		{
			"a first deploy beside foreign objects",
			join(series("/img/", 9000), series("/posts/", 9000), urls("/", "/index.html", "/posts", "/feed.xml", "/about/", "/about")),
			urls("/img/foreign", "/other/foreign"),
			8, []string{"/ 1/0/0", "/about 1/0/0", "/about/ 1/0/0", "/feed.xml 1/0/0", "/img/* 9000/1/1", "/index.html 1/0/0", "/posts 1/0/0", "/posts/* 9000/0/0"}, 1,
		},
		{
			"a folder with much that did not change stays exact",
			join(series("/new/", 1500), series("/old/a", 3)), series("/old/b", 31),
			4, []string{"/new/* 1500/0/0", "/old/a0000 1/0/0", "/old/a0001 1/0/0", "/old/a0002 1/0/0"}, 0,
		},
		{
			"what is worth less than the paths saved goes as well",
			join(series("/new/", 1500), series("/old/a", 4)), series("/old/b", 30),
			1, []string{"/* 1504/30/30"}, 30,
		},
		{
			"the same, where something stays",
			join(series("/new/", 1500), series("/old/a", 4)), join(series("/old/b", 30), urls("/c")),
			2, []string{"/new/* 1500/0/0", "/old/* 4/30/30"}, 30,
		},
		{
			"as many folders as it takes, the cheapest first",
			join(series("/a/a", 600), series("/b/a", 600), series("/c/a", 600)),
			join(series("/a/b", 9000), series("/b/b", 7000), series("/c/b", 8000)),
			602, []string{"/a/a0000 1/0/0", "/b/* 600/7000/7000", "/c/* 600/8000/8000"}, 15000,
		},
		{"too many files at the top", series("/", 1001), urls("/a/b"), 1, []string{"/* 1001/1/1"}, 1},
		{"too many folders", manyFolders(1001), urls("/x/y"), 1, []string{"/* 2002/1/1"}, 1},
		{"too many wildcards", join(manyFolders(17), series("/y/", 1990), series("/", 980)), urls("/x/y"), 1, []string{"/* 3004/1/1"}, 1},
		{"wildcards that were there count", join(tildes(15), series("/y/", 1001)), urls("/x/y"), 1, []string{"/* 1016/1/1"}, 1},
		{"a wildcard takes the place of one", join(tildes(15), series("/0000/", 1001)), urls("/x/y"), 15, []string{"/0000/* 1002/0/0", "/0014/a* 1/0/0"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Choose(tt.changed, tt.untouched)
			all := brief(got)
			var found []string
			for _, w := range tt.want {
				if slices.Contains(all, w) {
					found = append(found, w)
				}
			}
			if diff := cmp.Diff(found, tt.want); diff != "" {
				t.Errorf("items (-got +want):\n%s\nfirst of all: %q", diff, all[:min(len(all), 20)])
			}
			if len(all) != tt.items || got.Drops != tt.drops {
				t.Errorf("%d items that drop %d, want %d that drop %d", len(all), got.Drops, tt.items, tt.drops)
			}
		})
	}
}

// manyFolders are two URLs in each of n folders.
func manyFolders(n int) []URL {
	var out []URL
	for i := range n {
		out = append(out, series(fmt.Sprintf("/f%04d/", i), 2)...)
	}
	return out
}

// tildes are n URLs in as many folders, each of which takes a wildcard.
func tildes(n int) []URL {
	var out []URL
	for i := range n {
		out = append(out, urls(fmt.Sprintf("/%04d/a~", i))...)
	}
	return out
}

func TestTopFolder(t *testing.T) {
	for path, want := range map[Path]string{
		"/": "", "/a": "", "/a*": "", "/a/": "/a/", "/a/b/c": "/a/", "/a/*": "/a/", "/a?b=/c/d": "", "/a/b?c=/d": "/a/", "/*": "",
	} {
		if got := topFolder(path); got != want {
			t.Errorf("topFolder(%q) = %q, want %q", path, got, want)
		}
	}
}

// With small limits, random scenes reach every branch.
func TestChooseKeepsToItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changed, untouched := scene(t)
		lim := limits{
			paths:     rapid.IntRange(1, 6).Draw(t, "paths"),
			wildcards: rapid.IntRange(0, 4).Draw(t, "wildcards"),
			weight:    rapid.IntRange(0, 2).Draw(t, "weight"),
		}
		c := choose(changed, untouched, lim)
		checkCover(t, c, changed)
		checkPrices(t, c, changed, untouched)
		if len(c.Items) > lim.paths {
			t.Fatalf("%q are more than %d", c.Paths(), lim.paths)
		}
		exact := withoutCovered(exactly(changed))
		if len(exact) > lim.paths || len(c.Items) == 1 && c.Items[0].Path == "/*" {
			return
		}
		if got := c.Paths(); !slices.EqualFunc(got, exact, func(a string, b Path) bool { return a == string(b) }) {
			t.Fatalf("%q, although %q are few enough", got, exact)
		}
	})
}

func exactly(changed []URL) []Path {
	var out []Path
	for _, u := range changed {
		out = append(out, Exact(u.Path))
	}
	return out
}

// Everything is dropped only where nothing else would do, or nothing else is
// there.
func TestEverythingIsTheLastResort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changed, untouched := scene(t)
		lim := limits{paths: rapid.IntRange(1, 6).Draw(t, "paths"), wildcards: 15}
		c := choose(changed, untouched, lim)
		if len(c.Items) != 1 || c.Items[0].Path != "/*" || slices.Contains(exactly(changed), "/*") {
			return
		}
		folded := map[string]bool{} // every folder one wildcard
		for _, p := range exactly(changed) {
			if top := topFolder(p); top != "" {
				p = Path(top + "*")
			}
			folded[string(p)] = true
		}
		stays := slices.ContainsFunc(untouched, func(u URL) bool {
			for p := range folded {
				if covers(p, string(u.Path)) {
					return false
				}
			}
			return true
		})
		if stays && len(folded) <= lim.paths {
			t.Fatalf("/* drops %d, although %v would do", c.Drops, folded)
		}
	})
}

func TestWithoutCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOf(rapid.StringMatching(`/[ab]{0,3}\*{0,2}`)).Draw(t, "paths")
		var paths []Path
		for _, p := range drawn {
			paths = append(paths, Path(p))
		}
		var want []Path
		for _, p := range paths {
			covered := slices.ContainsFunc(paths, func(q Path) bool {
				return q != p && q.IsWildcard() && covers(string(q), strings.TrimSuffix(string(p), "*"))
			})
			if !covered && !slices.Contains(want, p) {
				want = append(want, p)
			}
		}
		slices.Sort(want)
		before := slices.Clone(paths)
		if got := withoutCovered(paths); !slices.Equal(got, want) || !slices.Equal(paths, before) {
			t.Fatalf("withoutCovered(%q) = %q, want %q", before, got, want)
		}
	})
}

func BenchmarkChoose(b *testing.B) {
	changed, untouched := join(series("/a/", 9999), series("/b/", 9999), series("/c/", 900)), series("/d/", 9999)
	for b.Loop() {
		Choose(changed, untouched)
	}
}

func TestChooseOfKeys(t *testing.T) {
	keys := []site.Key{"posts/it's/index.html", "posts/a b.html", "js/r~a.js", "日.html"}
	var changed []URL
	for _, k := range keys {
		changed = append(changed, URL{Path: k.URLPath(), Object: k})
	}
	got := Choose(changed, urls("/x")).Paths()
	if diff := cmp.Diff(got, []string{"/%E6%97%A5.html", "/js/r*", "/posts/a%20b.html", "/posts/it*"}); diff != "" {
		t.Errorf("paths (-got +want):\n%s", diff)
	}
}
