package deploy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
)

// How often a request to the store or to the edge is made that fails for the
// moment, and how long the first pause is; it doubles. An adapter has tried a
// few times by itself, so this bridges some seconds more.
const (
	tries      = 5
	firstPause = 500 * time.Millisecond
)

// patient calls do again as long as it fails with remote.ErrTemporary. Whether
// a failed try took effect is unknown, so a repeat of do must be safe. note,
// if not nil, is told before each pause.
func (e *Engine) patient(ctx context.Context, note func(string), do func() error) error {
	return retry(ctx, note, do, func(err error) bool { return errors.Is(err, remote.ErrTemporary) })
}

func retry(ctx context.Context, note func(string), do func() error, passing func(error) bool) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, 2*pause {
		err := do()
		if err == nil || n == tries || ctx.Err() != nil || !passing(err) {
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
