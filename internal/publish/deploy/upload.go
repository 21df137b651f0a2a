package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// upload carries out the uploads and header changes of p, phase by phase, and
// returns the site with the ETags that the store answered.
func (e *Engine) upload(ctx context.Context, p plan.Plan, source Source) (site.Manifest, error) {
	objects := append([]site.Object(nil), p.Site.Objects()...)
	index := make(map[site.Key]int, len(objects))
	for i, o := range objects {
		index[o.Key] = i
	}
	total, bytes := p.Count(plan.OpAdd, plan.OpUpdate)
	headers, _ := p.Count(plan.OpHeaders)
	progress := &counter{report: e.report, event: Event{Stage: StageUpload, Total: total + headers, TotalBytes: bytes}}
	for phase := range plan.Phase(plan.Phases) {
		steps := inPhase(p.Steps, phase)
		if len(steps) == 0 {
			continue
		}
		progress.note(phase.String())
		tags, err := e.phase(ctx, steps, source, progress)
		if err != nil {
			return site.Manifest{}, err
		}
		for i, s := range steps {
			objects[index[s.Object.Key]].ETag = tags[i]
		}
	}
	if total+headers > 0 {
		progress.finish()
	}
	return site.NewManifest(objects)
}

func inPhase(steps []plan.Step, phase plan.Phase) []plan.Step {
	var out []plan.Step
	for _, s := range steps {
		if s.Phase == phase && s.Op != plan.OpRemove && s.Op != plan.OpRetire {
			out = append(out, s)
		}
	}
	return out
}

// phase carries out steps, several at once, and returns when all are done. The
// ETags stand in the order of the steps. The first failure stops the others.
func (e *Engine) phase(ctx context.Context, steps []plan.Step, source Source, progress *counter) ([]string, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	tags, errs := make([]string, len(steps)), make([]error, len(steps))
	for i, s := range steps {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			errs[i] = e.patient(gctx, progress.note, func() (err error) {
				tags[i], err = e.carryOut(gctx, s, source)
				return err
			})
			if errs[i] != nil {
				errs[i] = fmt.Errorf("upload %s: %w", s.Object.Key, errs[i])
				return errs[i]
			}
			progress.done(1, sent(s))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, failures(ctx, err, errs)
	}
	return tags, nil
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
func sent(s plan.Step) int64 {
	if s.Op == plan.OpHeaders {
		return 0
	}
	return s.Object.Size
}

func (e *Engine) carryOut(ctx context.Context, s plan.Step, source Source) (etag string, err error) {
	if s.Op != plan.OpHeaders {
		return e.put(ctx, s.Object, source)
	}
	etag, err = e.store.Copy(ctx, s.Object.Key, s.Object.Key, s.Object.Headers)
	if errors.Is(err, remote.ErrNotFound) || err == nil && copiedOther(s, etag) {
		return e.put(ctx, s.Object, source)
	}
	return etag, err
}

// copiedOther reports whether a copy of an object onto itself took bytes that
// somebody else has written since the plan was made. A copy keeps the ETag of
// plain objects; it changes those of multipart uploads (fact sheet 7.1), which
// therefore prove nothing.
func copiedOther(s plan.Step, etag string) bool {
	return s.Old != nil && s.Old.ETag != "" && !strings.Contains(s.Old.ETag, "-") && etag != s.Old.ETag
}

// put sends one file. The store refuses bytes that are not those scanned.
func (e *Engine) put(ctx context.Context, o site.Object, source Source) (etag string, err error) {
	scanned, ok := source[o.Key]
	if !ok || scanned.Digest != o.Digest {
		return "", errors.New("the file is not the one that was planned; run the command again")
	}
	file, err := scanned.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return e.store.Put(ctx, remote.Put{Key: o.Key, Size: o.Size, Digest: o.Digest, Headers: o.Headers, Body: file})
}

// remove deletes the pages and feeds that the site dropped: after the uploads,
// and before the invalidation, so that an edge cannot fetch them again.
func (e *Engine) remove(ctx context.Context, p plan.Plan) error {
	var keys []site.Key
	for _, s := range p.Steps {
		if s.Op == plan.OpRemove {
			keys = append(keys, s.Object.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	note := func(text string) { e.report.send(Event{Stage: StageRemove, Total: len(keys), Note: text}) }
	if err := e.patient(ctx, note, func() error { return e.store.Delete(ctx, keys) }); err != nil {
		return fmt.Errorf("remove pages: %w", err)
	}
	e.report.send(Event{Stage: StageRemove, Done: len(keys), Total: len(keys), Finished: true})
	return nil
}
