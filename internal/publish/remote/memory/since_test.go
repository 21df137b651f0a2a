package memory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

// TestInvalidations: a list goes by the clock, tells no items, is logged, asks
// the hook and is no poll.
func TestInvalidations(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	cdn := memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{blog}, Polls: 0, Now: func() time.Time { return now }})
	for _, reference := range []string{"a", "b", "c"} {
		if _, err := cdn.Invalidate(t.Context(), blog.ID, reference, []string{"/" + reference}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	cdn.ResetCalls()
	since := now.Add(-2 * time.Hour)
	got, err := cdn.Invalidations(t.Context(), blog.ID, since)
	want := []remote.Invalidation{
		{ID: "I0000000000003", Status: remote.InProgress, Created: since.Add(time.Hour)},
		{ID: "I0000000000002", Status: remote.InProgress, Created: since},
	}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("Invalidations: %v (-got +want):\n%s", err, diff)
	}
	if diff := cmp.Diff(cdn.Calls(), []memory.Call{{Op: memory.OpInvalidations, Key: blog.ID}}); diff != "" {
		t.Errorf("Calls (-got +want):\n%s", diff)
	}
	if inv := cdn.Accepted(blog.ID)[0]; inv.Status != remote.InProgress || len(inv.Items) != 1 {
		t.Errorf("after the list the first is %+v", inv)
	}
	for _, f := range []memory.Fault{memory.FailBefore(errFault), memory.FailAfter(errFault)} {
		cdn.SetHook(on(memory.OpInvalidations, blog.ID, f))
		if got, err := cdn.Invalidations(t.Context(), blog.ID, since); !errors.Is(err, errFault) || got != nil {
			t.Errorf("Invalidations = %v, %v", got, err)
		}
	}
}

// TestDistributionIsACopy: who changes what went in or came out does not change
// the CDN.
func TestDistributionIsACopy(t *testing.T) {
	made := func() remote.Distribution {
		return remote.Distribution{
			ID: "E1", Aliases: []string{"www.example.org"}, Origins: []remote.Origin{{ID: "site"}},
			Behaviors:  []remote.Behavior{{Pattern: "*", FailoverIDs: []string{"site"}}},
			ErrorPages: []remote.ErrorPage{{Status: 404, Page: "/404.html"}},
		}
	}
	spoil := func(d remote.Distribution) {
		d.Aliases[0], d.Origins[0].ID = "x", "x"
		d.Behaviors[0].FailoverIDs[0], d.Behaviors[0].Pattern, d.ErrorPages[0].Page = "x", "x", "x"
	}
	given, set, replaced := made(), made(), made()
	cdn := memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{given}})
	set.ID, replaced.ID = "E2", "E1"
	cdn.SetDistribution(set)
	cdn.SetDistribution(replaced)
	spoil(given)
	spoil(replaced)
	spoil(set)
	for _, id := range []string{"E1", "E2", "E1"} {
		got, err := cdn.Distribution(t.Context(), id)
		want := made()
		want.ID = id
		if diff := cmp.Diff(got, want); diff != "" || err != nil {
			t.Fatalf("Distribution %s: %v (-got +want):\n%s", id, err, diff)
		}
		spoil(got)
	}
}
