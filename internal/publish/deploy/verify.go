package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// maxVerified bounds how many URLs are asked for; above it a sample is.
const maxVerified = 200

// Verification is what the edge was seen to serve.
type Verification struct {
	Checked int
	Of      int // URLs that could have been checked
	Stale   []Stale
	// Unseen says why nothing could be checked: the edge cannot be reached from
	// here. What the CDN says of the invalidation then has to do. "" otherwise.
	Unseen string
}

// Stale is a URL whose answer is not the new one.
type Stale struct {
	Distribution string
	Base         string // the URL that Path is relative to
	Path         site.URLPath
	Why          string
}

// check is one question to the edge and what the answer must be.
type check struct {
	on   int // index of the distribution
	path site.URLPath
	// want is what the URL must answer; nil for a removed page and for the
	// other forms of a URL, which a distribution need not answer at all.
	want *site.Object
	// hidden says that the distribution may not show want at all: an
	// index-rewrite function takes every name without a dot for a folder (fact
	// sheet 5.6).
	hidden bool
	// old must not be answered any more; zero where nobody knows it.
	old site.Digest
	// oldCache is a Cache-Control that must not be answered any more, "" for
	// none.
	oldCache string
}

// checks lists what the edges must prove for p: every URL that changes,
// including those that an interrupted run has left over, the same in every run.
func (e *Engine) checks(p plan.Plan, live release.Manifest) []check {
	steps := make(map[site.Key]plan.Step, len(p.Steps))
	for _, s := range p.Steps {
		steps[s.Object.Key] = s
	}
	var out []check
	for on, d := range e.opts.Distributions {
		if d.Viewer != nil && on < len(p.Purges) {
			out = append(out, d.checks(on, p, p.Purges[on].Changed, steps, live)...)
		}
	}
	return out
}

func (d Distribution) checks(on int, p plan.Plan, changed []invalidation.URL, steps map[site.Key]plan.Step, live release.Manifest) []check {
	own := make(map[site.URLPath]site.Key, len(changed)) // by the URL that is the key itself
	for _, u := range changed {
		if path, shown := d.View.Own(u.Object); shown {
			own[path] = u.Object
		}
	}
	var out []check
	for _, u := range changed {
		key, isOwn := own[u.Path]
		if !isOwn {
			key = u.Object
		}
		step, hasStep := steps[key]
		c := check{on: on, path: u.Path}
		if o, wanted := p.Site.Lookup(key); wanted {
			c.compare(o, before(step, live, key), isOwn)
		} else if hasStep && step.Op == plan.OpRemove {
			c.old = step.Object.Digest
		}
		if c.want != nil || !c.old.IsZero() {
			out = append(out, c)
		}
	}
	return out
}

// before is what the edge may still hold for key; the zero Object where nobody
// knows.
func before(s plan.Step, live release.Manifest, key site.Key) site.Object {
	if s.Old != nil {
		return *s.Old
	}
	if o := lookup(live, key); o != nil {
		return *o
	}
	return site.Object{}
}

// compare fills in what c must show of o, which was old before. Only the URL
// that is o's own key must answer with it.
func (c *check) compare(o, old site.Object, isOwn bool) {
	if old.Digest != o.Digest {
		c.old = old.Digest
	}
	if !isOwn {
		return
	}
	c.want, c.hidden = &o, !strings.Contains(o.Key.Base(), ".")
	if old.Headers.Get().CacheControl != o.Headers.Get().CacheControl {
		c.oldCache = old.Headers.Get().CacheControl
	}
}

// sample is every n-th of cs, so that at most max are left.
func sample(cs []check, max int) []check {
	if len(cs) <= max {
		return cs
	}
	out := make([]check, max)
	for i := range out {
		out[i] = cs[i*len(cs)/max]
	}
	return out
}

// verify proves at the edge that viewers get the new version. What is still
// stale is purged once more and asked for again; then it is reported.
func (e *Engine) verify(ctx context.Context, p plan.Plan, live release.State) (Verification, error) {
	if e.opts.NoVerify {
		return Verification{}, nil
	}
	all := e.checks(p, live.Live)
	v := Verification{Of: len(all)}
	asked := sample(all, maxVerified)
	v.Checked = len(asked)
	failed, err := e.ask(ctx, asked)
	if errors.Is(err, remote.ErrUnreachable) {
		v.Checked, v.Unseen = 0, err.Error()
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if len(failed) > 0 {
		if failed, err = e.purgeAgain(ctx, p, asked, failed); err != nil {
			return v, err
		}
	}
	v.Stale = failed
	if len(all) == 0 {
		return v, nil
	}
	if len(failed) > 0 {
		return v, fmt.Errorf("%w: %d of %d URLs checked: %s", ErrStale, len(failed), v.Checked, listed(failed))
	}
	e.report.send(Event{Stage: StageVerify, Done: v.Checked, Total: v.Of, Finished: true})
	return v, nil
}

// purgeAgain invalidates the stale URLs once more, under a reference of its
// own, and asks for them again.
func (e *Engine) purgeAgain(ctx context.Context, p plan.Plan, asked []check, failed []Stale) ([]Stale, error) {
	e.report.send(Event{Stage: StageVerify, Note: fmt.Sprintf("%d URLs are not fresh; purging them once more", len(failed))})
	var purges []plan.Purge
	for on, d := range e.opts.Distributions[:min(len(e.opts.Distributions), len(p.Purges))] {
		purges = append(purges, plan.Purge{Distribution: d.ID, Cover: covering(p.Purges[on].Cover, d.ID, failed)})
	}
	subs, err := e.invalidateAll(ctx, p.Release+"-again", purges)
	if err != nil || len(subs) == 0 {
		return failed, err
	}
	var again []check
	for _, c := range asked {
		id := e.opts.Distributions[c.on].ID
		if slices.ContainsFunc(failed, func(s Stale) bool { return s.Distribution == id && s.Path == c.path }) {
			again = append(again, c)
		}
	}
	return e.ask(ctx, again)
}

// covering is the part of a cover that covers stale URLs; tags are always part
// of it, since an answer does not tell which tags it carries.
func covering(c invalidation.Cover, distribution string, stale []Stale) invalidation.Cover {
	mine := slices.DeleteFunc(slices.Clone(stale), func(s Stale) bool { return s.Distribution != distribution })
	var out invalidation.Cover
	for _, it := range c.Items {
		if len(mine) > 0 && (it.Path.IsTag() || slices.ContainsFunc(mine, func(s Stale) bool { return it.Path.Covers(s.Path) })) {
			out.Items = append(out.Items, it)
		}
	}
	return out
}

// ask puts the checks to the edge and returns what is stale, in their order.
func (e *Engine) ask(ctx context.Context, cs []check) ([]Stale, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	why := make([]string, len(cs))
	progress := &counter{report: e.report, event: Event{Stage: StageVerify, Total: len(cs)}}
	if len(cs) > 0 {
		progress.note("")
	}
	for i, c := range cs {
		g.Go(func() error {
			var answer remote.Answer
			err := retry(ctx, progress.tell, func() (err error) {
				answer, err = e.opts.Distributions[c.on].Viewer.Ask(ctx, c.path)
				return err
			}, func(err error, n int) bool { return n < tries && !errors.Is(err, remote.ErrUnreachable) })
			if err != nil {
				return fmt.Errorf("verify at %s: ask for %s: %w", e.opts.Distributions[c.on].Viewer, c.path, err)
			}
			why[i] = c.judge(answer)
			progress.done(1, 0)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var stale []Stale
	for i, w := range why {
		if w != "" {
			d := e.opts.Distributions[cs[i].on]
			stale = append(stale, Stale{d.ID, d.Viewer.String(), cs[i].path, w})
		}
	}
	return stale, nil
}

// judge says what is wrong with an answer, "" for nothing. Bytes and type are
// compared, never the status alone: a single-page fallback answers 200.
func (c check) judge(a remote.Answer) string {
	cached := ""
	if a.Cache != "" {
		cached = ", X-Cache: " + a.Cache
	}
	switch {
	case !c.old.IsZero() && a.Digest == c.old && a.Status < http.StatusBadRequest: // an error page may look like anything
		return fmt.Sprintf("still answers with the old bytes (status %d%s)", a.Status, cached)
	case c.want == nil, c.hidden && (a.Status == http.StatusNotFound || a.Status == http.StatusForbidden):
		return ""
	case a.Status != http.StatusOK:
		return fmt.Sprintf("answers with status %d%s", a.Status, cached)
	case a.Digest != c.want.Digest:
		return fmt.Sprintf("answers with other bytes than were published (status %d%s)", a.Status, cached)
	case c.want.Headers.Get().ContentType != "" && a.ContentType != c.want.Headers.Get().ContentType:
		return fmt.Sprintf("answers with type %q instead of %q", a.ContentType, c.want.Headers.Get().ContentType)
	case c.oldCache != "" && a.CacheControl == c.oldCache:
		return fmt.Sprintf("still answers with the old cache-control %q%s", a.CacheControl, cached)
	}
	return ""
}

func listed(stale []Stale) string {
	const most = 5
	var parts []string
	for i, s := range stale {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(stale)-most))
			break
		}
		parts = append(parts, string(s.Path)+" "+s.Why)
	}
	return strings.Join(parts, "; ")
}
