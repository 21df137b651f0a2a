package controlnode

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/fleet"
)

// confirmPause is the least time between two confirmations: those who ask meanwhile share the next one, so that requests for what does not exist add
// no more than 20 entries a second to the log.
const confirmPause = 50 * time.Millisecond

// confirmation makes sure that this node has applied everything that any node acknowledged: it adds an entry that changes nothing, and
// waits until that is applied. A leader of the log that was stopped or cut off answers questions as if it still led, but adds nothing.
type confirmation struct {
	ctx  context.Context // of the node: a confirmation serves many requests
	work *sync.WaitGroup
	add  func(context.Context) error

	turn chan struct{} // capacity 1: taken while one is under way; they come one after the other

	// mu guards next; held for field access only.
	mu   sync.Mutex
	next *confirmed // the one that has not begun; nil if nobody waits for it
}

// confirmed is one that several wait for.
type confirmed struct {
	done chan struct{}
	err  error // set before done is closed
}

func newConfirmation(ctx context.Context, work *sync.WaitGroup, add func(context.Context) error) *confirmation {
	return &confirmation{ctx: ctx, work: work, add: add, turn: make(chan struct{}, 1)}
}

// wait returns nil after a confirmation that began after the call.
func (c *confirmation) wait(ctx context.Context) error {
	c.mu.Lock()
	one := c.next
	if one == nil {
		one = &confirmed{done: make(chan struct{})}
		c.next = one
		c.work.Go(func() { c.run(one) })
	}
	c.mu.Unlock()
	select {
	case <-one.done:
		return one.err
	case <-ctx.Done():
		return fmt.Errorf("confirm that nothing is missing: %w", ctx.Err())
	}
}

func (c *confirmation) run(one *confirmed) {
	defer close(one.done)
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	one.err = fleet.Sleep(c.ctx, confirmPause)
	c.mu.Lock()
	c.next = nil // who comes from now on waits for the one after
	c.mu.Unlock()
	if one.err == nil {
		one.err = c.add(c.ctx)
	}
}

// addNothing adds an entry that changes nothing, and waits until it is applied here.
func (s *Server) addNothing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	at, err := s.engine.Add(ctx, "confirm/"+rand.Text(), control.EncodeNothing())
	if err != nil {
		return fmt.Errorf("confirm that nothing is missing: %w", err)
	}
	return s.state.Load().follower.Wait(ctx, at)
}
