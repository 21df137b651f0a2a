package controlnode_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet/fleettest"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
)

// jumping sets a clock by an hour, forth and back, until ctx ends.
func jumping(ctx context.Context, c *fleettest.Clocks, rng *rand.Rand) {
	for ctx.Err() == nil {
		c.Jump([]int64{3600, -3600, 0}[rng.IntN(3)])
		time.Sleep(time.Duration(10+rng.IntN(100)) * time.Millisecond)
	}
}

// While the clocks of the control nodes jump, an edge that lives is not given up, one that dies is, after its lease and not before, and Completed never lies.
func TestClocksOfControlNodesJump(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lives, dies := w.edge("lives", 10), w.edge("dies", 11)
	ctx, stop := context.WithCancel(t.Context())
	var jumps sync.WaitGroup
	for i := range w.clocks {
		jumps.Go(func() { jumping(ctx, &w.clocks[i], rand.New(rand.NewPCG(1, uint64(i)))) })
	}
	defer func() { stop(); jumps.Wait() }()
	before, turn := lives.node.Member().Lease().Member, 0
	for end := time.Now().Add(terms.Lease * 3 / 2); time.Now().Before(end); turn++ { // longer than a lease: whoever is given up by mistake is noticed
		w.publish(turn, lives, dies)
	}
	dead := dies.node.Member().Lease().Member
	dies.engine.Suffer(memory.Faults{Cut: true})
	began := time.Now()
	w.publish(turn, lives, dies)
	if took := time.Since(began); took < terms.Lease/2 || took > 4*terms.Lease {
		t.Errorf("an edge that is cut off was waited for %v; its lease is %v", took, terms.Lease)
	}
	for end := time.Now().Add(terms.Lease); time.Now().Before(end); turn++ {
		w.publish(turn, lives, dies)
	}
	if now := lives.node.Member().Lease(); now.Member != before || now.Ended {
		t.Errorf("the edge that lives was given up: %s, then %+v", before, now)
	}
	for i, node := range w.nodes {
		states := map[string]string{}
		for _, e := range node.Status().Edges {
			states[e.Member] = e.State
		}
		if states[before] != "serving" || states[dead] != "ended" {
			t.Errorf("control node %d: the edge that lives is %q, the one that is dead %q", i, states[before], states[dead])
		}
	}
}

// A control node whose machine was suspended gives nobody up who lives, and is not needed to give up who is dead.
func TestControlNodeWasSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lives, dies := w.edge("lives", 10), w.edge("dies", 11)
	before := lives.node.Member().Lease().Member
	w.publish(0, lives, dies)
	w.engines[0].Suffer(memory.Faults{Cut: true})
	w.clocks[0].Suspend()
	dies.engine.Suffer(memory.Faults{Cut: true})
	w.publishAt(1, w.nodes[1], w.nodes[1:], []*member{lives, dies})
	w.clocks[0].Wake()
	w.clocks[0].Jump(3600)
	w.engines[0].Suffer(memory.Faults{})
	for turn, end := 2, time.Now().Add(terms.Lease*3/2); time.Now().Before(end); turn++ {
		w.publish(turn, lives, dies)
	}
	if now := lives.node.Member().Lease(); now.Member != before || now.Ended {
		t.Errorf("the edge that lives was given up: %s, then %+v", before, now)
	}
}
