package ui

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
)

// Stages that are none of the engine's.
const (
	StageBuild   deploy.Stage = "build"   // the site's own command runs
	StageScan    deploy.Stage = "scan"    // the site's folder is read; beside another stage
	StageConnect deploy.Stage = "connect" // bucket and distributions are found
)

// Progress shows people the events of a run: on a terminal a line that is drawn
// again, elsewhere one line for each stage that is over and now and then one of
// a stage that takes long. What is tried again gets lines of its own. It is
// safe for concurrent use. Whoever makes one calls Close.
//
// On a terminal the cursor rests at the beginning of the drawn line and is
// never hidden, so that nothing is to be restored however the program ends;
// and each change is one write that covers the line before it without erasing
// it first, so that nothing flickers.
type Progress struct {
	w    io.Writer
	now  func() time.Time
	size func() int // columns of the terminal
	live bool       // the line is drawn again with time, without an event

	mu      sync.Mutex // guards what follows; held for one write
	style   Style
	stages  map[deploy.Stage]*stage
	current deploy.Stage // what is shown; "" for nothing
	retries map[deploy.Stage]*repeats
	drawn   time.Time     // when the line was drawn last
	shown   string        // the line that stands on the terminal, "" for none
	stop    chan struct{} // ends redrawing; nil while nobody draws
	stopped chan struct{} // closed when it has ended
}

// stage is a stage under way.
type stage struct {
	name    deploy.Stage
	began   time.Time
	spoke   time.Time // when it last had a line, where that is not drawn again
	event   deploy.Event
	said    string // the note that has had a line of its own
	retries int
	rate    meter
}

// redraw bounds how often the line changes, and how long a stage goes on before
// it gets one: more only flickers.
const redraw = 80 * time.Millisecond

// silence is how long a log says nothing of a stage that goes on. Some CI
// systems end a job that is silent for minutes.
const silence = 30 * time.Second

// NewProgress writes to w, which is standard error.
func NewProgress(w io.Writer, getenv func(string) string, now func() time.Time) *Progress {
	p := &Progress{w: w, style: NewStyle(w, getenv), now: now, stages: map[deploy.Stage]*stage{}, retries: map[deploy.Stage]*repeats{}}
	columns := p.style.columns
	p.size = func() int { return columns }
	if f, ok := w.(*os.File); ok {
		p.size = func() int { return columnsOf(f) }
	}
	p.live = p.style.terminal
	return p
}

// Note shows what is tried again, outside of any stage.
func (p *Progress) Note(text string) { p.Event(deploy.Event{Note: text}) }

// Event shows e.
func (p *Progress) Event(e deploy.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if _, _, again := retried(e); again {
		p.again(e, now)
		return
	}
	if e.Stage == "" {
		p.above("  " + Visible(e.Note))
		return
	}
	st := p.stage(e.Stage, now)
	st.event = e
	st.rate.add(now, e)
	if e.Finished {
		p.finish(st, now)
		return
	}
	p.current = e.Stage
	p.remark(st)
	switch {
	case !p.style.terminal:
		if now.Sub(st.spoke) >= silence && e.Stage != deploy.StageLock {
			st.spoke = now
			p.write("  " + st.running(p.style, now, readable) + "\n")
		}
	case now.Sub(p.drawn) >= redraw:
		p.draw(now)
	}
	p.watch()
}

// stage is the named one, which begins with its first event.
func (p *Progress) stage(name deploy.Stage, now time.Time) *stage {
	st, ok := p.stages[name]
	if !ok {
		st = &stage{name: name, began: now, spoke: now}
		p.stages[name] = st
	}
	return st
}

// finish leaves a line of what was done.
func (p *Progress) finish(st *stage, now time.Time) {
	delete(p.stages, st.name)
	delete(p.retries, st.name)
	if p.current == st.name {
		p.current = ""
		if _, reading := p.stages[StageScan]; reading {
			p.current = StageScan
		}
	}
	if line := st.finished(now.Sub(st.began)); line != "" {
		p.above("  " + p.style.paint(green, "✓") + " " + line)
	}
	p.draw(now)
}

// remark prints what a stage says that must not be missed, once.
func (p *Progress) remark(st *stage) {
	note := st.event.Note
	if note == "" || note == st.said {
		return
	}
	st.said = note
	if st.name == deploy.StageVerify || st.name == deploy.StageLock && !p.style.terminal {
		p.above("  " + Visible(note))
	}
}

// again counts what is tried again, and prints it unless enough has been said of
// it lately.
func (p *Progress) again(e deploy.Event, now time.Time) {
	name := cmp.Or(e.Stage, p.current)
	if st, ok := p.stages[name]; ok {
		st.retries++
	} else if name != "" {
		st, p.current = p.stage(name, now), name
		st.retries = 1
		st.event.Total = e.Total
	}
	r, ok := p.retries[name]
	if !ok {
		r = &repeats{}
		p.retries[name] = r
	}
	p.watch()
	if line, more, ok := r.say(e.Note, now); ok {
		if p.style.terminal {
			line = clip(line, p.size()-5-len(more))
		}
		p.above("  " + p.style.paint(yellow, "!") + " " + line + more)
	}
}

// above prints a line that stays, in the place of the drawn one, which comes
// back below it.
func (p *Progress) above(line string) {
	before := ""
	if p.shown != "" {
		before = "\r" + p.wipe()
		p.shown = ""
	}
	p.write(before + line + "\n" + p.frame(p.now()))
}

// draw shows the stage that is under way, in one write.
func (p *Progress) draw(now time.Time) {
	if frame := p.frame(now); frame != "" {
		p.write(frame)
	}
}

// frame is what turns the line on the terminal into that of the stage that is
// under way; "" where nothing has changed.
func (p *Progress) frame(now time.Time) string {
	if !p.style.terminal {
		return ""
	}
	before := "\r"
	if columns := p.size(); columns != p.style.columns {
		if p.shown != "" {
			before += "\x1b[J" // a narrower terminal has broken the line into several
		}
		p.style.columns, p.shown = columns, ""
	}
	line, end := "", ""
	if st, ok := p.stages[p.current]; ok && now.Sub(st.began) >= redraw {
		line, end = "  "+st.running(p.style, now, p.style.columns-3), "\r"
	}
	if line == p.shown {
		return ""
	}
	if p.shown = line; line != "" {
		p.drawn = now
	}
	return before + line + "\x1b[K" + end
}

// wipe erases the drawn line, however many a resized terminal has made of it.
func (p *Progress) wipe() string {
	if p.size() != p.style.columns {
		return "\x1b[J"
	}
	return "\x1b[K"
}

// Clear takes the unfinished line away, before something else is printed. The
// next event brings it back.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.current = ""
}

func (p *Progress) clear() {
	if p.shown != "" {
		p.write("\r" + p.wipe())
		p.shown = ""
	}
}

func (p *Progress) write(text string) { _, _ = io.WriteString(p.w, text) } // nowhere is left to report this failure to

// watch starts to draw with time: a stage that waits still counts its seconds,
// and a rate that falls is seen to fall.
func (p *Progress) watch() {
	if !p.live || p.stop != nil {
		return
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go func(stop, stopped chan struct{}) {
		defer close(stopped)
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				p.tick()
			}
		}
	}(p.stop, p.stopped)
}

// tick draws the line anew, if there is one.
func (p *Progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != "" {
		p.draw(p.now())
	}
}

// Close takes the unfinished line away and stops drawing.
func (p *Progress) Close() {
	p.Clear()
	p.mu.Lock()
	stop, stopped := p.stop, p.stopped
	p.stop = nil
	p.mu.Unlock()
	if stop != nil {
		close(stop)
		<-stopped
	}
}

// finished is the line that stays of a stage; "" for none.
func (st *stage) finished(took time.Duration) string {
	e, line := st.event, ""
	switch e.Stage {
	case deploy.StageUpload:
		line = fmt.Sprintf("sent %s of %s in %s", Bytes(e.DoneBytes), Count(e.Done, "object"), Duration(took))
	case deploy.StageRemove:
		line = "removed " + Count(e.Done, "object")
	case deploy.StageInvalidate:
		line = fmt.Sprintf("invalidation %s accepted: %s", e.Note, Count(e.Total, "path"))
	case deploy.StageWait:
		line = "invalidation completed after " + Duration(took)
	case deploy.StageVerify:
		line = fmt.Sprintf("verified %s of %s at %s", Number(e.Done), Count(e.Total, "changed URL"), edges(e))
	}
	if line != "" && st.retries > 0 {
		line += ", after " + Count(st.retries, "retry", "retries")
	}
	return line
}

// edges says where is verified.
func edges(e deploy.Event) string {
	if e.Edges == 0 {
		return "the edge"
	}
	return Count(e.Edges, "edge")
}

// running is the line of a stage that goes on, at most columns wide.
func (st *stage) running(s Style, now time.Time, columns int) string {
	if st.name == deploy.StageUpload {
		share, parts := st.facts(now)
		return s.bar(share, parts, columns)
	}
	e, text := st.event, string(st.name)
	switch st.name {
	case StageScan:
		text = "reading the site's folder"
	case StageConnect:
		text = "connecting to the target"
	case deploy.StageList:
		text = "listing the bucket: " + Count(e.Done, "object")
	case deploy.StageInvalidate:
		text = fmt.Sprintf("invalidating: %s of %s", Number(e.Done), Count(e.Total, "path"))
	case deploy.StageWait:
		text = "waiting for " + e.Note
	case deploy.StageVerify:
		what := "URL"
		if e.Edges > 0 {
			what = "answer" // a URL has one at each edge
		}
		text = fmt.Sprintf("verifying at %s: %s of %s", edges(e), Number(e.Done), Count(e.Total, what))
	case deploy.StageRemove:
		text = fmt.Sprintf("removing: %s of %s", Number(e.Done), Count(e.Total, "object"))
	case deploy.StageRecord:
		text = "writing the record"
	case deploy.StageLock:
		text = e.Note
	}
	const slow = 2 * time.Second // sooner nobody counts
	tail := ""
	if took := now.Sub(st.began); took >= slow {
		tail = " (" + seconds(took) + ")"
	}
	if st.retries > 0 {
		tail += ", " + Count(st.retries, "retry", "retries")
	}
	if columns < len(tail)+minCells {
		tail = ""
	}
	return first(clip(Visible(text), columns-len(tail)), columns-len(tail)) + tail
}

// retried splits the note of an event into why something is tried again and
// after how long.
func retried(e deploy.Event) (reason string, wait time.Duration, again bool) {
	reason, pause, again := strings.Cut(e.Note, "; trying again in ")
	if again {
		wait, _ = time.ParseDuration(pause) // 0 where an adapter says it in other words
	}
	return reason, wait, again
}

// repeats bounds what is printed of retries: many requests may fail for one
// reason, for minutes.
type repeats struct {
	at     time.Time // when a line was printed last
	quiet  time.Duration
	untold int // retries without a line since
}

// How long retries are counted rather than printed: at first, and at most.
const (
	firstQuiet = 900 * time.Millisecond
	mostQuiet  = 30 * time.Second
)

// say is the line for a retry, if it gets one, and what stands behind it of
// those that got none since the last.
func (r *repeats) say(note string, now time.Time) (line, more string, ok bool) {
	if !r.at.IsZero() && now.Sub(r.at) < r.quiet {
		r.untold++
		return "", "", false
	}
	if r.untold > 0 {
		more = " (and " + Number(r.untold) + " more)"
	}
	r.quiet = min(max(2*r.quiet, firstQuiet), mostQuiet)
	r.at, r.untold = now, 0
	return Visible(note), more, true
}
