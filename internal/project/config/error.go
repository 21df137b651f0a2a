package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Error is one mistake in a config file.
type Error struct {
	// File is the name that Parse was given.
	File string
	// Line and Column say where, both from 1; Column counts characters.
	Line, Column int
	// Msg says what is wrong and what to write instead.
	Msg string
	// Source is the line itself, without its end, and with the values of keys
	// that look like secrets replaced by "[redacted]".
	Source string
}

// Error gives the position and the message, then the line, then a caret under
// the column, without a final newline.
func (e *Error) Error() string {
	text, caret := excerpt(e.Source, e.Column)
	number := fmt.Sprintf("%5d", e.Line)
	return fmt.Sprintf("%s:%d:%d: %s\n%s | %s\n%s | %s^",
		e.File, e.Line, e.Column, e.Msg, number, text, strings.Repeat(" ", len(number)), caret)
}

// excerpt is as much of the line as fits a terminal, with the column in view,
// and the blanks that put a caret under the column.
func excerpt(line string, column int) (text, blanks string) {
	const width, before = 100, 60
	runes := []rune(line)
	at := min(max(column-1, 0), len(runes))
	from := 0
	if at >= width {
		from = at - before
	}
	shown := runes[from:min(from+width, len(runes))]
	return clean(shown), blank(shown[:min(at-from, len(shown))])
}

// clean replaces what would move the cursor or change the terminal's state.
func clean(runes []rune) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, string(runes))
}

// blank is as wide as the runes are on a terminal: a tab stays a tab.
func blank(runes []rune) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(runes))
}

// secretValue finds the value of a key that looks like a secret, and
// secretUser the user and password of a URL. The line goes to terminals and CI
// logs, and people do put keys into the file although none belongs there.
const (
	secretValue = `(?i)([\w-]*(?:secret|password|passwd|token|access[-_]?key)[\w-]*["']?\s*:\s*)\S.*`
	secretUser  = `://[^/@\s]*@`
)

func redact(line string) string {
	line = regexp.MustCompile(secretValue).ReplaceAllString(line, "${1}[redacted]")
	return regexp.MustCompile(secretUser).ReplaceAllString(line, "://[redacted]@")
}

// join makes one error of the mistakes: in the order of lines, each once, a
// single one as it is. None gives nil.
func join(errs []*Error) error {
	slices.SortStableFunc(errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	// An anchored value that is wrong is met once for each use.
	errs = slices.CompactFunc(errs, func(a, b *Error) bool { return *a == *b })
	if len(errs) == 1 {
		return errs[0]
	}
	all := make([]error, len(errs))
	for i, e := range errs {
		all[i] = e
	}
	return errors.Join(all...)
}
