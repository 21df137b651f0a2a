package dev

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTail(t *testing.T) {
	many := ""
	for i := range tailLines + 5 {
		many += fmt.Sprintln(i)
	}
	tests := []struct {
		name, in    string
		first, last string
		lines       int
	}{
		{"nothing", "\n \n", "", "", 0},
		{"lines", "\n  a\nb\r\n\n", "", "b", 3},
		{"colours", "\x1b[1;31merror\x1b[0m: \x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "error: link", "error: link", 1},
		{"a bar", "10%\r50%\r100%\r\nfine", "100%", "fine", 2},
		{"a terminal's controls", "a\x07\x08b\tc", "ab\tc", "ab\tc", 1},
		{"bytes that are no text", "caf\xe9", "caf\ufffd", "caf\ufffd", 1},
		{"many lines", many, "5", fmt.Sprint(tailLines + 4), tailLines},
		{"many bytes", strings.Repeat("é", tailBytes) + "\nend", "end", "end", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out tail
			for i := 0; i < len(tt.in); i += 1000 {
				if _, err := out.Write([]byte(tt.in[i:min(i+1000, len(tt.in))])); err != nil {
					t.Fatal(err)
				}
			}
			got := out.lines()
			if len(got) != tt.lines {
				t.Fatalf("%d lines, want %d: %q", len(got), tt.lines, got)
			}
			if tt.lines > 0 {
				if diff := cmp.Diff([]string{got[0], got[len(got)-1]}, []string{tt.first, tt.last}); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
