package control

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// glanced is what Glances must say by what Distributions and Mark say.
func glanced(t *testing.T, f *fixture) (out []Glance) {
	t.Helper()
	all, err := f.Distributions()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		m, err := f.Mark(d.ID)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Glance{
			ID: d.ID, DomainName: d.DomainName, Aliases: d.Config.Aliases, Comment: d.Config.Comment, Enabled: d.Config.Enabled,
			Deployed: d.Status == "Deployed", Pending: d.InProgressInvalidationBatches, Mark: m,
		})
	}
	return out
}

// Whatever changes, a glance shows what a whole look shows.
func TestGlances(t *testing.T) {
	f := start(t, Options{})
	check := func(name string, parsed bool) {
		t.Helper()
		before := f.glances.all
		got, err := f.Glances()
		if diff := cmp.Diff(got, glanced(t, f)); diff != "" || err != nil {
			t.Errorf("%s: %v; got, want:\n%s", name, err, diff)
		}
		if again := len(before) == 0 || &before[0] != &f.glances.all[0]; again != parsed {
			t.Errorf("%s: parsed again: %v, want %v", name, again, parsed)
		}
	}
	check("the first", true)
	check("nothing new", false)
	release := f.edges.hold()
	made, err := f.Invalidate(t.Context(), f.dist.ID, "a", []string{"/a"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Glances(); err != nil || got[0].Pending != 1 {
		t.Errorf("one is in progress: %+v, %v", got, err)
	}
	check("an invalidation", false)
	release()
	f.await(t, made.ID)
	check("it is completed", false)
	changed := siteConfig()
	changed.Comment, changed.Enabled, changed.Aliases = "moved", !changed.Enabled, []string{"other.example.org"}
	if _, err := f.SetDistribution(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	check("another configuration", true)
	changed.CallerReference, changed.Aliases = "second", nil
	if _, err := f.EnsureDistribution(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	check("a second one", true)
	if got, err := f.Glances(); err != nil || len(got) != 2 || !slices.IsSortedFunc(got, func(a, b Glance) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Glances(); err == nil {
		t.Error("a closed server was looked at")
	}
}
