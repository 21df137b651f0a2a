package deploy

import (
	"context"
	"errors"
	"fmt"

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
// ETags stand in the order of the steps.
func (e *Engine) phase(ctx context.Context, steps []plan.Step, source Source, progress *counter) ([]string, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	tags := make([]string, len(steps))
	for i, s := range steps {
		g.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			bytes := s.Object.Size
			if s.Op == plan.OpHeaders {
				bytes = 0 // a copy onto itself sends none
				tags[i], err = e.store.Copy(ctx, s.Object.Key, s.Object.Key, s.Object.Headers)
			} else {
				tags[i], err = e.put(ctx, s.Object, source)
			}
			if err != nil {
				return fmt.Errorf("upload %s: %w", s.Object.Key, err)
			}
			progress.done(1, bytes)
			return nil
		})
	}
	return tags, g.Wait()
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
	if err := e.store.Delete(ctx, keys); err != nil {
		return fmt.Errorf("remove pages: %w", err)
	}
	e.report.send(Event{Stage: StageRemove, Done: len(keys), Total: len(keys), Finished: true})
	return nil
}
