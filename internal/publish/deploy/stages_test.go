package deploy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/site"
)

func step(op plan.Op, phase plan.Phase, key site.Key, size int64) plan.Step {
	return plan.Step{Op: op, Phase: phase, Object: site.Object{Key: key, Size: size}}
}

func TestStages(t *testing.T) {
	steps := []plan.Step{
		step(plan.OpAdd, plan.PhaseImmutable, "new.3f2a9c1b.js", 1),
		step(plan.OpUpdate, plan.PhaseImmutable, "changed.3f2a9c1b.js", 1),
		step(plan.OpHeaders, plan.PhaseImmutable, "headers.3f2a9c1b.js", 1),
		step(plan.OpAdd, plan.PhaseNewAssets, "new.css", 1),
		step(plan.OpUpdate, plan.PhaseChangedAssets, "changed.css", 1),
		step(plan.OpUpdate, plan.PhaseChangedPages, "index.html", 1),
		step(plan.OpRemove, plan.PhaseImmutable, "gone.html", 1),
		step(plan.OpRetire, plan.PhaseImmutable, "gone.css", 1),
		step(plan.OpAdd, plan.PhaseFeeds, "feed.xml", 1),
	}
	var got []string
	for _, stage := range stages(steps) {
		var keys []string
		for _, s := range stage {
			keys = append(keys, string(s.Object.Key))
		}
		got = append(got, strings.Join(keys, " "))
	}
	want := []string{"new.3f2a9c1b.js new.css", "changed.3f2a9c1b.js headers.3f2a9c1b.js changed.css", "index.html", "feed.xml"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("stages (-got +want):\n%s", diff)
	}
}

// Large files are begun first, the others in their order. A change of headers
// sends nothing, however large the object is.
func TestLargeFirst(t *testing.T) {
	steps := []plan.Step{
		step(plan.OpAdd, 0, "a", 1), step(plan.OpAdd, 0, "b", large), step(plan.OpAdd, 0, "c", large-1),
		step(plan.OpAdd, 0, "d", 10*large), step(plan.OpHeaders, 0, "e", 20*large), step(plan.OpUpdate, 0, "f", large),
	}
	got := ""
	pointers := those(steps, func(*plan.Step) bool { return true })
	for _, i := range largeFirst(pointers) {
		got += string(steps[i].Object.Key)
	}
	if got != "dbface" {
		t.Errorf("begun in the order %s", got)
	}
}
