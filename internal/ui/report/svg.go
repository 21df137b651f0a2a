package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

const maxTooltip = 160 // columns of a name in a tooltip

// drawing writes the tiles of one map as SVG. All text goes through esc.
type drawing struct {
	strings.Builder
	layout
}

// draw is the map as an SVG element. It holds no style of its own, so that the
// page's policy can forbid all but the one style sheet.
func draw(c canvas, by basis, tiles []tile) template.HTML {
	d := drawing{layout: layout{canvas: c}}
	fmt.Fprintf(&d, `<svg class="map %s %s" viewBox="0 0 %s %s" role="img" aria-label="%s">`+"\n",
		by, c.name, short(c.width), short(c.height), esc(describe(by)))
	for _, t := range tiles {
		d.tile(t)
	}
	d.WriteString("</svg>")
	return template.HTML(d.String()) // text in it is escaped by esc
}

func describe(by basis) string {
	if by == bySize {
		return "Map of the site by folder; the larger a tile, the more bytes. What changes is listed below."
	}
	return "Map of the site by folder; the larger a tile, the more files. What changes is listed below."
}

func (d *drawing) tile(t tile) {
	class := "t " + marks[t.mark].class
	if t.frame {
		class = "f"
	}
	fmt.Fprintf(d, `<rect class="%s" %s><title>%s</title></rect>`, class, place(t.rect), esc(tooltip(t)))
	switch {
	case !t.frame:
		d.label(t)
	case d.titled(t.rect):
		class := "n"
		if t.changes {
			class = "n b"
		}
		d.text(class, t.x+5, t.y+d.strip()-d.font*0.36, clipEnd(visible(t.label), d.fits(t.w-8)))
	}
	d.WriteByte('\n')
}

// label writes the sign of the mark and as much of the name as fits.
func (d *drawing) label(t tile) {
	sign := marks[t.mark].sign
	columns := d.fits(t.w - 8)
	if t.h < d.font*1.25 || columns < 1 || sign == "" && columns < 5 {
		return
	}
	top := t.y + min(d.font*1.25, (t.h+d.font*0.7)/2)
	if columns < 5 {
		d.centre(t, sign)
		return
	}
	name := visible(t.label)
	if t.label == t.note && width(t.note)+2*width(sign) > columns {
		name, _, _ = strings.Cut(t.note, " ") // the number alone
	}
	if sign != "" {
		name = sign + " " + name
	}
	if width(name) > columns {
		name = strings.TrimSuffix(name, ".html")
	}
	if columns < 12 {
		name = clipEnd(name, columns) // too little is left of two ends
	}
	d.text("", t.x+4, top, clip(name, columns))
	if size := showBytes(t.sum.bytes); t.h >= d.font*2.8 && columns >= len(size) {
		d.text("s", t.x+4, top+d.font*1.25, size)
	}
}

func (d *drawing) centre(t tile, sign string) {
	d.text("c", t.x+t.w/2, t.y+(t.h+d.font*0.72)/2, sign)
}

// fits is how many columns of a label a width holds; the letters of the usual
// fonts are on average 0.5 to 0.6 as wide as they are high.
func (d *drawing) fits(width float64) int { return int(width / (d.font * 0.6)) }

func (d *drawing) text(class string, x, y float64, s string) {
	if s == "" {
		return
	}
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(d, `<text%s x="%s" y="%s">%s</text>`, class, short(x), short(y), esc(s))
}

// tooltip says what a tile is, in lines: name, number, size and mark.
func tooltip(t tile) string {
	name := visible(t.path)
	if name == "" {
		name = "/"
	}
	lines := []string{clip(name, maxTooltip)}
	if t.frame {
		return lines[0] + "\n" + count(t.sum.count, "file") + ", " + showBytes(t.sum.bytes)
	}
	if t.note != "" {
		lines = append(lines, t.note)
	}
	return strings.Join(append(lines, showBytes(t.sum.bytes)+", "+marks[t.mark].means), "\n")
}

// place is a rectangle as attributes. Its edges are rounded, not its sides, so
// that neighbours still touch.
func place(r rect) string {
	x, y := round(r.x), round(r.y)
	return fmt.Sprintf(`x="%s" y="%s" width="%s" height="%s"`,
		short(x), short(y), short(max(0, round(r.x+r.w)-x)), short(max(0, round(r.y+r.h)-y)))
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// short is v with one decimal, or none where it has none.
func short(v float64) string { return strconv.FormatFloat(round(v), 'f', -1, 64) }

func esc(s string) string { return html.EscapeString(s) }
