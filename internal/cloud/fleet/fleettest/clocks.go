package fleettest

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Clocks are those of one machine: its wall clock can be set, and its monotonic clock stands still while it is suspended, and goes on from there. The zero value is
// the machine's own. All methods are safe for concurrent use.
type Clocks struct {
	jump   atomic.Int64 // seconds by which the wall clock is set forward
	still  atomic.Int64 // the monotonic clock's reading at which it stands; 0: it runs
	behind atomic.Int64 // by which the monotonic clock is behind since then, in nanoseconds
}

// reading is a time.Time as package time lays it out since Go 1.9: with a monotonic reading, wall has the seconds since 1885 from bit 30 on.
// There is no other way to a time whose two clocks disagree; TestClocks tests it.
type reading struct {
	wall uint64
	ext  int64
}

// Now is time.Now by these clocks.
func (c *Clocks) Now() time.Time {
	t := time.Now()
	r := (*reading)(unsafe.Pointer(&t))
	r.wall += uint64(c.jump.Load()) << 30
	if r.ext -= c.behind.Load(); c.still.Load() != 0 {
		r.ext = c.still.Load()
	}
	return t
}

// Jump sets the wall clock to so many seconds after the right time, or before.
func (c *Clocks) Jump(seconds int64) { c.jump.Store(seconds) }

// Suspend stops the monotonic clock.
func (c *Clocks) Suspend() { c.still.Store(c.monotonic()) }

// Wake lets the monotonic clock go on from where it stands.
func (c *Clocks) Wake() {
	still := c.still.Swap(0)
	c.behind.Add(c.monotonic() - still)
}

func (c *Clocks) monotonic() int64 {
	t := c.Now()
	return (*reading)(unsafe.Pointer(&t)).ext
}
