package edgenode_test

import (
	"testing"

	"github.com/freshet/freshet/internal/cloud/fleet/fleettest"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
)

// An edge that is cut off answers nothing from its cache once the fleet has given it up, whatever was done to one of its clocks.
func TestCutOffWhileAClockIsWrong(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(*fleettest.Clocks)
	}{
		{"the wall clock was set back an hour", func(m *fleettest.Clocks) { m.Jump(-3600) }},
		{"the wall clock was set forward an hour", func(m *fleettest.Clocks) { m.Jump(3600) }},
		{"the machine was suspended", func(m *fleettest.Clocks) { m.Suspend() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			var clocks fleettest.Clocks
			a := w.edgeAt("a", 10, "", clocks.Now)
			defer a.close()
			w.want(a, "/x", "/x version 0")
			a.engine.Suffer(memory.Faults{Cut: true})
			row.do(&clocks)
			w.version.Store(1)
			w.invalidate("1", "/x")
			w.want(a, "/x", "/x version 1")
		})
	}
}

// Clocks that jump on an edge that is in touch cost it a lease at most.
func TestClockJumps(t *testing.T) {
	w := newWorld(t)
	var clocks fleettest.Clocks
	a := w.edgeAt("a", 10, "", clocks.Now)
	defer a.close()
	for i, jump := range []int64{3600, -3600, 86400 * 300, 0} {
		w.want(a, "/x", "/x version "+string(rune('0'+i)))
		clocks.Jump(jump)
		w.version.Add(1)
		w.invalidate(string(rune('a'+i)), "/x")
		w.want(a, "/x", "/x version "+string(rune('1'+i)))
		w.await("the lease is valid again", func() bool { return a.node.Member().Valid(clocks.Now()) })
	}
	before := w.requests.Load()
	w.want(a, "/x", "/x version 4")
	if got := w.requests.Load() - before; got != 0 {
		t.Errorf("the origin was asked %d times for what is cached", got)
	}
}
