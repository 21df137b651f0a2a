package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// upload carries out the uploads and header changes of the plan, phase by phase,
// and returns the site with the ETags that the store answered.
func (r *run) upload(ctx context.Context) (site.Manifest, error) {
	p := r.plan
	objects := append([]site.Object(nil), p.Site.Objects()...)
	total, bytes := p.Count(plan.OpAdd, plan.OpUpdate)
	headers, _ := p.Count(plan.OpHeaders)
	progress := &counter{report: r.report, event: Event{Stage: StageUpload, Total: total + headers, TotalBytes: bytes}}
	for phase := range plan.Phase(plan.Phases) {
		steps := inPhase(p.Steps, phase)
		if len(steps) == 0 {
			continue
		}
		progress.note(phase.String())
		tags, err := r.phase(ctx, steps, progress)
		if err != nil {
			return site.Manifest{}, err
		}
		for i, s := range steps {
			at, _ := slices.BinarySearchFunc(objects, s.Object.Key, func(o site.Object, k site.Key) int { return cmp.Compare(o.Key, k) })
			objects[at].ETag = tags[i] // the plan's site has what the plan uploads
		}
	}
	if total+headers > 0 {
		progress.finish()
	}
	return site.NewManifest(objects)
}

func inPhase(steps []plan.Step, phase plan.Phase) []*plan.Step {
	return those(steps, func(s *plan.Step) bool {
		return s.Phase == phase && (s.Op == plan.OpAdd || s.Op == plan.OpUpdate || s.Op == plan.OpHeaders)
	})
}

func those(steps []plan.Step, is func(*plan.Step) bool) []*plan.Step {
	var out []*plan.Step
	for i := range steps {
		if is(&steps[i]) {
			out = append(out, &steps[i])
		}
	}
	return out
}

// phase carries out steps, several at once, and returns when all are done. The
// ETags stand in the order of the steps. The first failure stops the others.
func (r *run) phase(ctx context.Context, steps []*plan.Step, progress *counter) ([]string, error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	tags := make([]string, len(steps))
	err := r.each(ctx, steps, func(ctx context.Context, i int, s *plan.Step) (err error) {
		if tags[i], err = r.write(ctx, s, progress.tell); err != nil {
			return fmt.Errorf("upload %s: %w", s.Object.Key, err)
		}
		progress.step(s, sent(s))
		return nil
	})
	return tags, err
}

// each calls do for the steps, as many at once as the run's window lets through,
// as long as the lock is held. The first failure stops the others.
func (r *run) each(ctx context.Context, steps []*plan.Step, do func(context.Context, int, *plan.Step) error) error {
	g, gctx := errgroup.WithContext(ctx)
	fence := r.fence(remote.WithThrottled(gctx, r.gate.slowDown))
	defer fence.end()
	errs := make([]error, len(steps))
	for i, s := range steps {
		if r.gate.enter(gctx) != nil {
			break // something has failed, or the caller gave up
		}
		g.Go(func() error {
			defer r.gate.leave()
			errs[i] = fence.do(func(ctx context.Context) error { return do(ctx, i, s) })
			return errs[i]
		})
	}
	r.gate.over()
	if err := cmp.Or(g.Wait(), ctx.Err()); err != nil {
		return failures(ctx, err, errs)
	}
	return nil
}

// failures joins what failed, in the order of the steps; what was only broken
// off because of another failure is not one.
func failures(ctx context.Context, first error, errs []error) error {
	if ctx.Err() != nil {
		return first
	}
	var out []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			out = append(out, err)
		}
	}
	if len(out) == 0 {
		return first
	}
	return errors.Join(out...)
}

// sent is how many bytes of files a step sends; a copy onto itself sends none.
func sent(s *plan.Step) int64 {
	if s.Op == plan.OpHeaders {
		return 0
	}
	return s.Object.Size
}

// write carries out one upload or header change.
func (r *run) write(ctx context.Context, s *plan.Step, note func(string)) (etag string, err error) {
	err = r.persist(ctx, func(text string) { r.gate.slowDown(); note(text) }, func() (err error) {
		if s.Op == plan.OpHeaders {
			etag, err = r.rewrite(ctx, s.Object, s.Old)
		} else {
			etag, err = r.source.write(ctx, r.Engine.store, s.Object)
		}
		return err
	})
	return etag, err
}

// rewrite gives the object other headers: a copy onto itself, or, where
// somebody has put other bytes there since the plan was made, its own bytes.
func (r *run) rewrite(ctx context.Context, o site.Object, old *site.Object) (string, error) {
	c := remote.Copy{From: o.Key, To: o.Key, Headers: o.Headers.Get()}
	if old != nil {
		c.IfETag = old.ETag
	}
	etag, err := r.copy(ctx, c)
	if errors.Is(err, remote.ErrNotFound) || errors.Is(err, remote.ErrPrecondition) {
		return r.source.write(ctx, r.Engine.store, o)
	}
	return etag, err
}

// copy is remote.Store.Copy also on a store without conditions, which one
// publishes to without a lock: there a look has to do.
func (r *run) copy(ctx context.Context, c remote.Copy) (string, error) {
	etag, err := r.Engine.store.Copy(ctx, c)
	if c.IfETag == "" || !errors.Is(err, remote.ErrUnsupported) {
		return etag, err
	}
	head, err := r.Engine.store.Head(ctx, c.From)
	if err == nil && head.ETag != c.IfETag {
		err = remote.ErrPrecondition
	}
	if err != nil {
		return "", err
	}
	c.IfETag = ""
	return r.Engine.store.Copy(ctx, c)
}

// keepAll copies the bytes that the run is going to destroy to the record, all
// before the first of them goes: so they are one round trip, and not one for
// each phase.
func (r *run) keepAll(ctx context.Context) error {
	keeps := those(r.plan.Steps, func(s *plan.Step) bool { return s.Keep })
	if len(keeps) == 0 {
		return nil
	}
	note := func(text string) { r.report.send(Event{Stage: StageRecord, Note: text}) }
	return r.each(ctx, keeps, func(ctx context.Context, _ int, s *plan.Step) error {
		if err := r.keep(ctx, s, note); err != nil {
			return fmt.Errorf("replace %s: %w", s.Object.Key, err)
		}
		return nil
	})
}

// keep copies the bytes that a step is going to destroy. Where they are gone
// already, somebody else has destroyed them since the plan was made, and nothing
// is left to keep.
func (r *run) keep(ctx context.Context, s *plan.Step, note func(string)) error {
	c := remote.Copy{
		From: s.Old.Key, To: r.record.ContentKey(s.Old.Digest), IfETag: s.Old.ETag,
		Headers: site.Headers{ContentType: "application/octet-stream", CacheControl: "private, no-store"},
	}
	err := r.persist(ctx, note, func() error { _, err := r.copy(ctx, c); return err })
	if errors.Is(err, remote.ErrNotFound) || errors.Is(err, remote.ErrPrecondition) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep what was published before: %w", err)
	}
	return nil
}

// remove deletes the pages and feeds that the site dropped, and the assets
// whose time is over: after the uploads, and before the invalidation, so that
// an edge cannot fetch them again.
func (r *run) remove(ctx context.Context) error {
	steps := those(r.plan.Steps, func(s *plan.Step) bool { return s.Op == plan.OpRemove || s.Op == plan.OpSweep })
	if len(steps) == 0 {
		return nil
	}
	keys := make([]site.Key, len(steps))
	for i, s := range steps {
		keys[i] = s.Object.Key
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	r.report.send(Event{Stage: StageRemove, Total: len(keys)})
	note := func(text string) { r.report.send(Event{Stage: StageRemove, Total: len(keys), Note: text}) }
	err := r.fenced(ctx, func(ctx context.Context) error {
		return r.persist(ctx, note, func() error { return r.Engine.store.Delete(ctx, keys) })
	})
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	for i, s := range steps {
		r.report.send(Event{Stage: StageRemove, Done: i + 1, Total: len(keys), Step: s})
	}
	r.report.send(Event{Stage: StageRemove, Done: len(keys), Total: len(keys), Finished: true})
	return nil
}
