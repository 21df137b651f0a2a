package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// Job is one publication: what the site is to be, and how it is decided what
// to do about it.
type Job struct {
	// Want says what the site is to be, given the record, and where its bytes
	// come from.
	Want Want
	// Plan decides what is done.
	Plan func(context.Context, plan.Live, site.Manifest) (plan.Plan, error)
	// Approve is shown the plan before anything happens; an error ends the run.
	// It is called once more, with again set, where another run published while
	// this one waited for the lock. nil approves of everything.
	Approve func(p plan.Plan, again bool) error
	// Revision is what the site was built from; nil where nobody knows.
	Revision *release.Revision
	// Resumes says that the job ends what the open journal began: then the
	// revision is the journal's.
	Resumes bool
}

// draft is a plan with what it was made from.
type draft struct {
	plan   plan.Plan
	live   plan.Live
	source Source
}

// Publish looks at what is live, plans, takes the lock, makes sure that the
// plan still holds, and carries it out. Where nothing is to do, nothing is
// sent.
//
// On ErrPending and ErrStale everything is uploaded and the Result is filled
// in. Where another run holds the lock for too long it fails with
// release.ErrLocked, where a newer revision is live with ErrOlder, and where
// another run got in between after all with release.ErrMoved or
// release.ErrLost.
func (e *Engine) Publish(ctx context.Context, job Job) (res Result, err error) {
	d, err := e.draft(ctx, job, false)
	if err != nil {
		return Result{}, err
	}
	job.Revision = job.builtFrom(d.live.State)
	note := d.plan.Empty() && job.Revision.Newer(d.live.State.Current.Rev())
	if d.plan.Empty() && !note && d.live.State.Lock == nil {
		return Result{Release: d.plan.Base}, nil
	}
	hold, err := e.lock(ctx, d)
	if err != nil {
		return Result{Release: d.plan.Release}, err
	}
	res, last, err := e.held(ctx, hold, job, d)
	left := e.unlock(ctx, hold, last)
	if err == nil {
		for _, l := range left {
			res.Warnings = append(res.Warnings, l.Error())
		}
		return res, nil
	}
	return res, errors.Join(err, errors.Join(left...))
}

// again is how often a run with the lock in hand plans anew because the record
// moved: once because another run published while this one waited, once because
// what that one does after it has given the lock back was under way still.
const again = 2

// held does what is to be done once the lock is held. The plan, made before, holds
// if nobody has had the lock since what is live was looked at, and the record has
// not moved; what moved is seen by Begin, which then has changed nothing. last, if
// not nil, is a request that is left to be made and needs no lock.
func (e *Engine) held(ctx context.Context, hold *release.Hold, job Job, d draft) (res Result, last func(context.Context) error, err error) {
	stale := !hold.Follows(d.live.State)
	for n := 0; ; n++ {
		if stale {
			if d, err = e.draft(ctx, job, true); err != nil {
				return Result{}, nil, err
			}
			job.Revision = job.builtFrom(d.live.State)
		}
		r := &run{Engine: e, draft: d, hold: hold, revision: job.Revision, state: d.live.State, began: e.opts.Now(), gate: newGate(e.opts.Jobs)}
		res, err = r.carryOut(ctx, !stale)
		if err == nil && r.begun {
			last = r.close
		}
		if r.begun || n == again || !errors.Is(err, release.ErrMoved) {
			return res, last, err
		}
		stale = true
	}
}

// builtFrom is the revision that the job publishes.
func (j Job) builtFrom(s release.State) *release.Revision {
	if j.Resumes && s.Journal != nil {
		return s.Journal.Revision
	}
	return j.Revision
}

// Run carries out p, whose base is live, if nothing has been published since
// it was made; else it fails with release.ErrMoved.
func (e *Engine) Run(ctx context.Context, p plan.Plan, live plan.Live, source Source) (Result, error) {
	made := false
	return e.Publish(ctx, Job{
		Want: Given(p.Site, source),
		Plan: func(_ context.Context, now plan.Live, _ site.Manifest) (plan.Plan, error) {
			if made || !now.State.Same(live.State) {
				return p, fmt.Errorf("plan %s: %w", p.Release, release.ErrMoved)
			}
			made = true
			return p, nil
		},
	})
}

// draft looks at what is live and plans against it.
func (e *Engine) draft(ctx context.Context, job Job, again bool) (d draft, err error) {
	var want site.Manifest
	d.live, want, d.source, err = e.observe(ctx, func(ctx context.Context, state release.State) (site.Manifest, Source, error) {
		if err := older(state, job); err != nil {
			return site.Manifest{}, nil, err
		}
		return job.Want(ctx, state)
	})
	if err != nil {
		return d, err
	}
	if d.plan, err = job.Plan(ctx, d.live, want); err != nil {
		return d, err
	}
	if job.Approve != nil {
		err = job.Approve(d.plan, again)
	}
	return d, err
}

// older refuses to publish over a newer revision of the same branch.
func older(state release.State, job Job) error {
	live := state.Current.Rev()
	if !live.Newer(job.Revision) {
		return nil
	}
	return fmt.Errorf("%w: release %s was built from %s of %s, this one from %s of %s", ErrOlder, state.Current.Release,
		live.Name, live.Time.Local().Format("2 Jan 2006 15:04:05"), job.Revision.Name, job.Revision.Time.Local().Format("2 Jan 2006 15:04:05"))
}

// lock waits for its turn.
func (e *Engine) lock(ctx context.Context, d draft) (*release.Hold, error) {
	o := e.opts.Lock
	o.Release, o.Seen = d.plan.Release, &d.live.State
	return e.record.Lock(ctx, o)
}

// waiting tells for whom a run waits.
func (e *Engine) waiting(l release.Lock, _ time.Duration) {
	text := "waiting for " + l.Writer + ", whose deploy began at " + l.Since.Local().Format("15:04:05")
	if l.Release != "" {
		text = fmt.Sprintf("waiting for %s, who has been publishing release %s since %s", l.Writer, l.Release, l.Since.Local().Format("15:04:05"))
	}
	e.report.send(Event{Stage: StageLock, Note: text})
}

// unlock lets the next run in, also where this one was broken off, and makes the
// last request meanwhile, nil for none. It returns what went wrong.
func (e *Engine) unlock(ctx context.Context, hold *release.Hold, last func(context.Context) error) (left []error) {
	const enough = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enough)
	defer cancel()
	closed := make(chan error, 1)
	go func() {
		if last == nil {
			closed <- nil
			return
		}
		closed <- last(ctx)
	}()
	if err := hold.Release(ctx); err != nil {
		left = append(left, fmt.Errorf("release the lock, which the next run takes over in a moment: %w", err))
	}
	if err := <-closed; err != nil {
		left = append(left, err)
	}
	return left
}

// note gives the live release the newer revision that has the same site, so
// that an older one cannot win over it later.
func (r *run) note(ctx context.Context) (Result, error) {
	err := r.records(ctx, func(ctx context.Context) (release.State, error) { return r.record.Note(ctx, r.state, r.revision) })
	return Result{Release: r.plan.Base, Noted: err == nil}, err
}
