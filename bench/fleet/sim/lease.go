package sim

import "time"

// renew keeps the node's lease: it writes, and the answer grants what the write's beginning allows.
func (n *node) renew() {
	if n.dead {
		return
	}
	start, applied := n.w.now, n.applied()
	n.tell(leaseSize, func() {
		n.parent.write(func() {
			s := n.parent.standing[n]
			if s == nil { // it was given up: it has to join anew
				n.send(ackSize, n.rejoin)
				return
			}
			s.seen = n.w.now
			n.watch()
			n.parent.heard(n, applied)
			left := n.parent.left()
			if applied < n.parent.joined {
				left = 0 // a hub that joined anew answers for nobody who is behind its joining
			}
			n.send(ackSize, func() { n.grantFor(start, left) })
		})
	})
	n.w.after(n.own(n.w.cfg.Renew), func() {
		if n.ready {
			n.renew()
		}
	})
	n.notice()
}

// own is how long a span of the node's clock takes.
func (n *node) own(d time.Duration) time.Duration { return time.Duration(float64(d) / n.rate) }

// left is how long a parent may still answer for its children: a hub no longer than its own lease lasts.
func (n *node) left() time.Duration {
	if n.parent == nil {
		return n.w.cfg.Lease
	}
	return min(n.w.cfg.Lease, n.granted-n.w.now)
}

func (n *node) grant(start time.Duration) { n.grantFor(start, n.parent.left()) }

func (n *node) grantFor(start, span time.Duration) {
	if span <= 0 || !n.ready {
		return
	}
	until := start + n.own(min(span, n.w.cfg.Lease))
	if until <= n.granted {
		return
	}
	n.granted = until
	if n.since >= 0 && n.granted > n.w.now {
		n.fenced += n.w.now - n.since
		n.since = -1
	}
	n.w.at(until, n.lapse)
}

// lapse notes that the lease has run out, unless it was renewed.
func (n *node) lapse() {
	if n.granted <= n.w.now && n.since < 0 && !n.dead && len(n.children) == 0 {
		n.since = n.w.now
	}
}

// answers says whether the node answers from its cache.
func (n *node) answers() bool {
	return !n.dead && n.ready && (n.granted > n.w.now || n.w.cfg.NoLease) && n.isEdge()
}

func (n *node) isEdge() bool { return n.parent != nil && !n.w.isHub(n) }

func (n *node) fencedUntil(end time.Duration) time.Duration {
	if n.since < 0 {
		return n.fenced
	}
	return n.fenced + end - n.since
}

// rejoin makes the node a member again after it was given up, or found its connection cut.
func (n *node) rejoin() {
	if !n.ready {
		return
	}
	n.ready = false
	n.w.after(reconnect, func() {
		if !n.dead {
			n.join()
		}
	})
}

// notice asks for what a cut has swallowed: an entry may be missing without a later one that shows it.
func (n *node) notice() {
	if n.ready && n.received < n.parent.received {
		n.fill()
	}
}

// watch gives n up if its lease does not change for a lease and a margin, by its parent's clock.
func (n *node) watch() {
	p, s := n.parent, n.parent.standing[n]
	seen, limit := s.seen, n.parent.own(n.w.cfg.Lease+n.w.cfg.Margin)
	n.w.at(seen+limit, func() {
		if s.seen != seen || p.standing[n] != s {
			return
		}
		p.write(func() {
			if s.seen == seen && p.standing[n] == s { // else it was renewed meanwhile, and the compare-and-swap fails
				p.giveUp(n)
			}
		})
	})
}

func (n *node) giveUp(c *node) {
	delete(n.standing, c)
	for i, one := range n.children {
		if one == c {
			n.children = append(n.children[:i], n.children[i+1:]...)
			break
		}
	}
	n.w.out.GivenUp++
	if n.isOver(c) {
		n.w.out.Violations++
	}
	n.settle()
}

// isOver says whether a child that is given up still answers, itself or through those that follow it.
func (n *node) isOver(c *node) bool {
	if c.answers() {
		return true
	}
	for _, e := range c.children {
		if e.answers() {
			return true
		}
	}
	return false
}
