package ui

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/publish/deploy"
)

// clock is advanced by hand.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// run is a deploy as the engine tells it, with the time that passes before
// each event.
var run = []struct {
	after time.Duration
	event deploy.Event
}{
	{0, deploy.Event{Stage: deploy.StageList, Done: 10}},
	{time.Second, deploy.Event{Stage: deploy.StageList, Done: 1000}},
	{time.Second, deploy.Event{Stage: deploy.StageList, Done: 1500, Finished: true}},
	{0, deploy.Event{Stage: deploy.StageUpload, Total: 3, TotalBytes: 4_000_000, Note: "immutable assets"}},
	{time.Second, deploy.Event{Stage: deploy.StageUpload, Done: 1, Total: 3, DoneBytes: 1_000_000, TotalBytes: 4_000_000, Note: "changed pages"}},
	{time.Second, deploy.Event{Stage: deploy.StageUpload, Done: 3, Total: 3, DoneBytes: 4_000_000, TotalBytes: 4_000_000, Note: "feeds", Finished: true}},
	{0, deploy.Event{Stage: deploy.StageRemove, Done: 1, Total: 1, Finished: true}},
	{0, deploy.Event{Stage: deploy.StageInvalidate, Total: 5, Note: "Throttling; trying again in 1s"}},
	{0, deploy.Event{Stage: deploy.StageInvalidate, Total: 5, Note: "Throttling; trying again in 1s"}},
	{time.Second, deploy.Event{Stage: deploy.StageInvalidate, Total: 5, Note: "Throttling; trying again in 2s"}},
	{2 * time.Second, deploy.Event{Stage: deploy.StageInvalidate, Done: 5, Total: 5, Note: "I123"}},
	{0, deploy.Event{Stage: deploy.StageInvalidate, Done: 5, Total: 5, Note: "I123", Finished: true}},
	{0, deploy.Event{Stage: deploy.StageWait, Note: "I123 InProgress"}},
	{12 * time.Second, deploy.Event{Stage: deploy.StageWait, Done: 5, Total: 5, Finished: true}},
	{0, deploy.Event{Stage: deploy.StageVerify, Done: 2, Total: 7}},
	{0, deploy.Event{Stage: deploy.StageVerify, Done: 7, Total: 7, Finished: true}},
}

func TestProgressElsewhere(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := NewProgress(&b, func(string) string { return "xterm" }, c.Now)
	for _, r := range run {
		c.now = c.now.Add(r.after)
		p.Event(r.event)
	}
	p.Clear()
	const want = `  ✓ sent 4.0 MB of 3 objects in 2.0 s
  ✓ removed 1 object
  ! Throttling; trying again in 1s
  ! Throttling; trying again in 2s (and 1 more)
  ✓ invalidation I123 accepted: 5 paths, after 3 retries
  ✓ invalidation completed after 12 s
  ✓ verified 7 of 7 changed URLs at the edge
`
	if diff := cmp.Diff(b.String(), want); diff != "" {
		t.Errorf("lines (-got +want):\n%s", diff)
	}
}

// screen is what a terminal of so many columns shows after it was sent text.
// The cursor goes back to the beginning of a line, which new text covers.
type screen struct {
	lines   [][]rune // the last holds the cursor
	column  int
	columns int
}

func show(text string, columns int) *screen {
	s := &screen{lines: [][]rune{nil}, columns: columns}
	for len(text) > 0 {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
			if rest[end] == 'K' || rest[end] == 'J' {
				last := len(s.lines) - 1
				s.lines[last] = s.lines[last][:min(s.column, len(s.lines[last]))]
			}
			text = rest[end+1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		s.put(r)
	}
	return s
}

func (s *screen) put(r rune) {
	last := &s.lines[len(s.lines)-1]
	switch {
	case r == '\n':
		s.lines = append(s.lines, nil)
		s.column = 0
	case r == '\r':
		s.column = 0
	case Columns(string(*last)) >= s.columns && s.column >= len(*last):
		s.lines = append(s.lines, []rune{r})
		s.column = 1
	default:
		if s.column < len(*last) {
			(*last)[s.column] = r
		} else {
			*last = append(*last, r)
		}
		s.column++
	}
}

// last is the line that the cursor is on.
func (s *screen) last() string { return strings.TrimRight(string(s.lines[len(s.lines)-1]), " ") }

func (s *screen) all() (out []string) {
	for _, l := range s.lines {
		out = append(out, strings.TrimRight(string(l), " "))
	}
	return out
}

func terminalProgress(b *bytes.Buffer, c *clock, columns int) *Progress {
	p := NewProgress(b, func(string) string { return "" }, c.Now)
	p.style.terminal, p.style.columns = true, columns
	p.size = func() int { return columns }
	return p
}

func TestProgressOnATerminal(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := terminalProgress(&b, c, 120)
	seen := []string{}
	for _, r := range run {
		c.now = c.now.Add(r.after)
		p.Event(r.event)
		seen = append(seen, show(b.String(), 120).last())
	}
	want := []string{
		"", // too soon to be worth a line
		"  listing the bucket: 1,000 objects", "",
		"",
		"  ██████░░░░░░░░░░░░░░░░░░  25%  3.0 s left   1.0 MB of 4.0 MB  1 of 3   1.0 MB/s  changed pages", "",
		"",
		"", "",
		"  invalidating: 0 of 5 paths, 3 retries", "  invalidating: 5 of 5 paths (3 s), 3 retries", "",
		"", "", "", "",
	}
	if diff := cmp.Diff(seen, want); diff != "" {
		t.Errorf("the last line after each event (-got +want):\n%s", diff)
	}
	stays := []string{
		"  ✓ sent 4.0 MB of 3 objects in 2.0 s", "  ✓ removed 1 object",
		"  ! Throttling; trying again in 1s", "  ! Throttling; trying again in 2s (and 1 more)",
		"  ✓ invalidation I123 accepted: 5 paths, after 3 retries",
		"  ✓ invalidation completed after 12 s", "  ✓ verified 7 of 7 changed URLs at the edge", "",
	}
	if diff := cmp.Diff(show(b.String(), 120).all(), stays); diff != "" {
		t.Errorf("what stays on the screen (-got +want):\n%s", diff)
	}
}

func TestProgressDrawsNoMoreOftenThanItShows(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := terminalProgress(&b, c, 80)
	for i := range 1000 {
		c.now = c.now.Add(time.Millisecond)
		p.Event(deploy.Event{Stage: deploy.StageUpload, Done: i, Total: 1000})
	}
	if n := strings.Count(b.String(), "\x1b[K"); n != 12 {
		t.Errorf("drawn %d times in a second, want 12", n)
	}
	if text := b.String(); strings.Contains(text, "\x1b[K ") || strings.Contains(text, "\x1b[2") || strings.Contains(text, "\x1b[?") {
		t.Errorf("a line is erased before it is drawn, the screen cleared, or the cursor hidden: %q", text)
	}
	p.Clear()
	p.Clear()
	if lines := show(b.String(), 80).all(); len(lines) != 1 || lines[0] != "" {
		t.Errorf("Clear leaves %q", lines)
	}
}

// Each line that is drawn again fits, whatever the terminal's width and the
// event.
func TestProgressFitsTheTerminal(t *testing.T) {
	for columns := 20; columns < 140; columns += 7 {
		for _, e := range []deploy.Event{
			{Stage: deploy.StageWait, Note: strings.Repeat("日本", 100)},
			{Stage: deploy.StageUpload, Done: 9_999, Total: 10_000, DoneBytes: 98_700_000_000, TotalBytes: 98_800_000_000, Note: "immutable assets"},
			{Stage: deploy.StageLock, Note: "waiting for 👩‍💻@desk, who has been publishing release r12-0a1b2c3d since 15:04:05"},
			{Stage: deploy.StageRemove, Note: "two\nlines", Total: 3},
		} {
			var b bytes.Buffer
			c := &clock{time.Unix(0, 0)}
			p := terminalProgress(&b, c, columns)
			for range 3 {
				p.Event(e)
				c.now = c.now.Add(time.Minute)
				e.DoneBytes++
			}
			s := show(b.String(), columns)
			if len(s.lines) != 1 || Columns(string(s.lines[0])) >= columns || s.column != 0 {
				t.Errorf("%d columns, cursor in %d, on a terminal of %d: %q", Columns(string(s.lines[0])), s.column, columns, s.all())
			}
		}
	}
}

// A terminal that is resized may break a line that stands on it into several;
// all of them go.
func TestProgressOnAResizedTerminal(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := terminalProgress(&b, c, 80)
	p.Event(deploy.Event{Stage: deploy.StageUpload, Total: 10, TotalBytes: 1000, Note: "new pages"})
	c.now = c.now.Add(time.Second)
	p.tick()
	b.Reset()
	p.size = func() int { return 40 }
	c.now = c.now.Add(time.Second)
	p.tick()
	if text := b.String(); !strings.HasPrefix(text, "\r\x1b[J  ░") || Columns(show(text, 40).last()) >= 40 {
		t.Errorf("after the terminal became narrower: %q", text)
	}
	b.Reset()
	p.size = func() int { return 30 }
	p.Clear()
	if b.String() != "\r\x1b[J" {
		t.Errorf("Clear after the terminal became narrower: %q", b.String())
	}
}

// What waits is seen to wait, and a stalled upload is seen to stall.
func TestProgressGoesOnWithTime(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := terminalProgress(&b, c, 100)
	e := deploy.Event{Stage: deploy.StageUpload, Total: 10, TotalBytes: 10_000_000}
	for i := range 5 {
		e.Done, e.DoneBytes = i, int64(i)*1_000_000
		p.Event(e)
		c.now = c.now.Add(time.Second)
	}
	p.tick()
	if line := show(b.String(), 100).last(); !strings.Contains(line, "800 KB/s") {
		t.Errorf("four megabytes in five seconds: %q", line)
	}
	c.now = c.now.Add(35 * time.Second)
	p.tick()
	if line := show(b.String(), 100).last(); !strings.Contains(line, "100 KB/s") || !strings.Contains(line, "1 m 00 s left") {
		t.Errorf("and then none in 35: %q", line)
	}
	p.Event(deploy.Event{Stage: deploy.StageWait, Note: "I123 InProgress"})
	c.now = c.now.Add(5 * time.Second)
	p.tick()
	if line := show(b.String(), 100).last(); line != "  waiting for I123 InProgress (5 s)" {
		t.Errorf("after five seconds of waiting: %q", line)
	}
}

// Where a log is written, what takes long says so now and then.
func TestProgressBreaksTheSilence(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := NewProgress(&b, func(string) string { return "" }, c.Now)
	for i := range 100 {
		p.Event(deploy.Event{Stage: deploy.StageUpload, Done: i, Total: 100, DoneBytes: int64(i) * 1000, TotalBytes: 100_000, Note: "new pages"})
		c.now = c.now.Add(time.Second)
	}
	if n := strings.Count(b.String(), "\n"); n != 3 {
		t.Errorf("%d lines in 100 seconds, want one every 30:\n%s", n, b.String())
	}
}

// An outage of minutes, in which everything fails, is a few lines.
func TestProgressBoundsRetries(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := NewProgress(&b, func(string) string { return "" }, c.Now)
	for i := range 6000 {
		p.Event(deploy.Event{Stage: deploy.StageUpload, Note: fmt.Sprintf("put page%d.html: connection refused; trying again in 5s", i)})
		c.now = c.now.Add(100 * time.Millisecond)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) < 5 || len(lines) > 30 {
		t.Errorf("%d lines of an outage of ten minutes:\n%s", len(lines), b.String())
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, "more)") {
		t.Errorf("the last line counts nothing: %q", last)
	}
}

// The line that is drawn with time stops with Close.
func TestProgressCloses(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := terminalProgress(&b, nil, 80)
		p.now, p.live = time.Now, true
		p.Event(deploy.Event{Stage: deploy.StageWait, Note: "I1 InProgress"})
		time.Sleep(4 * time.Second)
		p.Close()
		p.Close()
		text := b.String()
		if lines := show(text, 80).all(); len(lines) != 1 || lines[0] != "" || !strings.Contains(text, "(3 s)") {
			t.Errorf("drawn with time: %q", text)
		}
		if n := strings.Count(text, "\x1b[K"); n > 6 {
			t.Errorf("%d writes in four seconds, want one for each change", n)
		}
	})
}

// Whatever is counted, the bar is drawn, and as wide as it may be.
func TestBarOfOddCounts(t *testing.T) {
	for _, e := range []deploy.Event{
		{}, {Done: 1}, {Done: 2, Total: 1}, {DoneBytes: 9, TotalBytes: 3}, {DoneBytes: -1, TotalBytes: 3}, {Done: 1, Total: 2},
	} {
		st := &stage{name: deploy.StageUpload, event: e}
		share, parts := st.facts(time.Unix(1, 0))
		line := Style{}.bar(share, parts, 80)
		if n := strings.Count(line, "█") + strings.Count(line, "░"); n != 24 {
			t.Errorf("bar of %+v has %d cells: %q", e, n, line)
		}
	}
	if line := (Style{}).bar(0.9999, nil, 80); !strings.Contains(line, " 99%") {
		t.Errorf("all but done: %q", line)
	}
}

// With a fleet, a URL has an answer at each edge.
func TestProgressOfAFleet(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := terminalProgress(&b, c, 120)
	p.Event(deploy.Event{Stage: deploy.StageVerify, Total: 60, Edges: 5})
	c.now = c.now.Add(time.Second)
	p.Event(deploy.Event{Stage: deploy.StageVerify, Done: 30, Total: 60, Edges: 5})
	if got, want := show(b.String(), 120).last(), "  verifying at 5 edges: 30 of 60 answers"; got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
	p.Event(deploy.Event{Stage: deploy.StageVerify, Note: "edge-3 could not be asked: it is dead"})
	p.Event(deploy.Event{Stage: deploy.StageVerify, Done: 10, Total: 10, Edges: 4, Finished: true})
	stays := []string{"  edge-3 could not be asked: it is dead", "  ✓ verified 10 of 10 changed URLs at 4 edges", ""}
	if diff := cmp.Diff(show(b.String(), 120).all(), stays); diff != "" {
		t.Errorf("what stays on the screen (-got +want):\n%s", diff)
	}
}
