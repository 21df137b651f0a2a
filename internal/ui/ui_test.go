package ui

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1.0 KB", 1049: "1.0 KB", 1050: "1.1 KB", 9_100: "9.1 KB", 18_249: "18.2 KB", 99_949: "99.9 KB", 99_950: "100 KB",
		123_456: "123 KB", 999_499: "999 KB", 999_500: "1.0 MB", 312_000_000: "312 MB", 1_500_000_000: "1.5 GB", 2_000_000_000_000: "2.0 TB", math.MaxInt64: "9223372 TB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 123456: "123,456", 1234567: "1,234,567", -1: "-1", -999: "-999", -1000: "-1,000",
	} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Count(0, "path"), "0 paths"},
		{Count(1, "path"), "1 path"},
		{Count(1204, "object"), "1,204 objects"},
		{Count(2, "entry", "entries"), "2 entries"},
		{Count(1, "entry", "entries"), "1 entry"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 s", 40 * time.Millisecond: "0.0 s", 400 * time.Millisecond: "0.4 s", 9940 * time.Millisecond: "9.9 s", 9960 * time.Millisecond: "10 s",
		12 * time.Second: "12 s", 59_400 * time.Millisecond: "59 s", 59_700 * time.Millisecond: "1 m 00 s", 185 * time.Second: "3 m 05 s",
		59*time.Minute + 59_700*time.Millisecond: "1 h 00 m", 2 * time.Hour: "2 h 00 m", 75*time.Minute + 59*time.Second: "1 h 15 m",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本": 4, "が": 2, "か\u3099": 2, "ｱ": 1, "Ａ": 2, "😀": 2, "👩\u200d🚀": 2, "❤\ufe0f": 2, "👍🏽": 2, "1\ufe0f\u20e3": 2, "👨\u200d👩\u200d👧\u200d👦": 2,
		"🏴\u200d☠\ufe0f": 2, "a\ufe0f": 1, "각": 2, "ไทย": 3, "✓": 1, "█": 1, "so\u00adft": 5,
		"→…·": 3, "🇯🇵": 2, "a\u200bb": 2, "हिन्दी": 5, "한국": 4,
	} {
		if got := Columns(text); got != want {
			t.Errorf("Columns(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"short", 8, "short"},
		{"exactly8", 8, "exactly8"},
		{"nine char", 8, "nine…har"},
		{"posts/2026/a-long-name/index.html", 20, "posts/2026…ndex.html"},
		{"日本語日本語", 8, "日本…語"},
		{"too narrow to clip", 7, "too narrow to clip"},
		{"no terminal at all", 0, "no terminal at all"},
		{"no terminal at all", -4, "no terminal at all"},
	} {
		if got := clip(tt.text, tt.columns); got != tt.want {
			t.Errorf("clip(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

func TestClipAndPadFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab/日😀\u0301é\u200d\ufe0f❤🏽"))).Draw(t, "text")
		columns := rapid.IntRange(8, 40).Draw(t, "columns")
		got := clip(text, columns)
		if Columns(got) > columns || !utf8.ValidString(got) {
			t.Fatalf("clip(%q, %d) = %q, %d wide", text, columns, got, Columns(got))
		}
		head, tail, cut := strings.Cut(got, "…")
		if cut && (Columns(text) <= columns || !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) || columns-Columns(got) > 2) {
			t.Fatalf("clip(%q, %d) = %q", text, columns, got)
		}
		if l, r := pad(got, columns), padLeft(got, columns); Columns(l) != columns || Columns(r) != columns {
			t.Fatalf("pad(%q) = %q, padLeft %q, want %d columns", got, l, r, columns)
		}
	})
}

func TestStyle(t *testing.T) {
	var b bytes.Buffer
	s := NewStyle(&b, func(string) string { return "xterm" })
	if s.terminal || s.colour || s.columns != 0 {
		t.Errorf("a buffer is taken for a terminal: %+v", s)
	}
	s.Printf("%s", "a\n")
	s.Printf("b %d\n", 1)
	if got := b.String() + s.paint(red, "plain"); got != "a\n\nb 1\nplain" {
		t.Errorf("got %q", got)
	}
	if got := (Style{colour: true}).paint(red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("red x is %q", got)
	}
}
