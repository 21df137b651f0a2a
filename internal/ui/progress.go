package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
)

// Progress shows the events of a run: on a terminal a line that is drawn
// again, elsewhere one line for each stage that is over and for each retry. It
// is safe for concurrent use.
type Progress struct {
	mu    sync.Mutex // guards what follows; held for one line
	style Style
	now   func() time.Time
	drawn time.Time // when the line was drawn last
	began map[deploy.Stage]time.Time
	open  bool                 // a line stands on the terminal
	notes map[string]time.Time // when a note was printed last, by its reason
}

// redraw bounds how often the line changes: more only flickers.
const redraw = 80 * time.Millisecond

// quiet is how long a note that repeats is not printed again.
const quiet = 900 * time.Millisecond

// NewProgress writes to w, which is standard error.
func NewProgress(w io.Writer, getenv func(string) string, now func() time.Time) *Progress {
	return &Progress{style: NewStyle(w, getenv), now: now, began: map[deploy.Stage]time.Time{}, notes: map[string]time.Time{}}
}

// Note shows what is tried again, outside of any stage.
func (p *Progress) Note(text string) { p.Event(deploy.Event{Note: text}) }

// Event shows e.
func (p *Progress) Event(e deploy.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if _, ok := p.began[e.Stage]; !ok {
		p.began[e.Stage] = now
	}
	switch {
	case e.Finished:
		p.clear()
		if line := finished(e, now.Sub(p.began[e.Stage])); line != "" {
			p.style.printf("  %s %s\n", p.style.paint(green, "✓"), line)
		}
		delete(p.began, e.Stage)
	case p.style.terminal && now.Sub(p.drawn) >= redraw:
		p.drawn, p.open = now, true
		p.style.printf("\r\x1b[K  %s", clip(p.running(e, now.Sub(p.began[e.Stage])), p.style.columns-4))
	case !p.style.terminal && (e.Stage == deploy.StageLock || strings.Contains(e.Note, "trying again")):
		p.say(e, now)
	}
}

// say prints a note as a line of its own, unless the same has been said a
// moment ago: many requests may fail for one reason.
func (p *Progress) say(e deploy.Event, now time.Time) {
	reason, _, _ := strings.Cut(e.Note, "; trying again")
	if last, said := p.notes[reason]; said && (e.Stage == deploy.StageLock || now.Sub(last) < quiet) {
		return
	}
	p.notes[reason] = now
	p.style.printf("  %s\n", e.Note)
}

// Clear takes the unfinished line away, before something else is printed.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *Progress) clear() {
	if p.open {
		p.style.printf("\r\x1b[K")
		p.open = false
	}
}

// finished is the line that stays of a stage.
func finished(e deploy.Event, took time.Duration) string {
	switch e.Stage {
	case deploy.StageUpload:
		return fmt.Sprintf("sent %s of %s in %s", Bytes(e.DoneBytes), Count(e.Done, "object"), Duration(took))
	case deploy.StageRemove:
		return "removed " + Count(e.Done, "object")
	case deploy.StageInvalidate:
		return fmt.Sprintf("invalidation %s accepted: %s", e.Note, Count(e.Total, "path"))
	case deploy.StageWait:
		return "invalidation completed after " + Duration(took)
	case deploy.StageVerify:
		return fmt.Sprintf("verified %s of %s at the edge", Number(e.Done), Count(e.Total, "changed URL"))
	}
	return ""
}

// running is the line of a stage that goes on.
func (p *Progress) running(e deploy.Event, took time.Duration) string {
	switch e.Stage {
	case deploy.StageList:
		return "listing the bucket: " + Count(e.Done, "object")
	case deploy.StageUpload:
		return p.bar(e, took)
	case deploy.StageInvalidate:
		return "invalidating: " + e.Note
	case deploy.StageWait:
		return "waiting for " + e.Note
	case deploy.StageLock:
		return fmt.Sprintf("%s (%s)", e.Note, Duration(took))
	case deploy.StageVerify:
		if e.Note != "" {
			return e.Note
		}
		return fmt.Sprintf("verifying at the edge: %s of %s", Number(e.Done), Number(e.Total))
	}
	if e.Note != "" {
		return e.Note
	}
	return string(e.Stage)
}

// bar shows bytes, rate, time left and the phase.
func (p *Progress) bar(e deploy.Event, took time.Duration) string {
	const cells = 24
	share := 1.0
	if e.TotalBytes > 0 {
		share = float64(e.DoneBytes) / float64(e.TotalBytes)
	} else if e.Total > 0 {
		share = float64(e.Done) / float64(e.Total)
	}
	share = min(max(share, 0), 1) // a retry may count bytes twice
	full := int(share * cells)
	line := fmt.Sprintf("%s%s %3.0f%%  %s of %s", strings.Repeat("█", full), strings.Repeat("░", cells-full), share*100,
		Bytes(e.DoneBytes), Bytes(e.TotalBytes))
	if seconds := took.Seconds(); seconds > 0.5 && share > 0 {
		line += fmt.Sprintf("  %s/s", Bytes(int64(float64(e.DoneBytes)/seconds)))
		if share < 1 {
			line += "  " + Duration(time.Duration(seconds*(1-share)/share*float64(time.Second))) + " left"
		}
	}
	return line + "  " + e.Note
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
