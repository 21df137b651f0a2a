package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/freshet/freshet/internal/ui"
)

// showBytes is n as freshet shows sizes everywhere; a negative one is none.
func showBytes(n int64) string { return ui.Bytes(max(n, 0)) }

func number(n int) string { return ui.Number(n) }

// count is n with the noun that fits it: "1 file", "1,204 files".
func count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "ss"):
		noun += "es"
	default:
		noun += "s"
	}
	return number(n) + " " + noun
}

// visible makes a name safe to look at: what cannot be seen, or turns the
// direction of the text around it, is written as its code point, and bytes
// that are no UTF-8 as hexadecimal.
func visible(s string) string {
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hidden(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports the characters that nobody sees: control and format
// characters (bidirectional controls, zero width), line separators, and spaces
// that look like the ordinary one.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r != ' ' && unicode.Is(unicode.Zs, r)
}

// clip shortens s in its middle, so that folder and name can both be seen, to
// at most the given number of characters' width; a wide one counts two.
func clip(s string, columns int) string {
	if len(s) <= columns || width(s) <= columns {
		return s
	}
	left := (columns - 1) / 2
	head := take(s, left)
	tail := takeLast(s, columns-1-width(head))
	return head + "…" + tail
}

// clipEnd shortens s at its end.
func clipEnd(s string, columns int) string {
	if len(s) <= columns || width(s) <= columns {
		return s
	}
	return take(s, columns-1) + "…"
}

func take(s string, columns int) string {
	for i, r := range s {
		if columns -= runeWidth(r); columns < 0 {
			return s[:i]
		}
	}
	return s
}

func takeLast(s string, columns int) string {
	for i := len(s); i > 0; {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if columns -= runeWidth(r); columns < 0 {
			return s[i:]
		}
		i -= size
	}
	return s
}

// width is the number of columns that s takes, roughly: what a label needs is
// known only to the browser.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is 0 for marks above others, 2 from Hangul and kana up, else 1.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xffdc, r >= 0x1f000:
		return 2
	}
	return 1
}

// duration is a number of seconds for people: "under 1 s", "12 s", "3 min 20 s".
func duration(seconds float64) string {
	s := int(seconds + 0.5)
	switch {
	case seconds <= 0:
		return "no time"
	case seconds < 1:
		return "under 1 s"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600 && s%60 == 0:
		return fmt.Sprintf("%d min", s/60)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
}

// dollars is a price: "free", "$0.005", "$1.24".
func dollars(price float64) string {
	switch {
	case price <= 0:
		return "free"
	case price < 0.1:
		return "$" + strconv.FormatFloat(price, 'f', 3, 64)
	}
	return fmt.Sprintf("$%.2f", price)
}
