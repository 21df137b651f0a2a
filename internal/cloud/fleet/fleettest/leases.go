package fleettest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

func leaseSwap(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	if got, err := one.Lease(ctx, "m"); err != nil || got != (fleet.Lease{}) {
		t.Fatalf("a lease that was never written: %+v, %v", got, err)
	}
	l := fleet.Lease{Member: "m", Name: "east", Joined: 3, Applied: 5, Version: "1", Address: "http://a", Fenced: 1, Requests: 9, Hits: 8}
	first := mustWrite(t, ctx, one, l, 0)
	wantTaken(t, ctx, two, l, 0)
	wantTaken(t, ctx, two, l, first+1)
	l.Applied = 6
	second := mustWrite(t, ctx, one, l, first)
	if second <= first {
		t.Errorf("revision %d after %d", second, first)
	}
	wantTaken(t, ctx, one, l, first)
	mustWrite(t, ctx, one, fleet.Lease{Member: "other"}, 0)
	l.Revision = second
	wantLease(t, ctx, two, l)
	// Another ends it, as a control node does with a member that is silent.
	l.Ended = true
	l.Revision = mustWrite(t, ctx, two, l, second)
	wantTaken(t, ctx, one, l, second)
	wantLease(t, ctx, one, l)
}

func leaseRace(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	const writers, rounds = 6, 5
	revision := uint64(0)
	for range rounds {
		var wait sync.WaitGroup
		var won atomic.Uint64
		var winners atomic.Int32
		for w := range writers {
			e := []fleet.Engine{one, two}[w%2]
			wait.Go(func() {
				got, err := e.Write(ctx, fleet.Lease{Member: "m", Name: fmt.Sprint(w)}, revision)
				switch {
				case err == nil:
					winners.Add(1)
					won.Store(got)
				case !errors.Is(err, fleet.ErrTaken):
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if n := winners.Load(); n != 1 {
			t.Fatalf("%d of %d writers changed revision %d", n, writers, revision)
		}
		revision = won.Load()
	}
}

// leaseWatch starts a watcher amid the writes: it must come to know the newest record of each member.
func leaseWatch(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	want := map[string]fleet.Lease{}
	write := func(member string, applied uint64) {
		l := fleet.Lease{Member: member, Applied: applied, Revision: want[member].Revision}
		l.Revision = mustWrite(t, ctx, one, l, l.Revision)
		want[member] = l
	}
	for n := range uint64(3) {
		write("a", n)
		write("b", n)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := make(chan fleet.Lease, 1000)
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := two.Watch(ctx, func(l fleet.Lease) { seen <- l }); !errors.Is(err, context.Canceled) {
			t.Errorf("watch ended with %v", err)
		}
	})
	for n := range uint64(3) {
		write("b", 10+n)
		write("c", n)
	}
	got := map[string]fleet.Lease{}
	for !cmp.Equal(got, want) {
		select {
		case l := <-seen:
			if l.Revision > got[l.Member].Revision {
				got[l.Member] = l
			}
		case <-time.After(limit / 2):
			t.Fatalf("leases seen (-got +want):\n%s", cmp.Diff(got, want))
		}
	}
	cancel()
	wait.Wait()
}

// reports repeats a report until it is heard: none is promised to be.
func reports(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type report struct {
		member  string
		applied uint64
	}
	heard := make(chan report, 1000)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() {
		if err := two.Reports(ctx, func(member string, applied uint64) { heard <- report{member, applied} }); !errors.Is(err, context.Canceled) {
			t.Errorf("reports ended with %v", err)
		}
	})
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if err := one.Report("m", 42); err != nil {
				t.Fatal(err)
			}
		case got := <-heard:
			if got != (report{"m", 42}) {
				t.Errorf("heard %+v", got)
			}
			return
		case <-ctx.Done():
			t.Fatal("no report was heard")
		}
	}
}

func mustWrite(t *testing.T, ctx context.Context, e fleet.Leases, l fleet.Lease, revision uint64) uint64 {
	t.Helper()
	got, err := e.Write(ctx, l, revision)
	if err != nil {
		t.Fatalf("write %s at %d: %v", l.Member, revision, err)
	}
	return got
}

func wantTaken(t *testing.T, ctx context.Context, e fleet.Leases, l fleet.Lease, revision uint64) {
	t.Helper()
	if got, err := e.Write(ctx, l, revision); !errors.Is(err, fleet.ErrTaken) {
		t.Errorf("write at revision %d: %d, %v", revision, got, err)
	}
}

func wantLease(t *testing.T, ctx context.Context, e fleet.Leases, want fleet.Lease) {
	t.Helper()
	got, err := e.Lease(ctx, want.Member)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("lease (-got +want):\n%s", diff)
	}
}
