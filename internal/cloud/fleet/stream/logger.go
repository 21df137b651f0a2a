package stream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// logger hands the server's lines to slog. What the server calls a notice is detail here; what it calls fatal does not
// end the program, but Start or Ready.
type logger struct {
	to *slog.Logger

	mu   sync.Mutex // guards died; held for a copy
	died error
}

var _ server.Logger = (*logger)(nil)

func newLogger(to *slog.Logger) *logger {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return &logger{to: to}
}

func (l *logger) line(level slog.Level, format string, v []any) {
	if l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, "log engine", "text", fmt.Sprintf(format, v...))
	}
}

func (l *logger) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }
func (l *logger) Warnf(format string, v ...any)   { l.line(slog.LevelWarn, format, v) }
func (l *logger) Errorf(format string, v ...any)  { l.line(slog.LevelError, format, v) }

// Fatalf keeps the first of the errors that the server cannot go on after.
func (l *logger) Fatalf(format string, v ...any) {
	l.line(slog.LevelError, format, v)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.died == nil {
		l.died = fmt.Errorf(format, v...)
	}
}

// fatal is what Fatalf kept; nil if nothing.
func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.died
}
