package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
)

// The widths of a bar. Where the line is too narrow, facts go before the bar
// gets shorter than minCells.
const (
	minCells = 8
	maxCells = 24
)

// requestBytes is what a request without a body counts for, beside the bytes:
// ten thousand small files take longer than one with as many bytes.
const requestBytes = 16 << 10

// work is how much of a stage with bytes is done, and how much there is.
func work(e deploy.Event) (done, total float64) {
	return float64(e.DoneBytes) + requestBytes*float64(e.Done), float64(e.TotalBytes) + requestBytes*float64(e.Total)
}

// part is a fact beside a bar. Of too many, those with the highest rank go
// first.
type part struct {
	text string
	rank int
}

// bar draws how much of share is done, with as many of the parts beside it as
// fit into columns. It is never wider, unless columns is below 16.
func (s Style) bar(share float64, parts []part, columns int) string {
	share = min(max(share, 0), 1)
	percent := fmt.Sprintf("%3.0f%%", share*100)
	if share < 1 && percent == "100%" {
		percent = " 99%" // not before it is done
	}
	beside := func() (text string) {
		for _, p := range parts {
			text += "  " + p.text
		}
		return text
	}
	fixed := 1 + len(percent)
	for len(parts) > 0 && minCells+fixed+Columns(beside()) > columns {
		drop := 0
		for i, p := range parts {
			if p.rank > parts[drop].rank {
				drop = i
			}
		}
		parts = append(parts[:drop:drop], parts[drop+1:]...)
	}
	cells := min(max(columns-fixed-Columns(beside()), minCells), maxCells)
	full := int(share * float64(cells))
	return s.paint(blue, strings.Repeat("█", full)) + s.paint(dim, strings.Repeat("░", cells-full)) + " " + percent + beside()
}

// meter measures how fast a stage goes, over its last seconds: so it shows a
// slow line as soon as it is slow, and a stalled one as stalled.
type meter struct{ samples []sample }

type sample struct {
	at    time.Time
	work  float64
	bytes int64
}

// How often a meter looks, and over how long.
const (
	sampled = 250 * time.Millisecond
	recent  = 10 * time.Second
)

// add is told where the stage is.
func (m *meter) add(now time.Time, e deploy.Event) {
	if n := len(m.samples); n > 0 && now.Sub(m.samples[n-1].at) < sampled {
		return
	}
	done, _ := work(e)
	m.samples = append(m.samples, sample{now, done, e.DoneBytes})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= recent {
		m.samples = m.samples[1:]
	}
}

// rate is work and bytes a second; 0 before anything can be said.
func (m *meter) rate(now time.Time, e deploy.Event) (perSecond, bytes float64) {
	if len(m.samples) == 0 {
		return 0, 0
	}
	done, _ := work(e)
	seconds := now.Sub(m.samples[0].at).Seconds()
	if seconds < 0.5 {
		return 0, 0
	}
	return (done - m.samples[0].work) / seconds, float64(e.DoneBytes-m.samples[0].bytes) / seconds
}

// longest is the time left that is worth telling.
const longest = 100 * time.Hour

// facts are what stands beside the bar of an upload, in the order in which it
// is read. Numbers keep their width, so that the bar keeps its own.
func (st *stage) facts(now time.Time) (share float64, parts []part) {
	e := st.event
	done, total := work(e)
	share = 1
	if total > 0 {
		share = done / total
	}
	perSecond, bytes := st.rate.rate(now, e)
	if perSecond > 0 && done < total {
		if left := time.Duration((total - done) / perSecond * float64(time.Second)); left > 0 && left < longest {
			parts = append(parts, part{padLeft(Duration(left), 5) + " left", 1})
		}
	}
	if e.TotalBytes > 0 {
		parts = append(parts, part{padLeft(Bytes(e.DoneBytes), 7) + " of " + Bytes(e.TotalBytes), 2})
	}
	if e.Total > 0 {
		parts = append(parts, part{padLeft(Number(e.Done), len(Number(e.Total))) + " of " + Number(e.Total), 5})
	}
	if perSecond > 0 && e.TotalBytes > 0 {
		parts = append(parts, part{padLeft(Bytes(int64(bytes)), 7) + "/s", 4})
	}
	if st.retries > 0 {
		parts = append(parts, part{Count(st.retries, "retry", "retries"), 0})
	}
	if e.Note != "" {
		parts = append(parts, part{Visible(e.Note), 3})
	}
	return share, parts
}

// Duration is d for people: "0.4 s", "12 s", "3 m 05 s", "2 h 00 m".
func Duration(d time.Duration) string {
	if tenths := d.Round(100 * time.Millisecond); tenths < 10*time.Second {
		return fmt.Sprintf("%.1f s", tenths.Seconds())
	}
	switch s := int(d.Round(time.Second).Seconds()); {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d m %02d s", s/60, s%60)
	default:
		return fmt.Sprintf("%d h %02d m", s/3600, s/60%60)
	}
}

// seconds is d for people who watch it grow: without tenths.
func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return Duration(d.Truncate(time.Second))
}
