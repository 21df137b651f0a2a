package standalone

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

func TestLine(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 50, 1, 0, time.FixedZone("", 3600))
	rows := []struct {
		name  string
		event edge.Event
		want  string
	}{
		{"a hit", edge.Event{
			Time: at, Duration: 123 * time.Microsecond, Method: "GET", Path: "/a%20b", Status: 200, Result: edge.Hit, Bytes: 512,
			Viewer: edge.Viewer{Address: "203.0.113.5", Protocol: "HTTP/1.1", Query: "c=d", Referer: "https://example.org/", UserAgent: "curl/8.0"},
		}, `203.0.113.5 - - [22/Nov/2026:18:50:01 +0100] "GET /a%20b?c=d HTTP/1.1" 200 512 "https://example.org/" "curl/8.0" "Hit from cloudfront" 0.000123`},
		{"nothing known", edge.Event{
			Time: at, Method: "HEAD", Path: "/", Status: 502, Result: edge.Error, Viewer: edge.Viewer{Address: "::1", Protocol: "HTTP/2.0"},
		}, `::1 - - [22/Nov/2026:18:50:01 +0100] "HEAD / HTTP/2.0" 502 0 "-" "-" "Error from cloudfront" 0.000000`},
		{"an injection", edge.Event{
			Time: at, Method: "GET", Path: "/", Status: 200,
			Viewer: edge.Viewer{Address: "::1", Protocol: "HTTP/1.1", UserAgent: "a\" 200\n1.2.3.4 - \\ \x1b[31m\xc3\xa9"},
		}, `::1 - - [22/Nov/2026:18:50:01 +0100] "GET / HTTP/1.1" 200 0 "-" "a\" 200\x0a1.2.3.4 - \\ \x1b[31m\xc3\xa9" "Miss from cloudfront" 0.000000`},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if got := string(appendLine(nil, r.event)); got != r.want+"\n" {
				t.Errorf("got\n%swant\n%s", got, r.want)
			}
		})
	}
}

// FuzzLine: whatever a viewer sends stays on one line and within its quotes.
func FuzzLine(f *testing.F) {
	f.Add("/", "q", "r", "u")
	f.Add("/\" ", "\n", "\\", "\\\"")
	shape := regexp.MustCompile(`^::1 - - \[22/Nov/2026:00:00:00 \+0000\] "GET (?:[^"\\]|\\.)*" 200 0 "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*" "Hit from cloudfront" 0\.000000\n$`)
	f.Fuzz(func(t *testing.T, path, query, referer, agent string) {
		line := appendLine(nil, edge.Event{
			Time: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Method: "GET", Path: path, Status: 200, Result: edge.Hit,
			Viewer: edge.Viewer{Address: "::1", Protocol: "HTTP/1.1", Query: query, Referer: referer, UserAgent: agent},
		})
		if !shape.Match(line) {
			t.Errorf("%q", line)
		}
	})
}

// sink is a writer that can fail or hang.
type sink struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
	hold chan struct{} // nil: writes do not wait
}

func (s *sink) Write(p []byte) (int, error) {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return s.text.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *sink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func TestLogIsWrittenEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &sink{}
		l, err := openAccessLog("stdout", out, io.Discard, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		l.add(edge.Event{Method: "GET", Path: "/a"})
		synctest.Wait()
		if out.String() != "" {
			t.Error("written at once")
		}
		time.Sleep(flushEvery)
		synctest.Wait()
		if !strings.Contains(out.String(), "GET /a") {
			t.Errorf("after a second: %q", out.String())
		}
		l.add(edge.Event{Method: "GET", Path: "/" + strings.Repeat("b", flushAt)})
		synctest.Wait()
		if !strings.Contains(out.String(), "GET /bbb") {
			t.Error("a full buffer waited")
		}
		l.add(edge.Event{Method: "GET", Path: "/last"})
		if err := l.close(); err != nil || !strings.Contains(out.String(), "GET /last") {
			t.Errorf("close: %v, %q", err, out.String()[max(0, len(out.String())-100):])
		}
	})
}

// A log that cannot be written loses lines, says so once, counts them, and goes on when it can.
func TestLogThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, said := &sink{err: errors.New("disk full")}, &sink{}
		l, err := openAccessLog("stderr", io.Discard, out, slog.New(slog.NewTextHandler(said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			l.add(edge.Event{Path: "/lost"})
			time.Sleep(2 * flushEvery)
		}
		if got := l.lost.Load(); got != 3 || strings.Count(said.String(), "disk full") != 1 {
			t.Errorf("lost %d lines, said %q", got, said.String())
		}
		out.fail(nil)
		l.add(edge.Event{Path: "/kept"})
		if err := l.close(); err != nil || !strings.Contains(out.String(), "/kept") {
			t.Errorf("close: %v, %q", err, out.String())
		}
	})
}

// A log that hangs holds up nobody, and what waits is bounded.
func TestLogThatHangs(t *testing.T) {
	out := &sink{hold: make(chan struct{})}
	l, err := openAccessLog("stdout", out, io.Discard, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	long := edge.Event{Path: "/" + strings.Repeat("x", 8<<10)}
	for range 3 * mostBytes / (8 << 10) {
		l.add(long)
	}
	if l.lost.Load() == 0 {
		t.Error("nothing was lost")
	}
	l.mu.Lock()
	waiting := len(l.waiting)
	l.mu.Unlock()
	if waiting > mostBytes+16<<10 {
		t.Errorf("%d bytes wait", waiting)
	}
	close(out.hold)
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

func TestLogIsRotated(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	s := run(t, Options{Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}}, AccessLog: name})
	c := client(t, nil)
	get(t, c, s.Info().Viewers[0]+"/a", "User-Agent", "tester", "Referer", "http://example.org/")
	eventually(t, "the request is logged", func() bool { return s.log.hasWaiting() || has(t, name, "/a") })
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if !has(t, name+".1", `127.0.0.1 - - [`) || !has(t, name+".1", `"GET /a HTTP/1.1" 200 7 "http://example.org/" "tester" "Miss from cloudfront" 0.`) {
		text, _ := os.ReadFile(name + ".1")
		t.Errorf("before the rotation: %q", text)
	}
	get(t, c, s.Info().Viewers[0]+"/b?c")
	eventually(t, "the next request is in the new file", func() bool { return has(t, name, `"GET /b?c HTTP/1.1"`) })
	if has(t, name, "/a") {
		t.Error("the new file has old lines")
	}
}

func has(t *testing.T, file, text string) bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Contains(string(data), text)
}

func (l *accessLog) hasWaiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) > 0
}
