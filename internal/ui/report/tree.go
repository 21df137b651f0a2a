package report

import (
	"cmp"
	"slices"
	"strings"
)

// marks are all marks in the order in which legends and merged tiles show
// them. The index of a mark in it is how the tree knows it.
var marks = [...]markStyle{
	{MarkAdded, "added", "+", "goes up, new"},
	{MarkUpdated, "updated", "~", "goes up, other content"},
	{MarkHeaders, "headers", "≈", "same content, other headers"},
	{MarkRemoved, "removed", "−", "goes away"},
	{MarkRetired, "retired", "◦", "no longer used, kept for now"},
	{MarkDropped, "dropped", "!", "unchanged, yet thrown out of the caches"},
	{MarkForeign, "foreign", "?", "not published by freshet, left alone"},
	{MarkNone, "same", "", "unchanged"},
}

// unmarked is the first index in marks of what nothing happens to; such objects
// need not be seen.
const unmarked = len(marks) - 2

// markStyle is how a mark looks: its class in the style sheet, the sign on its
// tiles, and what it means.
type markStyle struct {
	mark               Mark
	class, sign, means string
}

func markIndex(m Mark) int {
	i := slices.IndexFunc(marks[:], func(s markStyle) bool { return s.mark == m })
	if i < 0 {
		return len(marks) - 1
	}
	return i
}

// node is a folder or an object. A folder with nothing but one folder or one
// object in it is one node with it: "2026/11", "first-post/index.html".
type node struct {
	path   string // the key, or the folder with its "/"
	name   string // path without the folder around it
	lo, hi int    // its objects, by their place in key order
	kids   []*node
	tally  [len(marks)]tally
	weight float64 // of the drawing in hand
}

// tally is what a node holds of one mark.
type tally struct {
	count  int
	bytes  int64
	weight float64 // of the drawing in hand
}

func (n *node) leaf() bool { return n.kids == nil }

// total is the sum over all marks.
func (n *node) total() tally {
	var sum tally
	for _, t := range n.tally {
		sum.add(t)
	}
	return sum
}

// only is the one mark that all objects of the node have; -1 where they differ.
func (n *node) only() int {
	found := -1
	for i, t := range n.tally {
		if t.count > 0 && found >= 0 {
			return -1
		}
		if t.count > 0 {
			found = i
		}
	}
	return found
}

// first is the most telling mark of the objects in the node.
func (n *node) first() int {
	return max(0, slices.IndexFunc(n.tally[:], func(t tally) bool { return t.count > 0 }))
}

func (t *tally) add(o tally) {
	t.count += o.count
	t.bytes += o.bytes
	t.weight += o.weight
}

// sortedObjects is a copy of objects in key order.
func sortedObjects(objects []Object) []Object {
	return slices.SortedStableFunc(slices.Values(objects), func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
}

// grow makes the tree of objects, which are in key order: those of one folder
// stand together.
func grow(objects []Object) *node {
	return growFolder(objects, 0, len(objects), 0)
}

// growFolder makes the folder of objects[lo:hi], whose keys share their first
// cut bytes.
func growFolder(objects []Object, lo, hi, cut int) *node {
	n := &node{lo: lo, hi: hi, kids: []*node{}}
	if hi > lo {
		n.path = objects[lo].Key[:cut]
	}
	for at := lo; at < hi; {
		end, next := segment(objects, at, hi, cut)
		kid := growKid(objects, at, end, next)
		kid.name = kid.path[cut:]
		n.kids = append(n.kids, kid)
		for i := range kid.tally {
			n.tally[i].add(kid.tally[i])
		}
		at = end
	}
	return n
}

// segment finds the objects from at on that lie in the same folder below the
// first cut bytes, and how long that folder's path is; next is 0 for an object.
func segment(objects []Object, at, hi, cut int) (end, next int) {
	slash := strings.IndexByte(objects[at].Key[cut:], '/')
	if slash < 0 {
		return at + 1, 0
	}
	next = cut + slash + 1
	folder := objects[at].Key[:next]
	for end = at + 1; end < hi && strings.HasPrefix(objects[end].Key, folder); {
		end++
	}
	return end, next
}

// growKid makes the node of objects[lo:hi], which lie in one folder of length
// next, or are one object.
func growKid(objects []Object, lo, hi, next int) *node {
	if hi-lo == 1 {
		o := objects[lo]
		leaf := &node{path: o.Key, lo: lo, hi: hi}
		leaf.tally[markIndex(o.Mark)] = tally{count: 1, bytes: max(0, o.Size)}
		return leaf
	}
	for {
		end, deeper := segment(objects, lo, hi, next)
		if end != hi || deeper == 0 {
			return growFolder(objects, lo, hi, next)
		}
		next = deeper
	}
}

// weigh sets the weights of n and all below for one drawing and puts kids into
// the order of their weight. Size 0 counts as one byte, so that everything has
// a place. What is marked weighs at least floor: a change must be seen.
func (n *node) weigh(by basis, floor float64) {
	n.weight = 0
	for i := range n.tally {
		n.tally[i].weight = 0
		if n.leaf() && n.tally[i].count > 0 {
			w := 1.0
			if by == bySize {
				w = max(1, float64(n.tally[i].bytes))
			}
			if i < unmarked {
				w = max(w, floor)
			}
			n.tally[i].weight, n.weight = w, w
		}
	}
	for _, k := range n.kids {
		k.weigh(by, floor)
		n.weight += k.weight
		for i := range k.tally {
			n.tally[i].weight += k.tally[i].weight
		}
	}
	slices.SortFunc(n.kids, func(a, b *node) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.lo, b.lo))
	})
}
