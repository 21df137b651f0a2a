// Package deploy carries out a plan: it looks at what is live, uploads in
// phases, removes, invalidates, waits, proves the result at the edge and
// commits the release.
//
// It promises that intent is written before effect: once the journal stands,
// every URL in it will be invalidated, by this run or by the next one (DESIGN
// section 4). It decides nothing about content: what happens is in the
// plan.Plan that it is given. It sees the contract of package remote, never an
// SDK.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/publish/scan"
	"github.com/freshet/freshet/internal/site"
)

var (
	// ErrPending: everything is published, but the invalidation had not
	// completed when the wait ended. The journal stays open, and the next run
	// finishes it.
	ErrPending = errors.New("the invalidation is not completed yet")
	// ErrStale: everything is published and invalidated, but the edge still
	// answers with something else.
	ErrStale = errors.New("the edge does not serve the new version")
)

// Options are the engine's settings.
type Options struct {
	// Distributions are those of the plan, in its order; without any, nothing is
	// invalidated.
	Distributions []Distribution
	Limits        invalidation.Limits // the pace of submitting
	Jobs          int                 // requests at once; 0 means 32
	Wait          time.Duration       // how long an invalidation may take, submitting included; 0 means 10 minutes
	NoWait        bool                // submit the invalidation and stop with ErrPending
	NoVerify      bool                // do not ask the edge, even if there is a Viewer
	Writer        string              // user and machine, for the journal
	Now           func() time.Time
	// Events, if not nil, is told what happens; calls do not overlap.
	Events func(Event)
}

// Distribution is one CDN distribution in front of the bucket.
type Distribution struct {
	ID     string
	View   rules.View    // how it shows the bucket
	Viewer remote.Viewer // where its viewers go; nil means that nothing is verified there
}

// Engine publishes to one target.
type Engine struct {
	store  remote.Store
	cdn    remote.CDN
	record *release.Record
	opts   Options
	report *reporter
}

// New makes an engine. cdn may be nil where there are no distributions.
func New(store remote.Store, cdn remote.CDN, record *release.Record, opts Options) *Engine {
	if opts.Jobs <= 0 {
		opts.Jobs = 32
	}
	if opts.Wait <= 0 {
		opts.Wait = 10 * time.Minute
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Engine{store, cdn, record, opts, &reporter{emit: opts.Events}}
}

// Source is what a plan's uploads are read from: the scanned files by key.
type Source map[site.Key]scan.File

// NewSource indexes files.
func NewSource(files []scan.File) Source {
	s := make(Source, len(files))
	for _, f := range files {
		s[f.Key] = f
	}
	return s
}

// Result is what a run did.
type Result struct {
	Release       release.ID
	Changed       bool        // false when there was nothing to do
	Invalidations []Submitted // one for each distribution that was sent something
	Verified      Verification
}

// Submitted is what became of the invalidation of one distribution.
type Submitted struct {
	Distribution string
	IDs          []string // one for each request
	Status       string   // "", remote.InProgress or remote.Completed
	Items        []string
}

// Run carries out p, whose base is live. A plan with nothing to do sends
// nothing.
//
// On ErrPending and ErrStale everything is uploaded and the Result is filled
// in; on release.ErrMoved another run got in between, and p must be made anew.
func (e *Engine) Run(ctx context.Context, p plan.Plan, live plan.Live, source Source) (Result, error) {
	res := Result{Release: p.Release}
	if p.Empty() {
		res.Release = p.Base
		return res, nil
	}
	res.Changed = true
	state, err := e.begin(ctx, p, live)
	if err != nil {
		return res, err
	}
	published, err := e.upload(ctx, p, source)
	if err != nil {
		return res, err
	}
	if err := e.remove(ctx, p); err != nil {
		return res, err
	}
	if res.Invalidations, err = e.invalidateAll(ctx, p.Release, p.Purges); err != nil {
		return res, err
	}
	if res.Verified, err = e.verify(ctx, p, live.State); err != nil {
		if errors.Is(err, ErrStale) {
			err = errors.Join(err, e.outlived(ctx, state))
		}
		return res, err
	}
	return res, e.commit(ctx, p, state, published)
}

// outlived notes that the edge goes on with old answers after everything was
// purged, so that the next run purges anew instead of repeating what is done.
func (e *Engine) outlived(ctx context.Context, state release.State) error {
	j := *state.Journal
	j.Stale = true
	return e.patient(ctx, nil, func() error { _, err := e.record.Begin(ctx, state, j); return err })
}

// begin writes the intent.
func (e *Engine) begin(ctx context.Context, p plan.Plan, live plan.Live) (release.State, error) {
	j := release.Journal{
		Release: p.Release, Number: p.Number, Base: p.Base, Started: e.opts.Now().UTC(), Writer: e.opts.Writer,
		Site: plan.Fingerprint(p.Site),
	}
	for _, s := range p.Steps {
		if s.Op != plan.OpRetire {
			j.Touched = append(j.Touched, s.Object.Key)
		}
	}
	j.Overwritten = overwritten(j.Touched, live.Objects)
	if old := live.State.Journal; old != nil {
		j.Touched = union(j.Touched, old.Touched)
		j.Overwritten = joined(old.Overwritten, j.Overwritten)
	}
	for _, purge := range p.Purges {
		for _, u := range purge.Changed {
			j.Pending = append(j.Pending, release.PendingURL{Distribution: purge.Distribution, Path: u.Path, Key: u.Object, Variants: u.Variants})
		}
	}
	state := live.State
	err := e.patient(ctx, nil, func() (err error) { state, err = e.record.Begin(ctx, live.State, j); return err })
	return state, err
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

// commit makes the release the live one, then closes the journal. A crash in
// between leaves nothing to do: the journal of the release that is live counts
// as closed.
func (e *Engine) commit(ctx context.Context, p plan.Plan, state release.State, published site.Manifest) error {
	m := release.Manifest{Release: p.Release, Number: p.Number, Created: e.opts.Now().UTC(), Site: published, Retired: p.Retired, Paths: p.Paths()}
	began := state
	if err := e.patient(ctx, nil, func() (err error) { state, err = e.record.Commit(ctx, began, m); return err }); err != nil {
		return err
	}
	if err := e.patient(ctx, nil, func() error { _, err := e.record.Close(ctx, state); return err }); err != nil {
		return fmt.Errorf("release %s is live, but %w", p.Release, err)
	}
	return nil
}
