package edge

import (
	"slices"
	"strconv"
	"time"
)

// What the model of property_test.go knows of requests that begin without a lease.

// fencing is what a flight is to such requests.
type fencing struct {
	fenced bool             // it is for them
	hidden bool             // a later flight has taken its place: nobody finds it
	next   map[*viewer]bool // they wait until it is answered, for the next one
	gone   bool             // the edge has cancelled it
	unsure bool             // the model does not know which viewers are in it
	cut    bool             // its body is truncated
	alike  []int            // serials of bodies that it may have confirmed, the same bytes
}

// Valid is the edge's lease.
func (w *world) Valid(time.Time) bool { return !w.fence.Load() }

// lead notes who began a, and what it hides. The caller holds mu.
func (w *world) lead(a *asked, leader string) {
	n, err := strconv.Atoi(leader)
	if err != nil {
		w.failf("%s: origin request of %q", a.uri, leader)
		return
	}
	a.fenced, a.next = w.sent[n].fenced, map[*viewer]bool{}
	if w.released != nil && w.released.id == a.id {
		return // it asks again
	}
	for _, p := range w.pending {
		p.hidden = p.hidden || p.uri == a.uri
	}
}

// follow checks what origin requests came when a was answered: one for its viewers who need something newer, if it was covered,
// and one for those who waited for the next.
func (w *world) follow(a, found *asked, fetches int, wasCovered bool) {
	allowed := 0
	if wasCovered {
		allowed++
	}
	if len(a.next) > 0 {
		allowed++
	}
	if fetches > allowed {
		w.failf("%s: %d origin requests after a fill that brought what was wanted, %d waited for the next", a.uri, fetches, len(a.next))
	}
	w.board(a, found, fetches)
}

// board notes where those are now who did not get their answer from a: in the flights that have just begun, or in the one
// that others found before.
func (w *world) board(a, found *asked, fetches int) {
	begun := w.pending[len(w.pending)-fetches:]
	for _, f := range begun {
		f.hidden = fetches > 1 && !f.fenced // the other one began later: everybody could have shared it
	}
	into := slices.Clone(begun)
	if found != nil && slices.Contains(w.pending, found) {
		into = append(into, found)
	}
	for _, waiting := range []map[*viewer]bool{a.viewers, a.next} {
		for v := range waiting {
			if !v.done && len(into) == 0 && !a.unsure {
				w.failf("%s: a viewer waits for nothing", a.uri)
			}
			for _, f := range into {
				f.viewers[v] = !v.done
				f.unsure = f.unsure || a.unsure || len(into) > 1
			}
		}
	}
}

// found is the flight that others would find now, whether they may share it or not.
func (w *world) found(uri string) *asked {
	for _, a := range w.pending {
		if a.uri == uri && !a.hidden {
			return a
		}
	}
	return nil
}

// cancelled says whether a viewer's leaving has ended a, as it should have, and where those went who waited for the next flight.
func (w *world) cancelled(a *asked, want bool) bool {
	if !a.unsure && a.gone != want {
		w.failf("%s: cancelled %v, want %v", a.uri, a.gone, want)
	}
	return a.gone
}

// checkFenced checks the answer to a request that began without a lease: the origin had that body, under those headers, when the request began, or later.
func (w *world) checkFenced(v *viewer, a *asked) {
	if a.start < v.begin {
		w.failf("%s: stale: a request without a lease began at %d, its answer is of %d", v.uri, v.begin, a.start)
	}
	for i, name := range []string{"X-Amz-Meta-Dress", "X-Server"} {
		n, err := strconv.Atoi(v.w.Header().Get(name))
		if replaced := w.replaced[v.uri][i]; err != nil || n < len(replaced) && replaced[n] < v.begin {
			w.failf("%s: stale header %s %d, replaced at %v; a request without a lease began at %d", v.uri, name, n, replaced, v.begin)
		}
	}
}

// confirmable are the objects that a flight for uri may ask the origin to confirm: what is stored, and what is just being stored.
func (w *world) confirmable(uri string) []*entry {
	var known []*entry
	if e := w.entries[uri]; e != nil {
		known = append(known, e)
	}
	if a := w.released; a != nil && a.uri == uri && !a.cut {
		known = append(known, &entry{serial: a.serial, alike: a.alike, tags: a.tags, start: a.start, state: a.state})
	}
	return known
}

// confirms has a answered with 304, since the origin, in state s, has the bytes of an object that is known.
func (w *world) confirms(a *asked, known []*entry, s state) {
	a.confirm, a.proof = true, a.covered
	for _, e := range known {
		if e.state.version != s.version {
			continue
		}
		a.serial, a.tags, a.state = e.serial, e.tags, e.state
		a.proof = a.proof && e.state == s
		a.alike = append(append(a.alike, e.alike...), e.serial)
	}
	for _, serial := range a.alike {
		w.bodies[serial].start = a.start // the origin still has these bytes
	}
}
