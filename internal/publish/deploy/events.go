package deploy

import (
	"sync"

	"github.com/freshet/freshet/internal/publish/plan"
)

// Stage names what a run is doing.
type Stage string

// The stages, in their order.
const (
	StageList       Stage = "list"
	StageLock       Stage = "lock"
	StageRecord     Stage = "record"
	StageUpload     Stage = "upload"
	StageRemove     Stage = "remove"
	StageInvalidate Stage = "invalidate"
	StageWait       Stage = "wait"
	StageVerify     Stage = "verify"
)

// Event is one thing that happened.
type Event struct {
	Stage Stage
	// Done of Total items, and of TotalBytes bytes, are finished; Total is 0
	// where it is not known.
	Done, Total           int
	DoneBytes, TotalBytes int64
	Note                  string // "changed pages", "throttled, trying again in 2s"
	Finished              bool   // the stage is over
	// Edges is at how many edges of a fleet is verified: then Done and Total count
	// answers, and, where the stage is over, it is at how many it was proved and they
	// count URLs. 0 without a fleet.
	Edges int
	// Step is the step of the plan that was finished, where the event is of one;
	// else nil.
	Step *plan.Step
}

// reporter passes events on one at a time.
type reporter struct {
	mu   sync.Mutex // held for the length of one call of emit
	emit func(Event)
}

func (r *reporter) send(e Event) {
	if r.emit == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emit(e)
}

// counter reports a stage whose items finish in any order.
type counter struct {
	report *reporter
	mu     sync.Mutex // guards event; held while it is passed on, so that counts only rise
	event  Event
}

func (c *counter) done(items int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event.Done += items
	c.event.DoneBytes += bytes
	c.report.send(c.event)
}

// step is done of a step of the plan.
func (c *counter) step(s *plan.Step, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event.Done++
	c.event.DoneBytes += bytes
	e := c.event
	e.Step = s
	c.report.send(e)
}

// tell says something that is over with the next event.
func (c *counter) tell(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.event
	e.Note = text
	c.report.send(e)
}

// note says what is being done until the next note.
func (c *counter) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event.Note = text
	c.report.send(c.event)
}

func (c *counter) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event.Finished, c.event.Note = true, ""
	c.report.send(c.event)
}
