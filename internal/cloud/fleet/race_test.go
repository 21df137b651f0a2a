package fleet_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
)

// slowView gives the list that it had when it was asked; the first time, only after `late` is closed.
type slowView struct {
	mu    sync.Mutex
	all   []fleet.Membership
	asked chan struct{}
	late  chan struct{} // nil: at once
}

func (v *slowView) Members() ([]fleet.Membership, error) {
	v.mu.Lock()
	all, late := v.all, v.late
	v.late = nil
	v.mu.Unlock()
	if late != nil {
		close(v.asked)
		<-late
	}
	return all, nil
}

func (v *slowView) set(all ...fleet.Membership) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = all
}

// A list of members that was read before somebody joined does not take the place of one that was read after: the fleet would not wait for who joined.
func TestJoinIsNotOverlooked(t *testing.T) {
	late := make(chan struct{})
	v := &slowView{asked: make(chan struct{}), late: late}
	c := fleet.NewController(memory.New().Connect(1), v, fleet.ControllerOptions{})
	var work sync.WaitGroup
	work.Go(c.Changed)
	<-v.asked
	v.set(fleet.Membership{Member: "a", Joined: 7})
	second := make(chan struct{})
	work.Go(func() { c.Changed(); close(second) })
	select {
	case <-second: // it did not wait for the first: then what the first has read must not count
	case <-time.After(50 * time.Millisecond):
	}
	close(late)
	work.Wait()
	if floor, anybody := c.Floor(); floor != 7 || !anybody {
		t.Errorf("everybody has applied the log to %d (%v), want 7", floor, anybody)
	}
}

// Members may be ahead of a control node that was stopped: what they have applied says nothing of entries that it has not read, since somebody may have joined
// between.
func TestCompletedNoFurtherThanTheView(t *testing.T) {
	for _, row := range []struct {
		name    string
		members []fleet.Membership
		applied uint64 // of the view
		want    uint64
	}{
		{"nobody has joined", nil, 60, 60},
		{"the members are ahead", []fleet.Membership{{Member: "a", Joined: 100}}, 60, 60},
		{"the members are behind", []fleet.Membership{{Member: "a", Joined: 55}}, 60, 55},
		{"the view is where it has to be", []fleet.Membership{{Member: "a", Joined: math.MaxUint64 - 1}}, 50, 50},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := &slowView{all: row.members}
			c := fleet.NewController(memory.New().Connect(1), v, fleet.ControllerOptions{})
			got, err := c.Completed(t.Context(), 50, func() uint64 { return row.applied })
			if err != nil || got != row.want {
				t.Errorf("completed through %d (%v), want %d", got, err, row.want)
			}
		})
	}
}

// A member that has joined and loaded a snapshot, but has not applied the log through its joining, may not know its distributions yet.
func TestReadyOnceTheLogIsApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := memory.New()
		engine := store.Connect(1)
		held := &heldReplica{release: make(chan struct{})}
		m := fleet.NewMember(engine, held, fleet.MemberOptions{Join: func(l fleet.Lease) []byte { return []byte("J" + l.Member) }})
		var work sync.WaitGroup
		work.Go(func() { _ = m.Run(ctx) })
		time.Sleep(time.Second)
		if m.Lease().Joined == 0 {
			t.Fatal("it has not joined: the test tests nothing")
		}
		if m.Ready() {
			t.Error("ready before the log is applied")
		}
		close(held.release)
		time.Sleep(2 * time.Second)
		if !m.Ready() {
			t.Error("not ready")
		}
		cancel()
		work.Wait()
	})
}

// heldReplica applies nothing until it is released.
type heldReplica struct {
	edge
	release chan struct{}
}

func (h *heldReplica) Apply(ctx context.Context, e fleet.Entry) error {
	select {
	case <-h.release:
		return h.edge.Apply(ctx, e)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lateWrite is an engine whose renewals take effect, and end the member before it hears so.
type lateWrite struct {
	*memory.Engine
	stop context.CancelFunc
}

func (e lateWrite) Write(ctx context.Context, l fleet.Lease, revision uint64) (uint64, error) {
	at, err := e.Engine.Write(ctx, l, revision)
	if l.Joined > 0 && !l.Ended && err == nil {
		e.stop()
		return 0, context.Canceled
	}
	return at, err
}

// A member that stops while a renewal is under way tells the fleet that it leaves, although the record is not the one that it knows of.
func TestLeaveDuringARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		store := memory.New()
		m := fleet.NewMember(lateWrite{store.Connect(1), stop}, &edge{cache: map[string]int{}}, fleet.MemberOptions{Join: func(l fleet.Lease) []byte { return []byte("J" + l.Member) }})
		_ = m.Run(ctx) // that it was stopped
		l, err := store.Connect(2).Lease(t.Context(), m.Lease().Member)
		if err != nil || l.Revision < 3 || !l.Ended {
			t.Errorf("the record is %+v, %v, want one that has ended", l, err)
		}
	})
}

// lastWord is an engine that looks whether a member may answer from its cache as it says that it leaves.
type lastWord struct {
	*memory.Engine
	member *fleet.Member
	t      *testing.T
	said   bool
}

func (e *lastWord) Write(ctx context.Context, l fleet.Lease, revision uint64) (uint64, error) {
	if l.Ended {
		e.said = true
		if e.member.Valid(time.Now()) {
			e.t.Error("it says that it leaves, and answers from its cache")
		}
	}
	return e.Engine.Write(ctx, l, revision)
}

// Nobody waits for a member from the moment at which it says that it leaves: it uses its cache no more by then.
func TestLeaveIsTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		e := &lastWord{Engine: memory.New().Connect(1), t: t}
		e.member = fleet.NewMember(e, &edge{cache: map[string]int{}}, fleet.MemberOptions{Join: func(l fleet.Lease) []byte { return []byte("J" + l.Member) }})
		var work sync.WaitGroup
		work.Go(func() { _ = e.member.Run(ctx) }) // that it was stopped
		time.Sleep(2 * time.Second)
		if !e.member.Valid(time.Now()) {
			t.Fatal("it has not joined: the test tests nothing")
		}
		stop()
		work.Wait()
		if !e.said {
			t.Error("it did not say that it leaves")
		}
	})
}
