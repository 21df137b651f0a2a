package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/pflag"

	"github.com/freshet/freshet/internal/crash"
)

// A panic is a mistake in freshet. People get one sentence, the file with the
// details, and what to type; never a stack.

// mistake is the failure of a panic: it writes the details down and says where.
func (a *app) mistake(err error, c *crash.Error) *failure {
	hint := "nothing is lost, and the same may be typed again: `freshet status` shows what is live, `freshet deploy` finishes what was begun; "
	where, unwritten := a.writeDetails(fmt.Sprintf("%s\n\n%v\n\n%s", a.doing(), c.Value, c.Stack))
	if unwritten != nil {
		hint += fmt.Sprintf("the details could not be written down: %v", unwritten)
	} else {
		hint += "please report the details, which are in " + where
	}
	return &failure{err, exitMistake, a.addressed(hint)}
}

// doing is the command under way, with the names of its flags and without their
// values, which are nobody's business.
func (a *app) doing() string {
	text := a.command()
	if a.running != nil {
		a.running.Flags().Visit(func(f *pflag.Flag) { text += " --" + f.Name })
	}
	return text
}

// writeDetails stores what whoever mends the mistake needs, and returns the file.
func (a *app) writeDetails(text string) (string, error) {
	name := "freshet-mistake-" + a.now().UTC().Format("20060102T150405") + "-*.txt"
	f, err := os.CreateTemp("", name)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "freshet %s, %s, %s/%s\n%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, text)
	return filepath.Clean(f.Name()), errors.Join(err, f.Close())
}

// servingLog passes the log of a running server on, except panics: those of
// requests, which net/http recovers and logs with their stack, and those that are
// logged with an attribute "stack". Each becomes a sentence that names the file
// with the details. The server goes on serving.
type servingLog struct {
	slog.Handler
	app *app
}

// Enabled is true for every level: servers log a panic at whichever they have been
// given.
func (l servingLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes one record.
func (l servingLog) Handle(ctx context.Context, r slog.Record) error {
	details, ok := panicOf(r)
	if !ok && !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	if !ok {
		return l.Handler.Handle(ctx, r)
	}
	l.app.servingMistake(details, nil)
	return nil
}

// servingMistake tells of a panic that a running server has survived.
func (a *app) servingMistake(value any, stack []byte) {
	where, err := a.writeDetails(fmt.Sprintf("%s, while serving\n\n%v\n\n%s", a.command(), value, stack))
	where = "please report the details, which are in " + where
	if err != nil {
		where = fmt.Sprintf("the details could not be written down: %v", err)
	}
	fmt.Fprintf(a.stderr, "freshet: error: freshet made a mistake while it answered a request, and goes on serving; %s\n", where)
}

// WithAttrs keeps the wrapping.
func (l servingLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return servingLog{l.Handler.WithAttrs(attrs), l.app}
}

// WithGroup keeps the wrapping.
func (l servingLog) WithGroup(name string) slog.Handler {
	return servingLog{l.Handler.WithGroup(name), l.app}
}

// panicOf is what a record tells of a panic; package net/http's own words, go 1.26.
func panicOf(r slog.Record) (details string, ok bool) {
	if strings.HasPrefix(r.Message, "http: panic serving") || strings.HasPrefix(r.Message, "http2: panic serving") {
		return r.Message, true
	}
	r.Attrs(func(attr slog.Attr) bool {
		if ok = attr.Key == "stack"; ok {
			details = r.Message + "\n\n" + attr.Value.String()
		}
		return !ok
	})
	return details, ok
}
