package remotetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
)

// completeWithin is how long an invalidation may take. CloudFront announces 25
// seconds for 95 of 100; fact 1.5.
const completeWithin = 10 * time.Minute

// CDN checks an implementation of remote.CDN. open makes a CDN for one subtest
// and names a distribution in it that is enabled.
func CDN(t *testing.T, open func(t *testing.T) (cdn remote.CDN, distributionID string)) {
	runCDN(t, slices.Concat(cdnCases, fakeCases), open)
}

// HarmlessCDN is the part of CDN that a distribution with viewers can bear: it
// invalidates about 30 paths, all below /freshet-test/, one after the other.
func HarmlessCDN(t *testing.T, open func(t *testing.T) (cdn remote.CDN, distributionID string)) {
	runCDN(t, cdnCases, open)
}

func runCDN(t *testing.T, cases []cdnCase, open func(t *testing.T) (remote.CDN, string)) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cdn, id := open(t)
			c.test(t, cdn, id)
		})
	}
}

type cdnCase struct {
	name string
	test func(t *testing.T, cdn remote.CDN, id string)
}

// below is the place of all paths that are invalidated where viewers may be.
const below = "/freshet-test"

// unique makes references that no earlier run has used.
func unique() string { return "freshet-test-" + rand.Text() }

func invalidate(t *testing.T, cdn remote.CDN, id, reference string, items ...string) remote.Invalidation {
	t.Helper()
	got, err := cdn.Invalidate(t.Context(), id, reference, items)
	if err != nil {
		t.Fatalf("Invalidate(%q): %v", items, err)
	}
	if got.ID == "" || got.Status != remote.InProgress && got.Status != remote.Completed {
		t.Fatalf("Invalidate(%q) = %+v", items, got)
	}
	return got
}

// fakeCases cost money, drop pages that somebody may have, or come close to a
// limit.
var fakeCases = []cdnCase{
	{"Invalidate takes 150 items", func(t *testing.T, cdn remote.CDN, id string) {
		var items []string
		for i := range 150 {
			items = append(items, fmt.Sprintf("%s/%d", below, i))
		}
		if got := invalidate(t, cdn, id, unique(), items...); len(got.Items) != 150 {
			t.Errorf("%d items", len(got.Items))
		}
	}},
	{"Invalidate takes everything", func(t *testing.T, cdn remote.CDN, id string) {
		items := []string{"/", "/index.html", "/*"}
		if diff := cmp.Diff(invalidate(t, cdn, id, unique(), items...).Items, items); diff != "" {
			t.Errorf("items (-got +want):\n%s", diff)
		}
	}},
	{"16 racing repeats start one invalidation", func(t *testing.T, cdn remote.CDN, id string) {
		reference := unique()
		ids, errs := make([]string, 16), make([]error, 16)
		var group sync.WaitGroup
		for i := range ids {
			group.Go(func() {
				var got remote.Invalidation
				got, errs[i] = cdn.Invalidate(t.Context(), id, reference, []string{below + "/a"})
				ids[i] = got.ID
			})
		}
		group.Wait()
		if err := errors.Join(errs...); err != nil || len(slices.Compact(ids)) != 1 {
			t.Errorf("ids %q, error %v", ids, err)
		}
	}},
}

var cdnCases = []cdnCase{
	{"Distribution reads one", func(t *testing.T, cdn remote.CDN, id string) {
		got, err := cdn.Distribution(t.Context(), id)
		if err != nil {
			t.Fatalf("Distribution: %v", err)
		}
		if got.ID != id || got.Domain == "" || !got.Enabled || len(got.Origins) == 0 || got.Origins[0].Domain == "" {
			t.Errorf("Distribution = %+v", got)
		}
	}},
	{"Distribution of an unknown id is ErrNotFound", func(t *testing.T, cdn remote.CDN, _ string) {
		_, err := cdn.Distribution(t.Context(), "EUNKNOWN000000")
		wantIs(t, "Distribution", err, remote.ErrNotFound)
		_, err = cdn.Distribution(t.Context(), "")
		wantIs(t, "Distribution without an id", err, remote.ErrNotFound)
	}},
	{"Distribution tells its behaviors, the default one last", func(t *testing.T, cdn remote.CDN, id string) {
		got, err := cdn.Distribution(t.Context(), id)
		if err != nil {
			t.Fatalf("Distribution: %v", err)
		}
		checkBehaviors(t, got)
		checkErrorPages(t, got)
	}},
	{"Distributions lists it, but for what a list does not tell", func(t *testing.T, cdn remote.CDN, id string) {
		all, err := cdn.Distributions(t.Context())
		if err != nil {
			t.Fatalf("Distributions: %v", err)
		}
		want, err := cdn.Distribution(t.Context(), id)
		if err != nil {
			t.Fatalf("Distribution: %v", err)
		}
		want.DefaultRootObject, want.TagHeader, want.Behaviors, want.ErrorPages = "", "", nil, nil
		want.Deployed = false // may change in between
		i := slices.IndexFunc(all, func(d remote.Distribution) bool { return d.ID == id })
		if i < 0 {
			t.Fatalf("%s is not in %+v", id, all)
		}
		all[i].Deployed = false
		if diff := cmp.Diff(all[i], want); diff != "" {
			t.Errorf("Distributions (-got +want):\n%s", diff)
		}
	}},
	{"Invalidate accepts a batch as it was sent", func(t *testing.T, cdn remote.CDN, id string) {
		items := []string{below + "/z", below + "/", below + "/a%20b/%E6%97%A5", below + "/a&b;c=d,e@f:g!(h)+$",
			below + "/dir/*", below + "/x?y=1&z=2", below + "/mid*dle"}
		got := invalidate(t, cdn, id, unique(), items...)
		read, err := cdn.Invalidation(t.Context(), id, got.ID)
		if err != nil {
			t.Fatalf("Invalidation: %v", err)
		}
		for _, inv := range []remote.Invalidation{got, read} {
			if diff := cmp.Diff(inv.Items, items); diff != "" || inv.ID != got.ID {
				t.Errorf("id %s, want %s; items (-got +want):\n%s", inv.ID, got.ID, diff)
			}
		}
	}},
	{"a repeat returns the earlier invalidation", func(t *testing.T, cdn remote.CDN, id string) {
		reference := unique()
		first := invalidate(t, cdn, id, reference, below+"/a", below+"/b")
		if second := invalidate(t, cdn, id, reference, below+"/a", below+"/b"); second.ID != first.ID {
			t.Errorf("the repeat started %s beside %s", second.ID, first.ID)
		}
		if third := invalidate(t, cdn, id, unique(), below+"/a", below+"/b"); third.ID == first.ID {
			t.Errorf("another reference returned the earlier %s", first.ID)
		}
	}},
	{"a reference for other items is ErrReferenceReused", func(t *testing.T, cdn remote.CDN, id string) {
		reference := unique()
		first := invalidate(t, cdn, id, reference, below+"/a", below+"/b")
		for _, items := range [][]string{{below + "/a"}, {below + "/a", below + "/b", below + "/c"}, {below + "/a", below + "/B"}} {
			_, err := cdn.Invalidate(t.Context(), id, reference, items)
			wantIs(t, fmt.Sprintf("Invalidate(%q)", items), err, remote.ErrReferenceReused)
		}
		if got := invalidate(t, cdn, id, reference, below+"/a", below+"/b"); got.ID != first.ID {
			t.Errorf("the reference stands for %s now, not for %s", got.ID, first.ID)
		}
	}},
	{"a bad batch is refused, and its reference stays free", func(t *testing.T, cdn remote.CDN, id string) {
		reference := unique()
		for _, items := range [][]string{nil, {"no-slash"}, {below + "/good", below + "/a~b"}, {"/é"}, {"/a b"}} {
			_, err := cdn.Invalidate(t.Context(), id, reference, items)
			if err == nil || errors.Is(err, remote.ErrTemporary) || errors.Is(err, remote.ErrReferenceReused) {
				t.Errorf("Invalidate(%q): error %v", items, err)
			}
		}
		invalidate(t, cdn, id, reference, below+"/good")
	}},
	{"Invalidations lists what was created since, newest first", sinceCase},
	{"unknown ids are ErrNotFound", func(t *testing.T, cdn remote.CDN, id string) {
		_, err := cdn.Invalidate(t.Context(), "EUNKNOWN000000", unique(), []string{"/a"})
		wantIs(t, "Invalidate", err, remote.ErrNotFound)
		_, err = cdn.Invalidation(t.Context(), id, "IUNKNOWN000000")
		wantIs(t, "Invalidation", err, remote.ErrNotFound)
		_, err = cdn.Invalidation(t.Context(), "EUNKNOWN000000", "IUNKNOWN000000")
		wantIs(t, "Invalidation of an unknown distribution", err, remote.ErrNotFound)
		_, err = cdn.Invalidations(t.Context(), "EUNKNOWN000000", time.Time{})
		wantIs(t, "Invalidations of an unknown distribution", err, remote.ErrNotFound)
		_, err = cdn.Invalidations(t.Context(), "", time.Time{})
		wantIs(t, "Invalidations without an id", err, remote.ErrNotFound)
	}},
	{"an invalidation becomes Completed and stays so", completeCase},
	{"every method notices a canceled context", func(t *testing.T, cdn remote.CDN, id string) {
		ctx := canceled(t)
		_, err := cdn.Distribution(ctx, id)
		wantIs(t, "Distribution", err, context.Canceled)
		_, err = cdn.Distributions(ctx)
		wantIs(t, "Distributions", err, context.Canceled)
		_, err = cdn.Invalidate(ctx, id, unique(), []string{"/a"})
		wantIs(t, "Invalidate", err, context.Canceled)
		_, err = cdn.Invalidation(ctx, id, "I")
		wantIs(t, "Invalidation", err, context.Canceled)
		_, err = cdn.Invalidations(ctx, id, time.Time{})
		wantIs(t, "Invalidations", err, context.Canceled)
	}},
}

func completeCase(t *testing.T, cdn remote.CDN, id string) {
	created := invalidate(t, cdn, id, unique(), below+"/a")
	ctx, cancel := context.WithTimeout(t.Context(), completeWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := cdn.Invalidation(ctx, id, created.ID)
		if err != nil {
			t.Fatalf("Invalidation: %v", err)
		}
		if got.Status == remote.Completed {
			break
		}
		<-tick.C
	}
	got, err := cdn.Invalidation(ctx, id, created.ID)
	if err != nil || got.Status != remote.Completed || !got.Created.Equal(created.Created) {
		t.Errorf("afterwards Invalidation = %+v, %v; created as %+v", got, err, created)
	}
}

// checkBehaviors: whatever is asked for has a behavior, and that has an origin.
func checkBehaviors(t *testing.T, d remote.Distribution) {
	t.Helper()
	for i, b := range d.Behaviors {
		isLast := i == len(d.Behaviors)-1
		if (b.Pattern == "*") != isLast || !isLast && !strings.HasPrefix(b.Pattern, "/") {
			t.Errorf("behavior %d of %d has the pattern %q", i+1, len(d.Behaviors), b.Pattern)
		}
		for _, id := range append([]string{b.OriginID}, b.FailoverIDs...) {
			if !slices.ContainsFunc(d.Origins, func(o remote.Origin) bool { return o.ID == id }) {
				t.Errorf("the behavior %q asks the origin %q, which is not in %+v", b.Pattern, id, d.Origins)
			}
		}
	}
	if len(d.Behaviors) == 0 {
		t.Error("there is no behavior")
	}
}

func checkErrorPages(t *testing.T, d remote.Distribution) {
	t.Helper()
	for _, p := range d.ErrorPages {
		if p.Status < 400 || p.Status > 599 || p.MinTTL < 0 || (p.Page == "") != (p.Response == 0) {
			t.Errorf("error page %+v", p)
		}
	}
}

// sinceCase invalidates three times and lists from each of the three times on,
// and from a moment after them all. Other invalidations may be there already.
func sinceCase(t *testing.T, cdn remote.CDN, id string) {
	var made []remote.Invalidation
	for _, item := range []string{"/a", "/b", "/c"} {
		made = append(made, invalidate(t, cdn, id, unique(), below+item))
	}
	newest := made[len(made)-1].Created
	for _, since := range []time.Time{{}, made[0].Created, made[1].Created, newest, newest.Add(time.Millisecond)} {
		var want, got []remote.Invalidation
		for _, inv := range slices.Backward(made) {
			if !inv.Created.Before(since) {
				want = append(want, remote.Invalidation{ID: inv.ID, Created: inv.Created})
			}
		}
		all, err := cdn.Invalidations(t.Context(), id, since)
		if err != nil {
			t.Fatalf("Invalidations since %v: %v", since, err)
		}
		for i, inv := range all {
			if inv.Created.Before(since) || i > 0 && inv.Created.After(all[i-1].Created) || !listed(inv) {
				t.Errorf("Invalidations since %v: number %d is %+v", since, i+1, inv)
			}
			inv.Status = ""
			if slices.ContainsFunc(made, func(m remote.Invalidation) bool { return m.ID == inv.ID }) {
				got = append(got, inv)
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("Invalidations since %v (-got +want):\n%s", since, diff)
		}
	}
}

// listed is whether an entry of a list tells what it should and no more.
func listed(inv remote.Invalidation) bool {
	return inv.ID != "" && inv.Items == nil && (inv.Status == remote.InProgress || inv.Status == remote.Completed)
}
