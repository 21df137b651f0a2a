package dev

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// problem is what the page shows over itself.
type problem struct {
	ID     int      `json:"id"` // tells one from the next
	Title  string   `json:"title"`
	Text   string   `json:"text"`
	Hint   string   `json:"hint,omitempty"`
	Output []string `json:"output,omitempty"`
}

// state is what a page is told: at once when it asks, and whenever it changes.
type state struct {
	// Version names what is published. A page that came with another one is old.
	Version string   `json:"version"`
	Problem *problem `json:"problem"` // nil if all is well
}

// hub tells pages what is going on.
type hub struct {
	run  string // names this process, so that no version is that of an earlier one
	done chan struct{}

	// mu guards what follows, for the length of an assignment.
	mu      sync.Mutex
	number  int
	failed  int
	problem *problem
	changed chan struct{} // closed, and made anew, by each change
	closed  bool
}

func newHub() *hub {
	return &hub{run: rand.Text()[:8], done: make(chan struct{}), changed: make(chan struct{})}
}

// version names what is published now.
func (h *hub) version() string {
	s, _ := h.now()
	return s.Version
}

// now is the state, and what is closed when it is no longer.
func (h *hub) now() (state, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return state{fmt.Sprintf("%s-%d", h.run, h.number), h.problem}, h.changed
}

// succeed closes what pages show over themselves, and reloads them where what is
// published has changed.
func (h *hub) succeed(changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if changed {
		h.number++
	}
	h.problem = nil
	h.announce()
}

// fail shows p.
func (h *hub) fail(p problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed++
	p.ID = h.failed
	h.problem = &p
	h.announce()
}

func (h *hub) announce() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// close ends all streams.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
}

// Pace of a stream.
const (
	beat     = 15 * time.Second // a comment then finds out whether the page is still there
	retry    = 500              // milliseconds until a page asks again when the stream ends
	patience = 10 * time.Second // what a page may take to read one state
)

// ServeHTTP streams the state as server-sent events.
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	// The deadline outlives the request on a kept-alive connection.
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(patience)) // of the system's clock; a writer without deadlines ends with its reader
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	if !send(fmt.Sprintf("retry: %d\n\n", retry)) {
		return
	}
	for {
		s, changed := h.now()
		data, err := json.Marshal(s) // one line: JSON escapes line breaks
		if err != nil || !send("data: "+string(data)+"\n\n") {
			return
		}
		if !h.await(r, changed, send) {
			return
		}
	}
}

// await waits for the next state; it is false when the stream is over.
func (h *hub) await(r *http.Request, changed <-chan struct{}, send func(string) bool) bool {
	for {
		timer := time.NewTimer(beat)
		select {
		case <-changed:
			timer.Stop()
			return true
		case <-timer.C:
			if !send(":\n\n") {
				return false
			}
		case <-h.done:
			timer.Stop()
			return false
		case <-r.Context().Done():
			timer.Stop()
			return false
		}
	}
}
