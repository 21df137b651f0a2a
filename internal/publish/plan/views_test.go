package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// behind is one distribution that shows the bucket as v says; none for nil.
func behind(v *rules.View) []plan.Distribution {
	if v == nil {
		return nil
	}
	return []plan.Distribution{{ID: dist, View: *v}}
}

func TestViews(t *testing.T) {
	in := func(v *rules.View, w world) plan.Plan {
		return plan.Make(plan.Input{Release: "r2-new", Site: manifest(t, map[site.Key]string{"a.html": "1", "b.html": "2"}), Live: w.build(t), Distributions: behind(v), Now: now})
	}
	t.Run("no distribution: nothing is invalidated", func(t *testing.T) {
		p := in(nil, world{})
		if len(p.Steps) != 2 || len(p.Purges) != 0 || p.Paths() != 0 || len(p.Warnings) != 0 {
			t.Errorf("plan: %+v", p)
		}
	})
	t.Run("no distribution any more: what was left over is told", func(t *testing.T) {
		p := in(nil, world{journal: &release.Journal{Release: "r1-x", Pending: []release.PendingURL{{Path: "/z"}}}})
		if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "r1-x left 1 URLs") {
			t.Errorf("warnings %q", p.Warnings)
		}
	})
	t.Run("the whole bucket: everything is one path", func(t *testing.T) {
		for _, v := range []rules.View{{}, {OriginPath: "/prod"}, {OriginPath: "/prod", Prefix: "prod/"}} {
			if v.OriginPath != "" && v.Prefix == "" {
				continue // the files would lie outside the origin path
			}
			if got := paths(in(&v, world{})); !cmp.Equal(got, []string{"/*"}) {
				t.Errorf("view %+v: %v", v, got)
			}
		}
	})
	t.Run("a part of what the distribution shows: the rest is not touched", func(t *testing.T) {
		for _, v := range []rules.View{{Prefix: "site/"}, {Prefix: "prod/site/", OriginPath: "/prod"}} {
			want := []string{"/site/a.html", "/site/b.html"}
			if got := paths(in(&v, world{})); !cmp.Equal(got, want) {
				t.Errorf("view %+v: %v, want %v", v, got, want)
			}
		}
	})
	t.Run("many paths are joined, but never beyond the target's prefix", func(t *testing.T) {
		files := map[site.Key]string{}
		for i := range 1500 {
			files[site.Key(fmt.Sprintf("p%d.html", i))] = "p"
		}
		in := plan.Input{Release: "r1-a", Site: manifest(t, files), Distributions: behind(&rules.View{Prefix: "site/"}), Now: now}
		if n := plan.Make(in).Paths(); n != 1500 {
			t.Errorf("%d items where nothing is to be saved, want 1500", n)
		}
		in.Spending.Budget = 1000
		p := plan.Make(in)
		for _, it := range p.Purges[0].Cover.Items {
			if it.Path.Covers("/site-staging/index.html") || it.Path.Covers("/") {
				t.Errorf("the item %s covers what is not the target's", it.Path)
			}
		}
		if n := p.Paths(); n != 1 {
			t.Errorf("%d items, want 1 with a budget: %v", n, paths(p))
		}
	})
	t.Run("outside the origin path nothing is shown", func(t *testing.T) {
		if got := changed(in(&rules.View{OriginPath: "/other", Prefix: "site/"}, world{})); len(got) != 0 {
			t.Errorf("changed URLs: %v", got)
		}
	})
}
