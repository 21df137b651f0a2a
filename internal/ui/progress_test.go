package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	{0, deploy.Event{Stage: deploy.StageList, Done: 1000}},
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
  Throttling; trying again in 1s
  Throttling; trying again in 2s
  ✓ invalidation I123 accepted: 5 paths
  ✓ invalidation completed after 12 s
  ✓ verified 7 of 7 changed URLs at the edge
`
	if diff := cmp.Diff(b.String(), want); diff != "" {
		t.Errorf("lines (-got +want):\n%s", diff)
	}
}

// screen is what a terminal shows after it was sent text.
func screen(text string) []string {
	lines := []string{""}
	for len(text) > 0 {
		switch last := &lines[len(lines)-1]; {
		case strings.HasPrefix(text, "\r\x1b[K"):
			*last, text = "", text[len("\r\x1b[K"):]
			continue
		case text[0] == '\n':
			lines = append(lines, "")
		default:
			*last += text[:1]
		}
		text = text[1:]
	}
	return lines
}

func terminalProgress(b *bytes.Buffer, c *clock, columns int) *Progress {
	p := NewProgress(b, func(string) string { return "" }, c.Now)
	p.style.terminal, p.style.columns = true, columns
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
		lines := screen(b.String())
		seen = append(seen, lines[len(lines)-1])
	}
	want := []string{
		"  listing the bucket: 1,000 objects", "",
		"  ░░░░░░░░░░░░░░░░░░░░░░░░   0%  0 B of 4.0 MB  immutable assets",
		"  ██████░░░░░░░░░░░░░░░░░░  25%  1.0 MB of 4.0 MB  1.0 MB/s  3.0 s left  changed pages", "",
		"",
		"  invalidating: Throttling; trying again in 1s",
		"  invalidating: Throttling; trying again in 1s", // too soon to draw the next
		"  invalidating: Throttling; trying again in 2s", "  invalidating: I123", "",
		"", // likewise
		"",
		"  verifying at the edge: 2 of 7", "",
	}
	if diff := cmp.Diff(seen, want); diff != "" {
		t.Errorf("the last line after each event (-got +want):\n%s", diff)
	}
	if lines := screen(b.String()); len(lines) != 6 {
		t.Errorf("the screen shows %q, want one line for each stage", lines)
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
	if n := strings.Count(b.String(), "\r"); n != 13 {
		t.Errorf("drawn %d times in a second, want 13", n)
	}
	p.Clear()
	p.Clear()
	if lines := screen(b.String()); len(lines) != 1 || lines[0] != "" {
		t.Errorf("Clear leaves %q", lines)
	}
}

func TestProgressFitsTheTerminal(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := terminalProgress(&b, c, 40)
	p.Event(deploy.Event{Stage: deploy.StageWait, Note: strings.Repeat("日本", 100)})
	if line := screen(b.String())[0]; Columns(line) > 40 || !strings.Contains(line, "…") {
		t.Errorf("%d columns on a terminal of 40: %q", Columns(line), line)
	}
}

// Whatever is counted, the bar is drawn.
func TestBarOfOddCounts(t *testing.T) {
	p := NewProgress(&bytes.Buffer{}, func(string) string { return "" }, time.Now)
	for _, e := range []deploy.Event{
		{}, {Done: 1}, {Done: 2, Total: 1}, {DoneBytes: 9, TotalBytes: 3}, {DoneBytes: -1, TotalBytes: 3}, {Done: 1, Total: 2},
	} {
		line := p.bar(e, time.Second)
		if n := strings.Count(line, "█") + strings.Count(line, "░"); n != 24 {
			t.Errorf("bar of %+v has %d cells: %q", e, n, line)
		}
	}
}
