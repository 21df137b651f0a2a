package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"
)

// memory of an ended lease: as long as somebody may want to see in a status what became of it.
const afterlife = time.Hour

// View is what the log amounts to on a control node.
type View interface {
	// Members returns those that joined and have not ended, as of the last applied entry.
	Members() ([]Membership, error)
}

// ControllerOptions are what a Controller takes; the zero value works.
type ControllerOptions struct {
	Terms  Terms
	Now    func() time.Time // a clock with a monotonic part; nil is time.Now
	Logger *slog.Logger     // nil discards
	// End is the log entry that says that a member has ended; nil writes none.
	End func(member string) []byte
}

// Controller finds out, on a control node, how far the members of a fleet are, and ends those that are silent. Any number of
// control nodes may do so at once. It is safe for concurrent use.
type Controller struct {
	engine Engine
	view   View
	opts   ControllerOptions
	roster *Roster

	// reading is held while the members are read and handed to the roster: else a list that was read earlier could take the place of a
	// later one, and a member that has joined would be overlooked.
	reading sync.Mutex

	// mu guards what follows; held for field access only.
	mu      sync.Mutex
	floor   uint64
	changed chan struct{} // closed and replaced when floor changes
}

// NewController returns one that Run sets to work.
func NewController(engine Engine, view View, opts ControllerOptions) *Controller {
	opts.Terms = opts.Terms.WithDefaults()
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Controller{engine: engine, view: view, opts: opts, roster: NewRoster(opts.Terms), changed: make(chan struct{})}
}

// Run works until ctx ends, and returns why it had to stop earlier, if it had to.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	for _, part := range []func(context.Context) error{c.watch, c.listen, c.end} {
		work.Go(func() { cancel(part(ctx)) })
	}
	work.Wait()
	return context.Cause(ctx)
}

func (c *Controller) watch(ctx context.Context) error {
	return c.engine.Watch(ctx, func(l Lease) {
		c.roster.Saw(l, c.opts.Now())
		c.settle()
	})
}

func (c *Controller) listen(ctx context.Context) error {
	return c.engine.Reports(ctx, func(member string, applied uint64) {
		c.roster.Reported(member, applied)
		c.settle()
	})
}

// end gives up members whose leases have run out, again and again.
func (c *Controller) end(ctx context.Context) error {
	for {
		if err := Sleep(ctx, c.opts.Terms.Renew/2); err != nil {
			return err
		}
		c.Changed()
		for _, l := range c.roster.Overdue(c.opts.Now()) {
			c.giveUp(ctx, l)
		}
		c.bury(ctx)
		c.roster.Forget(c.opts.Now().Add(-afterlife))
	}
}

// giveUp ends one member. If it, or the network, was only slow, its newer record is at another revision, and it stays.
func (c *Controller) giveUp(ctx context.Context, l Lease) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Terms.Lease)
	defer cancel()
	revision := l.Revision
	l.Ended = true
	var err error
	l.Revision, err = c.engine.Write(ctx, l, revision)
	if errors.Is(err, ErrTaken) {
		var now Lease
		if now, err = c.engine.Lease(ctx, l.Member); err == nil {
			c.found(l.Member, now)
			return
		}
	}
	if err != nil {
		c.opts.Logger.Warn("a silent edge could not be given up yet", "edge", l.Name, "member", l.Member, "error", err)
		return
	}
	c.opts.Logger.Warn("edge given up: its lease ran out", "edge", l.Name, "member", l.Member)
	c.roster.Saw(l, c.opts.Now())
	c.settle()
}

// found takes in a member's record as it is now, which is not the one that was to be ended.
func (c *Controller) found(member string, l Lease) {
	if l.Revision == 0 {
		c.roster.Lost(member, c.opts.Now())
		return
	}
	c.roster.Saw(l, c.opts.Now())
	c.settle()
}

// bury enters in the log that members have ended, so that no view holds them any more. It may be done twice.
func (c *Controller) bury(ctx context.Context) {
	if c.opts.End == nil {
		return
	}
	all, err := c.view.Members()
	if err != nil {
		c.opts.Logger.Error("members could not be read", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Terms.Lease)
	defer cancel()
	for _, m := range c.roster.Ended(all) {
		if _, err := c.engine.Add(ctx, "end/"+m.Member, c.opts.End(m.Member)); err != nil {
			c.opts.Logger.Warn("the end of an edge could not be entered yet", "member", m.Member, "error", err)
			return
		}
	}
}

// Changed takes in who the members are now. Call it when the view has changed; Wait does so by itself.
func (c *Controller) Changed() {
	if err := c.refresh(); err != nil {
		c.opts.Logger.Error("members could not be read", "error", err)
	}
}

func (c *Controller) refresh() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	all, err := c.view.Members()
	if err != nil {
		return fmt.Errorf("read the members: %w", err)
	}
	c.roster.SetMembers(all, c.opts.Now())
	c.settle()
	return nil
}

// settle tells those who wait how far the members are.
func (c *Controller) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	floor := c.roster.Floor()
	if floor == c.floor {
		return
	}
	c.floor = floor
	close(c.changed)
	c.changed = make(chan struct{})
}

// Wait returns nil once every member that may still answer from its cache has applied the log through sequence. The view must have
// applied that much before.
func (c *Controller) Wait(ctx context.Context, sequence uint64) error {
	if err := c.refresh(); err != nil {
		return err
	}
	for {
		c.mu.Lock()
		floor, changed := c.floor, c.changed
		c.mu.Unlock()
		if floor >= sequence {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the edges: %w", ctx.Err())
		}
	}
}

// Completed waits until every member that may still answer from its cache has applied the log through sequence, and returns through where they
// all have, as far as the view says who they are. applied is the view's position; it has come to sequence before.
func (c *Controller) Completed(ctx context.Context, sequence uint64, applied func() uint64) (through uint64, err error) {
	if err := c.Wait(ctx, sequence); err != nil {
		return 0, err
	}
	at := applied() // before the members are read: of an entry after it, some that it concerns may be unknown here
	if err := c.refresh(); err != nil {
		return 0, err
	}
	return max(min(c.roster.Floor(), at), sequence), nil
}

// Floor is the sequence through which everybody has applied the log, and whether there is anybody.
func (c *Controller) Floor() (sequence uint64, anybody bool) {
	floor := c.roster.Floor()
	return floor, floor != math.MaxUint64
}

// Standings are all leases that are known: of members, of those that are joining, and for an hour of those that ended.
func (c *Controller) Standings() []Standing { return c.roster.All() }
