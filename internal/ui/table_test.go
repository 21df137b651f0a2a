package ui

import (
	"bytes"
	"testing"
)

func TestTable(t *testing.T) {
	var out bytes.Buffer
	s := NewStyle(&out, func(string) string { return "" })
	s.Table([][]string{{"r12", "", "日本", "live"}, {"r9", "", "a", ""}, {"r8", "", "longest"}})
	want := "  r12   日本      live\n  r9    a\n  r8    longest\n"
	if out.String() != want {
		t.Errorf("printed\n%q\nwant\n%q", out.String(), want)
	}
}
