package ui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Marks that change what stands beside them.
const (
	joiner = '\u200d' // joins emoji to one
	emoji  = '\ufe0f' // variation selector 16: what stands before is an emoji
)

// Columns is how many columns a terminal needs for text: two for a wide
// character, none for a combining one, two for an emoji however many characters
// it is made of. Unicode Standard Annex 11, "East Asian Width", and Technical
// Standard 51, "Emoji", 2.2 to 2.4; read 2026-11. A terminal that draws the
// parts of a joined emoji side by side takes more.
func Columns(text string) int {
	n := 0
	var last mark
	for _, r := range text {
		var columns int
		columns, last = last.next(r)
		n += columns
	}
	return n
}

// mark is what the width of the next character depends on.
type mark struct {
	rune    rune // the one before
	columns int  // of the character before, combining ones aside
}

// next is how many columns r adds, and what the one after it depends on.
func (m mark) next(r rune) (int, mark) {
	switch {
	case r < 0x7f: // by far the most
		return 1, mark{r, 1}
	case r == emoji && m.columns == 1 && pictured(m.rune) && !weightless(m.rune):
		return 1, mark{r, 2}
	case weightless(r), m.rune == joiner && m.columns == 2 && r >= 0x2190, skin(r) && m.columns == 2: // arrows are the first that join
		return 0, mark{r, m.columns}
	}
	columns := 1
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		columns = 2
	}
	return columns, mark{r, columns}
}

// weightless characters are drawn onto the one before, or not at all.
func weightless(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) && r != 0xad || r >= 0x1160 && r <= 0x11ff // the vowels and finals of Hangul
}

// pictured characters have a form as emoji, besides that as text: the digits and
// signs of keycaps, and from © on enough of them.
func pictured(r rune) bool { return r >= 0xa9 || r >= '0' && r <= '9' || r == '#' || r == '*' }

// skin tones are drawn into the emoji before.
func skin(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }

// Visible is text with what would move the cursor, change colours or begin a
// line spelled out: "\x1b", "\n". Names of files can hold anything.
func Visible(text string) string {
	if strings.IndexFunc(text, hidden) < 0 && utf8.ValidString(text) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == '\r':
			out.WriteString(`\r`)
		case hidden(r) && r < 0x100:
			fmt.Fprintf(&out, `\x%02x`, r)
		case hidden(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
		i += size
	}
	return out.String()
}

// hidden are the control characters, and those that turn the direction of the
// text behind them, so that a name seems another. Unicode Standard Annex 9, 2;
// read 2026-11.
func hidden(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029
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
	head := first(text, columns/2)
	return head + "…" + last(text, columns-1-Columns(head))
}

// first is as much of the beginning of text as fits.
func first(text string, columns int) string {
	var m mark
	n := 0
	for i, r := range text {
		var more int
		if more, m = m.next(r); n+more > columns {
			return text[:i]
		}
		n += more
	}
	return text
}

// last is as much of the end of text as fits, beginning with a character that
// stands for itself.
func last(text string, columns int) string {
	over := Columns(text) - columns
	var m mark
	n := 0
	for i, r := range text {
		var more int
		if more, m = m.next(r); n >= over && more > 0 && r != emoji {
			return text[i:]
		}
		n += more
	}
	return ""
}
