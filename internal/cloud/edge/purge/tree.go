package purge

import "strings"

// node is a node of a radix tree over the bytes of paths; the zero value is an empty tree's root.
type node struct {
	label    string   // the bytes between the parent and this node
	exact    Sequence // newest item that names exactly this path; 0 for none
	prefix   Sequence // newest item that covers this path and all that it begins; 0 for none
	children []*node  // with different first bytes
	size     size     // of this node and everything below it
}

// size counts a part of the tree.
type size struct{ bytes, items int }

// nodeOverhead is what one node costs beyond its label, in bytes, roughly.
const nodeOverhead = 112

// insert puts path into the tree below n and returns by how much the tree has grown, which may be negative.
// A prefix makes everything below it redundant, because it covers the same objects with a newer number.
// The cost is the length of path.
func (n *node) insert(path string, isPrefix bool, seq Sequence) size {
	if path == "" {
		return n.mark(isPrefix, seq)
	}
	child := n.child(path[0])
	if child == nil {
		child = &node{label: path}
		n.children = append(n.children, child)
		grown := size{bytes: nodeOverhead + len(path)}
		child.size = grown
		marked := child.mark(isPrefix, seq)
		return n.grow(size{grown.bytes + marked.bytes, marked.items})
	}
	grown := size{}
	if common := commonLength(child.label, path); common < len(child.label) {
		grown = child.split(common)
	}
	below := child.insert(path[len(child.label):], isPrefix, seq)
	return n.grow(size{grown.bytes + below.bytes, below.items})
}

// mark records seq at n itself, which is never the root, and returns the growth.
func (n *node) mark(isPrefix bool, seq Sequence) size {
	before := n.size
	if isPrefix {
		n.prefix, n.exact, n.children = seq, 0, nil
		n.size = size{bytes: nodeOverhead + len(n.label), items: 1}
	} else {
		if n.exact == 0 {
			n.size.items++
		}
		n.exact = seq
	}
	return size{n.size.bytes - before.bytes, n.size.items - before.items}
}

func (n *node) grow(by size) size {
	n.size.bytes += by.bytes
	n.size.items += by.items
	return by
}

// split cuts n's label after at bytes: n keeps the front, a new child takes the rest and all that n held.
func (n *node) split(at int) size {
	rest := *n
	rest.label = n.label[at:]
	rest.size.bytes -= at
	*n = node{label: n.label[:at], children: []*node{&rest}, size: size{n.size.bytes + nodeOverhead, n.size.items}}
	return size{bytes: nodeOverhead}
}

func (n *node) child(first byte) *node {
	for _, c := range n.children {
		if c.label[0] == first {
			return c
		}
	}
	return nil
}

// covers says whether an item later than since covers uri.
func (n *node) covers(uri string, since Sequence) bool {
	for {
		if n.prefix > since {
			return true
		}
		if uri == "" {
			return n.exact > since
		}
		child := n.child(uri[0])
		if child == nil || !strings.HasPrefix(uri, child.label) {
			return false
		}
		n, uri = child, uri[len(child.label):]
	}
}

func commonLength(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
