package cover

import "slices"

// bounds are the limits that a solution is held to; 0 leaves one untracked,
// which makes the tables small.
type bounds struct{ paths, wildcards int }

// state is a set of classes, as bits, that tags above a node cover already.
type state uint32

func (s state) has(c Class) bool { return c != Untagged && s&(1<<c) != 0 }

// cell is the cheapest way to cover a node with a number of wildcards and
// paths.
type cell struct {
	cost cost
	step int32 // into solver.steps; none where the cell is empty
}

const none = -1

// table has a cell for each number of wildcards and paths that is tracked,
// from 0 up to what its node can use or the bounds allow.
type table struct {
	wildcards, paths int // the largest indices
	cells            []cell
}

// step is one decision, from which the items are read in the end.
type step struct {
	kind        stepKind
	node, spot  int32
	class       Class
	covered     state
	left, right int32
}

type stepKind uint8

const (
	nothing stepKind = iota // covered from above
	paths                   // each form of a leaf by its own path
	prefix                  // a prefix, and a path for each form that it misses
	tag
	both // two steps
)

// solver fills the tables from the leaves up.
type solver struct {
	*tree
	bounds
	policy Policy
	steps  []step
}

// maxWork bounds the cells that are combined while both bounds are tracked.
const maxWork = 1e8

func (t *tree) solve(policy Policy, b bounds) (Solution, error) {
	if b.paths > 0 && b.wildcards > 0 {
		w, n := float64(min(b.wildcards, len(t.elements))+1), float64(len(t.elements))
		if n*min(float64(b.paths), n)*w*w > maxWork {
			return Solution{}, ErrTooLarge
		}
	}
	s := &solver{tree: t, bounds: b, policy: policy}
	top := s.node(t.root)[0]
	best := cell{step: none}
	for _, c := range top.cells {
		if c.beats(best) {
			best = c
		}
	}
	out := Solution{Nodes: len(t.nodes)}
	s.read(best.step, &out)
	sortItems(out.Items)
	out.Items = slices.Compact(out.Items)
	out.Paths = len(out.Items)
	return out, nil
}

// states are the sets of classes that tags may cover.
func (s *solver) states() []state {
	if !s.tags {
		return []state{0}
	}
	all := state(s.nodes[s.root].classes) &^ 1
	var out []state
	for sub := all; ; sub = (sub - 1) & all {
		out = append(out, sub)
		if sub == 0 {
			slices.Sort(out)
			return out
		}
	}
}

// node solves one node for every state above it. The result is indexed by
// state.
func (s *solver) node(id int) map[state]table {
	v := &s.nodes[id]
	states := s.states()
	inner := make(map[state]table, len(states))
	if v.children == nil {
		for _, st := range states {
			inner[st] = s.leaf(id, st)
		}
	} else {
		for i, c := range v.children {
			sub := s.node(c)
			for _, st := range states {
				if i == 0 {
					inner[st] = sub[st]
				} else {
					inner[st] = s.merge(inner[st], sub[st])
				}
			}
		}
	}
	out := make(map[state]table, len(states))
	for _, st := range states {
		best := inner[st]
		best = s.withTags(id, st, inner, best)
		out[st] = s.withPrefixes(id, st, best)
	}
	return out
}

// leaf covers one element by paths alone.
func (s *solver) leaf(id int, covered state) table {
	e := s.elements[s.nodes[id].lo]
	if covered.has(e.class) {
		return s.single(cost{}, 0, 0, step{kind: nothing})
	}
	items, wildcards, ok := e.naming(e.forms)
	if !ok {
		return table{cells: []cell{{step: none}}}
	}
	return s.single(s.policy.cost(int64(len(items)), int64(wildcards), 0), wildcards, len(items), step{kind: paths, node: int32(id)})
}

// withTags adds the covers that begin with tags for some classes of the node's
// own folder.
func (s *solver) withTags(id int, covered state, inner map[state]table, best table) table {
	v := &s.nodes[id]
	if v.folder < 0 {
		return best
	}
	free := state(v.classes) &^ 1 &^ covered
	for chosen := free; chosen != 0; chosen = (chosen - 1) & free {
		t := inner[covered|chosen]
		for c := Class(1); c <= MaxClasses; c++ {
			if chosen.has(c) {
				d := v.spots[v.folder].drops[c]
				t = s.merge(t, s.single(s.policy.cost(1, 0, d), 0, 1, step{kind: tag, node: int32(id), spot: int32(v.folder), class: c}))
			}
		}
		best = s.cheaper(best, t)
	}
	return best
}

// withPrefixes adds the covers of the whole node by one prefix.
func (s *solver) withPrefixes(id int, covered state, best table) table {
	v := &s.nodes[id]
	for i, sp := range v.spots {
		if !sp.prefix {
			continue
		}
		items, wildcards, drops, blocked := int64(1), int64(1), int64(0), false
		for c := Class(0); c <= MaxClasses; c++ {
			if !covered.has(c) {
				items += sp.uncovered[c]
				wildcards += sp.wildcards[c]
				drops += sp.drops[c]
				blocked = blocked || sp.blocked[c]
			}
		}
		if blocked {
			continue
		}
		best = s.cheaper(best, s.single(s.policy.cost(items, wildcards, drops), int(wildcards), int(items),
			step{kind: prefix, node: int32(id), spot: int32(i), covered: covered}))
	}
	return best
}

// single is a table with one cell, or none where the bounds forbid it.
func (s *solver) single(c cost, wildcards, paths int, st step) table {
	if s.wildcards == 0 {
		wildcards = 0
	}
	if s.paths == 0 {
		paths = 0
	}
	t := table{wildcards, paths, make([]cell, (wildcards+1)*(paths+1))}
	for i := range t.cells {
		t.cells[i].step = none
	}
	if wildcards <= s.wildcards && paths <= s.paths {
		t.cells[len(t.cells)-1] = cell{c, s.add(st)}
	} else {
		return table{cells: []cell{{step: none}}}
	}
	return t
}

func (s *solver) add(st step) int32 {
	s.steps = append(s.steps, st)
	return int32(len(s.steps) - 1)
}

// merge covers two parts side by side.
func (s *solver) merge(a, b table) table {
	out := table{wildcards: min(a.wildcards+b.wildcards, s.wildcards), paths: min(a.paths+b.paths, s.paths)}
	out.cells = make([]cell, (out.wildcards+1)*(out.paths+1))
	type pair struct{ left, right int32 }
	from := make([]pair, len(out.cells))
	for i := range out.cells {
		out.cells[i].step = none
	}
	right := b.filled()
	for _, x := range a.filled() {
		for _, y := range right {
			w, p := x.wildcards+y.wildcards, x.paths+y.paths
			if w > out.wildcards || p > out.paths {
				continue
			}
			at := w*(out.paths+1) + p
			if c := x.cost.plus(y.cost); out.cells[at].step == none || c.less(out.cells[at].cost) {
				out.cells[at] = cell{c, 0}
				from[at] = pair{x.step, y.step}
			}
		}
	}
	for i := range out.cells {
		if out.cells[i].step != none {
			out.cells[i].step = s.add(step{kind: both, left: from[i].left, right: from[i].right})
		}
	}
	return out
}

// way is a cell that is not empty, with its place.
type way struct {
	cell
	wildcards, paths int
}

// filled lists the cells that are of use: those that no other beats with as few
// wildcards and paths.
func (t table) filled() []way {
	var out []way
	least := make([]cell, t.paths+1) // of all rows so far, for at most so many paths
	for i := range least {
		least[i].step = none
	}
	for w := range t.wildcards + 1 {
		row := cell{step: none} // the least so far of this row and those before
		for p := range t.paths + 1 {
			if least[p].beats(row) {
				row = least[p]
			}
			if c := t.at(w, p); c.beats(row) {
				out = append(out, way{c, w, p})
				row = c
			}
			least[p] = row
		}
	}
	return out
}

// beats reports whether c is there and d is not, or costs more.
func (c cell) beats(d cell) bool {
	return c.step != none && (d.step == none || c.cost.less(d.cost))
}

// cheaper takes the better of two tables cell by cell.
func (s *solver) cheaper(a, b table) table {
	out := table{wildcards: max(a.wildcards, b.wildcards), paths: max(a.paths, b.paths)}
	out.cells = make([]cell, (out.wildcards+1)*(out.paths+1))
	for i := range out.cells {
		w, p := i/(out.paths+1), i%(out.paths+1)
		x, y := a.at(w, p), b.at(w, p)
		if y.beats(x) {
			x = y
		}
		out.cells[i] = x
	}
	return out
}

func (t table) at(wildcards, paths int) cell {
	if wildcards > t.wildcards || paths > t.paths {
		return cell{step: none}
	}
	return t.cells[wildcards*(t.paths+1)+paths]
}

// read turns a step and all below it into items.
func (s *solver) read(at int32, out *Solution) {
	if at == none {
		return
	}
	st := s.steps[at]
	v := &s.nodes[st.node]
	switch st.kind {
	case both:
		s.read(st.left, out)
		s.read(st.right, out)
	case paths:
		e := s.elements[v.lo]
		items, wildcards, _ := e.naming(e.forms)
		out.Items = append(out.Items, items...)
		out.Wildcards += wildcards
	case tag:
		sp := v.spots[st.spot]
		out.Items = append(out.Items, Item{Kind: Tag, Text: s.elements[v.lo].url[:sp.length], Class: st.class})
		out.Drops += int(sp.drops[st.class])
		out.DropBytes += sp.bytes[st.class]
	case prefix:
		s.readPrefix(st, out)
	}
}

func (s *solver) readPrefix(st step, out *Solution) {
	v := &s.nodes[st.node]
	sp := v.spots[st.spot]
	out.Items = append(out.Items, Item{Kind: Prefix, Text: s.elements[v.lo].url[:sp.length]})
	out.Wildcards++
	for c := Class(0); c <= MaxClasses; c++ {
		if !st.covered.has(c) {
			out.Drops += int(sp.drops[c])
			out.DropBytes += sp.bytes[c]
		}
	}
	for _, e := range s.elements[v.lo:v.hi] {
		for _, f := range e.forms {
			if len(f) < sp.length && !st.covered.has(e.class) {
				items, wildcards, _ := e.naming([]string{f})
				out.Items = append(out.Items, items...)
				out.Wildcards += wildcards
			}
		}
	}
}
