//go:build unix

package fleetenv

import (
	"testing"
	"time"
)

// Every link is slow, stalls for seconds now and then, and is quick again: nobody sees what is old, and nothing is lost.
func TestSlowLinks(t *testing.T) {
	tr := begin(t, Options{Controls: 3, Edges: 4})
	tr.publish(3, pause(5*time.Millisecond))
	tr.alive()
	paces := []Pace{{Wait: 20 * time.Millisecond}, {Wait: 20 * time.Millisecond, Stall: lease, Stalls: 0.01}}
	if *full {
		paces = append(paces, Pace{Wait: 5 * time.Millisecond, Stall: 2 * lease, Stalls: 0.01})
	}
	for _, p := range paces {
		tr.note("each piece of what is sent waits up to %v, and %v of them up to %v", p.Wait, p.Stalls, p.Stall)
		tr.slow(p)
		for end := time.Now().Add(*slowFor); time.Now().Before(end); {
			tr.alive()
		}
	}
	tr.slow(Pace{})
	tr.alive()
	tr.check()
}

// slow sets the pace of every link.
func (tr *trial) slow(p Pace) {
	for _, l := range tr.links() {
		if l != nil {
			l.Slow(p)
		}
	}
}

// A random mixture of everything, over links that are slow.
func TestRandomSlow(t *testing.T) {
	if *slowRandomFor == 0 {
		t.Skip("TestSlowLinks does for a short run; -slow 10m")
	}
	tr := begin(t, Options{Controls: 3, Edges: 4})
	tr.note("seed %d", *randomSeed)
	tr.slow(Pace{Wait: 10 * time.Millisecond, Stall: lease, Stalls: 0.003})
	tr.publish(3, pause(5*time.Millisecond))
	tr.suffer(dice(96), *slowRandomFor, func() {})
	tr.slow(Pace{})
	tr.check()
}
