//go:build unix

package fleetenv

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// gone is longer than a lease with its margin and a control node's look at it.
const gone = lease + 1500*time.Millisecond

// away is how long a process is stopped, or a link cut: long enough that the fleet goes on without.
func away() time.Duration {
	if *full {
		return 10 * time.Second
	}
	return gone + time.Second
}

// Edges that are killed in mid-invalidation, stopped, and cut off; the fleet waits for a lease, and goes on.
func TestEdgesFail(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 5})
	tr.publish(3, pause(5*time.Millisecond))
	tr.alive()
	memory, disk, stopped, stoppedDisk, cut := tr.Edges[0], tr.Edges[1], tr.Edges[2], tr.Edges[3], tr.Edges[4]

	tr.note("kill -9 of %s and %s", memory.Name, disk.Name)
	memory.Kill()
	disk.Kill()
	tr.alive()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	tr.alive()

	tr.note("stop %s and %s, cut %s off", stopped.Name, stoppedDisk.Name, cut.Name)
	stopped.Pause()
	stoppedDisk.Pause()
	cut.Cut()
	time.Sleep(lease)
	cut.Fenced.Store(true)
	tr.alive()
	time.Sleep(away() - lease)
	tr.note("continue, and heal")
	stopped.Continue()
	stoppedDisk.Continue()
	tr.must(cut.Unfence(tr.within(time.Minute)))
	cut.Heal()
	tr.alive()

	tr.note("reset every connection of %s", cut.Name)
	for _, l := range cut.Links {
		l.Reset()
	}
	tr.alive()
	tr.check()
}

// Control nodes that are killed, two of three at a time, stopped, and cut off from the others.
func TestControlNodesFail(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 5})
	tr.publish(3, pause(5*time.Millisecond))
	tr.alive()

	tr.note("kill -9 of two of three: nothing can be accepted, no lease renewed")
	tr.Controls[0].Kill()
	tr.Controls[1].Kill()
	time.Sleep(lease + 100*time.Millisecond)
	for _, e := range tr.Edges {
		e.Fenced.Store(true)
	}
	time.Sleep(2 * time.Second)
	for _, e := range tr.Edges {
		tr.must(e.Unfence(tr.within(time.Minute)))
	}
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	tr.alive()

	tr.note("cut %s off from the other nodes", tr.Controls[1].Name)
	tr.Isolate(1)
	tr.alive()
	tr.HealAll()
	tr.alive()
	if *full {
		tr.oneByOne()
	}
	tr.check()
}

// oneByOne kills and stops each control node: so the one that leads is among them.
func (tr *trial) oneByOne() {
	for _, c := range tr.Controls {
		tr.note("kill -9 of %s", c.Name)
		c.Kill()
		tr.alive()
		tr.must(tr.AwaitAll(tr.within(time.Minute)))
		tr.alive()
		tr.note("stop %s for %v, or longer", c.Name, away())
		c.Pause()
		tr.alive()
		time.Sleep(away())
		c.Continue()
		tr.alive()
	}
}

// Many invalidations at a time, while viewers come.
func TestManyUnderTraffic(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 5})
	began := time.Now()
	var work sync.WaitGroup
	const clients = 32
	for i := range clients {
		rng := rand.New(rand.NewPCG(*randomSeed, uint64(i)))
		work.Go(func() {
			var last Acknowledged
			for range *bulk / clients {
				ack, err := tr.pub.Submit(tr.within(5*time.Minute), rng)
				if err != nil {
					t.Error(err)
					return
				}
				last = ack
			}
			if err := tr.pub.Await(tr.within(time.Minute), last); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	tr.note("%d invalidations accepted and completed in %v", tr.pub.Accepted(), time.Since(began))
	if *full {
		time.Sleep(15 * time.Second) // the control nodes have taken a snapshot by then, from which edges begin
	}
	for _, e := range tr.Edges[:2] {
		e.Kill()
	}
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	time.Sleep(2 * time.Second) // for hits
	tr.check()
}

// A random mixture of everything.
func TestRandom(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 5})
	tr.note("seed %d", *randomSeed)
	tr.publish(3, pause(5*time.Millisecond))
	tr.suffer(dice(99), *randomFor, func() {})
	tr.check()
}

// suffer is one fault after the other, for a time; also is called with each.
func (tr *trial) suffer(rng *rand.Rand, d time.Duration, also func()) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		heal := tr.fault(rng)
		also()
		time.Sleep(time.Duration(rng.Int64N(int64(gone))))
		if rng.IntN(3) == 0 { // two at a time
			also := tr.fault(rng)
			time.Sleep(time.Duration(rng.Int64N(int64(gone))))
			also()
		}
		heal()
		if rng.IntN(2) == 0 {
			tr.must(tr.AwaitAll(tr.within(time.Minute)))
			tr.alive()
		}
	}
}

// killAll kills control nodes at once, and returns what starts them again.
func (tr *trial) killAll(nodes []*Control) (heal func()) {
	var all sync.WaitGroup
	for _, c := range nodes {
		all.Go(c.Kill)
	}
	all.Wait()
	return func() {
		for _, c := range nodes {
			tr.must(c.Start())
		}
	}
}

// fault does something bad, and returns what undoes it.
func (tr *trial) fault(rng *rand.Rand) (heal func()) {
	e, c, n := tr.Edges[rng.IntN(len(tr.Edges))], tr.Controls[rng.IntN(len(tr.Controls))], rng.IntN(len(tr.Controls))
	again := func(p *Process) func() { return func() { tr.must(p.Start()) } }
	switch rng.IntN(11) {
	case 0, 1:
		tr.note("kill -9 of %s", e.Name)
		e.Kill()
		return again(e.Process)
	case 2:
		tr.note("kill -9 of %s", c.Name)
		c.Kill()
		return again(c.Process)
	case 3:
		tr.note("stop %s", e.Name)
		e.Pause()
		return e.Continue
	case 4:
		tr.note("stop %s", c.Name)
		c.Pause()
		return c.Continue
	case 5:
		tr.note("cut %s off", e.Name)
		e.Cut()
		return e.Heal
	case 6:
		tr.note("cut %s off from other nodes", tr.Controls[n].Name)
		tr.Isolate(n)
		return tr.HealAll
	case 7:
		tr.note("cut %s off from node %d", e.Name, n)
		e.Links[n].Cut()
		return e.Links[n].Heal
	case 8:
		tr.note("kill -9 of every control node but %s", c.Name)
		return tr.killAll(slices.DeleteFunc(slices.Clone(tr.Controls), func(o *Control) bool { return o == c }))
	case 9:
		tr.note("kill -9 of every control node")
		return tr.killAll(tr.Controls)
	}
	tr.note("end %s in order", e.Name)
	tr.must(e.Terminate())
	return again(e.Process)
}
