package deploy

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

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
	Checked int // URLs asked for; with a fleet at one place, the one with the most
	Of      int // URLs that could have been checked
	Stale   []Stale
	// Unseen says why nothing could be checked where viewers go: that cannot be
	// reached from here. Unless edges of a fleet were asked, what the CDN says of the
	// invalidation then has to do. "" otherwise.
	Unseen string
	Fleet  *FleetVerification // nil where there is no fleet
}

// Stale is a URL whose answer is not the new one.
type Stale struct {
	Edge         string // of a fleet; "" for where viewers go
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

	wrong   string // about the last answer; "" for nothing, and where there was none
	gaveOld bool   // the last answer was what nobody may get any more
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

// verify proves where viewers go, and at each edge of a fleet, that they get the
// new version. What is still stale is purged once more and asked for again; then it
// is reported.
func (e *Engine) verify(ctx context.Context, p plan.Plan, live release.State) (Verification, error) {
	if e.opts.NoVerify {
		return Verification{}, nil
	}
	all := e.checks(p, live.Live)
	if len(all) == 0 {
		return Verification{}, nil
	}
	r, err := e.round(ctx, all)
	if err != nil {
		return Verification{Of: len(all)}, err
	}
	err = e.visit(ctx, r.places)
	v := e.verification(r, len(all))
	if err != nil {
		return v, err
	}
	if len(v.Stale) > 0 {
		if err := e.purgeAgain(ctx, p, r.places, v); err != nil {
			return v, err
		}
		v = e.verification(r, len(all))
	}
	for _, line := range v.Unproved() {
		e.report.send(Event{Stage: StageVerify, Note: line})
	}
	if len(v.Stale) > 0 {
		return v, fmt.Errorf("%w: %s", ErrStale, v.told())
	}
	if v.Checked > 0 {
		e.report.send(Event{Stage: StageVerify, Done: v.Checked, Total: v.Of, Edges: v.Fleet.proved(), Finished: true})
	}
	return v, nil
}

// purgeAgain invalidates the stale URLs once more, under a reference of its
// own, and asks for them again where they were.
func (e *Engine) purgeAgain(ctx context.Context, p plan.Plan, places []*place, seen Verification) error {
	e.report.send(Event{Stage: StageVerify, Note: fmt.Sprintf("%d of %d URLs are not fresh%s; purging them once more", urls(seen.Stale), seen.Checked, at(seen.Stale))})
	var purges []plan.Purge
	for on, d := range e.opts.Distributions[:min(len(e.opts.Distributions), len(p.Purges))] {
		purges = append(purges, plan.Purge{Distribution: d.ID, Cover: covering(p.Purges[on].Cover, d.ID, seen.Stale)})
	}
	subs, err := e.invalidateAll(ctx, p.Release+"-again", purges)
	if err != nil || len(subs) == 0 {
		return err
	}
	var again []*place
	for _, one := range places {
		if len(e.stale(one)) > 0 {
			again = append(again, one)
		}
	}
	return e.visit(ctx, again)
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

// judge says what is wrong with an answer, "" for nothing. Bytes and type are
// compared, never the status alone: a single-page fallback answers 200.
func (c check) judge(a remote.Answer) string {
	cached := ""
	if a.Cache != "" {
		cached = ", X-Cache: " + a.Cache
	}
	switch {
	case c.isOld(a):
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

// isOld reports whether a is what nobody may get any more.
func (c check) isOld(a remote.Answer) bool {
	return !c.old.IsZero() && a.Digest == c.old && a.Status < http.StatusBadRequest // an error page may look like anything
}

// told is what a failed run says of the stale answers.
func (v Verification) told() string {
	return fmt.Sprintf("%d of %d URLs checked%s: %s", urls(v.Stale), v.Checked, at(v.Stale), listed(v.Stale))
}

// urls counts the URLs among stale answers, of which several edges may give one
// each.
func urls(stale []Stale) int {
	type url struct {
		distribution string
		path         site.URLPath
	}
	seen := map[url]bool{}
	for _, s := range stale {
		seen[url{s.Distribution, s.Path}] = true
	}
	return len(seen)
}

// at says where stale answers were, " at edge-1, edge-2"; "" where none of them is
// an edge's.
func at(stale []Stale) string {
	places := wheres(stale)
	if !slices.ContainsFunc(stale, func(s Stale) bool { return s.Edge != "" }) {
		return ""
	}
	return " at " + some(places)
}

// wheres are the places of stale answers, each once.
func wheres(stale []Stale) []string {
	var out []string
	for _, s := range stale {
		if name := cmp.Or(s.Edge, s.Base); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// some joins parts, and counts those that would be too many to read.
func some(parts []string) string {
	const most = 5
	if rest := len(parts) - most; rest > 0 {
		parts = append(slices.Clone(parts[:most]), fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(parts, ", ")
}

func listed(stale []Stale) string {
	const most = 5
	var parts []string
	several := at(stale) != "" && len(wheres(stale)) > 1
	for i, s := range stale {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(stale)-most))
			break
		}
		text := string(s.Path) + " " + s.Why
		if several {
			text = cmp.Or(s.Edge, s.Base) + ": " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
