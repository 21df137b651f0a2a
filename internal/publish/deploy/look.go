package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// Look reads what is live: the record and the bucket itself. The record is
// believed as far as the bucket confirms it; an object that somebody else
// wrote, or that an interrupted run may have written, is looked at. want is
// the site to be published: only what it names is worth a closer look.
func (e *Engine) Look(ctx context.Context, want site.Manifest, source Source) (plan.Live, error) {
	return e.observe(ctx, func(release.State) (site.Manifest, Source, error) { return want, source, nil })
}

// observe is Look for a site that depends on the record. The record is read
// before the bucket is listed: then the lock that was free at the reading, and
// that nobody has taken since, vouches for the listing too (release.Hold.Follows).
func (e *Engine) observe(ctx context.Context, want func(release.State) (site.Manifest, Source, error)) (plan.Live, error) {
	var state release.State
	var seen []remote.Info
	var m site.Manifest
	var source Source
	for _, step := range []func() error{
		func() (err error) { state, err = e.record.Read(ctx); return err },
		func() (err error) { m, source, err = want(state); return err },
		func() (err error) { seen, err = e.list(ctx); return err },
	} {
		if err := e.patient(ctx, nil, step); err != nil {
			return plan.Live{}, err
		}
	}
	seen, err := e.unlisted(ctx, seen, state.Live)
	if err != nil {
		return plan.Live{}, err
	}
	live := plan.Live{State: state, Objects: compare(seen, state)}
	if err := e.resolve(ctx, live, m, source); err != nil {
		return plan.Live{}, err
	}
	return live, nil
}

// maxDoubted bounds how many objects are looked for one by one: where more are
// missing, somebody has deleted them.
const maxDoubted = 1000

// unlisted adds to a listing what the record names and the listing lacks, if it
// is there all the same. Listings of S3 lack nothing (fact sheet 7.6), those of
// other stores may, for a while; an object that freshet loses sight of would be
// left over for good, and so would its bytes be lost to a rollback.
func (e *Engine) unlisted(ctx context.Context, listed []remote.Info, live release.Manifest) ([]remote.Info, error) {
	doubted := lacking(listed, live)
	if len(doubted) > maxDoubted {
		return listed, nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	found := make([]remote.Info, len(doubted))
	for i, k := range doubted {
		g.Go(func() error {
			return e.patient(gctx, nil, func() error {
				head, err := e.store.Head(gctx, k)
				if found[i] = head.Info; errors.Is(err, remote.ErrNotFound) {
					return nil
				}
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(i remote.Info) bool { return i.Key == "" })
	if len(found) == 0 {
		return listed, nil
	}
	all := append(listed, found...)
	slices.SortFunc(all, func(a, b remote.Info) int { return cmp.Compare(a.Key, b.Key) })
	return all, nil
}

// lacking are the keys that the record names and a listing does not.
func lacking(listed []remote.Info, live release.Manifest) []site.Key {
	have := make(map[site.Key]bool, len(listed))
	for _, i := range listed {
		have[i.Key] = true
	}
	var out []site.Key
	for _, o := range live.Site.Objects() {
		if !have[o.Key] {
			out = append(out, o.Key)
		}
	}
	for _, o := range live.Retired {
		if !have[o.Key] {
			out = append(out, o.Key)
		}
	}
	return out
}

func (e *Engine) list(ctx context.Context) ([]remote.Info, error) {
	var all []remote.Info
	err := e.store.List(ctx, "", "", func(page []remote.Info) error {
		for _, o := range page {
			if !o.Key.IsState() {
				all = append(all, o)
			}
		}
		e.report.send(Event{Stage: StageList, Done: len(all)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", e.store, err)
	}
	e.report.send(Event{Stage: StageList, Done: len(all), Finished: true})
	return all, nil
}

// compare holds a listing against the record: an object is known where both
// agree and no interrupted run has touched it.
func compare(listed []remote.Info, state release.State) []plan.Observed {
	touched := reached(listed, state.Journal)
	out := make([]plan.Observed, len(listed))
	for i, info := range listed {
		recorded, ours := lookup(state.Live, info.Key)
		known := ours && !touched[info.Key] && recorded.ETag == info.ETag && recorded.Size == info.Size
		if !known {
			recorded = site.Object{Key: info.Key}
		}
		recorded.Size, recorded.ETag = info.Size, info.ETag
		out[i] = plan.Observed{Object: recorded, Known: known, Ours: ours || touched[info.Key]}
	}
	return out
}

// reached is what an interrupted run may have written. A foreign object that
// it was going to replace, and that is there unchanged, is still foreign.
func reached(listed []remote.Info, j *release.Journal) map[site.Key]bool {
	if j == nil {
		return nil
	}
	out := make(map[site.Key]bool, len(j.Touched))
	for _, k := range j.Touched {
		out[k] = true
	}
	before := make(map[site.Key]string, len(j.Overwritten))
	for _, o := range j.Overwritten {
		before[o.Key] = o.ETag
	}
	for _, info := range listed {
		if etag, foreign := before[info.Key]; foreign && etag == info.ETag {
			delete(out, info.Key)
		}
	}
	return out
}

func lookup(m release.Manifest, k site.Key) (site.Object, bool) {
	if o, ok := m.Site.Lookup(k); ok {
		return o, true
	}
	i, ok := slices.BinarySearchFunc(m.Retired, k, func(r release.Retired, k site.Key) int { return cmp.Compare(r.Key, k) })
	if !ok {
		return site.Object{}, false
	}
	return m.Retired[i].Object, true
}

// resolve asks for the headers and the digest of what is unknown and worth
// knowing: what may be right already, which an object of another size cannot be,
// and what an interrupted run may have written, whose bytes a rollback may need.
func (e *Engine) resolve(ctx context.Context, live plan.Live, want site.Manifest, source Source) error {
	touched := reached(nil, live.State.Journal)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	for i := range live.Objects {
		have := &live.Objects[i]
		wanted, ok := want.Lookup(have.Object.Key)
		mayBeRight := ok && wanted.Size == have.Object.Size
		if have.Known || !mayBeRight && !(touched[have.Object.Key] && have.Ours) {
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
	have.Known = true
	have.Object.Digest, have.Object.Headers = digest, head.Headers
	have.Object.ETag, have.Object.Size = head.ETag, head.Size
	if have.Object.Kind = wanted.Kind; !mayBeRight {
		have.Object.Kind = rules.KindOf(have.Object.Key, head.Headers.ContentType)
	}
	return have, nil
}
