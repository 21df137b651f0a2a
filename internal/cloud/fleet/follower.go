package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The pause before a missing entry is read again doubles from firstPause to lastPause.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
)

// Follower makes a sequence of what a Log delivers: each entry once, in order, none left out. It is safe for concurrent use.
type Follower struct {
	log   Log
	apply func(context.Context, Entry) error

	// mu guards what follows; held for field access only.
	mu      sync.Mutex
	applied uint64
	changed chan struct{} // closed and replaced when applied changes
}

// NewFollower begins after the entry at applied; 0 is the log's beginning. apply gets one entry at a time; a sequence that apply
// accepted is never given to it again.
func NewFollower(log Log, applied uint64, apply func(context.Context, Entry) error) *Follower {
	return &Follower{log: log, apply: apply, applied: applied, changed: make(chan struct{})}
}

// Run applies entries until ctx ends, apply fails, or the log has dropped what comes next: then the error is ErrDropped. It may be
// run again, but not twice at a time.
func (f *Follower) Run(ctx context.Context) error {
	return f.log.Follow(ctx, f.Applied()+1, func(e Entry) error { return f.take(ctx, e) })
}

// take applies e after all that comes before it. The engine has been seen to leave out entries around the death of a
// leader, so a gap is filled entry by entry before anything after it counts.
func (f *Follower) take(ctx context.Context, e Entry) error {
	for next := f.Applied() + 1; next < e.Sequence; next++ {
		missing, err := f.read(ctx, next)
		if err != nil {
			return fmt.Errorf("read entry %d: %w", next, err)
		}
		if err := f.step(ctx, missing); err != nil {
			return err
		}
	}
	if e.Sequence <= f.Applied() {
		return nil
	}
	return f.step(ctx, e)
}

func (f *Follower) step(ctx context.Context, e Entry) error {
	if err := f.apply(ctx, e); err != nil {
		return fmt.Errorf("apply entry %d: %w", e.Sequence, err)
	}
	f.advance(e.Sequence)
	return nil
}

// read keeps trying: an entry that a later one follows is there, or dropped.
func (f *Follower) read(ctx context.Context, sequence uint64) (Entry, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		e, err := f.log.Read(ctx, sequence)
		if err == nil || errors.Is(err, ErrDropped) {
			return e, err
		}
		if err := Sleep(ctx, pause); err != nil {
			return Entry{}, err
		}
	}
}

// Applied is the sequence of the last entry that was applied; 0 is none.
func (f *Follower) Applied() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applied
}

// Skip says that everything through sequence is applied already, by a snapshot. It does nothing where more is.
func (f *Follower) Skip(sequence uint64) {
	if sequence > f.Applied() {
		f.advance(sequence)
	}
}

func (f *Follower) advance(sequence uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied = sequence
	close(f.changed)
	f.changed = make(chan struct{})
}

// Wait returns nil once everything through sequence is applied.
func (f *Follower) Wait(ctx context.Context, sequence uint64) error {
	for {
		f.mu.Lock()
		applied, changed := f.applied, f.changed
		f.mu.Unlock()
		if applied >= sequence {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Sync returns nil once everything that the log has now is applied.
func (f *Follower) Sync(ctx context.Context) error {
	_, last, err := f.log.Bounds(ctx)
	if err != nil {
		return fmt.Errorf("read the log's end: %w", err)
	}
	return f.Wait(ctx, last)
}

// Sleep returns nil after d, or the cause of ctx's end.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
