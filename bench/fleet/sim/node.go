package sim

import (
	"math"
	"time"
)

// node is the control nodes together (no parent), a hub, or an edge (no children).
type node struct {
	w      *world
	parent *node
	region int
	rate   float64 // how fast its clock runs
	dead   bool

	down, up *link // from and to the parent

	received uint64 // it has the log through here
	joined   uint64 // its parent had the log through here when it joined
	ready    bool   // it has joined

	granted   time.Duration // it may answer until then; by true time, reckoned with its own clock's rate
	fenced    time.Duration // that it was without a lease after it had one
	since     time.Duration // it has been fenced since then; -1 if it is not
	reporting bool          // a report is due
	reported  time.Duration // when the last one was sent

	children []*node
	standing map[*node]*standing
	known    uint64 // floor of the children
}

// standing is what a parent knows of a child.
type standing struct {
	applied uint64
	seen    time.Duration // its last renewal
}

func newNode(w *world, parent *node, region int) *node {
	n := &node{w: w, parent: parent, region: region, rate: 1 + (2*w.rand.Float64()-1)*w.cfg.Drift, since: -1, standing: map[*node]*standing{}}
	if parent == nil {
		return n
	}
	trip := roundTrip(parent.region, region)
	if !w.isHub(n) {
		trip += inside
	}
	n.down = &link{w: w, from: parent.region, to: region, trip: trip}
	n.up = &link{w: w, from: region, to: parent.region, trip: trip}
	n.join()
	return n
}

// isHub tells a hub from an edge: hubs follow the control nodes in a regional fleet.
func (w *world) isHub(n *node) bool { return w.cfg.Topology == Regional && n.parent == w.root }

// join makes the node a child of its parent, with the state that the parent has, a round trip for the lease and one for the state later.
func (n *node) join() {
	n.ready = false
	n.up.send(leaseSize, func() {
		if n.dead {
			return
		}
		n.parent.write(func() {
			n.w.out.Joins++
			p := n.parent
			n.joined = p.received
			p.children = append(p.children, n)
			p.standing[n] = &standing{applied: n.joined, seen: n.w.now}
			n.watch()
			start := n.w.now
			n.send(ackSize, func() {
				n.ready, n.received = true, max(n.received, n.joined)
				n.grant(start)
				n.renew()
			})
			n.feed(n.joined)
		})
	})
	n.retryJoin()
}

// retryJoin begins anew where a cut swallowed the attempt.
func (n *node) retryJoin() {
	n.w.after(10*time.Second, func() {
		if !n.ready && !n.dead && n.parent.standing[n] == nil {
			n.join()
		}
	})
}

// write is a write at a parent: the control nodes need a majority, a hub its own disk.
func (n *node) write(do func()) {
	if n.parent == nil {
		n.w.commit(do)
		return
	}
	n.w.after(syncTime, do)
}

// send goes from the parent to n.
func (n *node) send(size int, do func()) {
	if n.parent.parent == nil {
		n.w.out.Control.add(size)
	}
	n.down.send(size, func() {
		if !n.dead {
			do()
		}
	})
}

// tell goes from n to the parent.
func (n *node) tell(size int, do func()) {
	if n.parent.parent == nil {
		n.w.out.Control.add(size)
	}
	n.up.send(size, do)
}

// take has the log through a sequence, and passes it on.
func (n *node) take(sequence uint64) {
	if sequence <= n.received {
		return
	}
	n.received = sequence
	for _, c := range n.children {
		n.deliver(c, sequence)
	}
	n.report()
}

// deliver sends one entry to a child. What comes after a gap waits until the gap is asked for and filled.
func (n *node) deliver(c *node, sequence uint64) {
	c.send(n.w.cfg.Size, func() {
		switch {
		case !c.ready:
		case sequence == c.received+1:
			c.take(sequence)
		case sequence > c.received+1:
			c.fill()
		}
	})
}

// fill asks the parent for what is missing; it comes as one message.
func (n *node) fill() {
	from := n.received
	n.tell(ackSize, func() { n.feed(from) })
}

// feed sends everything after a sequence that the parent has.
func (n *node) feed(after uint64) {
	through := n.parent.received
	if through <= after {
		return
	}
	n.send(n.w.cfg.Size*int(through-after), func() {
		if n.ready && n.received >= after {
			n.take(through)
		}
	})
}

// applied is what the node answers for: itself, or itself and all that follow it.
func (n *node) applied() uint64 {
	if n.w.isHub(n) {
		return min(n.received, n.floor())
	}
	return n.received
}

// floor is what every child that may answer from its cache has applied, as n knows it.
func (n *node) floor() uint64 {
	floor := uint64(math.MaxUint64)
	for _, c := range n.children {
		floor = min(floor, n.standing[c].applied)
	}
	return floor
}

// report tells the parent how far the node is, at once or when the last report is old enough.
func (n *node) report() {
	if n.parent == nil || n.reporting || !n.ready {
		return
	}
	n.reporting = true
	n.w.at(max(n.w.now, n.reported+n.w.cfg.Report), func() {
		n.reporting, n.reported = false, n.w.now
		if n.dead {
			return
		}
		applied := n.applied()
		n.tell(reportSize, func() { n.parent.heard(n, applied) })
	})
}

// heard takes in a report.
func (n *node) heard(c *node, applied uint64) {
	s := n.standing[c]
	if s == nil || applied <= s.applied {
		return
	}
	was := s.applied
	s.applied = applied
	if was > n.known { // others are further behind
		return
	}
	n.settle()
}

// settle acts on a floor that may have risen.
func (n *node) settle() {
	n.known = n.floor()
	if n.parent == nil {
		n.w.complete()
	} else {
		n.report()
	}
}
