package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestNumbers(t *testing.T) {
	for _, tt := range []struct{ name, got, want string }{
		{"bytes, none", showBytes(0), "0 B"},
		{"bytes, negative", showBytes(-5), "0 B"},
		{"bytes, under a thousand", showBytes(999), "999 B"},
		{"bytes, one decimal", showBytes(9100), "9.1 KB"},
		{"bytes, no decimal", showBytes(312_000_000), "312 MB"},
		{"bytes, rounded into the next unit", showBytes(999_700), "1.0 MB"},
		{"number, short", number(412), "412"},
		{"number, long", number(1234567), "1,234,567"},
		{"number, negative", number(-123456), "-123,456"},
		{"one", count(1, "file"), "1 file"},
		{"none", count(0, "path"), "0 paths"},
		{"many", count(1204, "address"), "1,204 addresses"},
		{"no seconds", duration(0), "no time"},
		{"a moment", duration(0.4), "under 1 s"},
		{"seconds", duration(12.4), "12 s"},
		{"minutes", duration(120), "2 min"},
		{"minutes and seconds", duration(200), "3 min 20 s"},
		{"hours", duration(3*3600 + 120), "3 h 2 min"},
		{"free", dollars(0), "free"},
		{"one path", dollars(0.005), "$0.005"},
		{"many paths", dollars(12.345), "$12.35"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestVisible(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "posts/日本語 a+b'.html", "posts/日本語 a+b'.html"},
		{"Hebrew stays", "שלום.html", "שלום.html"},
		{"right-to-left override", "a\u202egnp.exe", `a\u{202e}gnp.exe`},
		{"isolates", "\u2066a\u2069", `\u{2066}a\u{2069}`},
		{"zero width", "a\u200bb\ufeff", `a\u{200b}b\u{feff}`},
		{"line ends", "a\nb\r\u2028c", `a\u{a}b\u{d}\u{2028}c`},
		{"null", "\x00", `\u{0}`},
		{"no-break space", "a\u00a0b", `a\u{a0}b`},
		{"no UTF-8", "a\xffb", `a\xffb`},
		{"the replacement character itself", "\ufffd", "\ufffd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := visible(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		columns  int
		middle   string
		end      string
	}{
		{"fits", "index.html", 10, "index.html", "index.html"},
		{"too long", "posts/2026/index.html", 11, "posts….html", "posts/2026…"},
		{"wide", "日本語日本語", 7, "日…本語", "日本語…"},
		{"one column", "abc", 1, "…", "…"},
		{"marks above", strings.Repeat("é", 8), 8, strings.Repeat("é", 8), strings.Repeat("é", 8)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := clip(tt.in, tt.columns); got != tt.middle {
				t.Errorf("clip: got %q, want %q", got, tt.middle)
			}
			if got := clipEnd(tt.in, tt.columns); got != tt.end {
				t.Errorf("clipEnd: got %q, want %q", got, tt.end)
			}
		})
	}
}

func TestClipNeverOverflows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, columns := visible(rapid.String().Draw(t, "s")), rapid.IntRange(1, 40).Draw(t, "columns")
		for _, got := range []string{clip(s, columns), clipEnd(s, columns)} {
			if width(got) > columns || !utf8.ValidString(got) {
				t.Errorf("%q has %d columns, more than %d, or is no UTF-8", got, width(got), columns)
			}
		}
	})
}
