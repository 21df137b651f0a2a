package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// texts parses a drawing, which must be well-formed, and returns its texts, those of title and description among them.
func texts(t *testing.T, svg []byte) (out []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("the drawing is not well-formed: %v\n%s", err, svg)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			out = append(out, string(text))
		}
		if element, ok := token.(xml.StartElement); ok {
			for _, a := range element.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("<%s %s=%q>", element.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

func want(t *testing.T, got []string, wanted ...string) {
	t.Helper()
	for _, text := range wanted {
		found := false
		for _, g := range got {
			found = found || g == text
		}
		if !found {
			t.Errorf("no text %q among %q", text, got)
		}
	}
}

func TestBars(t *testing.T) {
	b := Bars{
		Title: `<"&>`, Subtitle: "s", Columns: []string{"one", "two"},
		Rows: []Row{
			{Title: "r", Panels: []Panel{
				{Bars: []Bar{{Label: "a & b", Value: 1, Low: 0.5, High: 2, Text: "1 s", Accent: true}, {Label: "c", Text: "0 s"}}},
				{Bars: []Bar{{Label: "c", Value: 3, Text: "3 s"}}},
			}},
			{Title: "empty", Panels: []Panel{{}, {}}},
		},
	}
	want(t, texts(t, b.SVG()), `<"&>`, "s", "one", "two", "r", "a & b", "c", "1 s", "0 s", "3 s", "empty")
	texts(t, Bars{}.SVG())
}

func TestLongest(t *testing.T) {
	for _, row := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"alike", []float64{1, 2, 4}, 4},
		{"one far longer", []float64{1, 2, 3, 50}, 5},
		{"nothing", nil, 0},
		{"all zero", []float64{0, 0}, 0},
	} {
		var p Panel
		for _, v := range row.values {
			p.Bars = append(p.Bars, Bar{Value: v})
		}
		if got := (Row{Panels: []Panel{p}}).longest(); got != row.want {
			t.Errorf("%s: %g, want %g", row.name, got, row.want)
		}
	}
}

func TestLines(t *testing.T) {
	for _, x := range [][]float64{{2000}, {2000, 20000, 1e6}} {
		y := make([]float64, len(x))
		for i := range y {
			y[i] = 0.3 * x[i] / 2000
		}
		l := Lines{
			Title: "t", Sizes: "files", X: x,
			Panels: []Curves{{Title: "p", Tick: func(v float64) string { return fmt.Sprintf("%g s", v) }, Series: []Series{{"first", y}, {"second", y}, {"third", y}}}},
		}
		want(t, texts(t, l.SVG()), "t", "files", "p", "first", "second", "third", "2k")
	}
}

// TestNamesDoNotTouch draws three lines that end in one point, at the foot of the plot.
func TestNamesDoNotTouch(t *testing.T) {
	l := Lines{X: []float64{1, 10}, Panels: []Curves{{Tick: func(float64) string { return "" }, Series: []Series{{"a", []float64{9, 1}}, {"b", []float64{9, 1}}, {"c", []float64{9, 1}}}}}}
	var at []float64
	for text := range strings.Lines(string(l.SVG())) {
		var x, y float64
		if n, err := fmt.Sscanf(text, `<text x="%f" y="%f" class="e `, &x, &y); n == 2 && (err == nil || y > 0) && strings.Contains(text, `class="e f`) {
			at = append(at, y)
		}
	}
	if len(at) != 3 {
		t.Fatalf("names at %v", at)
	}
	for i := range at {
		for j := range i {
			if d := at[i] - at[j]; d > -gapLabels+0.2 && d < gapLabels-0.2 {
				t.Errorf("names at %v", at)
			}
		}
	}
}

func TestTick(t *testing.T) {
	for _, row := range []struct{ value, down, up float64 }{{1, 1, 1}, {2, 1, 3}, {3, 3, 3}, {4, 3, 10}, {0.2, 0.1, 0.3}, {600, 300, 1000}} {
		near := func(a, b float64) bool { return a/b > 0.999 && a/b < 1.001 }
		if down, up := tick(row.value, -1), tick(row.value, 1); !near(down, row.down) || !near(up, row.up) {
			t.Errorf("%g lies between %g and %g, want %g and %g", row.value, down, up, row.down, row.up)
		}
	}
}
