package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrNoAnswer says that the input ended before every question was answered.
var ErrNoAnswer = errors.New("no answer")

// Terminal asks questions on a terminal.
type Terminal struct {
	w     io.Writer
	lines <-chan string // closed at the end of the input
	// Bold shows a question; nil shows it plainly.
	Bold func(string) string
}

// NewTerminal asks on w and reads answers, a line each, from r. A read cannot
// be broken off, so the goroutine that reads ends with the input, at the
// latest with the process; what it has read when ctx ends is dropped.
func NewTerminal(ctx context.Context, r io.Reader, w io.Writer) *Terminal {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return &Terminal{w: w, lines: lines, Bold: func(s string) string { return s }}
}

// Ask implements the type Ask. It asks again until the answer is a good one.
// The error is ErrNoAnswer at the end of the input, or that of ctx.
func (t *Terminal) Ask(ctx context.Context, q Question) (string, error) {
	for i, choice := range q.Choices {
		if i == 0 {
			fmt.Fprintf(t.w, "%s:\n", strings.ToUpper(q.Why[:1])+q.Why[1:])
		}
		fmt.Fprintf(t.w, "  %d  %s\n", i+1, choice)
	}
	for {
		fmt.Fprintf(t.w, "%s %s", t.Bold(q.Text), q.hint())
		var line string
		var ok bool
		select {
		case <-ctx.Done():
			fmt.Fprintln(t.w)
			return "", ctx.Err()
		case line, ok = <-t.lines:
		}
		if !ok {
			fmt.Fprintln(t.w)
			return "", ErrNoAnswer
		}
		answer, err := q.Check(q.meant(line))
		var mistake *Mistake
		if errors.As(err, &mistake) {
			fmt.Fprintf(t.w, "  it %s\n", mistake.Msg)
			continue
		}
		if err == nil && answer == "" && len(q.Choices) > 0 && strings.TrimSpace(line) != None {
			fmt.Fprintf(t.w, "  choose one by its number, or type another, or %q\n", None)
			continue
		}
		return answer, err
	}
}

// hint says what nothing means.
func (q Question) hint() string {
	switch {
	case len(q.Choices) > 0:
		return fmt.Sprintf("(1 to %d) ", len(q.Choices))
	case q.Proposal != "" && q.Why != "":
		return fmt.Sprintf("[%s] (%s) ", q.Proposal, q.Why)
	case q.Proposal != "":
		return "[" + q.Proposal + "] "
	case q.Empty != "":
		return "[" + q.Empty + "] "
	}
	return ""
}

// meant is what a typed line stands for.
func (q Question) meant(line string) string {
	line = strings.TrimSpace(line)
	if line == "" {
		return q.Proposal
	}
	if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(q.Choices) {
		address, _, _ := strings.Cut(q.Choices[n-1], " ")
		return address
	}
	return line
}
