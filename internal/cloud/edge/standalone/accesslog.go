package standalone

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

const (
	flushEvery = time.Second
	flushAt    = 32 << 10 // bytes waiting
	mostBytes  = 4 << 20  // waiting; further lines are lost
)

// accessLog writes a line for each request, from one goroutine: no request waits for a disk.
type accessLog struct {
	open   func() (io.WriteCloser, error)
	logger *slog.Logger
	lost   atomic.Int64 // lines
	full   chan struct{}
	stop   chan struct{}
	wait   sync.WaitGroup

	mu      sync.Mutex // guards waiting; held for one append or swap
	waiting []byte

	writing sync.Mutex // held for a write; guards out, spare and failing
	out     io.WriteCloser
	spare   []byte
	failing bool // the last write failed, and it was said so
}

// openAccessLog opens the log that name says, nil for none, and starts its goroutine.
func openAccessLog(name string, stdout, stderr io.Writer, logger *slog.Logger) (*accessLog, error) {
	l := &accessLog{logger: logger, full: make(chan struct{}, 1), stop: make(chan struct{})}
	switch name {
	case "":
		return nil, nil
	case "stdout":
		l.open = func() (io.WriteCloser, error) { return unclosed{stdout}, nil }
	case "stderr":
		l.open = func() (io.WriteCloser, error) { return unclosed{stderr}, nil }
	default:
		l.open = func() (io.WriteCloser, error) { return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640) }
	}
	var err error
	if l.out, err = l.open(); err != nil {
		return nil, fmt.Errorf("open the access log: %w", err)
	}
	l.wait.Go(l.run)
	return l, nil
}

// unclosed is a writer that is not ours to close.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

func (l *accessLog) run() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.full:
		case <-l.stop:
			return
		}
		_ = l.flush() // which says so itself
	}
}

// add puts a line for e into the log.
func (l *accessLog) add(e edge.Event) {
	l.mu.Lock()
	if len(l.waiting) >= mostBytes {
		l.mu.Unlock()
		l.lost.Add(1)
		return
	}
	l.waiting = appendLine(l.waiting, e)
	wake := len(l.waiting) >= flushAt
	l.mu.Unlock()
	if wake {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// flush writes what waits.
func (l *accessLog) flush() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.write()
}

func (l *accessLog) write() error {
	l.mu.Lock()
	text := l.waiting
	l.waiting = l.spare[:0]
	l.mu.Unlock()
	l.spare = text
	if len(text) == 0 {
		return nil
	}
	if _, err := l.out.Write(text); err != nil {
		l.lost.Add(int64(lines(text)))
		err = fmt.Errorf("write the access log: %w", err)
		if !l.failing {
			l.logger.Error("access log lines are lost", "error", err)
		}
		l.failing = true
		return err
	}
	l.failing = false
	return nil
}

func lines(text []byte) (n int) {
	for _, c := range text {
		if c == '\n' {
			n++
		}
	}
	return n
}

// reopen goes on in a file opened anew; where that fails, in the one before.
func (l *accessLog) reopen() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	failed := l.write()
	out, err := l.open()
	if err != nil {
		return errors.Join(failed, fmt.Errorf("reopen the access log: %w", err))
	}
	before := l.out
	l.out = out
	return errors.Join(failed, before.Close())
}

// close writes the rest. No request may come any more.
func (l *accessLog) close() error {
	close(l.stop)
	l.wait.Wait()
	return errors.Join(l.flush(), l.out.Close())
}

// appendLine appends e in Combined Log Format, then what the cache did and how long it took, in seconds:
//
//	203.0.113.5 - - [22/Nov/2026:18:50:01 +0000] "GET /a?b HTTP/1.1" 200 512 "-" "curl/8.0" "Hit from cloudfront" 0.000123
//
// Apache HTTP Server, "Module mod_log_config", LogFormat combined, read 2026-11.
func appendLine(b []byte, e edge.Event) []byte {
	v := &e.Viewer
	b = appendText(b, v.Address)
	b = append(b, " - - ["...)
	b = e.Time.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendText(b, e.Method)
	b = appendText(append(b, ' '), e.Path)
	if v.Query != "" {
		b = appendText(append(b, '?'), v.Query)
	}
	b = appendText(append(b, ' '), v.Protocol)
	b = strconv.AppendInt(append(b, `" `...), int64(e.Status), 10)
	b = strconv.AppendInt(append(b, ' '), e.Bytes, 10)
	for _, field := range []string{v.Referer, v.UserAgent, e.Result.String()} {
		b = appendText(append(b, ` "`...), orDash(field))
		b = append(b, '"')
	}
	b = strconv.AppendFloat(append(b, ' '), e.Duration.Seconds(), 'f', 6, 64)
	return append(b, '\n')
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// appendText appends s so that it stays within its quotes and on its line: as Apache does, quotes and backslashes with a backslash before them,
// control characters and bytes beyond ASCII as \xHH.
func appendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c >= 0x7f:
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
