package release

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/freshet/freshet/internal/publish/remote"
)

// How often a request that fails for the moment is made, how long the first
// pause is, which doubles, and how long one request may take. An adapter has
// tried a few times by itself.
const (
	tries      = 6
	firstPause = 100 * time.Millisecond
	attempt    = 15 * time.Second
)

// patient calls do again while it fails for the moment. Whether a failed try
// took effect is unknown, so a repeat of do must be safe.
func patient(ctx context.Context, do func(context.Context) error) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, 2*pause {
		err := within(ctx, attempt, do)
		if err == nil || n == tries || !passing(ctx, err) {
			return err
		}
		if stop := sleep(ctx, jitter(pause)); stop != nil {
			return fmt.Errorf("%w: %w", stop, err)
		}
	}
}

// within calls do with at most d of time.
func within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return do(ctx)
}

// passing reports whether a call under ctx failed for the moment: the service
// said so, or the call alone ran out of time. A refusal is an answer, whatever
// else went wrong.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !refused(err) &&
		(errors.Is(err, remote.ErrTemporary) || errors.Is(err, context.DeadlineExceeded))
}

// jitter spreads the tries of several machines: between half and all of d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

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
