package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Lines is a chart of panels side by side; each shows the same series over the same sizes, with both axes logarithmic.
type Lines struct {
	Title    string
	Subtitle string // may have several lines
	Sizes    string // what the horizontal axis counts
	X        []float64
	Panels   []Curves // two read best
}

// Curves is one panel.
type Curves struct {
	Title  string
	Series []Series             // at most three
	Tick   func(float64) string // how a value on the vertical axis is written
}

// Series is one line: a value, above 0, for each size.
type Series struct {
	Name string
	Y    []float64
}

const (
	plotHigh  = 260.0
	gapLabels = 17.0 // the least distance of two names
)

// box is where a panel draws, and its axes.
type box struct {
	left, right, top, bottom float64
	minX, maxX, minY, maxY   float64 // decimal logarithms
}

func (b box) x(v float64) float64 {
	return b.left + (math.Log10(v)-b.minX)/(b.maxX-b.minX)*(b.right-b.left)
}

func (b box) y(v float64) float64 {
	return b.bottom - (math.Log10(v)-b.minY)/(b.maxY-b.minY)*(b.bottom-b.top)
}

// SVG is the drawing.
func (l Lines) SVG() []byte {
	var c canvas
	top := c.head(l.Title, l.Subtitle) + 54
	each := (wide - 2*margin + between) / float64(max(1, len(l.Panels)))
	for i, p := range l.Panels {
		left := margin + float64(i)*each
		names := 0.0
		for _, s := range p.Series {
			names = max(names, widthOf(s.Name))
		}
		c.textAt(left, top-24, "h", "start", p.Title)
		b := box{left: left + 66, right: left + each - between - names - 8, top: top, bottom: top + plotHigh}
		b.fit(l.X, p.Series)
		p.axes(&c, b, l)
		p.draw(&c, b, l.X)
	}
	return c.document(wide, top+plotHigh+64, l.Title, l.describe())
}

// fit takes the axes wide enough for all values.
func (b *box) fit(x []float64, series []Series) {
	b.minX, b.maxX = math.Log10(slices.Min(x)), math.Log10(slices.Max(x))
	if b.maxX-b.minX < 0.5 { // a single size
		b.minX, b.maxX = b.minX-0.25, b.maxX+0.25
	}
	low, high := math.Inf(1), 0.0
	for _, s := range series {
		low, high = min(low, slices.Min(s.Y)), max(high, slices.Max(s.Y))
	}
	b.minY, b.maxY = math.Log10(tick(low, -1)), math.Log10(tick(high, 1))
}

// tick is the next value of 1 and 3 in each decade, downwards (-1) or upwards (1); v itself if it is one.
func tick(v float64, direction int) float64 {
	decade := math.Floor(math.Log10(v))
	all := []float64{math.Pow(10, decade), 3 * math.Pow(10, decade), math.Pow(10, decade+1)}
	if direction < 0 {
		slices.Reverse(all)
	}
	for _, t := range all {
		if (v-t)*float64(direction) <= 0 {
			return t
		}
	}
	return v
}

// axes draws grid and ticks: vertically every 1 and 3 of a decade, horizontally the sizes.
func (p Curves) axes(c *canvas, b box, l Lines) {
	for decade := math.Floor(b.minY); decade <= b.maxY; decade++ {
		for _, k := range []float64{1, 3} {
			v := k * math.Pow(10, decade)
			if at := math.Log10(v); at < b.minY-1e-9 || at > b.maxY+1e-9 {
				continue
			}
			c.stroke("grid", b.left, b.y(v), b.right, b.y(v))
			c.textAt(b.left-8, b.y(v)+4, "m", "end", p.Tick(v))
		}
	}
	c.stroke("axis", b.left, b.bottom, b.right, b.bottom)
	last := math.Inf(-1)
	for _, v := range l.X {
		c.stroke("axis", b.x(v), b.bottom, b.x(v), b.bottom+5)
		if text := short(v); b.x(v)-last > widthOf(text)+6 {
			c.textAt(b.x(v), b.bottom+20, "m", "middle", text)
			last = b.x(v)
		}
	}
	c.textAt((b.left+b.right)/2, b.bottom+42, "m", "middle", l.Sizes)
}

// draw draws the lines, and each one's name at its end, moved so that names do not touch.
func (p Curves) draw(c *canvas, b box, x []float64) {
	order := make([]int, len(p.Series))
	for i, s := range p.Series {
		order[i] = i
		var d strings.Builder
		for k, v := range s.Y {
			fmt.Fprintf(&d, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[k == 0], b.x(x[k]), b.y(v))
		}
		fmt.Fprintf(c, "<path class=\"line c%d\" d=\"%s\"/>\n", i, d.String())
		for k, v := range s.Y {
			fmt.Fprintf(c, "<circle class=\"f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", i, b.x(x[k]), b.y(v))
		}
	}
	end := func(i int) float64 { return b.y(p.Series[i].Y[len(x)-1]) }
	slices.SortFunc(order, func(i, j int) int { return int(math.Copysign(1, end(i)-end(j))) })
	at := make([]float64, len(order))
	for k, i := range order {
		at[k] = end(i) + 4
		if k > 0 {
			at[k] = max(at[k], at[k-1]+gapLabels)
		}
	}
	for k := len(at) - 1; k >= 0; k-- { // back up what was pushed below the axis
		limit := b.bottom + 4
		if k+1 < len(at) {
			limit = at[k+1] - gapLabels
		}
		at[k] = min(at[k], max(limit, b.top))
		c.textAt(b.x(x[len(x)-1])+10, at[k], fmt.Sprintf("e f%d", order[k]), "start", p.Series[order[k]].Name)
	}
}

// short writes a size with k for thousands and M for millions.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1e6), ".0") + "M"
	case v >= 1e3:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1e3), ".0") + "k"
	}
	return fmt.Sprintf("%.0f", v)
}

// describe says the chart in words.
func (l Lines) describe() string {
	var out strings.Builder
	for _, p := range l.Panels {
		for _, s := range p.Series {
			fmt.Fprintf(&out, "%s, %s:", p.Title, s.Name)
			for k, v := range s.Y {
				fmt.Fprintf(&out, " %s at %s;", p.Tick(v), short(l.X[k]))
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}
