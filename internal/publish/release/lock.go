package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
)

var (
	// ErrLocked: another deploy holds the lock.
	ErrLocked = errors.New("another deploy holds the lock")
	// ErrLost: the lock is not this deploy's any more.
	ErrLost = errors.New("the lock was taken over by another deploy")
)

const (
	defaultLease = 30 * time.Second
	minLease     = 10 * time.Millisecond
	maxLease     = time.Hour
	pollEvery    = time.Second
)

// Lock is lock.json: who may write to the bucket. Every write of it has other
// bytes, by Holder and Sequence, and so another ETag.
type Lock struct {
	Version  int       `json:"version"`
	Holder   string    `json:"holder"`            // 128 random bits in hexadecimal
	Writer   string    `json:"writer"`            // user and machine, for people
	Host     string    `json:"host,omitempty"`    // the machine, for LockOptions.Gone
	Release  ID        `json:"release,omitempty"` // what is being made, for people
	Sequence int       `json:"sequence"`          // grows with each write of the holder
	Since    time.Time `json:"since"`             // for people: clocks are compared nowhere
	Until    time.Time `json:"until"`             // likewise
	LeaseMS  int64     `json:"lease_ms"`          // how long it stands without a renewal, in milliseconds
	Free     bool      `json:"free,omitempty"`    // nobody holds it; Holder was the last who did
}

// lease is how long l stands without a renewal, within what is sensible.
func (l Lock) lease() time.Duration {
	ms := min(max(l.LeaseMS, minLease.Milliseconds()), maxLease.Milliseconds())
	return time.Duration(ms) * time.Millisecond
}

// what says for people who has l.
func (l Lock) what() string {
	making := ""
	if l.Release != "" {
		making = " for release " + string(l.Release)
	}
	return fmt.Sprintf("%s has had it%s since %s", l.Writer, making, l.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// LockOptions say how Record.Lock goes about it.
type LockOptions struct {
	Writer  string // user and machine, for people
	Host    string // this machine, as Gone of other runs on it knows it; may be ""
	Release ID     // what is being made, for people; may be ""
	// Seen is the record as it was read last. A lock that was free then is claimed
	// as it was, without another look: that succeeds only where nobody has held it
	// since. nil means that it is looked at first.
	Seen *State
	// Lease is how long the lock stands without a renewal, and so how long others
	// wait for a run that was killed. 0 means 30 s, an hour is the most.
	Lease   time.Duration
	Timeout time.Duration // how long to wait for a holder; 0 does not wait
	// Announce makes this holder's presence known on this machine before the
	// lock is written; what it returns ends that. nil means that nobody is told.
	// Presence only spares others the wait: its failures are ignored.
	Announce func(holder string) (end func() error, err error)
	// Gone tells whether that holder is known to be dead; nil means never.
	Gone func(holder, host string) bool
	// Waiting is told at once and then about every second who holds the lock,
	// and how long it is until that holder counts as dead if it does not renew;
	// nil means that nobody is told. It must not block for long.
	Waiting func(held Lock, left time.Duration)
	// Wall is this machine's wall clock, for people and for Hold.Check; nil means
	// time.Now.
	Wall func() time.Time
}

// Lock takes the lock, makes the record where there is none, and sees to it that
// the store honours conditional writes. It waits for a holder for o.Timeout and
// takes the lock over from one that is dead: known to be, or seen not to have
// renewed for a whole lease of its own on this machine's monotonic clock.
// ErrLocked where somebody has it still; remote.ErrUnsupported where the store
// has no conditional writes. After an error nothing is held, and the lock is
// given back as far as the store can be reached.
//
// The Hold is renewed until it is released, also after ctx has ended; Release
// must be called. With Options.Unconditional it is a Hold that does nothing.
func (r *Record) Lock(ctx context.Context, o LockOptions) (*Hold, error) {
	probed := r.prefix == "" // by establish, a moment ago
	if err := r.establish(ctx); err != nil {
		return nil, err
	}
	if r.always {
		return &Hold{}, nil
	}
	h, err := r.newHold(o)
	if err != nil {
		return nil, err
	}
	g, gctx := crash.WithContext(ctx)
	if !probed {
		g.Go(func() error { return r.Probe(gctx) })
	}
	g.Go(func() error { return h.acquire(gctx, ctx, o) })
	if err := g.Wait(); err != nil {
		h.abandon(ctx)
		return nil, fmt.Errorf("take the lock: %w", err)
	}
	return h, nil
}

// abandon gives back, after a failure, what may have been taken. What cannot be
// given back lapses after a lease.
func (h *Hold) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = h.Release(ctx)
}

// watch is what a contender has seen of the lock.
type watch struct {
	began   time.Time // when it began to wait
	tag     string    // of the lock that was seen last; "" for none
	since   time.Time // when that was seen first; zero before the first look
	told    time.Time // when somebody was told last
	holder  string    // about whom
	refused int       // claims in a row that failed although the lock is still the same
}

// saw notes what the lock is now. The time counts from the end of the look, so
// never from before the holder wrote it.
func (w *watch) saw(tag string) {
	if w.since.IsZero() || w.tag != tag {
		w.tag, w.since, w.refused = tag, time.Now(), 0
	}
}

// left is how long it takes until the holder counts as dead.
func (w *watch) left(held *Lock) time.Duration { return held.lease() - time.Since(w.since) }

// acquire claims the lock as soon as it may. The renewing outlives ctx, but not
// the values of root.
func (h *Hold) acquire(ctx, root context.Context, o LockOptions) error {
	w := &watch{began: time.Now()}
	if o.Seen != nil && o.Seen.Lock == nil {
		if err := h.claim(ctx, o.Seen.lockTag); err == nil {
			h.keep(context.WithoutCancel(root))
			return nil
		} else if !refused(err) {
			return err
		}
	}
	for {
		held, tag, err := h.look(ctx)
		if err != nil {
			return err
		}
		w.saw(tag)
		if !h.claimable(held, w, o) {
			if err := w.wait(ctx, *held, o); err != nil {
				return err
			}
			continue
		}
		err = h.claim(ctx, tag)
		if err == nil {
			h.keep(context.WithoutCancel(root))
			return nil
		}
		if !refused(err) {
			return err
		}
		if err := w.beaten(ctx, h.record, err); err != nil {
			return err
		}
	}
}

// look reads the lock; nil when there is none.
func (h *Hold) look(ctx context.Context) (held *Lock, tag string, err error) {
	err = patient(ctx, func(ctx context.Context) (err error) {
		held, tag, err = readJSON[Lock](ctx, h.record, lockFile)
		return err
	})
	if d := (*damage)(nil); errors.As(err, &d) && !errors.Is(err, ErrVersion) {
		return nil, "", fmt.Errorf("%w; if no deploy is under way, delete %s", err, h.record.key(lockFile))
	}
	return held, tag, err
}

// claimable reports whether the lock may be taken. Our own is a claim whose
// answer never came: claiming it again tells since when we have it.
func (h *Hold) claimable(held *Lock, w *watch, o LockOptions) bool {
	return held == nil || held.Free || h.wrote && held.Holder == h.lock.Holder ||
		w.left(held) <= 0 || o.Gone != nil && o.Gone(held.Holder, held.Host)
}

// claim writes the lock in place of the one with the given ETag.
func (h *Hold) claim(ctx context.Context, tag string) error {
	h.lock.Sequence++
	h.lock.Since = h.wall().UTC()
	h.tag, h.replaced, h.wrote = tag, tag, true
	return h.extend(ctx, func(ctx context.Context, next Lock) error {
		return patient(ctx, func(ctx context.Context) error {
			tag, err := h.record.putJSON(ctx, lockFile, next, unchanged(h.tag))
			if err == nil {
				h.tag = tag
			}
			return err
		})
	})
}

// beaten is called after a claim was refused. As a rule somebody else was
// faster, and the next look tells who.
func (w *watch) beaten(ctx context.Context, r *Record, err error) error {
	if w.refused++; w.refused == 1 {
		return nil
	}
	if w.refused == tries {
		return r.unprotected("refuses conditional writes although nothing has changed", fmt.Errorf("%w: %w", remote.ErrUnsupported, err))
	}
	return sleep(ctx, jitter(firstPause))
}

// wait waits a moment for the holder, and tells about it. ErrLocked once that
// takes too long.
func (w *watch) wait(ctx context.Context, held Lock, o LockOptions) error {
	patience := o.Timeout - time.Since(w.began)
	if patience <= 0 {
		return fmt.Errorf("%w: %s", ErrLocked, held.what())
	}
	left := w.left(&held)
	if o.Waiting != nil && (w.holder != held.Holder || time.Since(w.told) >= pollEvery*9/10) {
		w.told, w.holder = time.Now(), held.Holder
		o.Waiting(held, left)
	}
	poll := max(min(pollEvery, held.lease()/10), minLease)
	return sleep(ctx, min(poll, left, patience))
}
