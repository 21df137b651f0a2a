package report

// whole is the sum over all objects.
type whole struct {
	Files int
	Bytes int64
}

// placeView is a distribution for the template.
type placeView struct {
	Distribution
	First, Rest []row // items shown unfolded, and folded
	Unlisted    int
	Addresses   int
	Share       string // how wide the bar of what is dropped is, of 100
}

// row is one item for the template.
type row struct {
	Item
	Kind, Meaning, Purpose, Price string
	Listed                        []string // what it covers, where that is more than its path
	More                          int      // changed URLs that it covers and does not list
	Tiles                         string   // of all maps, for highlighting
}

// drawMaps draws the maps and ties the items to their tiles.
func (v *view) drawMaps() {
	objects := sortedObjects(v.Objects)
	root := grow(objects)
	var all [][]tile
	for _, by := range []basis{bySize, byCount} {
		for _, c := range []canvas{wide, narrow} {
			if len(objects) == 0 {
				continue
			}
			tiles := arrange(root, c, by)
			all = append(all, tiles)
			v.Maps = append(v.Maps, draw(c, by, tiles))
			for _, t := range tiles {
				v.Merged = v.Merged || t.note != ""
			}
		}
	}
	sum := root.total()
	v.Whole = whole{sum.count, sum.bytes}
	for i, m := range marks {
		if n := root.tally[i].count; n > 0 {
			v.Legend = append(v.Legend, legendEntry{m.class, m.sign, m.means, n})
			v.Raised = v.Raised || i < unmarked
		}
	}
	index := indexTiles(objects, all)
	for _, d := range v.Distributions {
		v.Places = append(v.Places, newPlace(d, finder{objects}, index))
	}
}

func newPlace(d Distribution, f finder, index tileIndex) placeView {
	p := placeView{Distribution: d}
	for i, it := range d.Items {
		p.Addresses += it.CoverCount
		if i >= maxItems {
			p.Unlisted++
			continue
		}
		r := newRow(it)
		r.Tiles = index.list(f.spans(d.Root, it))
		if i < firstItems {
			p.First = append(p.First, r)
		} else {
			p.Rest = append(p.Rest, r)
		}
	}
	if d.EverythingObjects > 0 {
		p.Share = short(100 * min(1, float64(d.Drops)/float64(d.EverythingObjects)))
	}
	return p
}

func newRow(it Item) row {
	r := row{Item: it, Kind: it.kind(), Meaning: it.meaning(), Purpose: it.purpose(), Price: it.price()}
	if len(it.Covers) != 1 || it.Covers[0] != it.Path {
		r.Listed = it.Covers[:min(len(it.Covers), firstItems)]
		r.More = max(0, it.CoverCount-len(r.Listed))
	}
	if r.Kind == "everything" {
		r.Listed, r.More = nil, 0
	}
	return r
}
