package plan

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// Distribution is one CDN distribution in front of the bucket.
type Distribution struct {
	ID   string
	View rules.View
	// TagHeader is where it looks for cache tags; "" where tags are off.
	TagHeader string
	// ErrorPages are the objects that it shows in place of errors, with how
	// long caches keep such answers at least, in seconds.
	ErrorPages map[site.Key]float64
}

// Purge is what is invalidated on one distribution.
type Purge struct {
	Distribution string             `json:"distribution"`
	Changed      []invalidation.URL `json:"changed"` // every URL whose answer changes
	Cover        invalidation.Cover `json:"cover"`
	// Policy is what Cover was chosen by; it may differ from what was asked
	// for where the month's budget is spent.
	Policy invalidation.Policy `json:"policy"`
	// Seconds is how long submitting takes under the limits.
	Seconds float64 `json:"seconds"`
	// LiveObjects and LiveBytes are what "/*" would throw away: the objects
	// that are live and do not change.
	LiveObjects int   `json:"live_objects"`
	LiveBytes   int64 `json:"live_bytes"`
}

// Spending is how much may be spent on invalidations.
type Spending struct {
	Policy invalidation.Policy // "" means balanced
	Limits invalidation.Limits
	// Free says that paths cost nothing here: the embedded cloud.
	Free bool
	// Budget is how many paths a month may take, 0 for no limit; Used is how
	// many it has taken.
	Budget, Used int
	// Refuse makes a plan that does not fit the budget a guard's business. Else
	// it falls back to the frugal policy.
	Refuse bool
}

// Money is what the plan's invalidations cost.
type Money struct {
	Free   bool    `json:"free"` // paths cost nothing here
	Paths  int     `json:"paths"`
	Used   int     `json:"used"`   // this month, before
	Budget int     `json:"budget"` // a month; 0 for no limit
	Price  float64 `json:"price"`  // US dollars for what is beyond the free allowance
	// FellBack says that the budget is spent and the frugal policy was used.
	FellBack bool `json:"fell_back"`
}

// Over reports whether the paths do not fit what is left of the budget.
func (m Money) Over() bool {
	return !m.Free && m.Budget > 0 && m.Paths > 0 && m.Paths > m.Budget-m.Used
}

// Cost says what a number of paths costs.
func Cost(s Spending, paths int) Money {
	m := Money{Free: s.Free, Paths: paths, Used: s.Used, Budget: s.Budget}
	if !s.Free {
		billed := max(s.Used+paths-freePaths, 0) - max(s.Used-freePaths, 0)
		m.Price = float64(billed) * pathPrice
	}
	return m
}

// Paths beyond the allowance are billed; CloudFront pricing, fact sheet 1.4,
// read 2026-11.
const (
	freePaths = 1000  // a month, over all distributions of the account
	pathPrice = 0.005 // US dollars
)

// Paths counts the items of all distributions.
func (p Plan) Paths() int {
	n := 0
	for _, u := range p.Purges {
		n += len(u.Cover.Items)
	}
	return n
}

// Drops counts the untouched objects that are dropped, over all distributions.
func (p Plan) Drops() (objects int, bytes int64) {
	for _, u := range p.Purges {
		objects += u.Cover.Drops
		bytes += u.Cover.DropsBytes
	}
	return objects, bytes
}

// tagged gives the objects their cache tags, where a distribution looks for
// them in the metadata of the bucket. The first one that does decides.
func tagged(m site.Manifest, distributions []Distribution) site.Manifest {
	i := slices.IndexFunc(distributions, func(d Distribution) bool { return strings.HasPrefix(d.TagHeader, "x-amz-meta-") })
	if i < 0 {
		return m
	}
	d := distributions[i]
	tags := tagger{}
	out := m.Draft()
	for j := range m.Len() {
		if path, shown := d.View.Own(m.KeyAt(j)); shown {
			_, shared := m.AnswerAt(j)
			h := shared.Get()
			h.TagHeader, h.Tags = d.TagHeader, tags.of(m.KindAt(j), path)
			out.SetHeaders(j, site.Share(h))
		}
	}
	return out.Manifest()
}

// tagger spells cache tags and remembers them: all objects of a kind in one
// folder carry the same.
type tagger map[taggedFolder]string

type taggedFolder struct {
	kind   site.Kind
	folder site.URLPath
}

func (t tagger) of(kind site.Kind, path site.URLPath) string {
	at := taggedFolder{kind, path[:strings.LastIndexByte(string(path), '/')+1]}
	tags, known := t[at]
	if !known {
		tags = strings.Join(invalidation.TagsOf(kind, path), ",")
		t[at] = tags
	}
	return tags
}

// kindOf is the kind by which a distribution's tags reach the cached answers of
// o; "" where none do. The tags that o carries name folders as one distribution
// shows them, which need not be this one.
func (t tagger) kindOf(o site.Object, dist Distribution) site.Kind {
	h := o.Headers.Get()
	if dist.TagHeader == "" || h.Tags == "" || h.TagHeader != dist.TagHeader {
		return ""
	}
	if path, shown := dist.View.Own(o.Key); !shown || h.Tags != t.of(o.Kind, path) {
		return ""
	}
	return o.Kind
}

// purge fills in what is invalidated and what that costs.
func (p *Plan) purge(in Input, d *differ) {
	for _, dist := range in.Distributions {
		p.Purges = append(p.Purges, Purge{Distribution: dist.ID, Changed: d.changed(dist, p.Steps)})
		p.noteErrorPages(dist)
	}
	p.noteLost(in)
	spend := in.Spending
	spend.Policy = cmp.Or(spend.Policy, invalidation.PolicyBalanced)
	p.cover(in.Distributions, spend, &in.Live)
	fellBack := false
	if m := Cost(spend, p.Paths()); m.Over() {
		if spend.Refuse {
			p.Guards = append(p.Guards, fmt.Sprintf("this takes %d invalidation paths, and %d of this month's %d are used", m.Paths, spend.Used, spend.Budget))
		} else if spend.Policy != invalidation.PolicyFrugal {
			spend.Policy = invalidation.PolicyFrugal
			p.cover(in.Distributions, spend, &in.Live)
			fellBack = true
		}
	}
	p.Money = Cost(spend, p.Paths())
	p.Money.FellBack = fellBack
}

// cover chooses the items for every distribution. They share the month.
func (p *Plan) cover(distributions []Distribution, spend Spending, live *Live) {
	used := spend.Used
	for i := range p.Purges {
		u := &p.Purges[i]
		share := -1
		if !spend.Free && spend.Budget > 0 {
			share = max(spend.Budget-used, 0) / 2 // so that something is left for the rest of the month
		}
		u.choose(distributions[i], spend, share, live)
		used += len(u.Cover.Items)
	}
}

// untouched yields the own URL of everything in the bucket that is shown and
// stays as it is.
func (u *Purge) untouched(dist Distribution, live *Live) iter.Seq[invalidation.URL] {
	changed, paths := map[site.Key]bool{}, map[site.URLPath]bool{}
	tags := tagger{}
	return func(yield func(invalidation.URL) bool) {
		if len(changed) == 0 && !live.empty() { // a first deploy does without
			for _, c := range u.Changed {
				changed[c.Object], paths[c.Path] = true, true
			}
		}
		for have := range live.All() {
			o := have.Object
			path, shown := dist.View.Own(o.Key)
			if !shown || paths[path] || changed[o.Key] {
				continue
			}
			if !yield(invalidation.URL{Path: path, Object: o.Key, Size: o.Size, Kind: tags.kindOf(*o, dist)}) {
				return
			}
		}
	}
}

// choose covers u.Changed, given everything that stays as it is.
func (u *Purge) choose(dist Distribution, spend Spending, share int, live *Live) {
	untouched := u.untouched(dist, live)
	u.LiveObjects, u.LiveBytes = 0, 0
	for o := range untouched {
		u.LiveObjects++
		u.LiveBytes += o.Size
	}
	problem := invalidation.Problem{Changed: u.Changed, Others: untouched, Policy: spend.Policy, Limits: spend.Limits, Share: share}
	if !dist.View.ShowsAll() {
		// Beside the target's prefix something lives that the plan cannot see.
		// One URL stands for it, so that "/*" is not taken to cost nothing.
		problem.Untouched = []invalidation.URL{{Path: "/"}}
	}
	cover, err := invalidation.Choose(problem)
	if err != nil {
		cover = problem.Everything() // never less than every changed URL
	}
	u.Cover, u.Policy, u.Seconds = cover, spend.Policy, cover.Seconds(spend.Limits)
}

// changed lists every URL of a distribution whose answer changes.
func (d *differ) changed(dist Distribution, steps []Step) []invalidation.URL {
	out := make([]invalidation.URL, 0, len(steps)+len(d.disturbed))
	add := func(u invalidation.URL) { out = append(out, u) }
	tags := tagger{}
	for _, s := range steps {
		if s.Op == OpRetire {
			continue
		}
		kind := d.cachedKind(dist, s, tags)
		for _, u := range dist.View.URLs(s.Object.Key) {
			add(invalidation.URL{Path: u.Path, Object: s.Object.Key, Size: s.Object.Size, Why: shortWhy(s, u), Kind: kind, Variants: u.Variants})
		}
	}
	for _, o := range d.disturbed {
		for _, u := range dist.View.URLs(o.key) {
			add(invalidation.URL{Path: u.Path, Object: o.key, Size: o.size, Why: o.why, Variants: u.Variants})
		}
	}
	if j := d.in.Live.State.Journal; j != nil {
		for _, u := range j.Pending {
			if u.Distribution == dist.ID || u.Distribution == "" {
				add(invalidation.URL{Path: u.Path, Object: u.Key, Why: "left over from release " + string(j.Release), Variants: u.Variants})
			}
		}
	}
	return merged(out)
}

// merged is urls with each path once, in their order: as the first that has it.
func merged(urls []invalidation.URL) []invalidation.URL {
	order := make([]int32, len(urls)) // a map would be larger than urls
	for i := range order {
		order[i] = int32(i)
	}
	byPath := func(a, b int32) int { return cmp.Or(cmp.Compare(urls[a].Path, urls[b].Path), cmp.Compare(a, b)) }
	if !slices.IsSortedFunc(order, byPath) {
		slices.SortFunc(order, byPath)
	}
	gone := map[int32]bool{}
	for i, first := 1, 0; i < len(order); i++ {
		if urls[order[i]].Path != urls[order[first]].Path {
			first = i
			continue
		}
		// Caches may hold either answer, so that neither's tags reach for sure.
		kept := &urls[order[first]]
		kept.Kind, kept.Variants = "", kept.Variants || urls[order[i]].Variants
		gone[order[i]] = true
	}
	if len(gone) == 0 {
		return urls
	}
	out := urls[:0]
	for i, u := range urls {
		if !gone[int32(i)] {
			out = append(out, u)
		}
	}
	return out
}

// cachedKind is the kind by which tags reach what caches hold of an object:
// they may hold only what was live before, and only that carries tags. Where
// the bucket has lost it, somebody else may have put another version there in
// between; so may an interrupted run, with headers that nobody knows.
func (d *differ) cachedKind(dist Distribution, s Step, tags tagger) site.Kind {
	if s.Old == nil || d.touched[s.Object.Key] || !d.inBucket(s.Object.Key) {
		return ""
	}
	return tags.kindOf(*s.Old, dist)
}

// noteErrorPages warns where an error page changes: caches show it under any
// address that is missing, and those cannot be listed.
func (p *Plan) noteErrorPages(dist Distribution) {
	for _, s := range p.Steps {
		if ttl, ok := dist.ErrorPages[s.Object.Key]; ok && s.Op != OpRetire && s.Op != OpAdd {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s is the error page of %s: missing addresses may show the old one for up to %.0f s", s.Object.Key, dist.ID, ttl))
		}
	}
}

// noteLost warns where an interrupted run left URLs on a distribution that the
// target does not have any more.
func (p *Plan) noteLost(in Input) {
	j := in.Live.State.Journal
	if j == nil {
		return
	}
	lost := 0
	for _, u := range j.Pending {
		if !slices.ContainsFunc(in.Distributions, func(d Distribution) bool { return u.Distribution == d.ID || u.Distribution == "" }) {
			lost++
		}
	}
	if lost > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("release %s left %d URLs to be invalidated on a distribution that the target does not have any more: caches may keep old answers", j.Release, lost))
	}
}

// shortWhy says in a few words why a URL's answer changes.
func shortWhy(s Step, u rules.URL) string {
	switch s.Op {
	case OpRemove:
		return "removed"
	case OpSweep:
		return "no longer used"
	case OpHeaders:
		return "headers changed"
	}
	return u.Why
}
