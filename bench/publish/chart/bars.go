package chart

import (
	"fmt"
	"slices"
	"strings"
)

// Bars is a chart of rows of panels with horizontal bars. The panels of a row share their scale, which begins at 0; rows do not share it. Bars
// that would leave no room to tell the others apart are cut: they end at the edge, with a gap before their end.
type Bars struct {
	Title    string
	Subtitle string   // may have several lines
	Columns  []string // a head for each column of panels
	Rows     []Row
}

// Row is one row of panels.
type Row struct {
	Title  string
	Panels []Panel // one for each column; one without bars stays empty
}

// Panel is one set of bars.
type Panel struct{ Bars []Bar }

// Bar is one bar.
type Bar struct {
	Label     string
	Value     float64 // its length, not negative
	Low, High float64 // where its range begins and ends; both 0 for no range
	Text      string  // written behind it
	Accent    bool    // it is the one that the chart is about
}

const (
	margin   = 24.0
	barHigh  = 16.0
	barStep  = 24.0
	between  = 28.0 // columns
	wide     = 880.0
	headHigh = 30.0
)

// SVG is the drawing.
func (b Bars) SVG() []byte {
	var c canvas
	labels := 0.0
	for _, bar := range b.all() {
		labels = max(labels, widthOf(bar.Label)+10)
	}
	column := (wide - 2*margin - labels + between) / float64(max(1, len(b.Columns)))
	y := c.head(b.Title, b.Subtitle) + 26
	for i, head := range b.Columns {
		c.textAt(margin+labels+float64(i)*column, y, "m", "start", head)
	}
	y += 8
	for _, row := range b.Rows {
		y = row.draw(&c, y, labels, column)
	}
	return c.document(wide, y+margin-12, b.Title, b.describe())
}

// draw draws a row of panels from y on and returns where it ends.
func (r Row) draw(c *canvas, y, labels, column float64) float64 {
	c.stroke("grid", margin, y, wide-margin, y)
	c.textAt(margin, y+20, "h", "start", r.Title)
	y += headHigh
	names := []string{}
	for _, p := range r.Panels {
		for _, bar := range p.Bars {
			if !slices.Contains(names, bar.Label) {
				names = append(names, bar.Label)
			}
		}
	}
	text := 0.0
	for _, p := range r.Panels {
		for _, bar := range p.Bars {
			text = max(text, widthOf(bar.Text)+10)
		}
	}
	s := scale{most: r.longest(), width: column - between - text}
	for k, name := range names {
		top := y + float64(k)*barStep
		class := ""
		for i, p := range r.Panels {
			at := slices.IndexFunc(p.Bars, func(b Bar) bool { return b.Label == name })
			if at < 0 {
				continue
			}
			if p.Bars[at].Accent {
				class = "e"
			}
			p.Bars[at].draw(c, margin+labels+float64(i)*column, top, s)
		}
		c.textAt(margin+labels-10, top+barHigh-3.5, class, "end", name)
	}
	return y + float64(len(names))*barStep + 8
}

// longest is the value of the longest bar or range, or, where that is more than 4 times the median, 2.5 times the median: longer ones are cut.
func (r Row) longest() float64 {
	var values []float64
	most := 0.0
	for _, p := range r.Panels {
		for _, bar := range p.Bars {
			values = append(values, bar.Value)
			most = max(most, bar.Value, bar.High)
		}
	}
	slices.Sort(values)
	if len(values) > 0 && values[(len(values)-1)/2] > 0 && most > 4*values[(len(values)-1)/2] {
		return 2.5 * values[(len(values)-1)/2]
	}
	return most
}

// scale maps values to pixels.
type scale struct{ most, width float64 }

// at is how far a value reaches; nothing reaches beyond the edge.
func (s scale) at(value float64) float64 {
	if s.most == 0 {
		return 0
	}
	return s.width * min(1, value/s.most)
}

func (b Bar) draw(c *canvas, x, y float64, s scale) {
	fill, class := "b", ""
	if b.Accent {
		fill, class = "a", "e"
	}
	c.bar(fill, x, y, max(1.5, s.at(b.Value)), barHigh)
	if b.Value > s.most {
		fmt.Fprintf(c, "<path class=\"ground\" d=\"M%.1f %.1fl5 0l-5 %.1fl-5 0z\"/>\n", x+s.width-18, y-1, barHigh+2)
	}
	if b.High > b.Low && b.Low < s.most {
		c.stroke("range", x+s.at(b.Low), y+barHigh/2, x+s.at(b.High), y+barHigh/2)
	}
	c.textAt(x+s.at(max(b.Value, b.High))+7, y+barHigh-3.5, class, "start", b.Text)
}

func (b Bars) all() (out []Bar) {
	for _, row := range b.Rows {
		for _, p := range row.Panels {
			out = append(out, p.Bars...)
		}
	}
	return out
}

// describe says the chart in words.
func (b Bars) describe() string {
	var out strings.Builder
	for _, row := range b.Rows {
		for i, p := range row.Panels {
			head := ""
			if i < len(b.Columns) {
				head = ", " + b.Columns[i]
			}
			fmt.Fprintf(&out, "%s%s:", row.Title, head)
			for _, bar := range p.Bars {
				fmt.Fprintf(&out, " %s %s;", bar.Label, bar.Text)
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}
