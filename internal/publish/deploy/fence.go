package deploy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/crash"
)

// errLapsing: the lock has not been renewed for so long that somebody else may
// take it over soon.
var errLapsing = errors.New("the lock could not be renewed in time")

// check makes sure that the lock is held, and gives up when it cannot be renewed
// for as long as anything else is tried.
func (r *run) check(ctx context.Context) error { return within(ctx, r.opts.Wait, r.hold.Check) }

// fenced is fence.do for one call.
func (r *run) fenced(ctx context.Context, do func(context.Context) error) error {
	f := r.fence(ctx)
	defer f.end()
	return f.do(do)
}

// fence lets calls through while the lock is held. All of them are watched over
// by one goroutine.
type fence struct {
	run *run
	ctx context.Context // of all calls

	mu  sync.Mutex // held while the lock is looked at before a watch begins
	now *watch     // nil before the first call
}

func (r *run) fence(ctx context.Context) *fence { return &fence{run: r, ctx: ctx} }

// watch is a time in which the lock never was about to lapse.
type watch struct {
	ctx    context.Context // done with errLapsing where it is
	cancel context.CancelCauseFunc
	over   chan struct{} // closed when nobody watches any more
}

// do calls do while the lock is held, and breaks it off before somebody else can
// have the lock: a request that hangs must not arrive after that. Then it is
// called again once the lock is renewed; release.ErrLost where somebody has taken
// it over. A repeat of do must be safe.
func (f *fence) do(do func(context.Context) error) error {
	for {
		if err := f.run.check(f.ctx); err != nil {
			return err
		}
		ctx, err := f.watched()
		if err != nil {
			return err
		}
		if err := do(ctx); err == nil || !errors.Is(context.Cause(ctx), errLapsing) {
			return err
		}
	}
}

// watched is the context of the watch. A new one begins only after the lock was
// found to be held: the check before may be of the time of the last watch.
func (f *fence) watched() (context.Context, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now != nil && f.now.ctx.Err() == nil {
		return f.now.ctx, nil
	}
	if err := f.run.check(f.ctx); err != nil {
		return nil, err
	}
	f.stop()
	w := &watch{over: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancelCause(f.ctx)
	f.now = w
	go func() {
		defer close(w.over)
		err := crash.Guard(func() error { return f.run.watch(w.ctx) })()
		w.cancel(err)
		if errors.Is(err, errLapsing) {
			f.run.report.send(Event{Stage: StageLock, Note: errLapsing.Error() + "; trying to get hold of it again"})
		}
	}()
	return w.ctx, nil
}

// end stops the watch; no call may be under way.
func (f *fence) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
}

func (f *fence) stop() {
	if f.now != nil {
		f.now.cancel(nil)
		<-f.now.over
	}
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
