package fleet

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Membership is a member as the log knows it.
type Membership struct {
	Member string // id
	Joined uint64 // sequence of the entry by which it joined
}

// Standing is what is known of one member.
type Standing struct {
	Lease
	Seen time.Time // when its lease last changed, by this node's clock; the zero time if it never was seen
}

// Roster is how far the members of a fleet are, as one control node knows it. It decides and does nothing else; times are handed in, of one clock
// that never jumps (their monotonic parts count). It is safe for concurrent use.
//
// An entry at sequence n concerns the members that joined before it: who joins later has applied n before it answers
// anything from its cache. So everything through Floor is applied by whoever may still answer from a cache.
type Roster struct {
	terms Terms

	// mu guards what follows; held for field access only.
	mu       sync.Mutex
	members  map[string]*standing // those of the log that have not ended
	leases   map[string]Standing  // the newest lease of every id that was seen, ended or not
	reported map[string]uint64    // quick reports of members that have not ended
}

// standing is a member that holds up completion.
type standing struct {
	joined, applied uint64
	since           time.Time // its lease is unchanged since then, as far as this node saw
}

// NewRoster returns an empty one.
func NewRoster(terms Terms) *Roster {
	return &Roster{terms: terms.WithDefaults(), members: map[string]*standing{}, leases: map[string]Standing{}, reported: map[string]uint64{}}
}

// SetMembers says who the members are as of the log's last applied entry. One that is new here is given a whole lease from now on.
func (r *Roster) SetMembers(all []Membership, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := map[string]bool{}
	for _, m := range all {
		known[m.Member] = true
		if r.leases[m.Member].Ended || r.members[m.Member] != nil {
			continue
		}
		r.members[m.Member] = &standing{joined: m.Joined, applied: max(r.leases[m.Member].Applied, r.reported[m.Member]), since: now}
	}
	for id := range r.members {
		if !known[id] {
			delete(r.members, id)
			delete(r.reported, id)
		}
	}
}

// Saw takes in a lease as the engine has it.
func (r *Roster) Saw(l Lease, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.leases[l.Member]
	if known && l.Revision <= before.Revision {
		return // an old record, or the same one again: no sign of life
	}
	if l.Term <= 0 { // it cannot be read: the member goes by what it said before
		l.Term = before.Term
	}
	r.leases[l.Member] = Standing{Lease: l, Seen: now}
	m := r.members[l.Member]
	switch {
	case l.Ended:
		delete(r.members, l.Member)
		delete(r.reported, l.Member)
	case m != nil:
		m.applied, m.since = max(m.applied, l.Applied), now
	}
}

// Lost takes in that there is no record of a member's lease any more. It cannot be renewed: who renewed it last, perhaps unseen, is given a whole lease from now on, and
// then it is ended at revision 0.
func (r *Roster) Lost(member string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, known := r.leases[member]; known {
		s.Revision, s.Seen = 0, now
		r.leases[member] = s
	}
	if m := r.members[member]; m != nil {
		m.since = now
	}
}

// Reported takes in that a member has applied the log through a sequence. A report is no sign of life: only a lease is, and of whom none is known nothing is kept.
func (r *Roster) Reported(member string, applied uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l, known := r.leases[member]; !known || l.Ended {
		return
	}
	r.reported[member] = max(r.reported[member], applied)
	if m := r.members[member]; m != nil {
		m.applied = max(m.applied, applied)
	}
}

// Floor is the highest sequence through which every member has applied the log; MaxUint64 without members.
func (r *Roster) Floor() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	floor := uint64(math.MaxUint64)
	for _, m := range r.members {
		floor = min(floor, max(m.joined, m.applied))
	}
	return floor
}

// Overdue returns the leases that have not changed for their term and the margin, in the order of their ids. Their members answer nothing from a cache any
// more, provided that nobody renewed them unseen: to end one by compare-and-swap, at the revision given, proves that. Revision 0: no record was seen.
func (r *Roster) Overdue(now time.Time) []Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Lease
	for id, m := range r.members {
		l := r.leases[id].Lease
		if now.Sub(m.since) > r.patience(l) {
			l.Member = id
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b Lease) int { return strings.Compare(a.Member, b.Member) })
	return out
}

// patience is how long a lease may be unchanged.
func (r *Roster) patience(l Lease) time.Duration {
	term := time.Duration(min(l.Term, maxLease.Milliseconds())) * time.Millisecond
	if term <= 0 {
		term = r.terms.Lease
	}
	return term + max(r.terms.Margin, term/10)
}

// Ended returns which of the ids have an ended lease.
func (r *Roster) Ended(all []Membership) []Membership {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(all), func(m Membership) bool { return !r.leases[m.Member].Ended })
}

// Forget drops an ended lease that nobody asks for any more.
func (r *Roster) Forget(before time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.leases {
		if r.members[id] == nil && s.Seen.Before(before) {
			delete(r.leases, id)
			delete(r.reported, id)
		}
	}
}

// All returns every lease that is known, by name and id.
func (r *Roster) All() []Standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Standing, 0, len(r.leases))
	for id, s := range r.leases {
		if m := r.members[id]; m != nil {
			s.Joined, s.Applied = m.joined, m.applied
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Standing) int {
		if by := strings.Compare(a.Name, b.Name); by != 0 {
			return by
		}
		return strings.Compare(a.Member, b.Member)
	})
	return out
}
