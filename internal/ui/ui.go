// Package ui is what people and programs see: plans, progress, results and
// errors, as text and as JSON.
//
// It decides nothing and does nothing but write. Standard output carries a
// command's result, standard error everything else; text is coloured only on a
// terminal that wants it; lists are in a stable order. The JSON forms are a
// promise, documented in docs/json.md.
package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// Style writes text for people to one stream.
type Style struct {
	w        io.Writer
	colour   bool
	terminal bool
	columns  int // of the terminal; 0 where there is none
}

// NewStyle looks at w and the environment: colour needs a terminal, no
// NO_COLOR (https://no-color.org, read 2026-11) and a TERM that is not "dumb".
func NewStyle(w io.Writer, getenv func(string) string) Style {
	s := Style{w: w}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.terminal = getenv("TERM") != "dumb"
	s.colour = s.terminal && getenv("NO_COLOR") == ""
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.columns = columns
	}
	return s
}

type colour string

// The colours in use, as SGR parameters of ECMA-48.
const (
	green  colour = "32"
	yellow colour = "33"
	red    colour = "31"
	blue   colour = "36"
	dim    colour = "2"
	bold   colour = "1"
)

func (s Style) paint(c colour, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

func (s Style) printf(format string, args ...any) { fmt.Fprintf(s.w, format, args...) }

// Printf writes a line of plain text; format needs no newline at its end.
func (s Style) Printf(format string, args ...any) {
	fmt.Fprintf(s.w, strings.TrimSuffix(format, "\n")+"\n", args...)
}

// Bytes is n for people, in powers of ten and with no more digits than anybody
// reads: "912 B", "9.1 KB", "312 MB".
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), "B"
	for _, u := range []string{"KB", "MB", "GB", "TB"} {
		if value < 999.5 {
			break
		}
		value, unit = value/1000, u
	}
	if value < 99.95 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

// Count is n with thousands apart and the noun that fits it: "1,204 objects".
// The plural is noun + "s" unless it is given.
func Count(n int, noun string, plural ...string) string {
	if n != 1 {
		noun += "s"
		if len(plural) > 0 {
			noun = plural[0]
		}
	}
	return Number(n) + " " + noun
}

// Number is n with thousands apart: "1,204".
func Number(n int) string {
	digits := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Columns is how many columns a terminal needs for text: two for a wide
// character, none for a combining one. Terminals do not agree on emoji that
// are joined from several; each part is counted.
func Columns(text string) int {
	n := 0
	for _, r := range text {
		switch k := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me), r >= 0x200b && r <= 0x200f:
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// pad fills text with spaces up to columns.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-Columns(text)))
}

// padLeft puts the spaces in front.
func padLeft(text string, columns int) string {
	return strings.Repeat(" ", max(0, columns-Columns(text))) + text
}

// clip shortens text to columns, with an ellipsis in its middle, so that both
// the folder and the name can be seen. Fewer than eight columns, or none at
// all where there is no terminal, leave it as it is.
func clip(text string, columns int) string {
	if columns < 8 || Columns(text) <= columns {
		return text
	}
	runes := []rune(text)
	head, tail := len(runes)/2, len(runes)/2
	for Columns(string(runes[:head]))+Columns(string(runes[tail:]))+1 > columns {
		if head > len(runes)-tail {
			head--
		} else {
			tail++
		}
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}
