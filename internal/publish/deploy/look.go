package deploy

import (
	"context"
	"errors"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// Want says what the site is to be, given the record, and where its bytes come
// from. It is called while the bucket is listed.
type Want func(context.Context, release.State) (site.Manifest, Source, error)

// Given is the Want of a site that is known already.
func Given(m site.Manifest, source Source) Want {
	return func(context.Context, release.State) (site.Manifest, Source, error) { return m, source, nil }
}

// Look reads what is live: the record and the bucket itself. The record is
// believed as far as the bucket confirms it; an object that somebody else
// wrote, or that an interrupted run may have written, is looked at. want is
// the site to be published: only what it names is worth a closer look.
func (e *Engine) Look(ctx context.Context, want Want) (plan.Live, error) {
	live, _, _, err := e.observe(ctx, want)
	return live, err
}

// observe is Look that tells what is wanted. The record is read before the
// bucket is listed: then the lock that was free at the reading, and that nobody
// has taken since, vouches for the listing too (release.Hold.Follows).
func (e *Engine) observe(ctx context.Context, want Want) (live plan.Live, m site.Manifest, source Source, err error) {
	if err := e.patient(ctx, nil, func() (err error) { live.State, err = e.record.Read(ctx); return err }); err != nil {
		return live, m, nil, err
	}
	g, gctx := crash.WithContext(ctx)
	g.Go(func() error {
		return e.patient(gctx, nil, func() (err error) { m, source, err = want(gctx, live.State); return err })
	})
	g.Go(func() (err error) { live.Sound, live.Objects, err = e.survey(gctx, live.State); return err })
	if err := g.Wait(); err != nil {
		return plan.Live{}, m, nil, err
	}
	if err := e.resolve(ctx, live, m, source); err != nil {
		return plan.Live{}, m, nil, err
	}
	return live, m, source, nil
}

// resolve asks for the headers and the digest of what is unknown and worth
// knowing: what may be right already, which an object of another size cannot be,
// and what an interrupted run may have written, whose bytes a rollback may need.
func (e *Engine) resolve(ctx context.Context, live plan.Live, want site.Manifest, source Source) error {
	touched := reached(live.State.Journal)
	g, ctx := crash.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	for i := range live.Objects {
		have := &live.Objects[i]
		wanted, ok := want.Lookup(have.Object.Key)
		mayBeRight := ok && wanted.Size == have.Object.Size
		if have.Known || !mayBeRight && !(touched.may(have.Object.Key) && have.Ours) {
			continue
		}
		g.Go(func() error {
			seen, err := e.inspect(ctx, *have, wanted, mayBeRight, source)
			if err != nil {
				return err
			}
			*have = seen
			return nil
		})
	}
	return g.Wait()
}

// inspect learns what have really is. Where the store keeps no SHA-256, an
// ETag that is the MD5 of the wanted file proves the bytes (fact sheet 7.1).
func (e *Engine) inspect(ctx context.Context, have plan.Observed, wanted site.Object, mayBeRight bool, source Source) (plan.Observed, error) {
	var head remote.Head
	err := e.patient(ctx, nil, func() (err error) { head, err = e.store.Head(ctx, have.Object.Key); return err })
	if errors.Is(err, remote.ErrNotFound) {
		return have, nil // deleted since the listing: still unknown, so it is written again
	}
	if err != nil {
		return have, err
	}
	digest := head.Digest
	if digest.IsZero() && mayBeRight {
		same, err := source.hasMD5(wanted.Key, head.ETag)
		if err != nil {
			return have, err
		}
		if same {
			digest = wanted.Digest
		}
	}
	if digest.IsZero() {
		return have, nil
	}
	o := site.Object{
		Key: have.Object.Key, Size: head.Size, Digest: digest, Kind: wanted.Kind, Headers: site.Share(head.Headers), ETag: head.ETag,
	}
	if !mayBeRight {
		o.Kind = rules.KindOf(o.Key, head.Headers.ContentType)
	}
	have.Known, have.Object = true, &o
	return have, nil
}
