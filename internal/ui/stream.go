package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
)

// Stream tells programs what goes on: one JSON object a line, each with "event"
// and "time"; docs/json.md describes them. The last is the result, always. It
// is safe for concurrent use.
type Stream struct {
	now func() time.Time

	mu   sync.Mutex // guards what follows; held for one line
	enc  *json.Encoder
	err  error // the first that writing a line met
	open []*flow
}

// flow is a phase under way.
type flow struct {
	name  deploy.Stage
	began time.Time
	told  time.Time // when its progress was told last
	note  string
}

// told is how often progress is told: more only makes work.
const told = 200 * time.Millisecond

// NewStream writes to w, which is standard output.
func NewStream(w io.Writer, now func() time.Time) *Stream {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &Stream{enc: enc, now: now}
}

// head is what every line begins with.
type head struct {
	Event string    `json:"event"`
	Time  time.Time `json:"time"`
	Phase string    `json:"phase,omitempty"`
}

// counts are those of a phase.
type counts struct {
	Done       int   `json:"done"`
	Total      int   `json:"total"`
	DoneBytes  int64 `json:"done_bytes"`
	TotalBytes int64 `json:"total_bytes"`
}

func countsOf(e deploy.Event) counts {
	return counts{Done: e.Done, Total: e.Total, DoneBytes: e.DoneBytes, TotalBytes: e.TotalBytes}
}

// Event tells e.
func (s *Stream) Event(e deploy.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if reason, wait, again := retried(e); again {
		if n := len(s.open); n > 0 && e.Stage == "" {
			e.Stage = s.open[n-1].name // what began last
		}
		s.line(struct {
			head
			Message string `json:"message"`
			WaitMS  int64  `json:"wait_ms"`
		}{s.head("retry", e.Stage, now), reason, wait.Milliseconds()})
		return
	}
	if e.Stage == "" {
		s.message("note", e.Stage, e.Note, now)
		return
	}
	f := s.flow(e.Stage, now)
	if e.Step != nil {
		s.line(struct {
			head
			Op   string `json:"op"`
			Key  string `json:"key"`
			Size int64  `json:"size"`
		}{s.head("step", e.Stage, now), string(e.Step.Op), string(e.Step.Object.Key), e.Step.Object.Size})
	}
	s.remark(f, e, now)
	if e.Finished {
		s.close(f, "finished", &e, now)
		return
	}
	if (e.Total > 0 || e.Done > 0) && now.Sub(f.told) >= told {
		f.told = now
		s.line(struct {
			head
			counts
		}{s.head("progress", e.Stage, now), countsOf(e)})
	}
}

// remark tells what a phase says in words, once.
func (s *Stream) remark(f *flow, e deploy.Event, now time.Time) {
	if e.Note != "" && e.Note != f.note {
		f.note = e.Note
		s.message("note", e.Stage, e.Note, now)
	}
}

// flow is the phase of that name, which is told to begin with its first event.
// The engine does one thing after another: what was under way before is over.
func (s *Stream) flow(name deploy.Stage, now time.Time) *flow {
	for _, f := range s.open {
		if f.name == name {
			return f
		}
	}
	if name != StageScan {
		for _, f := range append([]*flow{}, s.open...) {
			if f.name == deploy.StageLock || f.name == deploy.StageRecord {
				s.close(f, "finished", nil, now)
			}
		}
	}
	f := &flow{name: name, began: now}
	s.open = append(s.open, f)
	s.line(struct {
		head
		State string `json:"state"`
	}{s.head("phase", name, now), "started"})
	return f
}

// close tells that a phase is over.
func (s *Stream) close(f *flow, state string, last *deploy.Event, now time.Time) {
	for i := range s.open {
		if s.open[i] == f {
			s.open = append(s.open[:i], s.open[i+1:]...)
			break
		}
	}
	out := struct {
		head
		State      string `json:"state"`
		DurationMS int64  `json:"duration_ms"`
		*counts    `json:",omitempty"`
	}{head: s.head("phase", f.name, now), State: state, DurationMS: now.Sub(f.began).Milliseconds()}
	if last != nil {
		c := countsOf(*last)
		out.counts = &c
	}
	s.line(out)
}

// Note tells what is tried again, outside of any phase.
func (s *Stream) Note(text string) { s.Event(deploy.Event{Note: text}) }

// Warn tells a warning.
func (s *Stream) Warn(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.message("warning", "", text, s.now())
}

// Plan tells what is going to be done.
func (s *Stream) Plan(p PlanJSON) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(struct {
		head
		Plan PlanJSON `json:"plan"`
	}{s.head("plan", "", s.now()), p})
}

// Result tells the end: what the command prints with --json alone. Phases that
// are still under way were broken off. The error is the first that any line
// met.
func (s *Stream) Result(v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for len(s.open) > 0 {
		s.close(s.open[0], "stopped", nil, now)
	}
	s.line(struct {
		head
		Result any `json:"result"`
	}{s.head("result", "", now), v})
	if s.err != nil {
		return fmt.Errorf("print events: %w", s.err)
	}
	return nil
}

func (s *Stream) head(event string, phase deploy.Stage, now time.Time) head {
	return head{event, now.UTC(), string(phase)}
}

func (s *Stream) message(event string, phase deploy.Stage, text string, now time.Time) {
	s.line(struct {
		head
		Message string `json:"message"`
	}{s.head(event, phase, now), text})
}

// line writes one. What comes after a failed one is not written: nobody could
// make sense of it.
func (s *Stream) line(v any) {
	if s.err == nil {
		s.err = s.enc.Encode(v)
	}
}
