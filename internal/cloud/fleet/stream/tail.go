package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

// queued is how many messages may wait for a follower that is busy. What does not fit is lost, and fetched later.
const queued = 4096

// tail follows one stream: what is republished as it is committed, and by fetch what that leaves out.
type tail struct {
	e       *Engine
	stream  string
	subject string // prefix of the stream's subjects
	f       func(uint64, *nats.Msg) error

	next   uint64 // everything before was handed to f
	behind bool   // something from next on may have been left out
}

// run follows until ctx ends, f fails, or the engine is closed.
func (t *tail) run(ctx context.Context) error {
	live := make(chan *nats.Msg, queued)
	sub, err := t.e.nc.ChanSubscribe(tailSubject+t.subject+">", live)
	if err != nil {
		return fmt.Errorf("follow %s: %w", t.stream, err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // fails only where the connection is gone, and the subscription with it
	again := t.e.reconnection()
	t.behind = true
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-live:
			whole := !t.behind
			if err = t.live(ctx, m); whole && t.behind {
				wake.Reset(t.pause())
			}
		case <-again:
			again = t.e.reconnection()
			err = t.fetch(ctx)
		case <-wake.C:
			err = t.fetch(ctx)
			wake.Reset(t.pause())
		}
		var s *stopped
		if errors.As(err, &s) {
			return s.err
		}
		if err != nil && t.e.nc.IsClosed() {
			return fmt.Errorf("follow %s: %w", t.stream, err)
		}
	}
}

// pause is how long to hear nothing before asking; somewhat random, lest a thousand followers ask at once.
func (t *tail) pause() time.Duration {
	if t.behind {
		return 100 * time.Millisecond
	}
	return t.e.opts.Poll*3/4 + rand.N(t.e.opts.Poll/2)
}

// live takes a message as it was committed. One that comes after a gap is handed on even where the gap cannot be filled
// now; next stays, so that the next fetch begins with the gap.
func (t *tail) live(ctx context.Context, m *nats.Msg) error {
	sequence, err := sequenceOf(m)
	if err != nil || sequence < t.next {
		return err
	}
	if sequence > t.next && !t.behind {
		var s *stopped
		if err := t.fetch(ctx); errors.As(err, &s) {
			return err
		}
		if sequence < t.next {
			return nil
		}
		t.behind = sequence > t.next
	}
	if err := t.f(sequence, m); err != nil {
		return &stopped{err}
	}
	if sequence == t.next {
		t.next++
	}
	return nil
}

// fetch hands on everything from next on.
func (t *tail) fetch(ctx context.Context) error {
	next, err := t.e.fetch(ctx, t.stream, "", t.next, t.f)
	t.next = max(t.next, next)
	t.behind = err != nil
	if err != nil && ctx.Err() == nil {
		t.e.log.Debug("fetch failed", "stream", t.stream, "from", t.next, "error", err)
	}
	return err
}
