package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// Make plans the deploy that turns in.Live into in.Site.
func Make(in Input) Plan {
	d := newDiffer(in, tagged(in.Site, in.Distributions))
	d.merge()
	p := d.plan()
	p.Restores = in.Restores
	if j := in.Live.State.Journal; j == nil || j.Site != Fingerprint(in.Site) {
		p.guard(d) // an interrupted run has passed it already
	}
	return p
}

// plan puts together what the differ has found.
func (d *differ) plan() Plan {
	state := d.in.Live.State
	p := Plan{
		Release: d.in.Release, Number: state.NextNumber(), Base: state.LiveID(),
		Steps: d.steps, Unchanged: d.unchanged, Foreign: d.foreign, Warnings: d.warnings,
	}
	slices.SortStableFunc(p.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Object.Key, b.Object.Key))
	})
	p.Site = d.site
	same, live := Fingerprint(d.in.Site), Fingerprint(d.live.Site)
	p.Recorded = p.Base != "" && same == live
	if j := state.Journal; j != nil {
		p.Resumes = j.Release
		if repeats(*j, p.Base, same) && !d.writes {
			p.Release = j.Release
		}
	}
	p.remember(d, live)
	p.purge(d.in, d)
	return p
}

// repeats reports whether a run that publishes the site with the fingerprint
// same on top of base does the work of j again. If nothing is left to write it
// takes j's name and with it j's caller references, which start nothing that
// has been done. After another write it must not: an invalidation that was
// sent before the write does not count for it. Nor may it repeat one that an
// edge has outlived.
func repeats(j release.Journal, base release.ID, same site.Digest) bool {
	return j.Site == same && j.Base == base && !j.Stale
}

// Fingerprint is equal for two sites exactly when viewers get the same answers
// from them.
func Fingerprint(m site.Manifest) site.Digest {
	h := sha256.New()
	quoted := map[site.Shared]string{}
	var line []byte
	for i := range m.Len() {
		digest, shared := m.AnswerAt(i)
		headers, known := quoted[shared]
		if !known {
			headers = fmt.Sprintf("%q", shared.Get().Visible())
			quoted[shared] = headers
		}
		line = append(strconv.AppendQuote(line[:0], string(m.KeyAt(i))), ' ')
		line = append(hex.AppendEncode(line, digest[:]), ' ')
		line = append(append(line, headers...), '\n')
		h.Write(line)
	}
	return site.Digest(h.Sum(nil))
}

// rank orders steps: uploads by phase, then what is deleted, then what is only
// noted.
func rank(s Step) int {
	switch s.Op {
	case OpRemove:
		return Phases
	case OpSweep:
		return Phases + 1
	case OpRetire:
		return Phases + 2
	}
	return int(s.Phase)
}

// differ walks the site, the bucket and the live manifest side by side, all in
// key order.
type differ struct {
	in   Input
	live release.Manifest

	history   []release.Entry   // after the plan
	since     time.Time         // when what is live is superseded
	touched   map[site.Key]bool // by the open journal
	keeps     map[site.Key]bool // whose bytes a step copies to the record
	steps     []Step
	after     *site.Draft   // of site; nil where that is what is live
	fixed     bool          // it is
	site      site.Manifest // after the plan
	retired   []release.Retired
	disturbed []disturbed
	unchanged int
	foreign   int
	ours      int  // objects in the bucket that are part of a site of ours
	writes    bool // whether something is written or deleted
	warnings  []string
}

// disturbed is an object that somebody else has written over. It needs no
// step, but caches may hold what was there before.
type disturbed struct {
	key  site.Key
	size int64
	why  string
}

// newDiffer makes a differ for a site that may differ from in.Site in tags.
func newDiffer(in Input, want site.Manifest) *differ {
	d := &differ{in: in, live: in.Live.State.Live, touched: map[site.Key]bool{}, keeps: map[site.Key]bool{}}
	d.in.Site = want
	d.history = in.Live.State.Past(in.Now, in.Retain)
	d.since = superseded(in.Now, d.live, d.history)
	if j := in.Live.State.Journal; j != nil {
		for _, k := range j.Touched {
			d.touched[k] = true
		}
	}
	return d
}

func (d *differ) merge() {
	want, have := d.in.Site, d.in.Live.walk()
	d.begin()
	if n := want.Len() - d.live.Site.Len() - len(d.in.Live.Objects); n > 0 {
		d.steps = make([]Step, 0, n) // a first deploy's are many
	}
	for i := 0; i < want.Len() || have.key() != ""; {
		there := have.key()
		switch {
		case i < want.Len() && (there == "" || want.KeyAt(i) < there):
			d.missing(i)
			i++
		case i == want.Len() || there < want.KeyAt(i):
			d.surplus(have.observed())
			have.next()
		default:
			if have.recorded() && want.AnswersLike(i, d.live.Site, have.at) {
				d.still(i, have.at)
			} else {
				d.both(i, have.observed())
			}
			i++
			have.next()
		}
	}
	d.vanished()
	d.site = d.end()
}

// begin begins the manifest of what is live after the plan.
func (d *differ) begin() {
	if d.fixed = d.identical(); !d.fixed {
		d.after = d.in.Site.Draft()
	}
}

// end is that manifest.
func (d *differ) end() site.Manifest {
	if d.fixed {
		return d.live.Site
	}
	return d.after.Manifest()
}

// identical reports whether the site is what is live, to the last field, and
// the bucket holds it: then the plan needs no list of its own of a site that may
// be large.
func (d *differ) identical() bool {
	want, live := d.in.Site, d.live.Site
	if want.Len() != live.Len() || d.in.Live.State.Journal != nil {
		return false
	}
	others := d.in.Live.Objects
	for i := range want.Len() {
		if !want.SameAt(live, i) {
			return false
		}
		if d.in.Live.sound(i) {
			continue
		}
		for len(others) > 0 && others[0].Object.Key < live.KeyAt(i) {
			others = others[1:]
		}
		if len(others) == 0 || !others[0].Known || *others[0].Object != live.At(i) {
			return false
		}
	}
	return true
}

// missing is the object of the site with the index i, which the bucket lacks.
func (d *differ) missing(i int) {
	o := d.in.Site.At(i)
	s := Step{Op: OpAdd, Object: o, Phase: phaseOf(o.Kind, true), Why: "new " + noun(o.Kind)}
	if old, ok := d.live.Site.Lookup(o.Key); ok {
		s.Old, s.Why = &old, "gone from the bucket: somebody else deleted it"
	} else if d.in.Restores != "" {
		s.Why = "back again"
	}
	d.change(s)
}

// both is the object of the site with the index i, which the bucket has as well.
func (d *differ) both(i int, have Observed) {
	o := d.in.Site.At(i)
	o.ETag = have.Object.ETag
	if !d.fixed {
		d.after.SetETag(i, o.ETag)
	}
	have = d.recall(have, o)
	if have.Known && have.Object.Digest == o.Digest && have.Object.SameAnswer(o) {
		d.same(i, o, have)
		return
	}
	old := *have.Object
	s := Step{Op: OpUpdate, Object: o, Old: &old, Phase: phaseOf(o.Kind, false)}
	switch {
	case !have.Known:
		s.Old = nil
		s.Why = "content: the bucket's copy is not what freshet published"
		if !have.Ours {
			s.Why = "content: the bucket has another version, which freshet did not publish"
		}
	case old.Digest != o.Digest:
		s.Why = "content"
		if diff := old.Headers.Get().Diff(o.Headers.Get()); len(diff) > 0 {
			s.Why += "; " + describe(diff)
		}
		if o.Kind == site.KindImmutable {
			d.warnings = append(d.warnings, fmt.Sprintf("%s has a hash in its name, yet its content changed: browsers that have the old one keep it for a year", o.Key))
		}
	default:
		s.Op, s.Why = OpHeaders, describe(old.Headers.Get().Diff(o.Headers.Get()))
	}
	if s.Op == OpUpdate {
		d.keep(&s, have)
	}
	d.change(s)
}

// still is same for an object that the bucket holds as it is recorded, as most
// are.
func (d *differ) still(i, recorded int) {
	d.unchanged++
	if !d.fixed {
		d.after.Take(i, d.live.Site, recorded)
	}
}

// same is an object that stays as it is.
func (d *differ) same(i int, o site.Object, have Observed) {
	d.unchanged++
	if !d.fixed {
		d.after.SetHeaders(i, have.Object.Headers) // new tags alone are no reason to write: they come with the next change
	}
	if d.overwritten(have) {
		d.disturbed = append(d.disturbed, disturbed{o.Key, o.Size, "written by somebody else, with the right content"})
	}
}

// overwritten reports whether somebody else has written have since the record
// was made. An interrupted run of ours is nobody else.
func (d *differ) overwritten(have Observed) bool {
	if d.touched[have.Object.Key] {
		return false
	}
	recorded, _, ok := d.recorded(have.Object.Key)
	return ok && !written(have, recorded)
}

func (d *differ) change(s Step) {
	d.writes = true
	d.steps = append(d.steps, s)
}

// surplus is an object of the bucket that the site does not have.
func (d *differ) surplus(have Observed) {
	if !have.Ours || d.overwritten(have) {
		d.leave(have)
		return
	}
	recorded, _, known := d.recorded(have.Object.Key)
	if i, retired := d.findRetired(have.Object.Key); retired && (written(have, recorded) || holds(have, recorded)) {
		d.expire(d.live.Retired[i], found(have, recorded))
		return
	}
	if !known {
		recorded = *have.Object
		recorded.Kind = rules.KindOf(recorded.Key, cmp.Or(recorded.Headers.Get().ContentType, rules.ContentType(recorded.Key)))
	}
	d.ours++
	if recorded.Kind.Removable() {
		d.writes = true
		s := Step{Op: OpRemove, Object: recorded, Old: &recorded, Why: "removed " + noun(recorded.Kind)}
		d.keep(&s, have)
		d.steps = append(d.steps, s)
		return
	}
	d.retire(found(have, recorded))
}

// leave passes by what freshet did not publish, or what is not what freshet
// published any more: it deletes nobody else's bytes. A page that the site
// drops while somebody else has written over it may still be cached as it was.
func (d *differ) leave(have Observed) {
	d.foreign++
	old, ok := d.live.Site.Lookup(have.Object.Key)
	if !have.Ours || !ok {
		return
	}
	d.warnings = append(d.warnings, fmt.Sprintf("%s is no longer part of the site, but somebody else has written over it; it is left alone", old.Key))
	if old.Kind.Removable() {
		d.disturbed = append(d.disturbed, disturbed{old.Key, have.Object.Size, "replaced by somebody else"})
	}
}

// vanished are pages that the live release has, but neither the site nor the
// bucket: somebody deleted them, and caches may still show them.
func (d *differ) vanished() {
	for i := range d.live.Site.Len() {
		if d.in.Live.sound(i) || !d.live.Site.KindAt(i).Removable() || d.inBucket(d.live.Site.KeyAt(i)) {
			continue
		}
		if old := d.live.Site.At(i); !d.wanted(old.Key) {
			d.steps = append(d.steps, Step{Op: OpRemove, Object: old, Old: &old, Why: "removed " + noun(old.Kind)})
		}
	}
}

func (d *differ) wanted(k site.Key) bool {
	_, ok := d.in.Site.Index(k)
	return ok
}

func (d *differ) inBucket(k site.Key) bool { return d.in.Live.Holds(k) }

func (d *differ) findRetired(k site.Key) (int, bool) {
	return slices.BinarySearchFunc(d.live.Retired, k, func(r release.Retired, k site.Key) int { return cmp.Compare(r.Key, k) })
}

func phaseOf(k site.Kind, isNew bool) Phase {
	switch {
	case k == site.KindImmutable:
		return PhaseImmutable
	case k == site.KindFeed:
		return PhaseFeeds
	case k == site.KindPage && isNew:
		return PhaseNewPages
	case k == site.KindPage:
		return PhaseChangedPages
	case isNew:
		return PhaseNewAssets
	}
	return PhaseChangedAssets
}

func noun(k site.Kind) string {
	switch k {
	case site.KindImmutable:
		return "immutable asset"
	case site.KindOther:
		return "file"
	}
	return string(k)
}

func describe(diff []site.HeaderChange) string {
	parts := make([]string, len(diff))
	for i, c := range diff {
		parts[i] = fmt.Sprintf("%s: %s → %s", c.Name, cmp.Or(c.Old, "none"), cmp.Or(c.New, "none"))
	}
	return strings.Join(parts, "; ")
}

// guard refuses to empty a site of live objects by accident. Before the first
// release, what an interrupted deploy has uploaded stands for it: a few such
// objects that the site does not have any more are no accident.
func (p *Plan) guard(d *differ) {
	live, gone := d.live.Site.Len(), 0
	for _, s := range p.Steps {
		_, was := d.live.Site.Lookup(s.Object.Key)
		if (s.Op == OpRemove || s.Op == OpRetire) && (was || live == 0) {
			gone++
		}
	}
	if live == 0 {
		live = max(d.ours, d.in.Site.Len())
	}
	if gone*2 > live {
		p.Guards = append(p.Guards, fmt.Sprintf("this removes %d of the %d objects that are live, more than half", gone, live))
	}
}
