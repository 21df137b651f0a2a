package deploy

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// Look reads what is live: the record and the bucket itself. The record is
// believed as far as the bucket confirms it; an object that somebody else
// wrote, or that an interrupted run may have written, is looked at. want is
// the site to be published: only what it names is worth a closer look.
func (e *Engine) Look(ctx context.Context, want site.Manifest, source Source) (plan.Live, error) {
	g, gctx := errgroup.WithContext(ctx)
	var state release.State
	var listed []remote.Info
	g.Go(func() error {
		return e.patient(gctx, nil, func() (err error) { state, err = e.record.Read(gctx); return err })
	})
	g.Go(func() error {
		return e.patient(gctx, nil, func() (err error) { listed, err = e.list(gctx); return err })
	})
	if err := g.Wait(); err != nil {
		return plan.Live{}, err
	}
	live := plan.Live{State: state, Objects: compare(listed, state)}
	if err := e.resolve(ctx, live, want, source); err != nil {
		return plan.Live{}, err
	}
	return live, nil
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

// resolve asks for the headers and the digest of what is unknown and may be
// right already. An object of another size cannot be, and is not asked for.
func (e *Engine) resolve(ctx context.Context, live plan.Live, want site.Manifest, source Source) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	for i := range live.Objects {
		have := &live.Objects[i]
		wanted, ok := want.Lookup(have.Object.Key)
		if have.Known || !ok || wanted.Size != have.Object.Size {
			continue
		}
		g.Go(func() error {
			seen, err := e.inspect(ctx, *have, wanted, source)
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
// ETag that is the file's MD5 proves the bytes (fact sheet 7.1).
func (e *Engine) inspect(ctx context.Context, have plan.Observed, wanted site.Object, source Source) (plan.Observed, error) {
	var head remote.Head
	err := e.patient(ctx, nil, func() (err error) { head, err = e.store.Head(ctx, have.Object.Key); return err })
	if errors.Is(err, remote.ErrNotFound) {
		return have, nil // deleted since the listing: still unknown, so it is written again
	}
	if err != nil {
		return have, err
	}
	digest := head.Digest
	if digest.IsZero() {
		same, err := hasMD5(source, wanted.Key, head.ETag)
		if err != nil {
			return have, err
		}
		if !same {
			return have, nil
		}
		digest = wanted.Digest
	}
	have.Known = true
	have.Object.Digest, have.Object.Headers = digest, head.Headers
	have.Object.ETag, have.Object.Size, have.Object.Kind = head.ETag, head.Size, wanted.Kind
	return have, nil
}

func hasMD5(source Source, key site.Key, etag string) (same bool, err error) {
	file, err := source[key].Open()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := md5.New()
	if _, err := io.Copy(h, file); err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	return hex.EncodeToString(h.Sum(nil)) == etag, nil
}
