package invalidation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

// object is one object of a random site with all its URLs, as a distribution
// shows them.
type object struct {
	key      site.Key
	forms    []site.URLPath // the longest last
	size     int64
	kind     site.Kind // "" where caches hold it without tags
	variants bool
	changed  bool
}

func (o object) longest() site.URLPath { return o.forms[len(o.forms)-1] }

// drawObjects draws a small site with hard names and few letters, so that
// prefixes, folders and forms meet often.
func drawObjects(t *rapid.T) []object {
	name := rapid.SampledFrom([]string{"a", "b", "ab", "a~", "it's", "a%20b", "x*", "index.html", "index.html"})
	kinds := rapid.SampledFrom([]site.Kind{"", site.KindPage, site.KindPage, site.KindAsset, site.KindFeed, site.KindOther, site.KindImmutable, "sixth"})
	var out []object
	taken := map[site.URLPath]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "objects") {
		path := "/" + strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "name"), "/")
		o := object{key: site.Key(path[1:]), size: int64(1 + len(out)), kind: kinds.Draw(t, "kind")}
		folder, isIndex := strings.CutSuffix(path, "index.html")
		forms := []string{path}
		if isIndex {
			forms = []string{strings.TrimSuffix(folder, "/"), folder, path}
		}
		for _, f := range forms {
			if f != "" && !taken[site.URLPath(f)] {
				o.forms = append(o.forms, site.URLPath(f))
			}
		}
		if len(o.forms) == 0 || string(o.longest()) != path {
			continue // there is one already
		}
		o.changed, o.variants = rapid.Bool().Draw(t, "changed"), rapid.IntRange(0, 7).Draw(t, "variants") == 0
		for _, f := range o.forms {
			taken[f] = true
		}
		out = append(out, o)
	}
	return out
}

// problem is what a plan makes of the objects.
func problem(objects []object) Problem {
	var p Problem
	for _, o := range objects {
		if !o.changed {
			p.Untouched = append(p.Untouched, URL{Path: o.longest(), Object: o.key, Size: o.size, Kind: o.kind})
			continue
		}
		for _, f := range o.forms {
			p.Changed = append(p.Changed, URL{Path: f, Object: o.key, Size: o.size, Why: "w", Kind: o.kind, Variants: o.variants})
		}
	}
	return p
}

// drops says by a reading of its own whether an item throws out what a cache
// holds of o under path, with its query string.
func drops(item string, o object, path site.URLPath) bool {
	if tag, ok := strings.CutPrefix(item, "#"); ok {
		return o.kind != "" && slices.Contains(TagsOf(o.kind, o.longest()), tag)
	}
	return covers(item, string(path))
}

func drawProblem(t *rapid.T) (Problem, []object) {
	objects := drawObjects(t)
	p := problem(objects)
	p.Policy = rapid.SampledFrom([]Policy{PolicyExact, PolicyBalanced, PolicyFrugal}).Draw(t, "policy")
	p.Limits.Patience = rapid.IntRange(0, 3).Draw(t, "patience")
	p.Share = rapid.IntRange(-1, 8).Draw(t, "share") * rapid.SampledFrom([]int{1, 1, 10}).Draw(t, "times")
	return p, objects
}

// It is all the same whether untouched URLs come in a list or one after the other.
func TestOthersAreUntouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := drawProblem(t)
		want, err := Choose(p)
		if err != nil {
			t.Fatal(err)
		}
		split := p
		rest := rapid.Permutation(p.Untouched).Draw(t, "rest")
		n := rapid.IntRange(0, len(rest)).Draw(t, "listed")
		split.Untouched, split.Others = rest[:n], slices.Values(rest[n:])
		got, err := Choose(split)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("(-got +want):\n%s", diff)
		}
		if diff := cmp.Diff(split.Everything(), Price([]Path{"/*"}, p.Changed, p.Untouched)); diff != "" {
			t.Fatalf("everything (-got +want):\n%s", diff)
		}
	})
}

// Nothing that changed stays in a cache, whatever policy, limits, share and
// tags; and the cover says truly what it drops.
func TestChooseNeverCoversLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, objects := drawProblem(t)
		c, err := Choose(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			for _, f := range o.forms {
				for _, query := range []site.URLPath{"", "?", "?q=/x"} {
					if o.changed && (query == "" || o.variants) && !slices.ContainsFunc(c.Items, func(it Item) bool { return drops(string(it.Path), o, f+query) }) {
						t.Fatalf("%s of %+v is covered by none of %q", f+query, o, c.Paths())
					}
				}
			}
		}
		checkTotals(t, c, objects)
	})
}

// checkTotals prices a cover by brute force.
func checkTotals(t *rapid.T, c Cover, objects []object) {
	all := map[site.Key]int64{}
	for _, it := range c.Items {
		dropped, covered := map[site.Key]int64{}, 0
		for _, o := range objects {
			for _, f := range o.forms {
				switch {
				case o.changed && (drops(string(it.Path), o, f) || o.variants && drops(string(it.Path), o, f+"?q")):
					covered++
				case !o.changed && drops(string(it.Path), o, f):
					dropped[o.key], all[o.key] = o.size, o.size
				}
			}
		}
		if it.Drops != len(dropped) || it.DropsBytes != total(dropped) || it.CoverCount != covered {
			t.Fatalf("item %+v, want it to cover %d and drop %v", it, covered, dropped)
		}
		if covered == 0 {
			t.Fatalf("%s covers nothing that changed", it.Path)
		}
		if !it.Path.IsTag() && !acceptable(string(it.Path)) {
			t.Fatalf("CloudFront refuses %q", it.Path)
		}
	}
	if c.Drops != len(all) || c.DropsBytes != total(all) {
		t.Fatalf("drops %d of %d bytes, want %v", c.Drops, c.DropsBytes, all)
	}
	if !slices.IsSorted(c.Paths()) || len(slices.Compact(c.Paths())) != len(c.Items) {
		t.Fatalf("%q is not in byte order, each once", c.Paths())
	}
}

// What each policy promises, beside covering everything.
func TestPoliciesKeepTheirWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, objects := drawProblem(t)
		c, err := Choose(p)
		if err != nil || len(p.Changed) == 0 {
			if len(c.Items) > 0 || err != nil {
				t.Fatalf("%v for nothing: %v", c.Paths(), err)
			}
			return
		}
		exact := p
		exact.Policy, exact.Limits = PolicyExact, Limits{}
		least, err := Choose(exact)
		if err != nil {
			t.Fatal(err)
		}
		switch p.Policy {
		case PolicyFrugal:
			if len(c.Items) != 1 {
				t.Fatalf("frugal sends %q", c.Paths())
			}
		case PolicyExact:
			if c.Drops != least.Drops || len(c.Items) < len(least.Items) {
				t.Fatalf("exact drops %d with %q; without patience it drops %d with %q", c.Drops, c.Paths(), least.Drops, least.Paths())
			}
		case PolicyBalanced:
			if p.Share >= 0 && len(c.Items) > max(p.Share, 1) {
				t.Fatalf("balanced sends %q, the share is %d", c.Paths(), p.Share)
			}
			if len(least.Items) <= p.Share && c.Drops > least.Drops && p.Limits.Patience == 0 {
				t.Fatalf("balanced drops %d with %q, although %q drop %d", c.Drops, c.Paths(), least.Paths(), least.Drops)
			}
		}
		checkForced(t, c, p, objects)
	})
}

// checkForced: what an exact cover drops without tags is what the shortest
// expressible prefix of some changed URL forces it to.
func checkForced(t *rapid.T, c Cover, p Problem, objects []object) {
	if p.Policy != PolicyExact || slices.ContainsFunc(objects, func(o object) bool { return o.changed && o.kind != "" }) {
		return
	}
	forced := map[site.Key]bool{}
	for _, u := range p.Changed {
		item := string(Exact(u.Path))
		for _, o := range objects {
			if !o.changed && covers(item, string(o.longest())) {
				forced[o.key] = true
			}
		}
	}
	if c.Drops != len(forced) {
		t.Fatalf("exact drops %d with %q, want only %q", c.Drops, c.Paths(), slices.Sorted(maps.Keys(forced)))
	}
}

// Choose leaves alone what it is given, and the order of that does not matter.
func TestChooseIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := drawProblem(t)
		before := fmt.Sprint(p)
		a, errA := Choose(p)
		if fmt.Sprint(p) != before {
			t.Fatal("Choose changed what it was given")
		}
		p.Changed = rapid.Permutation(p.Changed).Draw(t, "changed")
		p.Untouched = rapid.Permutation(p.Untouched).Draw(t, "untouched")
		b, errB := Choose(p)
		if errA != nil || errB != nil || a.Drops != b.Drops || len(a.Items) != len(b.Items) {
			t.Fatalf("%q drop %d in one order, %q drop %d in another (%v, %v)", a.Paths(), a.Drops, b.Paths(), b.Drops, errA, errB)
		}
	})
}

// A first deploy is not searched for, and gets what the search would find.
func TestNothingToSearchFor(t *testing.T) {
	shortcuts := 0
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfNDistinct(rapid.StringMatching(`/[ab]?(/|c|%C3%A[49]|~x)?(index\.html)?`), 1, 8, rapid.ID).Draw(t, "paths")
		p := Problem{Policy: rapid.SampledFrom([]Policy{PolicyExact, PolicyBalanced, PolicyFrugal}).Draw(t, "policy"), Share: rapid.IntRange(-1, 3).Draw(t, "share")}
		p.Limits = rapid.SampledFrom([]Limits{{}, {Patience: 15}, {Patience: 1}}).Draw(t, "limits")
		for _, path := range paths {
			kind := rapid.SampledFrom([]site.Kind{"", "", "", site.KindPage}).Draw(t, "kind")
			p.Changed = append(p.Changed, URL{Path: site.URLPath(path), Object: site.Key(strings.TrimSuffix(path, "index.html")), Kind: kind, Variants: rapid.Bool().Draw(t, "variants")})
		}
		changed := once(inOrder(p.Changed))
		if !alike(changed) {
			return
		}
		shortcuts++
		want, err := p.search(changed, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Choose(p)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-searched +chosen):\n%s", err, diff)
		}
	})
	if shortcuts == 0 {
		t.Error("nothing was tried")
	}
}
