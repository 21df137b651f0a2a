package invalidation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

// urls are the URLs of objects that have one each; "/a=3" is one of 3 bytes.
func urls(paths ...string) []URL {
	out := make([]URL, len(paths))
	for i, p := range paths {
		size := int64(1)
		if path, digits, ok := strings.Cut(p, "="); ok {
			p = path
			fmt.Sscan(digits, &size)
		}
		out[i] = URL{Path: site.URLPath(p), Object: site.Key(p[1:] + "#"), Size: size, Why: "why " + p}
	}
	return out
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		name               string
		changed, untouched []URL
		want               []string // "path covered/dropped objects/dropped bytes"
		drops              int
	}{
		{"nothing changed", nil, urls("/a", "/b"), nil, 0},
		{"nothing at all", nil, nil, nil, 0},
		{"one of several", urls("/a"), urls("/b", "/c"), []string{"/a 1/0/0"}, 0},
		{"in byte order, each once", urls("/b", "/a", "/b"), urls("/c"), []string{"/a 1/0/0", "/b 1/0/0"}, 0},
		{"everything changed", urls("/a", "/b"), nil, []string{"/* 2/0/0"}, 0},
		{"the only URL changed", urls("/a"), nil, []string{"/a 1/0/0"}, 0},
		{"what cannot be named", urls("/js/runtime~a.js"), urls("/js/run.js=5", "/js/runtime.js=7"),
			[]string{"/js/runtime* 1/1/7"}, 1},
		{"one wildcard for two", urls("/js/r~a.js", "/js/r~b.js", "/js/r.js"), urls("/a"), []string{"/js/r* 3/0/0"}, 0},
		{"nested wildcards", urls("/a/b~c", "/a~d", "/a/b"), urls("/b"), []string{"/a* 3/0/0"}, 0},
		{"wildcards side by side", urls("/a~1", "/b~1"), urls("/a", "/b=2", "/c"), []string{"/a* 1/1/1", "/b* 1/1/2"}, 2},
		{"nothing would stay", urls("/a~1", "/b"), urls("/a", "/ab"), []string{"/* 2/2/2"}, 2},
		{"a literal star", urls("/a*b"), urls("/axb"), []string{"/a*b 1/0/0"}, 0},
		{"a literal star at the end", urls("/a*"), urls("/ab", "/b"), []string{"/a** 1/0/0"}, 0}, // a literal star, then any rest
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := choose(t, tt.changed, tt.untouched)
			if diff := cmp.Diff(brief(got), tt.want); diff != "" || got.Drops != tt.drops {
				t.Errorf("drops %d, want %d; items (-got +want):\n%s", got.Drops, tt.drops, diff)
			}
		})
	}
}

func brief(c Cover) []string {
	var out []string
	for _, it := range c.Items {
		out = append(out, fmt.Sprintf("%s %d/%d/%d", it.Path, it.CoverCount, it.Drops, it.DropsBytes))
	}
	return out
}

func TestItemsSayWhy(t *testing.T) {
	var changed []URL
	for i := range 30 {
		changed = append(changed, URL{Path: site.URLPath(fmt.Sprintf("/a~%02d", i)), Object: "x", Why: fmt.Sprint("why ", i)})
	}
	got := choose(t, changed, urls("/b"))
	if len(got.Items) != 1 {
		t.Fatalf("%d items, want 1", len(got.Items))
	}
	it := got.Items[0]
	if it.Why != "why 0" || it.CoverCount != 30 || len(it.Covers) != MaxListed || it.Covers[19] != "/a~19" {
		t.Errorf("item %+v, want the first reason, 30 URLs, 20 listed", it)
	}
}

func TestCoverJSONHasNoNull(t *testing.T) {
	text, err := json.Marshal(Price([]Path{"/nothing"}, nil, nil))
	want := `{"items":[{"path":"/nothing","why":"","covers":[],"cover_count":0,"drops":0,"drops_bytes":0}],"drops":0,"drops_bytes":0}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

func TestPriceTakesPathsAsTheyAre(t *testing.T) {
	page := []URL{{Path: "/p", Object: "p/index.html", Size: 9}, {Path: "/p/", Object: "p/index.html", Size: 9}}
	got := Price([]Path{"/z", "/*", "/p*", "/p"}, nil, page)
	want := []string{"/z 0/0/0", "/* 0/1/9", "/p* 0/1/9", "/p 0/1/9"}
	if diff := cmp.Diff(brief(got), want); diff != "" || got.Drops != 1 || got.DropsBytes != 9 {
		t.Errorf("drops %d of %d bytes, want 1 of 9; items (-got +want):\n%s", got.Drops, got.DropsBytes, diff)
	}
	if diff := cmp.Diff(got.Paths(), []string{"/z", "/*", "/p*", "/p"}); diff != "" {
		t.Errorf("paths (-got +want):\n%s", diff)
	}
}

func TestPriceOfQueryStrings(t *testing.T) {
	changed := []URL{{Path: "/a", Object: "a", Variants: true}, {Path: "/b", Object: "b"}, {Path: "/a/c", Object: "c", Variants: true}}
	got := Price([]Path{"/a?*", "/b?*", "/?*", "#a?*"}, changed, urls("/ab"))
	if diff := cmp.Diff(brief(got), []string{"/a?* 1/0/0", "/b?* 0/0/0", "/?* 0/0/0", "#a?* 0/0/0"}); diff != "" {
		t.Errorf("items (-got +want):\n%s", diff)
	}
}

// scene draws a site's URLs, split into what changed and what did not. Several
// URLs belong to one object, and some cannot be named.
func scene(t *rapid.T) (changed, untouched []URL) {
	paths := rapid.SliceOfNDistinct(rapid.StringMatching(`/([abc]/)?([ab~*']{0,4}|c)`), 0, 14, rapid.ID[string]).Draw(t, "paths")
	for _, p := range paths {
		object := site.Key(rapid.SampledFrom([]string{"x", "y", "z", "w", p}).Draw(t, "object"))
		touched := rapid.Bool().Draw(t, "changed")
		u := URL{Path: site.URLPath(p), Object: object, Size: int64(len(object)) + 1, Why: "w"}
		if touched {
			changed = append(changed, u)
		} else {
			untouched = append(untouched, u)
		}
	}
	return changed, untouched
}

// checkPrices holds of every cover, by brute force.
func checkPrices(t *rapid.T, c Cover, changed, untouched []URL) {
	all := map[site.Key]int64{}
	for _, it := range c.Items {
		own, covered := map[site.Key]int64{}, []string{}
		for _, u := range untouched {
			if covers(string(it.Path), string(u.Path)) {
				own[u.Object], all[u.Object] = u.Size, u.Size
			}
		}
		for _, u := range changed {
			if covers(string(it.Path), string(u.Path)) {
				covered = append(covered, string(u.Path))
			}
		}
		slices.Sort(covered)
		if it.Drops != len(own) || it.DropsBytes != total(own) || it.CoverCount != len(covered) || !slices.Equal(it.Covers, covered) {
			t.Fatalf("item %+v, want it to cover %q and drop %v", it, covered, own)
		}
	}
	if c.Drops != len(all) || c.DropsBytes != total(all) {
		t.Fatalf("drops %d of %d bytes, want %v", c.Drops, c.DropsBytes, all)
	}
}

func total(sizes map[site.Key]int64) (n int64) {
	for s := range maps.Values(sizes) {
		n += s
	}
	return n
}

// checkCover holds of what Choose answers.
func checkCover(t *rapid.T, c Cover, changed []URL) {
	for _, u := range changed {
		if !slices.ContainsFunc(c.Items, func(it Item) bool { return covers(string(it.Path), string(u.Path)) }) {
			t.Fatalf("%q is covered by none of %q", u.Path, c.Paths())
		}
	}
	for i, a := range c.Items {
		if a.CoverCount == 0 {
			t.Fatalf("%q covers nothing that changed", a.Path)
		}
		if !acceptable(string(a.Path)) {
			t.Fatalf("CloudFront refuses %q", a.Path)
		}
		for j, b := range c.Items {
			if i != j && covers(string(a.Path), strings.TrimSuffix(string(b.Path), "*")) {
				t.Fatalf("%q covers %q", a.Path, b.Path)
			}
		}
	}
	if !slices.IsSortedFunc(c.Items, func(a, b Item) int { return strings.Compare(string(a.Path), string(b.Path)) }) {
		t.Fatalf("%q is not in byte order", c.Paths())
	}
}

func TestChooseCoversExactlyWhatChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changed, untouched := scene(t)
		before := fmt.Sprint(changed, untouched)
		c := choose(t, changed, untouched)
		checkCover(t, c, changed)
		checkPrices(t, c, changed, untouched)
		if len(changed) == 0 && (len(c.Items) > 0 || c.Drops > 0) {
			t.Fatalf("nothing changed, yet %q is sent", c.Paths())
		}
		for _, u := range untouched {
			needed := slices.ContainsFunc(changed, func(ch URL) bool { return covers(string(Exact(ch.Path)), string(u.Path)) })
			sent := slices.ContainsFunc(c.Items, func(it Item) bool { return covers(string(it.Path), string(u.Path)) })
			if sent && !needed {
				t.Fatalf("%q drops %q needlessly", c.Paths(), u.Path)
			}
		}
		if fmt.Sprint(changed, untouched) != before {
			t.Fatal("Choose changed what it was given")
		}
	})
}

func TestPriceLikeBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changed, untouched := scene(t)
		paths := rapid.SliceOf(rapid.StringMatching(`/([abc]/)?[ab]{0,2}\*?`)).Draw(t, "sent")
		var sent []Path
		for _, p := range paths {
			sent = append(sent, Path(p))
		}
		checkPrices(t, Price(sent, changed, untouched), changed, untouched)
	})
}

// choose is Choose where paths cost nothing.
func choose(t interface{ Fatal(...any) }, changed, untouched []URL) Cover {
	c, err := Choose(Problem{Changed: changed, Untouched: untouched, Policy: PolicyBalanced, Share: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
