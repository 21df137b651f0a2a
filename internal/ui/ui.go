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

	"golang.org/x/term"
)

// Style writes text for people to one stream.
type Style struct {
	w        io.Writer
	colour   bool
	terminal bool
	columns  int // of the terminal; 0 where there is none
}

// NewStyle looks at w and the environment. A terminal gets colours unless
// NO_COLOR is set (https://no-color.org), CLICOLOR is 0 or TERM is "dumb";
// anything else gets them where CLICOLOR_FORCE or FORCE_COLOR is set, to other
// than 0 (https://bixense.com/clicolors; both read 2026-11). NO_COLOR counts
// most.
func NewStyle(w io.Writer, getenv func(string) string) Style {
	s := Style{w: w, colour: forced(getenv)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.terminal = getenv("TERM") != "dumb" && interprets(f)
		s.colour = s.colour || s.terminal && getenv("CLICOLOR") != "0"
		s.columns = columnsOf(f)
	}
	s.colour = s.colour && getenv("NO_COLOR") == ""
	return s
}

// forced reports whether colours are wanted wherever the text goes.
func forced(getenv func(string) string) bool {
	for _, name := range []string{"CLICOLOR_FORCE", "FORCE_COLOR"} {
		if value := getenv(name); value != "" && value != "0" && value != "false" {
			return true
		}
	}
	return false
}

// columnsOf is how wide the terminal f is now, 0 where it does not say.
func columnsOf(f *os.File) int {
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
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

// Error writes what went wrong behind the words that say that something did.
func (s Style) Error(head, text string) { s.printf("%s %s\n", s.paint(red, head), text) }

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
