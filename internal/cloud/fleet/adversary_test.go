package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
)

// small runs a test in a world of one edge.
func small(t *testing.T, test func(w *world, e *edge)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := newWorld(t, ctx, 1)
		w.addEdge(100, map[string]int{}, 0)
		time.Sleep(2 * time.Second)
		if !w.edges[0].member.Valid(w.edges[0].clock()) {
			t.Fatal("the edge has not joined: the test tests nothing")
		}
		test(w, w.edges[0])
		stop()
		time.Sleep(time.Minute) // until members have left, or given that up
	})
}

// completes says whether an invalidation is completed within a time.
func (w *world) completes(key string, within time.Duration) bool {
	w.mu.Lock()
	before := w.done
	w.mu.Unlock()
	ctx, stop := context.WithTimeout(w.ctx, within)
	defer stop()
	w.publish(ctx, key, w.nodes[0])
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done > before
}

// A lease that was lost while its member is dead (leases are kept for a day, and clocks jump) does not hold up completion for ever.
func TestLostLeaseIsGivenUp(t *testing.T) {
	small(t, func(w *world, e *edge) {
		e.engine.Suffer(memory.Faults{Cut: true})
		w.store.Lose(e.member.Lease().Member)
		if !w.completes("/x", 3*w.terms.Lease) {
			t.Error("a member without a lease holds up completion for ever")
		}
	})
}

// A member that renewed unseen just before its lease was lost may answer from its cache for one lease more.
func TestLostLeaseIsWaitedFor(t *testing.T) {
	small(t, func(w *world, e *edge) {
		w.request(e, "/x")
		for _, n := range w.nodes {
			n.engine.Suffer(memory.Faults{Backlog: true}) // renewals are unseen
		}
		time.Sleep(w.terms.Lease + 200*time.Millisecond)
		e.engine.Suffer(memory.Faults{Cut: true})
		w.store.Lose(e.member.Lease().Member)
		for _, n := range w.nodes {
			n.engine.Suffer(memory.Faults{})
		}
		go w.completes("/x", 3*w.terms.Lease)
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			w.request(e, "/x") // checks that it is not older than what is completed
		}
	})
}

// A log that was restored from an older copy while edges go on is no log for them, also where their leases are in the copy: what comes at positions that they have
// passed already would never be applied.
func TestRestoredCopyIsAnotherLog(t *testing.T) {
	small(t, func(w *world, e *edge) {
		restore := w.store.Save()
		for i := range 5 {
			if !w.completes(fmt.Sprint("/", i), time.Minute) {
				t.Fatal("not completed")
			}
		}
		w.request(e, "/x")
		time.Sleep(2 * w.terms.Renew)
		e.engine.Suffer(memory.Faults{Cut: true}) // while the node is down
		restore()
		time.Sleep(time.Second)
		e.engine.Suffer(memory.Faults{})
		time.Sleep(3 * w.terms.Lease)
		if e.member.Valid(e.clock()) {
			t.Errorf("the edge is at %d of a log that ends at %d, and has a lease", e.member.Applied(), w.store.Len())
		}
	})
}

// The same where the log has grown beyond what the edge has followed by the time it joins.
func TestRestoredCopyThatHasGrown(t *testing.T) {
	small(t, func(w *world, e *edge) {
		restore := w.store.Save()
		for i := range 5 {
			if !w.completes(fmt.Sprint("/", i), time.Minute) {
				t.Fatal("not completed")
			}
		}
		time.Sleep(2 * w.terms.Renew)
		e.engine.Suffer(memory.Faults{Cut: true})
		restore()
		other := w.store.Connect(7)
		for i := range 20 {
			if _, err := other.Add(w.ctx, fmt.Sprint("other ", i), []byte("Iother")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		e.engine.Suffer(memory.Faults{})
		time.Sleep(3 * w.terms.Lease)
		if e.member.Valid(e.clock()) {
			t.Errorf("the edge is at %d of a log that is another one, and has a lease", e.member.Applied())
		}
	})
}

// stuck is a replica whose caches take nothing, such as one with a disk that fails.
type stuck struct {
	edge
	mu  sync.Mutex
	bad bool
}

func (s *stuck) Apply(ctx context.Context, e fleet.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad {
		return errors.New("the disk fails")
	}
	return s.edge.Apply(ctx, e)
}

func (s *stuck) be(bad bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad = bad
}

// An edge that cannot apply what comes next, and renews its lease all the same, is as good as dead: it does not hold up completion for ever. When it can
// again, it is back.
func TestStuckEdgeLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := newWorld(t, ctx, 1)
		r := &stuck{edge: edge{cache: map[string]int{}}}
		m := fleet.NewMember(w.store.Connect(9), r, fleet.MemberOptions{Join: func(l fleet.Lease) []byte { return []byte("J" + l.Member) }})
		go func() { _ = m.Run(ctx) }()
		time.Sleep(2 * time.Second)
		for _, bad := range []bool{true, false, true, false} {
			r.be(bad)
			for range 3 {
				if !w.completes("/x", 4*w.terms.Lease) {
					t.Fatalf("with an edge that is stuck (%v) nothing is completed any more", bad)
				}
			}
			time.Sleep(2 * w.terms.Lease)
			if m.Valid(time.Now()) == bad {
				t.Errorf("stuck %v, lease valid %v", bad, !bad)
			}
		}
		stop()
		time.Sleep(time.Minute) // until members have left, or given that up
	})
}

// What a lease says comes from the network: no number in it makes the wait for it endless or no wait at all.
func TestTermOfAnySize(t *testing.T) {
	for _, term := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64 / 1_000_000, math.MaxInt64/1_000_000 + 1, 1 << 44, 1 << 58, math.MaxInt64} {
		r, start := fleet.NewRoster(fleet.Terms{}), time.Now()
		r.SetMembers([]fleet.Membership{{Member: "a", Joined: 1}}, start)
		r.Saw(fleet.Lease{Member: "a", Revision: 1, Term: term}, start)
		if got := r.Overdue(start); len(got) != 0 {
			t.Errorf("term %d: overdue at once", term)
		}
		if got := r.Overdue(start.Add(365 * 24 * time.Hour)); len(got) != 1 {
			t.Errorf("term %d: not overdue after a year", term)
		}
	}
}

// Reports of who has no lease are forgotten: anybody can make up ids.
func TestReportsOfNobody(t *testing.T) {
	r := fleet.NewRoster(fleet.Terms{})
	r.Reported("a", 9)
	r.SetMembers([]fleet.Membership{{Member: "a", Joined: 1}}, time.Now())
	if got := r.Floor(); got != 1 {
		t.Errorf("floor %d: what somebody said of a member before anything was known of it counts", got)
	}
}

// unmarked is a replica of a disk that cannot be written to for a while.
type unmarked struct {
	edge
	failing atomic.Int64
}

func (u *unmarked) Position() (uint64, bool) { return 1, true } // of an earlier life

func (u *unmarked) Revalidate() error {
	if u.failing.Add(-1) >= 0 {
		return errors.New("the disk is full")
	}
	return u.edge.Revalidate()
}

// An edge that cannot mark what it has kept from before the log's beginning does not join before it can.
func TestUnmarkedEdgeStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := newWorld(t, ctx, 1)
		for i := range 10 {
			w.completes(fmt.Sprint("/", i), w.terms.Lease)
		}
		if err := w.store.Connect(8).Put(ctx, 9, strings.NewReader("9 ")); err != nil {
			t.Fatal(err)
		}
		w.store.Truncate(8)
		r := &unmarked{edge: edge{cache: map[string]int{}}}
		r.failing.Store(1 << 40)
		m := fleet.NewMember(w.store.Connect(9), r, fleet.MemberOptions{Join: func(l fleet.Lease) []byte { return []byte("J" + l.Member) }})
		go func() { _ = m.Run(ctx) }()
		time.Sleep(10 * w.terms.Lease)
		if m.Ready() || m.Valid(time.Now()) {
			t.Error("it serves from a cache that it could not mark")
		}
		r.failing.Store(0)
		time.Sleep(2 * w.terms.Lease)
		if !m.Ready() || !m.Valid(time.Now()) {
			t.Error("it does not join once it could")
		}
		stop()
		time.Sleep(time.Minute) // until members have left, or given that up
	})
}

// It keeps out likewise if the log's beginning passes it while it is at work.
func TestUnmarkedEdgeLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := newWorld(t, ctx, 1)
		for i := range 2 { // the edge has followed the first of them in an earlier life
			w.completes(fmt.Sprint("/before", i), w.terms.Lease)
		}
		r, engine := &unmarked{edge: edge{cache: map[string]int{}}}, w.store.Connect(9)
		m := fleet.NewMember(engine, r, fleet.MemberOptions{Join: func(l fleet.Lease) []byte { return []byte("J" + l.Member) }})
		go func() { _ = m.Run(ctx) }()
		time.Sleep(2 * time.Second)
		if !m.Valid(time.Now()) {
			t.Fatal("it has not joined: the test tests nothing")
		}
		r.failing.Store(1 << 40)
		engine.Suffer(memory.Faults{Cut: true})
		for i := range 10 {
			w.completes(fmt.Sprint("/", i), 4*w.terms.Lease)
		}
		if err := w.store.Connect(8).Put(ctx, 9, strings.NewReader("9 ")); err != nil {
			t.Fatal(err)
		}
		w.store.Truncate(9)
		engine.Suffer(memory.Faults{})
		time.Sleep(10 * w.terms.Lease)
		if m.Valid(time.Now()) {
			t.Error("it serves from a cache that it could not mark")
		}
		r.failing.Store(0)
		time.Sleep(4 * w.terms.Lease)
		if !m.Valid(time.Now()) {
			t.Error("it is not back once it could")
		}
		stop()
		time.Sleep(time.Minute) // until members have left, or given that up
	})
}
