package tenants

import (
	"cmp"
	"slices"
	"time"
)

// One budget of memory for all distributions. Each has a limit of its own; the limits together are the budget. They are divided anew when a distribution comes
// or goes, and every few seconds: who needs less than an equal part gets what it uses and room to grow, and the others share what is left.

// Room to grow beyond what is used, until the next division.
const (
	growShare = 4       // a quarter more
	growLeast = 1 << 20 // bytes
)

// shareEvery divides the memory again and again until Close.
func (t *Tenants) shareEvery(pause time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.share()
		case <-t.stop:
			return
		}
	}
}

// share gives every edge its part of the memory.
func (t *Tenants) share() {
	t.sharing.Lock()
	defer t.sharing.Unlock()
	all := t.all()
	needs := make([]int, len(all))
	for i, one := range all {
		s := one.edge.Stats()
		needs[i] = int(s.ObjectBytes) + max(int(s.ObjectBytes)/growShare, growLeast)
		if s.Evicted > one.evicted { // it would use more
			needs[i] = t.opts.MemoryBytes
		}
		one.evicted = s.Evicted
	}
	for i, part := range divide(t.opts.MemoryBytes, needs) {
		all[i].edge.SetMemory(part)
	}
}

// divide splits a budget: each part is at least the need or an equal share of what the smaller needs leave, and all of it is given out
// but for a remainder below the number of parts.
func divide(budget int, needs []int) []int {
	order := make([]int, len(needs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(needs[a], needs[b]) })
	parts, left := make([]int, len(needs)), budget
	for n, i := range order {
		parts[i] = min(needs[i], left/(len(order)-n))
		left -= parts[i]
	}
	for i := range parts { // nobody needs it now
		parts[i] += left / len(parts)
	}
	return parts
}
