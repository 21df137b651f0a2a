package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

const (
	maxName    = 120 // columns of a name in a table
	openRows   = 12  // steps of one operation that are shown unfolded
	maxRows    = 50  // steps of one operation that are listed
	firstItems = 20  // items that are shown unfolded
	maxItems   = 300 // items of one distribution that are listed
	maxNotes   = 50  // warnings, and guards, that are listed
)

// page is the template of the page.
func page() *template.Template {
	return template.Must(template.New("page.html").Funcs(template.FuncMap{
		"bytes": showBytes, "number": number, "count": count, "duration": duration, "dollars": dollars,
		"visible": visible, "clip": func(s string) string { return clip(visible(s), maxName) },
	}).ParseFS(assets, "assets/page.html"))
}

// view is Data as the template reads it.
type view struct {
	Data
	Sentence string
	Script   template.JS
	Style    template.CSS
	Policy   string

	Figures []figure
	Groups  []group
	Places  []placeView
	Legend  []legendEntry
	Maps    []template.HTML
	Merged  bool // some tile stands for several files
	Raised  bool // some tile is larger than its share
	Whole   whole
}

// figure is one number at the top.
type figure struct{ Name, Value, Note string }

// group is the steps with one operation.
type group struct {
	Name  string
	Class string
	Steps []Step
	Count int
	Bytes int64
	Open  bool
}

// More is how many steps are not listed.
func (g group) More() int { return g.Count - len(g.Steps) }

// legendEntry explains one mark.
type legendEntry struct {
	Class, Sign, Means string
	Count              int
}

func newView(d Data) view {
	script, style := asset("page.js"), asset("page.css")
	v := view{
		Data: d, Sentence: sentence(d),
		Script: template.JS(script), Style: template.CSS(style), Policy: policy(script, style),
		Figures: figures(d), Groups: groups(d.Steps),
	}
	v.Warnings, v.Guards = notes(d.Warnings), notes(d.Guards)
	v.drawMaps()
	return v
}

// asset is a part of the page; it is embedded, so it is there.
func asset(name string) string {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // a mistake in this package, found by its first test
	}
	return strings.TrimSpace(string(data))
}

// policy forbids the page everything but its own script and style. Content
// Security Policy Level 3, 2.3.1 and 6.7.3.3.
func policy(script, style string) string {
	return "default-src 'none'; script-src " + source(script) + "; style-src " + source(style) +
		"; img-src data:; base-uri 'none'; form-action 'none'"
}

func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// notes cuts a list of texts, saying so.
func notes(in []string) []string {
	if len(in) <= maxNotes {
		return in
	}
	out := append([]string{}, in[:maxNotes]...)
	return append(out, "… and "+number(len(in)-maxNotes)+" more; `freshet plan` lists them all")
}

// Date is when the plan was made; "" where that is not known.
func (v view) Date() string {
	if v.Made.IsZero() {
		return ""
	}
	return v.Made.Format("2 January 2006, 15:04 MST")
}

// Stamp is the same for the datetime attribute. HTML Living Standard, 2.3.5
func (v view) Stamp() string { return v.Made.UTC().Format(time.RFC3339) }

func figures(d Data) []figure {
	var up, down, kept, paths int
	var bytes int64
	for _, s := range d.Steps {
		switch s.Op {
		case OpAdd, OpUpdate:
			up++
			bytes += s.Size
		case OpRemove:
			down++
		case OpRetire:
			kept++
		}
	}
	addresses, drops, dropBytes, _ := purged(d.Distributions)
	seconds := 0.0
	for _, x := range d.Distributions {
		paths += len(x.Items)
		seconds = max(seconds, x.Seconds)
	}
	removed := figure{"Removals", number(down), ""}
	if kept > 0 {
		removed.Note = number(kept) + " unused kept for now"
	}
	out := []figure{{"Uploads", number(up), showBytes(bytes)}, removed}
	if len(d.Distributions) == 0 {
		return out
	}
	lost := figure{"Unchanged, dropped", number(drops), ""}
	if drops > 0 {
		lost.Note = showBytes(dropBytes)
	}
	fresh := figure{"Addresses refreshed", number(addresses), ""}
	if paths == 0 {
		return append(out, fresh, lost)
	}
	fresh.Note = "by " + count(paths, "path")
	return append(out, fresh, lost, figure{"Price", dollars(d.Money.Price), used(d.Money)},
		figure{"Time to send", duration(seconds), ""})
}

// used is how much of the month's paths are gone before this plan.
func used(m Money) string {
	if m.Budget > 0 {
		return fmt.Sprintf("%s of %s used so far", number(m.Used), number(m.Budget))
	}
	if m.Used > 0 {
		return number(m.Used) + " used so far"
	}
	return ""
}

func groups(steps []Step) []group {
	out := []group{
		{Name: "New", Class: "added"}, {Name: "Other content", Class: "updated"},
		{Name: "Other headers only", Class: "headers"}, {Name: "Removed", Class: "removed"},
		{Name: "No longer used, kept for now", Class: "retired"},
	}
	at := map[Op]int{OpAdd: 0, OpUpdate: 1, OpHeaders: 2, OpRemove: 3, OpRetire: 4}
	for _, s := range steps {
		i, ok := at[s.Op]
		if !ok {
			continue
		}
		g := &out[i]
		g.Count++
		g.Bytes += s.Size
		if len(g.Steps) < maxRows {
			g.Steps = append(g.Steps, s)
		}
	}
	filled := out[:0]
	for _, g := range out {
		if g.Open = g.Count <= openRows; g.Count > 0 {
			filled = append(filled, g)
		}
	}
	return filled
}

// After is how many of the month's paths are used once the plan is done.
func (v view) After() int { return v.Money.Used + v.Money.Paths }

// Nearly is where the budget begins to run short, for its meter: 9 tenths.
func (v view) Nearly() int { return v.Money.Budget - v.Money.Budget/10 - 1 }

// Full is the last value of the meter at which nothing is overspent.
func (v view) Full() int { return v.Money.Budget - 1 }
