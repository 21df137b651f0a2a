package report

import (
	"math"
	"slices"
)

// basis is what the area of a tile stands for.
type basis string

const (
	bySize  basis = "size"
	byCount basis = "count"
)

// canvas is one form of the map. There is one for wide windows and one for
// telephones, because a drawing that is scaled down has labels that nobody can
// read.
type canvas struct {
	name          string // its class in the style sheet
	width, height float64
	most          int     // tiles, above which smaller ones are merged
	font          float64 // size of the labels
}

// The forms of the map, in units that are about a pixel wide.
var (
	wide   = canvas{"wide", 1120, 560, 1300, 11.5}
	narrow = canvas{"narrow", 400, 520, 400, 12.5}
)

const (
	leastTile   = 36.0  // units²: what is smaller is merged, and more where there are many
	leastFolder = 600   // units²: a smaller folder is not opened
	leastMarked = 900.0 // units²: what is marked is drawn so large at least, where there is room
	markedShare = 0.2   // of the map, which is all that marked objects get beyond their own share
	padding     = 2.0   // units around what is in a folder
)

// tile is one rectangle of the map: an object, a folder that is not opened,
// several small ones together, or the frame of an open folder.
type tile struct {
	rect
	frame bool
	mark  int // in marks; of a frame, nothing
	path  string
	label string
	note  string  // "412 more files", "" for one object
	sum   tally   // what it stands for
	nodes []*node // whose objects of this mark it stands for; none for a frame
	lone  bool    // it stands for one node, whatever the marks in it

	changes bool // of a frame: something in it is marked
}

// layout makes the tiles of a map, frames before what they hold.
type layout struct {
	canvas
	least float64 // units² of a tile of its own
	tiles []tile
}

// arrange draws the tree on a canvas: merging what is small, and more of it
// until there are few enough tiles.
func arrange(root *node, c canvas, by basis) []tile {
	root.weigh(by, 0)
	root.weigh(by, markedFloor(root, c))
	for least := leastTile; ; least *= 1.5 {
		l := layout{canvas: c, least: least}
		l.folder(root, rect{0, 0, c.width, c.height}, 0)
		if len(l.tiles) <= c.most || least > c.width*c.height {
			return l.tiles
		}
	}
}

// markedFloor is the least weight of what is marked, so that a change of one
// small file is seen in a site of many large ones.
func markedFloor(root *node, c canvas) float64 {
	marked := 0
	for _, t := range root.tally[:unmarked] {
		marked += t.count
	}
	if marked == 0 {
		return 0
	}
	return root.weight * min(leastMarked/(c.width*c.height), markedShare/float64(marked))
}

// folder opens n in the given place.
func (l *layout) folder(n *node, in rect, depth int) {
	if depth > 0 {
		l.tiles = append(l.tiles, tile{rect: in, frame: true, path: n.path, label: n.name, sum: n.total(), changes: n.changes()})
		in = l.inside(in)
	}
	if in.w <= 0 || in.h <= 0 || n.weight <= 0 {
		return
	}
	own, merged := l.sort(n, in.area()/n.weight)
	weights := make([]float64, 0, len(own)+len(merged))
	for _, k := range own {
		weights = append(weights, k.weight)
	}
	for _, m := range merged {
		weights = append(weights, m.sum.weight)
	}
	places := squarify(weights, in)
	for i, k := range own {
		l.node(k, places[i], depth)
	}
	for i, m := range merged {
		m.rect = places[len(own)+i]
		l.tiles = append(l.tiles, m)
	}
}

// inside is the room in the frame of a folder: below its name, if there is
// room for a name.
func (l *layout) inside(r rect) rect {
	pad := min(padding, r.w/8, r.h/8)
	top := pad
	if l.titled(r) {
		top = l.strip()
	}
	return rect{r.x + pad, r.y + top, r.w - 2*pad, r.h - top - pad}
}

// changes reports whether anything in the node is marked.
func (n *node) changes() bool {
	return slices.ContainsFunc(n.tally[:unmarked], func(t tally) bool { return t.count > 0 })
}

// titled reports whether a frame is large enough to carry its name.
func (l *layout) titled(r rect) bool { return r.w >= 44 && r.h >= 2.6*l.strip() }

// strip is the height of a folder's name.
func (l *layout) strip() float64 { return math.Round(l.font * 1.4) }

// sort says which of the nodes in n are drawn as themselves and pours the
// others together, by mark.
func (l *layout) sort(n *node, scale float64) (own []*node, merged []tile) {
	var poured [len(marks)]tile
	for _, k := range n.kids {
		if area := k.weight * scale; area >= l.least && (k.only() >= 0 || l.opens(area)) {
			own = append(own, k)
			continue
		}
		for i, t := range k.tally {
			if t.count > 0 {
				poured[i].sum.add(t)
				poured[i].nodes = append(poured[i].nodes, k)
			}
		}
	}
	for i, p := range poured {
		if p.sum.count > 0 {
			merged = append(merged, pour(n, i, p))
		}
	}
	return own, merged
}

func (l *layout) opens(area float64) bool { return area >= max(leastFolder, 4*l.least) }

// pour finishes the tile of what is merged in a folder.
func pour(n *node, mark int, t tile) tile {
	t.mark, t.path = mark, n.path
	if len(t.nodes) == 1 && t.nodes[0].leaf() {
		t.path, t.label = t.nodes[0].path, leafLabel(t.nodes[0])
		return t
	}
	switch marks[mark].mark {
	case MarkNone:
		t.note = count(t.sum.count, "more file")
		if t.sum.count == n.total().count {
			t.note = count(t.sum.count, "file")
		}
	case MarkHeaders:
		t.note = count(t.sum.count, "file") + " with new headers"
	default:
		t.note = count(t.sum.count, marks[mark].class+" file")
	}
	t.label = t.note
	return t
}

// node draws k in its place: as a tile, or opened.
func (l *layout) node(k *node, at rect, depth int) {
	if !k.leaf() && (k.only() < 0 || l.opens(at.area())) && at.w >= 8 && at.h >= 8 {
		l.folder(k, at, depth+1)
		return
	}
	t := tile{rect: at, mark: k.first(), path: k.path, label: leafLabel(k), sum: k.total(), nodes: []*node{k}, lone: true}
	if !k.leaf() {
		t.label, t.note = k.name, count(t.sum.count, "file")
		if k.only() < 0 {
			t.note += ", some of them " + marks[t.mark].class
		}
	}
	l.tiles = append(l.tiles, t)
}

// leafLabel is the short name of an object: that of its folder where the
// object is the index page of it.
func leafLabel(n *node) string {
	const index = "index.html"
	if len(n.name) > len(index) && n.name[len(n.name)-len(index)-1:] == "/"+index {
		return n.name[:len(n.name)-len(index)]
	}
	if n.name == "" {
		return "/"
	}
	return n.name
}
