package invalidation

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// pages are the index pages of folders, with the three URLs of each.
func pages(folders ...string) []URL {
	var out []URL
	for _, f := range folders {
		for _, form := range []string{f, f + "/", f + "/index.html"} {
			if form != "" {
				out = append(out, URL{Path: site.URLPath(form), Object: site.Key(f[1:] + "/index.html"), Size: 1, Why: "w"})
			}
		}
	}
	return out
}

// own leaves of each object its longest URL, as untouched objects come.
func own(urls []URL) []URL {
	longest := map[site.Key]URL{}
	for _, u := range urls {
		if len(u.Path) > len(longest[u.Object].Path) {
			longest[u.Object] = u
		}
	}
	return slices.DeleteFunc(slices.Clone(urls), func(u URL) bool { return longest[u.Object].Path != u.Path })
}

func cloudfrontLimits(t testing.TB) Limits {
	t.Helper()
	l, err := LimitsNamed("cloudfront")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Each policy on one blog: three posts in 2026 change, one has a name that no
// path can carry.
func TestPolicies(t *testing.T) {
	changed := join(pages("/posts/2026/thaw", "/posts/2026/ice", "/posts/2026/it's"), urls("/feed.xml"))
	untouched := join(own(pages("/posts/2026/iceberg", "/posts/2025/it", "/posts/2026/snow", "/about")), urls("/posts/2026/itch.png", "/main.css"))
	plain := []string{
		"/feed.xml 1/0/0", "/posts/2026/ice 1/0/0", "/posts/2026/ice/ 1/0/0", "/posts/2026/ice/index.html 1/0/0",
		"/posts/2026/it* 3/1/1", "/posts/2026/thaw 1/0/0", "/posts/2026/thaw/ 1/0/0", "/posts/2026/thaw/index.html 1/0/0",
	}
	few := []string{"/feed.xml 1/0/0", "/posts/2026/ice 1/0/0", "/posts/2026/ice/* 2/0/0", "/posts/2026/it* 3/1/1", "/posts/2026/thaw* 3/0/0"}
	for _, tt := range []struct {
		name string
		p    Problem
		want []string
	}{
		{"exact: the fewest items that drop nothing needlessly", Problem{Policy: PolicyExact, Share: -1}, few},
		{"exact: whatever the share", Problem{Policy: PolicyExact, Share: 1}, few},
		{"balanced, no bound: no wildcard that is not needed", Problem{Policy: PolicyBalanced, Share: -1}, plain},
		{"balanced, a tenth of the share suffices", Problem{Policy: PolicyBalanced, Share: 80}, plain},
		{"balanced, a tenth does not", Problem{Policy: PolicyBalanced, Share: 79}, few},
		{"balanced, the share is used up", Problem{Policy: PolicyBalanced, Share: 5}, few},
		{"balanced, one item less weighs most", Problem{Policy: PolicyBalanced, Share: 4}, []string{"/* 10/6/6"}},
		{"balanced, nothing left", Problem{Policy: PolicyBalanced, Share: 0}, []string{"/* 10/6/6"}},
		{"frugal: one item", Problem{Policy: PolicyFrugal, Share: -1}, []string{"/* 10/6/6"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Changed, tt.p.Untouched = changed, untouched
			got, err := Choose(tt.p)
			if diff := cmp.Diff(brief(got), tt.want); diff != "" || err != nil {
				t.Errorf("%v; items (-got +want):\n%s", err, diff)
			}
		})
	}
}

func TestNothingUntouched(t *testing.T) {
	for _, policy := range []Policy{PolicyExact, PolicyBalanced, PolicyFrugal} {
		for _, share := range []int{-1, 0, 1000} {
			got, err := Choose(Problem{Changed: pages("/a", "/b"), Policy: policy, Share: share})
			if diff := cmp.Diff(brief(got), []string{"/* 6/0/0"}); diff != "" || err != nil {
				t.Errorf("%s, share %d: %v (-got +want):\n%s", policy, share, err, diff)
			}
		}
	}
}

// Answers under query strings take an item of their own, unless a prefix or a
// tag reaches them too.
func TestVariants(t *testing.T) {
	changed := pages("/search")
	for i := range changed {
		changed[i].Variants = true
	}
	few := []string{"/search 1/0/0", "/search/* 2/0/0", "/search?* 1/0/0"}
	for policy, want := range map[Policy][]string{PolicyExact: few, PolicyBalanced: few, PolicyFrugal: {"/search* 3/1/1"}} {
		got, err := Choose(Problem{Changed: changed, Untouched: urls("/searching", "/a"), Policy: policy, Share: -1})
		if diff := cmp.Diff(brief(got), want); diff != "" || err != nil {
			t.Errorf("%s: %v (-got +want):\n%s", policy, err, diff)
		}
		for i := range changed {
			changed[i].Kind = site.KindPage
		}
		got, err = Choose(Problem{Changed: changed, Untouched: urls("/searching", "/a"), Policy: policy, Share: -1})
		if c := got.Items; err != nil || len(c) != 1 || !c[0].Path.IsTag() || got.Drops != 0 || c[0].CoverCount != 3 {
			t.Errorf("%s, with tags: %v, %v", policy, brief(got), err)
		}
		for i := range changed {
			changed[i].Kind = ""
		}
	}
}

func TestChooseOfMany(t *testing.T) {
	for _, tt := range []struct {
		name               string
		share              int
		changed, untouched []URL
		items              int
		want               []string // some of the items, as brief shows them
		drops              int
	}{
		{"a tenth of the share is sent one by one", 1000, series("/a/", 100), urls("/b"), 100, []string{"/a/0000 1/0/0", "/a/0099 1/0/0"}, 0},
		{"one more becomes a wildcard", 1000, series("/a/", 101), urls("/b"), 1, []string{"/a/0* 101/0/0"}, 0},
		{"without a share all are sent one by one", -1, series("/a/", 5000), urls("/b"), 5000, []string{"/a/4999 1/0/0"}, 0},
		{
			"a first deploy beside foreign objects", 1000,
			join(series("/img/", 9000), series("/posts/", 9000), urls("/", "/index.html", "/posts", "/feed.xml", "/about/", "/about")),
			urls("/img/foreign", "/other/foreign"),
			14, []string{"/ 1/0/0", "/about* 2/0/0", "/feed.xml 1/0/0", "/img/0* 1000/0/0", "/img/8* 1000/0/0", "/index.html 1/0/0", "/posts* 9001/0/0"}, 0,
		},
		{
			"a folder with much that did not change stays exact", 1000,
			join(series("/new/", 1500), series("/old/a", 3)), series("/old/b", 31),
			2, []string{"/new/* 1500/0/0", "/old/a000* 3/0/0"}, 0,
		},
		{
			"what lies between weighs against the paths", 20,
			join(series("/a/a", 30), urls("/z")), join(interleaved(30), series("/c/", 11)), 2, []string{"/a/a00* 30/30/30", "/z 1/0/0"}, 30,
		},
		{
			"and is left alone where they fit", 1000,
			join(series("/a/a", 30), urls("/z")), interleaved(30), 31, []string{"/a/a0000 1/0/0", "/z 1/0/0"}, 0,
		},
		{"too many folders", 1000, manyFolders(1001), urls("/x/y"), 1, []string{"/f* 2002/0/0"}, 0},
		{"one wildcard that is needed anyway", 1000, join(tildes(40), series("/y/", 2)), urls("/x/y"), 3, []string{"/00* 40/0/0", "/y/0000 1/0/0"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(Problem{Changed: tt.changed, Untouched: tt.untouched, Policy: PolicyBalanced, Limits: cloudfrontLimits(t), Share: tt.share})
			if err != nil {
				t.Fatal(err)
			}
			all := brief(got)
			for _, w := range tt.want {
				if !slices.Contains(all, w) {
					t.Errorf("no item %s", w)
				}
			}
			if len(all) != tt.items || got.Drops != tt.drops {
				t.Errorf("%d items that drop %d, want %d that drop %d; %q", len(all), got.Drops, tt.items, tt.drops, all[:min(len(all), 20)])
			}
		})
	}
}

// interleaved are the untouched neighbours of series("/a/a", n).
func interleaved(n int) []URL {
	out := series("/a/a", n)
	for i := range out {
		out[i].Path += "b"
		out[i].Object += "b"
	}
	return out
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

// A plan has patience for so many wildcards where it has a choice, and none
// where it has not.
func TestPatience(t *testing.T) {
	var changed, untouched []URL
	for i := range 40 { // two in each folder beside one that stays
		changed = append(changed, series(fmt.Sprintf("/f%02d/a", i), 2)...)
		untouched = append(untouched, series(fmt.Sprintf("/f%02d/b", i), 1)...)
	}
	for i := range 20 {
		untouched = append(untouched, urls(fmt.Sprintf("/%04d/b", i))...)
	}
	for _, tt := range []struct {
		name             string
		limits           string
		changed          []URL
		items, wildcards int
	}{
		{"no limits: a wildcard for each folder", "none", changed, 40, 40},
		{"patience for fifteen", "cloudfront", changed, 15 + 2*25, 15},
		{"patience for fifteen, twenty are needed", "cloudfront", join(changed, tildes(20)), 100, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits, err := LimitsNamed(tt.limits)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Choose(Problem{Changed: tt.changed, Untouched: untouched, Policy: PolicyExact, Limits: limits, Share: -1})
			if err != nil || got.Drops != 0 || len(got.Items) != tt.items || got.Wildcards() != tt.wildcards {
				t.Errorf("%d items, %d of them wildcards, drop %d; want %d and %d: %v", len(got.Items), got.Wildcards(), got.Drops, tt.items, tt.wildcards, err)
			}
		})
	}
}

// folders are n folders with two changed URLs each, and with untouched ones
// between and beside them.
func folders(n, between, beside int) (changed, untouched []URL) {
	for i := range n {
		f := fmt.Sprintf("/f%04d", i)
		changed = append(changed, urls(f+"/a", f+"/c")...)
		untouched = append(untouched, join(series(f+"/b", between), series(f+"-", beside))...)
	}
	return changed, untouched
}

// The less may be spent the more is dropped, and never is more spent.
func TestTheShareIsKept(t *testing.T) {
	changed, untouched := folders(10, 15, 40)
	last := 0
	for share := 25; share >= 0; share-- {
		want := min(share, 20)
		if share < 10 {
			want = 1 // the ten folders have no common prefix but that of all
		}
		got, err := Choose(Problem{Changed: changed, Untouched: untouched, Policy: PolicyBalanced, Share: share})
		if err != nil || len(got.Items) != want || got.Drops < last || (share >= 20) != (got.Drops == 0) {
			t.Errorf("with a share of %d: %d items drop %d (%v)", share, len(got.Items), got.Drops, err)
		}
		last = got.Drops
	}
}

// Where both bounds make the problem too large, the share counts and the
// patience does not.
func TestTooLargeForBothBounds(t *testing.T) {
	changed, untouched := folders(1000, 11, 40)
	limits := cloudfrontLimits(t)
	limits.Patience = 100
	got, err := Choose(Problem{Changed: changed, Untouched: untouched, Policy: PolicyBalanced, Limits: limits, Share: 1800})
	if err != nil || len(got.Items) != 1800 || got.Wildcards() != 200 || got.Drops != 200*11 {
		t.Fatalf("%d items, %d wildcards drop %d; %v", len(got.Items), got.Wildcards(), got.Drops, err)
	}
	limits.Patience = 15
	changed, untouched = folders(30, 11, 40)
	got, err = Choose(Problem{Changed: changed, Untouched: untouched, Policy: PolicyBalanced, Limits: limits, Share: 40})
	if err != nil || len(got.Items) > 40 || got.Wildcards() > 15 {
		t.Fatalf("%d items, %d wildcards drop %d; %v", len(got.Items), got.Wildcards(), got.Drops, err)
	}
}

func TestUnknownPolicyIsBalanced(t *testing.T) {
	changed, untouched := series("/a", 3), urls("/b")
	a, errA := Choose(Problem{Changed: changed, Untouched: untouched, Policy: PolicyBalanced, Share: 2})
	b, errB := Choose(Problem{Changed: changed, Untouched: untouched, Share: 2})
	if errA != nil || errB != nil || !cmp.Equal(a.Paths(), b.Paths()) {
		t.Errorf("%v and %v; %v, %v", a.Paths(), b.Paths(), errA, errB)
	}
}

func TestChooseOfKeys(t *testing.T) {
	keys := []site.Key{"posts/it's/index.html", "posts/a b.html", "js/r~a.js", "日.html"}
	var changed []URL
	for _, k := range keys {
		changed = append(changed, URL{Path: k.URLPath(), Object: k})
	}
	got := choose(t, changed, urls("/posts/b")).Paths()
	if diff := cmp.Diff(got, []string{"/%E6%97%A5.html", "/js/r*", "/posts/a%20b.html", "/posts/it*"}); diff != "" {
		t.Errorf("paths (-got +want):\n%s", diff)
	}
}
