// Package chart draws the two charts that a benchmark of programs needs, as SVG: groups of horizontal bars, and lines over logarithmic axes.
//
// It promises text that can be read and selected, colours for light and dark surroundings (by prefers-color-scheme, on a ground of the chart's own),
// names beside the marks in place of a legend, and a description for those who do not see it. It leaves out scripts, fonts of its own and everything that moves.
package chart

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// style holds the colours. Class names: t title, s small, e emphasised, m muted; the marks are a (accent), b (others), and c0 to c2 (lines).
const style = `
svg { --ground: #fcfcfb; --ink: #1f1f1d; --muted: #6a6963; --grid: #e3e2dd; --accent: #1f6fd0; --other: #b9b7b0; --c1: #c4561b; --c2: #12805f; }
@media (prefers-color-scheme: dark) {
  svg { --ground: #191918; --ink: #f1f0ec; --muted: #a6a49c; --grid: #363531; --accent: #62a4f8; --other: #65635d; --c1: #f08c55; --c2: #45c59c; }
}
text { font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--ink); }
.t { font-size: 16px; font-weight: 600; } .h { font-weight: 600; } .e { font-weight: 600; } .m { fill: var(--muted); font-size: 12px; }
.ground { fill: var(--ground); } .grid { stroke: var(--grid); fill: none; } .axis { stroke: var(--muted); fill: none; }
.a { fill: var(--accent); } .b { fill: var(--other); } .range { stroke: var(--ink); stroke-width: 1.25; fill: none; opacity: .75; }
.line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
.c0 { stroke: var(--accent); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
.f0 { fill: var(--accent); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); }
`

// canvas is a drawing in the making; lengths are in pixels.
type canvas struct{ strings.Builder }

func (c *canvas) textAt(x, y float64, class, anchor, text string) {
	fmt.Fprintf(c, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">%s</text>\n", x, y, class, anchor, escaped(text))
}

// head writes title and subtitle, which may have several lines, and returns where they end.
func (c *canvas) head(title, subtitle string) (y float64) {
	c.textAt(margin, margin+12, "t", "start", title)
	y = margin + 14
	for line := range strings.Lines(subtitle) {
		y += 18
		c.textAt(margin, y, "m", "start", strings.TrimSpace(line))
	}
	return y
}

func (c *canvas) stroke(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", class, x1, y1, x2, y2)
}

// bar draws a bar that grows to the right, its free end rounded.
func (c *canvas) bar(class string, x, y, width, height float64) {
	r := min(3, width/2, height/2)
	fmt.Fprintf(c, "<path class=\"%s\" d=\"M%.1f %.1fh%.1fa%.1f %.1f 0 0 1 %.1f %.1fv%.1fa%.1f %.1f 0 0 1 -%.1f %.1fh-%.1fz\"/>\n",
		class, x, y, width-r, r, r, r, r, height-2*r, r, r, r, r, width-r)
}

// document closes the drawing.
func (c *canvas) document(width, height float64, title, description string) []byte {
	return fmt.Appendf(nil, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-labelledby=\"title description\">\n"+
		"<title id=\"title\">%s</title>\n<desc id=\"description\">%s</desc>\n<style>%s</style>\n<rect class=\"ground\" width=\"%.0f\" height=\"%.0f\" rx=\"8\"/>\n%s</svg>\n",
		width, height, width, height, escaped(title), escaped(description), style, width, height, c.String())
}

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escaped(text string) string { return escapes.Replace(text) }

// widthOf guesses how wide a text is at the size of labels, rather too much than too little.
func widthOf(text string) float64 { return 8.2 * float64(utf8.RuneCountInString(text)) }
