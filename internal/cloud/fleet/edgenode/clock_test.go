package edgenode_test

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/freshet/freshet/internal/cloud/fleet/memory"
)

// machine is the clocks of one machine: the wall clock can be set, and a suspended machine's monotonic clock stands still.
type machine struct {
	jump  atomic.Int64 // seconds by which the wall clock is set forward
	still atomic.Int64 // the monotonic clock's reading at which it stands; 0: it runs
}

// reading is a time.Time as package time lays it out since Go 1.9: with a monotonic reading, wall has the seconds since 1885 from bit 30 on.
// There is no other way to a time whose two clocks disagree.
type reading struct {
	wall uint64
	ext  int64
}

func (m *machine) now() time.Time {
	t := time.Now()
	r := (*reading)(unsafe.Pointer(&t))
	r.wall += uint64(m.jump.Load()) << 30
	if still := m.still.Load(); still != 0 {
		r.ext = still
	}
	return t
}

func (m *machine) suspend() {
	t := time.Now()
	m.still.Store((*reading)(unsafe.Pointer(&t)).ext)
}

func TestMachine(t *testing.T) {
	var m machine
	before := m.now()
	m.jump.Store(-3600)
	if d := m.now().Sub(before); d < 0 || d > time.Minute {
		t.Errorf("the monotonic clock jumped by %v", d)
	}
	if d := m.now().Round(0).Sub(before.Round(0)); d > -time.Hour+time.Minute || d < -time.Hour {
		t.Errorf("the wall clock went by %v, want an hour back", d)
	}
	m.suspend()
	if a, b := m.now(), m.now(); b.Sub(a) != 0 {
		t.Errorf("the monotonic clock went on by %v", b.Sub(a))
	}
}

// An edge that is cut off answers nothing from its cache once the fleet has given it up, whatever was done to one of its clocks.
func TestCutOffWhileAClockIsWrong(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(*machine)
	}{
		{"the wall clock was set back an hour", func(m *machine) { m.jump.Store(-3600) }},
		{"the wall clock was set forward an hour", func(m *machine) { m.jump.Store(3600) }},
		{"the machine was suspended", func(m *machine) { m.suspend() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			var clocks machine
			a := w.edgeAt("a", 10, "", clocks.now)
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
	var clocks machine
	a := w.edgeAt("a", 10, "", clocks.now)
	defer a.close()
	for i, jump := range []int64{3600, -3600, 86400 * 300, 0} {
		w.want(a, "/x", "/x version "+string(rune('0'+i)))
		clocks.jump.Store(jump)
		w.version.Add(1)
		w.invalidate(string(rune('a'+i)), "/x")
		w.want(a, "/x", "/x version "+string(rune('1'+i)))
		w.await("the lease is valid again", func() bool { return a.node.Member().Valid(clocks.now()) })
	}
	before := w.requests.Load()
	w.want(a, "/x", "/x version 4")
	if got := w.requests.Load() - before; got != 0 {
		t.Errorf("the origin was asked %d times for what is cached", got)
	}
}
