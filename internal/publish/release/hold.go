package release

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/crash"
)

// errReleased is what a Hold says once it has been given back.
var errReleased = fmt.Errorf("%w: it has been given back", ErrLost)

// Hold is a lock that is held. It is safe for concurrent use.
//
// A goroutine renews it every quarter of a lease. Others take it over no
// earlier than a lease after they saw the last renewal, which is no earlier than
// a lease after that renewal began; so what is begun within a third of a lease
// of that has two thirds of a lease to arrive.
type Hold struct {
	record *Record // nil: nothing is held, nothing is checked
	lease  time.Duration
	wall   func() time.Time
	end    func() error // ends the presence on this machine; nil for none

	stop context.CancelFunc // of the renewing goroutine; nil before it runs
	done chan struct{}      // closed once that has ended

	turn chan struct{} // full while somebody writes the lock, who then owns lock, tag and wrote
	lock Lock          // as written last
	tag  string        // its ETag; "" before it is known
	// replaced is the ETag of the lock that was there before; "" for none.
	replaced string
	wrote    bool // a write was tried

	mu    sync.Mutex // held for one look at the fields below
	began time.Time  // when the last renewal that succeeded began, by the monotonic clock
	wallB time.Time  // the same by the wall clock
	over  error      // why it is held no more; nil while it is
}

// newHold makes a holder, and announces it.
func (r *Record) newHold(o LockOptions) (*Hold, error) {
	id, err := randomHex(r.random)
	if err != nil {
		return nil, fmt.Errorf("make a lock holder's id: %w", err)
	}
	h := &Hold{record: r, wall: o.Wall, lease: o.Lease, turn: make(chan struct{}, 1)}
	if h.wall == nil {
		h.wall = time.Now
	}
	if h.lease <= 0 {
		h.lease = defaultLease
	}
	h.lock = Lock{Version: Version, Holder: id, Writer: o.Writer, Host: o.Host, Release: o.Release, LeaseMS: h.lease.Milliseconds()}
	h.lease = h.lock.lease()
	h.lock.LeaseMS = h.lease.Milliseconds()
	if o.Announce != nil {
		if end, err := o.Announce(id); err == nil {
			h.end = end
		}
	}
	return h, nil
}

// Check fails with ErrLost once somebody else has the lock: nothing must be
// written then. After nil somebody else may have it in two thirds of a lease at
// the earliest. It costs nothing while the last renewal began
// less than a third of a lease ago by both the monotonic and the wall clock: a
// suspended machine's monotonic clock may stand still, and a wall clock that
// jumps only forces a renewal. Otherwise it renews, for as long as that fails
// for the moment and ctx lasts. Any other error says nothing about the lock.
func (h *Hold) Check(ctx context.Context) error {
	if h.record == nil {
		return nil
	}
	if fresh, err := h.fresh(); fresh || err != nil {
		return err
	}
	return h.renewIf(ctx, func() bool { fresh, _ := h.fresh(); return !fresh })
}

// Lease is how long the lock stands without a renewal. A Hold that holds nothing
// has one too, so that its checks have a pace.
func (h *Hold) Lease() time.Duration {
	if h.record == nil {
		return defaultLease
	}
	return h.lease
}

// Follows reports whether the lock was free when s was read and nobody has held
// it since: what was seen of the bucket then still holds. A claim whose answer
// was lost may say no although it does.
func (h *Hold) Follows(s State) bool {
	return h.record == nil || s.Lock == nil && h.replaced == s.lockTag
}

// fresh reports whether the last renewal is recent, and why the lock is held no
// more.
func (h *Hold) fresh() (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over != nil {
		return false, h.over
	}
	mono, wall := time.Since(h.began), h.wall().Round(0).Sub(h.wallB)
	return mono < h.lease/3 && wall >= 0 && wall < h.lease/3, nil
}

// close notes why the lock is held no more; the first reason stays.
func (h *Hold) close(why error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over == nil {
		h.over = why
	}
	return h.over
}

// closed is why the lock is held no more.
func (h *Hold) closed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.over
}

// take waits for the turn to write the lock. Whoever has it calls give.
func (h *Hold) take(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("renew the lock: %w", ctx.Err())
	}
}

func (h *Hold) give() { <-h.turn }

// keep renews the lock in the background until Release.
func (h *Hold) keep(ctx context.Context) {
	ctx, h.stop = context.WithCancel(ctx)
	h.done = make(chan struct{})
	go func() {
		defer close(h.done)
		for pause := h.lease / 4; sleep(ctx, pause) == nil; {
			if pause = h.lease/4 - h.age(); pause > 0 {
				continue // Check has renewed it meanwhile
			}
			// What is not about the lock, as credentials that have run out, is
			// Check's to tell and may pass.
			err := crash.Guard(func() error { return h.renewIf(ctx, func() bool { return true }) })()
			if errors.Is(err, ErrLost) {
				return
			}
			if pause = h.lease / 4; err == nil {
				pause -= h.age()
			}
		}
	}()
}

// age is how long ago the last renewal that succeeded began.
func (h *Hold) age() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.began)
}

// renewIf renews the lock if that is still due once its turn has come.
func (h *Hold) renewIf(ctx context.Context, due func() bool) error {
	if err := h.take(ctx); err != nil {
		return err
	}
	defer h.give()
	if over := h.closed(); over != nil || !due() {
		return over
	}
	h.lock.Sequence++
	return h.extend(ctx, h.persist)
}

// extend writes the lock as it is now, with a new end, and notes when that
// began. No earlier write had the same bytes: it cannot be taken for this one.
func (h *Hold) extend(ctx context.Context, write func(context.Context, Lock) error) error {
	mono, wall := time.Now(), h.wall()
	h.lock.Until = wall.Add(h.lease).UTC()
	if err := write(ctx, h.lock); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began, h.wallB = mono, wall.Round(0)
	return nil
}

// persist writes the lock in place of our own, for as long as that fails for
// the moment.
func (h *Hold) persist(ctx context.Context, next Lock) error {
	longest := min(2*time.Second, h.lease/8)
	for pause := min(250*time.Millisecond, longest); ; pause = min(2*pause, longest) {
		again, err := h.replace(ctx, next)
		if err == nil {
			return nil
		}
		if !again && !passing(ctx, err) {
			return fmt.Errorf("renew the lock: %w", err)
		}
		if stop := sleep(ctx, jitter(pause)); stop != nil {
			return fmt.Errorf("renew the lock: %w: %w", stop, err)
		}
	}
}

// replace writes the lock in place of our own, once. Where something else is
// there: an earlier write of ours, which arrived late, is the one to replace
// then, and the call is to be made again; anybody else's is ErrLost.
func (h *Hold) replace(ctx context.Context, next Lock) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(h.lease/3, 5*time.Second))
	defer cancel()
	tag, err := h.record.putJSON(ctx, lockFile, next, unchanged(h.tag))
	if err == nil {
		h.tag = tag
		return false, nil
	}
	if !refused(err) {
		return false, err
	}
	there, tag, readErr := readJSON[Lock](ctx, h.record, lockFile)
	d := (*damage)(nil)
	switch {
	case errors.As(readErr, &d):
		return false, h.close(fmt.Errorf("%w: %w", ErrLost, readErr))
	case readErr != nil:
		return false, readErr
	case there == nil:
		return false, h.close(fmt.Errorf("%w: somebody deleted it", ErrLost))
	case there.Holder != h.lock.Holder:
		return false, h.close(fmt.Errorf("%w: %s", ErrLost, there.what()))
	}
	h.tag = tag
	return true, err
}

// Release gives the lock back and stops renewing it. A lock that was lost is no
// error. Where it fails the lock lapses after a lease; a repeat tries again. It
// does not depend on the context of Lock.
func (h *Hold) Release(ctx context.Context) error {
	if h.record == nil {
		return nil
	}
	if h.stop != nil {
		h.stop()
		<-h.done
	}
	if err := h.take(ctx); err != nil {
		return err
	}
	defer h.give()
	if h.closed() == nil && h.wrote {
		if err := h.free(ctx); err != nil {
			return fmt.Errorf("give the lock back: %w", err)
		}
	}
	_ = h.close(errReleased)
	if h.end != nil {
		_ = h.end() // a file that stays behind says nothing wrong: nobody holds it
		h.end = nil
	}
	return nil
}

// free marks the lock as free, unless it is somebody else's by now.
func (h *Hold) free(ctx context.Context) error {
	next := h.lock
	next.Sequence++
	next.Free, next.Until = true, h.wall().UTC()
	h.lock.Sequence++ // a repeat has other bytes
	for n, pause := 1, firstPause; ; n, pause = n+1, 2*pause {
		again, err := h.replace(ctx, next)
		if err == nil || errors.Is(err, ErrLost) {
			return nil
		}
		if n == tries || !again && !passing(ctx, err) {
			return err
		}
		if stop := sleep(ctx, jitter(pause)); stop != nil {
			return fmt.Errorf("%w: %w", stop, err)
		}
	}
}
