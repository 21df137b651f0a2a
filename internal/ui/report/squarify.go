package report

import (
	"cmp"
	"slices"
)

// rect is a rectangle in the units of a drawing, from its upper left corner.
type rect struct{ x, y, w, h float64 }

func (r rect) area() float64 { return r.w * r.h }

// squarify cuts in into one rectangle for each weight, in the order of
// weights, with areas in proportion to them and sides as equal as a greedy
// choice makes them (Bruls, Huizing, van Wijk 2000, section 3). The heaviest
// lie at the upper left. A weight that is not positive gets an empty rectangle.
func squarify(weights []float64, in rect) []rect {
	out := make([]rect, len(weights))
	var order []int
	total := 0.0
	for i, w := range weights {
		out[i] = rect{x: in.x, y: in.y}
		if w > 0 {
			order = append(order, i)
			total += w
		}
	}
	if len(order) == 0 || in.w <= 0 || in.h <= 0 {
		return out
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	areas := make([]float64, len(order))
	for i, o := range order {
		areas[i] = weights[o] / total * in.area()
	}
	for free := in; len(order) > 0; {
		n := rowLength(areas, min(free.w, free.h))
		row, rest := layRow(areas[:n], free)
		for i, r := range row {
			out[order[i]] = r
		}
		free, areas, order = rest, areas[n:], order[n:]
	}
	return out
}

// rowLength is how many of the areas, which descend, go into the next row
// along side: as long as the worst of the row gets no longer.
func rowLength(areas []float64, side float64) int {
	sum, worst := 0.0, 0.0
	for i, a := range areas {
		sum += a
		w := worstRatio(areas[0], a, sum, side)
		if i > 0 && w > worst {
			return i
		}
		worst = w
	}
	return len(areas)
}

// worstRatio is the longer side over the shorter one of the worst rectangle in
// a row of the given sum of areas, the largest and the smallest of them given.
func worstRatio(largest, smallest, sum, side float64) float64 {
	thick := sum / side
	return max(thick*thick/smallest, largest/(thick*thick))
}

// layRow puts a row along the shorter side of free and returns what is left.
func layRow(areas []float64, free rect) (row []rect, rest rect) {
	sum := 0.0
	for _, a := range areas {
		sum += a
	}
	upright := free.w >= free.h // the row stands at the left
	side, room := free.h, free.w
	if !upright {
		side, room = free.w, free.h
	}
	thick := min(room, sum/max(side, 1e-300))
	at := 0.0
	for _, a := range areas {
		length := min(side-at, side*a/sum)
		if upright {
			row = append(row, rect{free.x, free.y + at, thick, length})
		} else {
			row = append(row, rect{free.x + at, free.y, length, thick})
		}
		at += length
	}
	if upright {
		return row, rect{free.x + thick, free.y, free.w - thick, free.h}
	}
	return row, rect{free.x, free.y + thick, free.w, free.h - thick}
}
