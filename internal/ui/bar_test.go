package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
)

// What matters least goes first where the line is narrow.
func TestBarDropsByRank(t *testing.T) {
	parts := []part{{"left", 1}, {"bytes", 2}, {"count", 5}, {"rate", 4}, {"retries", 0}, {"phase", 3}}
	for _, tt := range []struct {
		columns int
		want    string
	}{
		{80, "  left  bytes  count  rate  retries  phase"},
		{54, "  left  bytes  rate  retries  phase"},
		{45, "  left  bytes  retries  phase"},
		{40, "  left  bytes  retries"},
		{34, "  left  retries"},
		{27, "  retries"},
		{21, ""},
	} {
		line := Style{}.bar(0.5, append([]part{}, parts...), tt.columns)
		if _, beside, _ := strings.Cut(line, "50%"); beside != tt.want || Columns(line) > tt.columns {
			t.Errorf("%d columns: %q in %d, want %q", tt.columns, beside, Columns(line), tt.want)
		}
	}
}

// A rate is that of the last seconds, not of the whole stage.
func TestMeterForgets(t *testing.T) {
	var m meter
	now := time.Unix(0, 0)
	e := deploy.Event{}
	for range 100 {
		m.add(now, e)
		now = now.Add(time.Second)
		e.DoneBytes += 1_000_000
	}
	for range 40 { // ten seconds of a tenth of it
		m.add(now, e)
		now = now.Add(300 * time.Millisecond)
		e.DoneBytes += 30_000
	}
	if _, rate := m.rate(now, e); rate < 99_000 || rate > 101_000 {
		t.Errorf("%.0f bytes a second over the last seconds, want 100,000", rate)
	}
	if len(m.samples) > 50 {
		t.Errorf("%d samples are kept", len(m.samples))
	}
}

// The site is read beside the bucket's listing, and shows where that is over.
func TestProgressComesBackToTheScan(t *testing.T) {
	var b bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	p := terminalProgress(&b, c, 80)
	p.Event(deploy.Event{Stage: StageScan})
	p.Event(deploy.Event{Stage: deploy.StageList, Done: 5})
	c.now = c.now.Add(3 * time.Second)
	p.Event(deploy.Event{Stage: deploy.StageList, Done: 5, Finished: true})
	if line := show(b.String(), 80).last(); line != "  reading the site's folder (3 s)" {
		t.Errorf("after the listing: %q", line)
	}
}
