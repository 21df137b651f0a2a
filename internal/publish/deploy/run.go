package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// run is one plan under way, with the lock held.
type run struct {
	*Engine
	draft
	hold     *release.Hold
	revision *release.Revision
	state    release.State // the record as this run has left it
	began    time.Time
	gate     *gate // what all its uploads go through
	begun    bool  // the journal stands
}

// carryOut does what the plan says, or notes the revision where that is all. A
// plan with nothing to do sends nothing. early says that the plan was made before
// the lock was held: then release.ErrMoved, without a step begun, where it does
// not hold any more.
func (r *run) carryOut(ctx context.Context, early bool) (Result, error) {
	res := Result{Release: r.plan.Release}
	note := r.plan.Empty() && r.revision.Newer(r.live.State.Current.Rev())
	if early && (note || r.record.Unconditional()) {
		if err := r.unchanged(ctx, r.record.Unchanged); err != nil {
			return res, err
		}
	}
	if note {
		return r.note(ctx)
	}
	if r.plan.Empty() {
		res.Release = r.plan.Base
		return res, nil
	}
	res.Changed = true
	err := r.steps(ctx, &res)
	if errors.Is(err, ErrStale) {
		err = errors.Join(err, r.outlived(ctx))
	}
	return res, err
}

// steps are those of the protocol. What needs no answer of what stands before it
// goes along with that: bytes are kept while the journal is written, since they
// lie where only the record names them, and the manifest is stored while the
// invalidation is under way, since both need no more than that everything is
// uploaded and removed.
func (r *run) steps(ctx context.Context, res *Result) error {
	if err := both(ctx, r.begin, r.keepAll); err != nil {
		return err
	}
	r.begun = true
	published, err := r.upload(ctx)
	if err != nil {
		return err
	}
	if err := r.remove(ctx); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	made := r.makes(published)
	proved := make(chan struct{})
	store := func(ctx context.Context) error { return r.store(ctx, made, proved) }
	refresh := func(ctx context.Context) error {
		err := r.refresh(ctx, res)
		if err == nil {
			close(proved)
		}
		return err
	}
	if err := both(ctx, store, refresh); err != nil {
		return err
	}
	if err := r.commit(ctx, made); err != nil {
		return err
	}
	res.Warnings = r.trim(ctx, made)
	return nil
}

// both calls first and second at once. Where first fails, second is broken off,
// and the error is that of first; a failure of second lets first end.
func both(ctx context.Context, first, second func(context.Context) error) error {
	sctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- second(sctx) }()
	err := first(ctx)
	if err != nil {
		cancel()
	}
	return cmp.Or(err, <-done)
}

// refresh invalidates, waits and asks the edge.
func (r *run) refresh(ctx context.Context, res *Result) (err error) {
	if res.Invalidations, err = r.invalidateAll(ctx, r.plan.Release, r.plan.Purges); err != nil {
		return err
	}
	res.Verified, err = r.verify(ctx, r.plan, r.live.State)
	return err
}

// outlived notes that the edge goes on with old answers after everything was
// purged, so that the next run purges anew instead of repeating what is done.
func (r *run) outlived(ctx context.Context) error {
	j := *r.state.Journal
	j.Stale = true
	return r.records(ctx, func(ctx context.Context) (release.State, error) { return r.record.Begin(ctx, r.state, j) })
}

// begin writes the intent, where nothing has moved since the plan was made: the
// journal by its condition, which every run's own makes fail, and the pointer,
// which somebody may have moved or deleted without one, by a look meanwhile.
func (r *run) begin(ctx context.Context) error {
	j := r.intent()
	write := func(ctx context.Context) error {
		return r.records(ctx, func(ctx context.Context) (release.State, error) { return r.record.Begin(ctx, r.state, j) })
	}
	if r.record.Unconditional() {
		return write(ctx)
	}
	return both(ctx, write, func(ctx context.Context) error { return r.unchanged(ctx, r.record.PointerUnchanged) })
}

// unchanged fails with release.ErrMoved where the record is not what the plan was
// made from.
func (r *run) unchanged(ctx context.Context, look func(context.Context, release.State) (bool, error)) error {
	return r.persist(ctx, nil, func() error {
		same, err := look(ctx, r.live.State)
		if err == nil && !same {
			err = fmt.Errorf("carry out the plan of release %s: %w", r.plan.Release, release.ErrMoved)
		}
		return err
	})
}

// records writes to the record, and remembers how that stands then.
func (r *run) records(ctx context.Context, write func(context.Context) (release.State, error)) error {
	return r.fenced(ctx, func(ctx context.Context) error {
		return r.persist(ctx, nil, func() error {
			state, err := write(ctx)
			if err == nil {
				r.state = state
			}
			return err
		})
	})
}

// intent is everything that the run may do, and what an interrupted one before
// it has left over.
func (r *run) intent() release.Journal {
	p := r.plan
	j := release.Journal{
		Release: p.Release, Number: p.Number, Base: p.Base, Started: r.began.UTC(), Writer: r.opts.Lock.Writer,
		Site: plan.Fingerprint(p.Site), Revision: r.revision, Restores: p.Restores,
	}
	j.Touched = make([]site.Key, 0, len(p.Steps)) // a first deploy's are many
	for _, s := range p.Steps {
		if s.Op != plan.OpRetire {
			j.Touched = append(j.Touched, s.Object.Key)
		}
	}
	j.Overwritten = overwritten(j.Touched, r.live.Objects)
	if old := r.live.State.Journal; old != nil {
		j.Touched = union(j.Touched, old.Touched)
		j.Overwritten = joined(old.Overwritten, j.Overwritten)
	}
	for _, purge := range p.Purges {
		j.Pending = slices.Grow(j.Pending, len(purge.Changed))
		for _, u := range purge.Changed {
			j.Pending = append(j.Pending, release.PendingURL{Distribution: purge.Distribution, Path: u.Path, Key: u.Object, Variants: u.Variants})
		}
	}
	return j
}

// overwritten lists the foreign objects among keys.
func overwritten(keys []site.Key, objects []plan.Observed) []release.Overwritten {
	foreign := map[site.Key]string{}
	for _, o := range objects {
		if !o.Ours {
			foreign[o.Object.Key] = o.Object.ETag
		}
	}
	var out []release.Overwritten
	for _, k := range keys {
		if etag, ok := foreign[k]; ok {
			out = append(out, release.Overwritten{Key: k, ETag: etag})
		}
	}
	return out
}

// joined is old and what new has beside it. Where a key is in both, what new
// found is what lies there now.
func joined(old, new []release.Overwritten) []release.Overwritten {
	seen := make(map[site.Key]bool, len(new))
	for _, o := range new {
		seen[o.Key] = true
	}
	for _, o := range old {
		if !seen[o.Key] {
			new = append(new, o)
		}
	}
	return new
}

func union(a, b []site.Key) []site.Key {
	seen := make(map[site.Key]bool, len(a))
	for _, k := range a {
		seen[k] = true
	}
	for _, k := range b {
		if !seen[k] {
			a = append(a, k)
		}
	}
	return a
}

// makes is the manifest of what is in the bucket once published is.
func (r *run) makes(published site.Manifest) release.Manifest {
	return r.plan.Manifest(r.live.State, published, release.Entry{
		Created: r.opts.Now().UTC(), Writer: r.opts.Lock.Writer, Revision: r.publishes(),
	})
}

// store stores the manifest of what is now in the bucket, and marks the journal
// with it: from here on, only invalidating, proving and moving the pointer are
// left, which any machine can do without the site's files. Where that is proved by
// then, the pointer says all that the mark would.
func (r *run) store(ctx context.Context, m release.Manifest, proved <-chan struct{}) error {
	err := r.records(ctx, func(ctx context.Context) (release.State, error) { return r.record.StoreManifest(ctx, r.state, m) })
	if err != nil {
		return err
	}
	select {
	case <-proved:
		return nil
	default:
	}
	return r.records(ctx, func(ctx context.Context) (release.State, error) { return r.record.Mark(ctx, r.state) })
}

// publishes is the revision that the release bears: a rollback and a sweep
// keep that of the release before, since they build nothing.
func (r *run) publishes() *release.Revision {
	if r.revision == nil {
		return r.live.State.Current.Rev()
	}
	return r.revision
}

// commit makes the release the live one.
func (r *run) commit(ctx context.Context, m release.Manifest) error {
	took := r.opts.Now().Sub(r.began)
	return r.records(ctx, func(ctx context.Context) (release.State, error) { return r.record.Commit(ctx, r.state, m, took) })
}

// close closes the journal. Where that fails nothing is left to do, since the
// journal of the release that is live counts as closed: it is worth a warning, and
// not even that where the next run has written its own. It needs no lock, since
// its condition fails then.
func (r *run) close(ctx context.Context) error {
	err := r.patient(ctx, nil, func() error { _, err := r.record.Close(ctx, r.state); return err })
	if err != nil && !errors.Is(err, release.ErrMoved) {
		return fmt.Errorf("release %s is live, but %w", r.plan.Release, err)
	}
	return nil
}

// trim deletes what no kept release names any more, where the plan says that
// there is such. The release is live already: a failure is worth a warning, and
// the next sweep tries again.
func (r *run) trim(ctx context.Context, m release.Manifest) []string {
	if r.plan.Trims == 0 && r.plan.Resumes == "" {
		return nil
	}
	err := r.fenced(ctx, func(ctx context.Context) error {
		return r.patient(ctx, nil, func() error { _, err := r.record.Trim(ctx, m); return err })
	})
	if err != nil {
		return []string{fmt.Sprintf("what earlier releases left in the record could not be deleted: %v", err)}
	}
	return nil
}
