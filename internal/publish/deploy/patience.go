package deploy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
)

// How often a request is made that fails for the moment while nothing has been
// begun, and how long the pauses are; they double. An adapter has tried a few
// times by itself, so this bridges some seconds more.
const (
	tries      = 5
	firstPause = 500 * time.Millisecond
	longPause  = 30 * time.Second
)

// patient calls do again as long as it fails with remote.ErrTemporary. Whether
// a failed try took effect is unknown, so a repeat of do must be safe. note,
// if not nil, is told before each pause.
func (e *Engine) patient(ctx context.Context, note func(string), do func() error) error {
	return Patient(ctx, note, do)
}

// Patient is for who prepares a run: it calls do up to five times, over some
// seconds, as long as it fails with remote.ErrTemporary. note, if not nil, is told
// before each pause.
func Patient(ctx context.Context, note func(string), do func() error) error {
	return retry(ctx, note, do, func(err error, n int) bool { return n < tries && errors.Is(err, remote.ErrTemporary) })
}

// persist is patient for what is under way: it gives up only when a request has
// failed for as long as an invalidation may take.
func (r *run) persist(ctx context.Context, note func(string), do func() error) error {
	if note == nil {
		note = func(text string) { r.report.send(Event{Stage: StageRecord, Note: text}) }
	}
	deadline := time.Now().Add(r.opts.Wait)
	return retry(ctx, note, do, func(err error, _ int) bool {
		return errors.Is(err, remote.ErrTemporary) && time.Now().Before(deadline)
	})
}

// retry calls do until it succeeds or again says no; again is told how often
// it was called.
func retry(ctx context.Context, note func(string), do func() error, again func(err error, n int) bool) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, min(2*pause, longPause) {
		err := do()
		if err == nil || ctx.Err() != nil || !again(err, n) {
			return err
		}
		wait := jitter(pause)
		if note != nil {
			note(fmt.Sprintf("%v; trying again in %s", err, wait.Round(100*time.Millisecond)))
		}
		if stop := sleep(ctx, wait); stop != nil {
			return fmt.Errorf("%w: %w", stop, err)
		}
	}
}

// jitter spreads retries of several machines: between half and all of d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
