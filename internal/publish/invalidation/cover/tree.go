package cover

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"strings"
)

// element is one changed object in the order of its longest URL.
type element struct {
	url      string
	forms    []string
	class    Class
	variants bool
}

// naming lists what names each of the forms of e by itself, and how many of them
// are wildcards; ok is false where a form cannot be named.
func (e element) naming(forms []string) (items []Item, wildcards int, ok bool) {
	for _, f := range forms {
		if !exact(f) {
			return nil, 0, false
		}
		items = append(items, Item{Kind: Path, Text: f})
		if e.variants {
			items = append(items, Item{Kind: Prefix, Text: f + "?"})
			wildcards++
		}
	}
	return items, wildcards, true
}

// node is a node of the radix tree: a run of elements whose longest URLs share
// a prefix that no other element has.
type node struct {
	lo, hi   int   // elements[lo:hi]
	length   int   // bytes that all of them share
	parent   int   // -1 for the root
	children []int // in order; nil for a leaf
	spots    []spot
	folder   int    // index into spots of the deepest folder of this node alone, -1 for none
	classes  uint32 // bits of the classes of its elements
}

// spot is a place on the way from the parent to the node where an item may
// stand: every prefix between two spots covers the same changed URLs as the
// longer one, and drops more.
type spot struct {
	length int
	// prefix says that a path can end here; a folder may be a spot for tags
	// only.
	prefix bool
	// uncovered counts, by class, the items that it takes to name the forms of the
	// node's elements that are shorter than the prefix and stay uncovered by it;
	// wildcards counts those of them that are.
	uncovered, wildcards [MaxClasses + 1]int64
	// blocked says, by class, that one of those forms cannot be named by a path
	// of its own either.
	blocked [MaxClasses + 1]bool
	// drops and bytes sum up, by class, what lives untouched below the spot.
	drops, bytes [MaxClasses + 1]int64
}

// tree is the radix tree over the longest URLs of all elements. Leaves are the
// nodes 0 to len(elements)-1, in order.
type tree struct {
	elements []element
	nodes    []node
	root     int
	tags     bool
}

func newTree(p Problem) *tree {
	t := &tree{tags: p.Tags}
	for _, c := range p.Changed {
		class := c.Class
		if !p.Tags {
			class = Untagged
		}
		t.elements = append(t.elements, element{c.Forms[len(c.Forms)-1], c.Forms, class, c.Variants})
	}
	slices.SortFunc(t.elements, func(a, b element) int { return cmp.Compare(a.url, b.url) })
	t.share()
	t.build()
	for i := range t.nodes {
		t.place(i)
	}
	return t
}

// share leaves every URL to one element alone. "/a" may be a form of both
// a/index.html and an object a; it is then the latter's, and as its cached
// answer may be either's, no tag is relied on for it.
func (t *tree) share() {
	t.elements = slices.CompactFunc(t.elements, func(a, b element) bool { return a.url == b.url })
	for i := range t.elements {
		e := &t.elements[i]
		for len(e.forms) > 1 {
			j := sort.Search(len(t.elements), func(j int) bool { return t.elements[j].url >= e.forms[0] })
			if j == len(t.elements) || t.elements[j].url != e.forms[0] {
				break
			}
			t.elements[j].class = Untagged
			t.elements[j].variants = t.elements[j].variants || e.variants
			e.forms = e.forms[1:]
		}
	}
}

// build makes the nodes from the sorted URLs, with a stack of the runs that
// are still open on the right.
func (t *tree) build() {
	n := len(t.elements)
	t.nodes = make([]node, n, 2*n)
	for i, e := range t.elements {
		t.nodes[i] = node{lo: i, hi: i + 1, length: len(e.url), parent: -1, folder: -1}
	}
	type open struct {
		length   int
		children []int
	}
	stack := []open{{length: 0}}
	for i := range n {
		child, common := i, 0
		if i+1 < n {
			common = shared(t.elements[i].url, t.elements[i+1].url)
		}
		for {
			top := &stack[len(stack)-1]
			if top.length < common {
				stack = append(stack, open{length: common})
				continue
			}
			top.children = append(top.children, child)
			if top.length == common || len(stack) == 1 {
				break
			}
			child = t.close(top.length, top.children)
			stack = stack[:len(stack)-1]
			if stack[len(stack)-1].length >= common {
				continue
			}
			stack = append(stack, open{length: common})
		}
	}
	t.root = t.finish(stack[0].children)
}

// close makes an inner node of children.
func (t *tree) close(length int, children []int) int {
	id := len(t.nodes)
	t.nodes = append(t.nodes, node{
		lo: t.nodes[children[0]].lo, hi: t.nodes[children[len(children)-1]].hi,
		length: length, parent: -1, children: children, folder: -1,
	})
	for _, c := range children {
		t.nodes[c].parent = id
	}
	return id
}

// finish makes the root. All URLs begin with a slash, so at most one node is
// left on the stack's bottom.
func (t *tree) finish(children []int) int {
	if len(children) == 1 {
		return children[0]
	}
	return t.close(0, children)
}

func shared(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// above is the length that belongs to the node's parent: an item that is not
// longer covers more than this node, and is considered there.
func (t *tree) above(id int) int {
	if p := t.nodes[id].parent; p >= 0 {
		return t.nodes[p].length
	}
	return 0
}

// place finds the spots of a node: its own longest prefix, the lengths of the
// shorter forms of its elements, and its folder where tags are in use.
func (t *tree) place(id int) {
	v := &t.nodes[id]
	first, above := t.elements[v.lo].url, t.above(id)
	own := writable(first, v.length)
	lengths := map[int]bool{} // to whether a path can end there
	if own > above {
		lengths[own] = true
	}
	for _, e := range t.elements[v.lo:v.hi] {
		for _, f := range e.forms[:len(e.forms)-1] {
			if n := writable(f, len(f)); n > above && n <= own {
				lengths[n] = true
			}
		}
	}
	folder := strings.LastIndexByte(first[:v.length], '/') + 1
	if t.tags && folder > above {
		lengths[folder] = lengths[folder] || folder <= own
	}
	for n, prefix := range lengths {
		v.spots = append(v.spots, spot{length: n, prefix: prefix})
	}
	slices.SortFunc(v.spots, func(a, b spot) int { return cmp.Compare(a.length, b.length) })
	v.folder = -1
	if t.tags && folder > above {
		v.folder = slices.IndexFunc(v.spots, func(s spot) bool { return s.length == folder })
	}
	t.uncover(v)
}

// uncover counts the forms that stay uncovered by a prefix at each spot.
func (t *tree) uncover(v *node) {
	for _, e := range t.elements[v.lo:v.hi] {
		v.classes |= 1 << e.class
		for _, f := range e.forms[:len(e.forms)-1] {
			for i := range v.spots {
				if s := &v.spots[i]; len(f) < s.length {
					items, wildcards, ok := e.naming([]string{f})
					s.uncovered[e.class] += int64(len(items))
					s.wildcards[e.class] += int64(wildcards)
					s.blocked[e.class] = s.blocked[e.class] || !ok
				}
			}
		}
	}
}

// count notes everything untouched at the deepest spot above it.
func (t *tree) count(untouched iter.Seq[Untouched]) {
	near := 0
	for u := range untouched {
		near = t.nearest(u.URL, near)
		leaf, common := t.deepest(u.URL, near)
		class := u.Class
		if !t.tags {
			class = Untagged
		}
		t.drop(leaf, common, class, u.Bytes)
	}
}

// nearest is the index of the first element whose URL is not less than url,
// looked for around the last one first: callers come nearly sorted.
func (t *tree) nearest(url string, last int) int {
	fits := func(i int) bool {
		return (i == 0 || t.elements[i-1].url < url) && (i == len(t.elements) || t.elements[i].url >= url)
	}
	if fits(last) {
		return last
	}
	if last < len(t.elements) && fits(last+1) {
		return last + 1
	}
	return sort.Search(len(t.elements), func(i int) bool { return t.elements[i].url >= url })
}

// deepest is the leaf beside position near that shares most with url.
func (t *tree) deepest(url string, near int) (leaf, common int) {
	if near < len(t.elements) {
		leaf, common = near, shared(t.elements[near].url, url)
	}
	if near > 0 {
		if n := shared(t.elements[near-1].url, url); n > common || near == len(t.elements) {
			leaf, common = near-1, n
		}
	}
	return leaf, common
}

// drop notes an untouched object at the deepest spot that covers it, of node id
// or of one above. Where none does, no item can drop it.
func (t *tree) drop(id, common int, class Class, bytes int64) {
	for ; id >= 0; id = t.nodes[id].parent {
		spots := t.nodes[id].spots
		for i := len(spots) - 1; i >= 0; i-- {
			if spots[i].length <= common {
				spots[i].drops[class]++
				spots[i].bytes[class] += bytes
				return
			}
		}
	}
}

// accumulate sums drops up the tree: what a deeper spot drops, every spot
// above it drops too. Inner nodes are made after their children.
func (t *tree) accumulate() {
	type sums struct{ drops, bytes [MaxClasses + 1]int64 }
	below := make([]sums, len(t.nodes))
	for id := range t.nodes {
		v, sum := &t.nodes[id], &below[id]
		for _, c := range v.children {
			for k := range sum.drops {
				sum.drops[k] += below[c].drops[k]
				sum.bytes[k] += below[c].bytes[k]
			}
		}
		for i := len(v.spots) - 1; i >= 0; i-- {
			for k := range sum.drops {
				sum.drops[k] += v.spots[i].drops[k]
				sum.bytes[k] += v.spots[i].bytes[k]
			}
			v.spots[i].drops, v.spots[i].bytes = sum.drops, sum.bytes
		}
	}
}
