package deploy

import (
	"context"
	"errors"
	"time"
)

// errLapsing: the lock has not been renewed for so long that somebody else may
// take it over soon.
var errLapsing = errors.New("the lock could not be renewed in time")

// check makes sure that the lock is held, and gives up when it cannot be renewed
// for as long as anything else is tried.
func (r *run) check(ctx context.Context) error { return within(ctx, r.opts.Wait, r.hold.Check) }

// fenced calls do while the lock is held, and breaks it off before somebody
// else can have the lock: a request that hangs must not arrive after that. Then
// it is called again once the lock is renewed; release.ErrLost where somebody
// has taken it over. A repeat of do must be safe.
func (r *run) fenced(ctx context.Context, do func(context.Context) error) error {
	for {
		if err := r.check(ctx); err != nil {
			return err
		}
		if err := r.watched(ctx, do); !errors.Is(err, errLapsing) {
			return err
		}
		r.report.send(Event{Stage: StageLock, Note: errLapsing.Error() + "; trying to get hold of it again"})
	}
}

// watched calls do and breaks it off with errLapsing where the lock is about to
// lapse.
func (r *run) watched(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		cancel(r.watch(ctx))
	}()
	err := do(ctx)
	cancel(nil)
	<-watched
	if err != nil && errors.Is(context.Cause(ctx), errLapsing) {
		return errLapsing
	}
	return err
}

// watch returns once the lock has not been renewed for two thirds of a lease,
// or ctx is done. Check is content for a third of a lease after a renewal began;
// a sixth may pass until it is asked, and it has another to answer.
func (r *run) watch(ctx context.Context) error {
	lease := r.hold.Lease()
	for sleep(ctx, lease/6) == nil {
		if err := within(ctx, lease/6, r.hold.Check); err != nil {
			return errLapsing
		}
	}
	return ctx.Err()
}

// within calls do with at most d of time.
func within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return do(ctx)
}
