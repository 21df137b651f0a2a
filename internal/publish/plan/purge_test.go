package plan_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// liveAfter is what the next plan finds once p was carried out.
func liveAfter(p plan.Plan) plan.Live {
	var out plan.Live
	out.State.Current = &release.Pointer{Release: p.Release, Number: p.Number}
	out.State.Live = release.Manifest{Release: p.Release, Number: p.Number, Site: p.Site, Retired: p.Retired}
	for _, o := range p.Site.Objects() {
		out.Objects = append(out.Objects, plan.Observed{Object: &o, Known: true, Ours: true})
	}
	return out
}

// edited is files with other bodies for the keys.
func edited(files map[site.Key]string, changed ...site.Key) map[site.Key]string {
	out := map[site.Key]string{}
	for k, body := range files {
		if out[k] = body; slices.Contains(changed, k) {
			out[k] = body + ", edited"
		}
	}
	return out
}

func TestSeveralDistributions(t *testing.T) {
	files := map[site.Key]string{
		"prod/index.html": "home", "prod/a.css": "css", "staging/index.html": "next", "staging/b/index.html": "b", "readme.txt": "r",
	}
	all := []plan.Distribution{
		{ID: "EPROD", View: rules.View{OriginPath: "/prod", RootObject: "index.html"}},
		{ID: "ESTAGING", View: rules.View{OriginPath: "/staging", RootObject: "index.html"}},
		{ID: "EWHOLE"},
		{ID: "EELSEWHERE", View: rules.View{OriginPath: "/other"}},
	}
	rows := []struct {
		name    string
		changed []site.Key
		want    [][]string // for each distribution
	}{
		{"one folder", []site.Key{"prod/index.html"}, [][]string{{"/", "/index.html"}, nil, {"/prod", "/prod/", "/prod/index.html"}, nil}},
		{"the other", []site.Key{"staging/b/index.html"}, [][]string{nil, {"/b", "/b/", "/b/index.html"}, {"/staging/b", "/staging/b/", "/staging/b/index.html"}, nil}},
		{"outside of both", []site.Key{"readme.txt"}, [][]string{nil, nil, {"/readme.txt"}, nil}},
		{"all of one", []site.Key{"prod/index.html", "prod/a.css"}, [][]string{{"/*"}, nil, {"/prod", "/prod/", "/prod/a.css", "/prod/index.html"}, nil}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := plan.Make(plan.Input{
				Release: "r2-new", Site: manifest(t, edited(files, row.changed...)), Live: world{live: files}.build(t), Distributions: all, Now: now,
			})
			if len(p.Purges) != len(all) {
				t.Fatalf("%d purges for %d distributions", len(p.Purges), len(all))
			}
			n := 0
			for i, u := range p.Purges {
				if u.Distribution != all[i].ID {
					t.Errorf("purge %d is for %s", i, u.Distribution)
				}
				if diff := cmp.Diff(u.Cover.Paths(), row.want[i], cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s (-got +want):\n%s", u.Distribution, diff)
				}
				n += len(row.want[i])
			}
			if p.Paths() != n || p.Money.Paths != n {
				t.Errorf("the plan counts %d and bills %d paths, want %d", p.Paths(), p.Money.Paths, n)
			}
			if got, want := p.Purges[0].LiveObjects, 2-len(p.Purges[0].Changed)/2; len(row.changed) == 1 && got != want {
				t.Errorf(`"/*" on EPROD would drop %d objects, want %d`, got, want)
			}
		})
	}
}

// many is a site of n pages, each beside an image, in two folders.
func many(n int) map[site.Key]string {
	out := map[site.Key]string{"robots.txt": "all"}
	for i := range n {
		folder := []string{"posts", "notes"}[i%2]
		out[site.Key(fmt.Sprintf("%s/p%03d.html", folder, i))] = "page"
		out[site.Key(fmt.Sprintf("%s/p%03d.png", folder, i))] = "image"
	}
	return out
}

// pagesOf are the pages among files.
func pagesOf(files map[site.Key]string) []site.Key {
	return slices.DeleteFunc(slices.Sorted(keysOf(files)), func(k site.Key) bool { return !strings.HasSuffix(string(k), ".html") })
}

func TestBudget(t *testing.T) {
	files := many(100)
	all := pagesOf(files)
	rows := []struct {
		name  string
		spend plan.Spending
		pages int
		want  plan.Money
		items int
		drops bool
		by    invalidation.Policy
		guard bool
	}{
		{"no budget", plan.Spending{}, 100, plan.Money{Paths: 100}, 100, false, invalidation.PolicyBalanced, false},
		{"it costs nothing here", plan.Spending{Free: true, Budget: 10, Used: 5000}, 100, plan.Money{Free: true, Paths: 100, Used: 5000, Budget: 10}, 100, false, invalidation.PolicyBalanced, false},
		{"half of what is left suffices", plan.Spending{Budget: 1000, Used: 800}, 100, plan.Money{Paths: 100, Used: 800, Budget: 1000}, 100, false, invalidation.PolicyBalanced, false},
		{"half of what is left does not", plan.Spending{Budget: 1000, Used: 802}, 100, plan.Money{Paths: 1, Used: 802, Budget: 1000}, 1, true, invalidation.PolicyBalanced, false},
		{"the budget is spent", plan.Spending{Budget: 1000, Used: 1000}, 100, plan.Money{Paths: 1, Used: 1000, Budget: 1000, Price: 0.005, FellBack: true}, 1, true, invalidation.PolicyFrugal, false},
		{"exact does not look at the share", plan.Spending{Policy: invalidation.PolicyExact, Budget: 1000, Used: 850}, 100, plan.Money{Paths: 100, Used: 850, Budget: 1000}, 100, false, invalidation.PolicyExact, false},
		{"exact falls back too", plan.Spending{Policy: invalidation.PolicyExact, Budget: 1000, Used: 950}, 100, plan.Money{Paths: 1, Used: 950, Budget: 1000, FellBack: true}, 1, true, invalidation.PolicyFrugal, false},
		{"exact is refused", plan.Spending{Policy: invalidation.PolicyExact, Budget: 1000, Used: 950, Refuse: true}, 100, plan.Money{Paths: 100, Used: 950, Budget: 1000, Price: 0.25}, 100, false, invalidation.PolicyExact, true},
		{"nothing is left and it is refused", plan.Spending{Budget: 1000, Used: 1000, Refuse: true}, 3, plan.Money{Paths: 1, Used: 1000, Budget: 1000, Price: 0.005}, 1, true, invalidation.PolicyBalanced, true},
		{"frugal cannot fall further", plan.Spending{Policy: invalidation.PolicyFrugal, Budget: 1000, Used: 2000}, 3, plan.Money{Paths: 1, Used: 2000, Budget: 1000, Price: 0.005}, 1, true, invalidation.PolicyFrugal, false},
		{"nothing to send is never too much", plan.Spending{Budget: 1000, Used: 2000, Refuse: true}, 0, plan.Money{Used: 2000, Budget: 1000}, 0, false, invalidation.PolicyBalanced, false},
		{"what is over the free paths is billed", plan.Spending{Used: 990}, 30, plan.Money{Paths: 30, Used: 990, Price: 0.1}, 30, false, invalidation.PolicyBalanced, false},
		{"and all of it beyond them", plan.Spending{Used: 1500}, 30, plan.Money{Paths: 30, Used: 1500, Price: 0.15}, 30, false, invalidation.PolicyBalanced, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := plan.Make(plan.Input{
				Release: "r2-new", Site: manifest(t, edited(files, all[:row.pages]...)), Live: world{live: files}.build(t),
				Distributions: one, Spending: row.spend, Now: now,
			})
			if diff := cmp.Diff(p.Money, row.want, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("money (-got +want):\n%s", diff)
			}
			if drops, _ := p.Drops(); p.Paths() != row.items || (drops > 0) != row.drops {
				t.Errorf("%d items drop %d: %v; want %d, drops: %v", p.Paths(), drops, paths(p), row.items, row.drops)
			}
			if by := p.Purges[0].Policy; by != row.by {
				t.Errorf("chosen by %q, want %q", by, row.by)
			}
			if (len(p.Guards) > 0) != row.guard {
				t.Errorf("guards %q, want one: %v", p.Guards, row.guard)
			}
		})
	}
}

// The distributions share the month: what the first takes is not there for the
// second.
func TestDistributionsShareTheMonth(t *testing.T) {
	files := many(100)
	next := manifest(t, edited(files, pagesOf(files)...))
	make := func(used int) plan.Plan {
		return plan.Make(plan.Input{
			Release: "r2-new", Site: next, Live: world{live: files}.build(t), Now: now,
			Distributions: []plan.Distribution{{ID: "E1"}, {ID: "E2"}}, Spending: plan.Spending{Budget: 1000, Used: used},
		})
	}
	for used, want := range map[int][2]int{700: {100, 100}, 790: {100, 1}, 802: {1, 1}} {
		p := make(used)
		if got := [2]int{len(p.Purges[0].Cover.Items), len(p.Purges[1].Cover.Items)}; got != want {
			t.Errorf("with %d used the distributions get %v items, want %v", used, got, want)
		}
	}
}

func TestSubmittingTakesTime(t *testing.T) {
	limits, err := invalidation.LimitsNamed("cloudfront")
	if err != nil {
		t.Fatal(err)
	}
	files := many(600)
	p := plan.Make(plan.Input{
		Release: "r2-new", Site: manifest(t, edited(files, pagesOf(files)...)), Live: world{live: files}.build(t),
		Distributions: one, Spending: plan.Spending{Limits: limits}, Now: now,
	})
	if got := p.Purges[0].Seconds; len(p.Purges[0].Cover.Items) != 600 || math.Abs(got-3) > 1e-9 {
		t.Errorf("%d paths take %v s, want 600 in 3 s", len(p.Purges[0].Cover.Items), got)
	}
}

func TestErrorPageWarning(t *testing.T) {
	files := map[site.Key]string{"404.html": "not found", "a.html": "a", "b.html": "b", "c.html": "c"}
	dists := []plan.Distribution{
		{ID: "E1", ErrorPages: map[site.Key]float64{"404.html": 10}},
		{ID: "E2", ErrorPages: map[site.Key]float64{"404.html": 300, "a.html": 1}},
		{ID: "E3"},
	}
	rows := []struct {
		name string
		site map[site.Key]string
		want []string
	}{
		{"untouched", edited(files, "b.html"), nil},
		{"edited", edited(files, "404.html"), []string{"E1: missing addresses may show the old one for up to 10 s", "E2: missing addresses may show the old one for up to 300 s"}},
		{"two pages of one", edited(files, "404.html", "a.html"), []string{"E1", "E2", "a.html is the error page of E2"}},
		{"headers", map[site.Key]string{"404.html": "not found|x", "a.html": "a", "b.html": "b", "c.html": "c"}, []string{"E1", "E2"}},
		{"removed", map[site.Key]string{"a.html": "a", "b.html": "b", "c.html": "c"}, []string{"E1", "E2"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := plan.Make(plan.Input{Release: "r2-new", Site: manifest(t, row.site), Live: world{live: files}.build(t), Distributions: dists, Now: now})
			if len(p.Warnings) != len(row.want) {
				t.Fatalf("warnings %q, want %q", p.Warnings, row.want)
			}
			for _, w := range row.want {
				if !slices.ContainsFunc(p.Warnings, func(got string) bool { return strings.Contains(got, w) }) {
					t.Errorf("warnings %q, want one with %q", p.Warnings, w)
				}
			}
		})
	}
	t.Run("new", func(t *testing.T) {
		p := plan.Make(plan.Input{Release: "r1-new", Site: manifest(t, files), Distributions: dists, Now: now})
		if len(p.Warnings) != 0 {
			t.Errorf("warnings %q: nobody has seen the page yet", p.Warnings)
		}
	})
}

// What an interrupted run has left over belongs to the distribution for which
// it was noted; where that is gone the plan says so.
func TestPendingOfSeveralDistributions(t *testing.T) {
	files := map[site.Key]string{"a.html": "a"}
	j := &release.Journal{Release: "r2-open", Number: 2, Base: "r1-live", Pending: []release.PendingURL{
		{Distribution: "E1", Path: "/one", Key: "one"}, {Distribution: "E2", Path: "/two", Key: "two"},
		{Distribution: "EGONE", Path: "/three", Key: "three"}, {Path: "/all", Key: "all"},
	}}
	p := plan.Make(plan.Input{
		Release: "r3-new", Site: manifest(t, files), Live: world{live: files, journal: j}.build(t), Now: now,
		Distributions: []plan.Distribution{{ID: "E1"}, {ID: "E2"}},
	})
	got := [][]string{p.Purges[0].Cover.Paths(), p.Purges[1].Cover.Paths()}
	if diff := cmp.Diff(got, [][]string{{"/all", "/one"}, {"/all", "/two"}}); diff != "" {
		t.Errorf("items (-got +want):\n%s", diff)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "r2-open left 1 URLs") {
		t.Errorf("warnings %q, want one for the distribution that is gone", p.Warnings)
	}
}
