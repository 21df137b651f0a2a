package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/freshet/freshet/bench/publish/wire"
)

// TestTextsStayInside draws the charts with the longest figures that can be expected, and looks at where their texts end.
func TestTextsStayInside(t *testing.T) {
	var turns, curve []result
	for _, latency := range []int64{0, 20} {
		for _, scenario := range scenarioNames {
			for _, tool := range []string{ours, "s3deploy", "aws"} {
				turns = append(turns, result{Tool: tool, Scenario: scenario, Site: 1_000_000, Latency: latency, usage: usage{Wall: 1234, CPU: 1, Peak: 1}})
			}
		}
	}
	for _, n := range steps(10_000_000) {
		for _, scenario := range scaleScenarios {
			curve = append(curve, result{
				Tool: ours, Scenario: scenario, Site: n, Scale: true, usage: usage{Wall: float64(n) / 1000, Peak: 30 + float64(n)/300}, Counts: wire.Counts{},
			})
		}
	}
	for name, svg := range map[string][]byte{
		"bars":  wallChart(summarize(turns), 1_000_000).SVG(),
		"lines": curveChart(scalePoints(curve)).SVG(),
	} {
		d := xml.NewDecoder(strings.NewReader(string(svg)))
		width, x, anchor := 0.0, 0.0, ""
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				anchor = ""
				for _, a := range token.Attr {
					switch number, _ := strconv.ParseFloat(a.Value, 64); {
					case token.Name.Local == "svg" && a.Name.Local == "width":
						width = number
					case token.Name.Local == "text" && a.Name.Local == "x":
						x = number
					case token.Name.Local == "text" && a.Name.Local == "text-anchor":
						anchor = a.Value
					}
				}
			case xml.CharData:
				const narrow = 6.6 // pixels of a character of the smallest text
				long := narrow * float64(utf8.RuneCount(token))
				if anchor == "start" && x+long > width || anchor == "end" && x-long < 0 {
					t.Errorf("%s: %q leaves the drawing", name, token)
				}
			}
		}
	}
}
