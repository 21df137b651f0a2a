package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// rangeKeys is how many keys of the record a range of the listing has: a little
// less than a page, so that what others have put between them, and the record
// itself, mostly need no second page.
const rangeKeys = 950

// stretch is a part of the record in key order, and with it the part of the
// bucket after one key and up to another.
type stretch struct {
	after, upTo site.Key // "" is the beginning, or the end
	site        site.Manifest
	from, to    int // of site, as far as it is of the stretch
	retired     []release.Retired
}

// entry is one object of the record.
type entry struct {
	key     site.Key
	at      int          // in the site; below 0 for a retired one,
	retired *site.Object // which this is
}

// stretches cuts the record where a listing is to be cut, into parts of n keys.
func stretches(m release.Manifest, n int) []stretch {
	rest := stretch{site: m.Site, to: m.Site.Len(), retired: m.Retired}
	var out []stretch
	for rest.to-rest.from+len(rest.retired) > n {
		part := rest
		for range n {
			e, _ := rest.next()
			rest.after = e.key
		}
		part.upTo, part.to, part.retired = rest.after, rest.from, part.retired[:len(part.retired)-len(rest.retired)]
		out = append(out, part)
	}
	return append(out, rest)
}

// next takes the first object off s; ok is false where there is none.
func (s *stretch) next() (e entry, ok bool) {
	switch {
	case s.from < s.to && (len(s.retired) == 0 || s.site.KeyAt(s.from) <= s.retired[0].Key):
		e = entry{key: s.site.KeyAt(s.from), at: s.from}
		s.from++
		if len(s.retired) > 0 && s.retired[0].Key == e.key {
			s.retired = s.retired[1:] // the site's counts
		}
		return e, true
	case len(s.retired) > 0:
		e = entry{s.retired[0].Key, -1, &s.retired[0].Object}
		s.retired = s.retired[1:]
		return e, true
	}
	return e, false
}

// survey lists the bucket, in as many ranges at once as the record suggests, and
// holds it against the record: an object is known where both agree and no
// interrupted run has touched it. Listed and compared in passing, a bucket of
// any size needs memory for what differs alone: sound and found are those of
// plan.Live.
func (e *Engine) survey(ctx context.Context, state release.State) (sound []bool, found []plan.Observed, err error) {
	sound = make([]bool, state.Live.Site.Len())
	if e.opts.TrustRecord && state.Current != nil && state.Journal == nil {
		return sound, recorded(state.Live, sound), nil
	}
	parts := stretches(state.Live, rangeKeys)
	others := make([][]plan.Observed, len(parts))
	lacking := make([][]site.Key, len(parts))
	touched := reached(state.Journal)
	progress := &tally{report: e.report}
	g, gctx := crash.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	for i, part := range parts {
		g.Go(func() (err error) {
			others[i], lacking[i], err = e.list(gctx, part, sound, touched, progress)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	progress.finish()
	found, err = e.unlisted(ctx, slices.Concat(others...), slices.Concat(lacking...), state.Live, touched)
	return sound, found, err
}

// recorded is what the bucket holds if nobody but freshet has written to it.
func recorded(m release.Manifest, sound []bool) []plan.Observed {
	rest := stretch{site: m.Site, to: m.Site.Len(), retired: m.Retired}
	var out []plan.Observed
	for e, ok := rest.next(); ok; e, ok = rest.next() {
		if e.at >= 0 {
			sound[e.at] = true
		} else {
			out = append(out, plan.Observed{Object: e.retired, Known: true, Ours: true})
		}
	}
	return out
}

// errEnough ends a listing at the end of its stretch.
var errEnough = errors.New("the stretch ends here")

// list lists and compares one stretch, and marks what is sound. lacking are the
// keys that the record names and the listing does not.
func (e *Engine) list(ctx context.Context, s stretch, sound []bool, touched touched, progress *tally) (found []plan.Observed, lacking []site.Key, err error) {
	err = e.patient(ctx, nil, func() error {
		clear(sound[s.from:s.to]) // of what a try before has seen
		c := comparison{stretch: s, touched: touched, sound: sound}
		err := e.store.List(ctx, "", string(s.after), func(page []remote.Info) error {
			before := c.seen
			err := c.page(page)
			progress.add(c.seen - before)
			return err
		})
		if err != nil && !errors.Is(err, errEnough) {
			progress.add(-c.seen)
			return fmt.Errorf("list %s: %w", e.store, err)
		}
		c.pass("")
		found, lacking = c.found, c.lacking
		return nil
	})
	return found, lacking, err
}

// comparison holds what is listed, in key order, against what is recorded.
type comparison struct {
	stretch
	touched touched
	sound   []bool // of the whole site
	found   []plan.Observed
	lacking []site.Key
	seen    int // objects
}

// page takes the next objects; errEnough says that the rest of the listing is
// another stretch's.
func (c *comparison) page(infos []remote.Info) error {
	for i := range infos {
		if c.upTo != "" && infos[i].Key > c.upTo {
			return errEnough
		}
		if !infos[i].Key.IsState() {
			c.see(infos[i])
		}
	}
	if n := len(infos); c.upTo != "" && n > 0 && infos[n-1].Key == c.upTo {
		return errEnough
	}
	return nil
}

// see compares one object.
func (c *comparison) see(info remote.Info) {
	c.seen++
	e, ok := c.pass(info.Key)
	var recorded *site.Object
	switch {
	case ok && e.at < 0:
		recorded = e.retired
	case ok && c.site.Holds(e.at, info.Size, info.ETag) && !c.touched.reached(info):
		c.sound[e.at] = true
		return
	case ok:
		o := c.site.At(e.at)
		recorded = &o
	}
	c.found = append(c.found, observed(info, recorded, c.touched))
}

// pass moves on to key, or with "" to the end, and returns what is recorded
// under it; ok is false for nothing.
func (c *comparison) pass(key site.Key) (e entry, ok bool) {
	for rest := c.stretch; ; c.stretch = rest {
		switch e, ok = rest.next(); {
		case !ok || key != "" && e.key > key:
			return e, false
		case e.key == key:
			c.stretch = rest
			return e, true
		default:
			c.lacking = append(c.lacking, e.key)
		}
	}
}

// observed is what a listed object is, given what is recorded under its key.
func observed(info remote.Info, recorded *site.Object, touched touched) plan.Observed {
	reached := touched.reached(info)
	o := plan.Observed{Object: recorded, Ours: recorded != nil || reached}
	o.Known = recorded != nil && !reached && recorded.ETag == info.ETag && recorded.Size == info.Size
	if !o.Known { // the page that it was listed on is not kept in memory for it
		o.Object = &site.Object{Key: site.Key(strings.Clone(string(info.Key))), Size: info.Size, ETag: strings.Clone(info.ETag)}
	}
	return o
}

// touched is what an interrupted run may have written: its keys, and of those
// under which somebody else's object lay, that object's ETag.
type touched map[site.Key]string

// reached is what the run whose journal is j may have written; nil for no run.
func reached(j *release.Journal) touched {
	if j == nil {
		return nil
	}
	out := make(touched, len(j.Touched))
	for _, k := range j.Touched {
		out[k] = ""
	}
	for _, o := range j.Overwritten {
		if _, ok := out[o.Key]; ok {
			out[o.Key] = o.ETag
		}
	}
	return out
}

// may says whether the run was to write the key.
func (t touched) may(k site.Key) bool { _, ok := t[k]; return ok }

// reached says whether the run may have written what is there. A foreign object
// that it was going to replace, and that is there unchanged, is still foreign.
func (t touched) reached(info remote.Info) bool {
	before, ok := t[info.Key]
	return ok && (before == "" || before != info.ETag)
}

// maxDoubted bounds how many objects are looked for one by one: where more are
// missing, somebody has deleted them.
const maxDoubted = 1000

// unlisted adds to what was found what the record names and the listing lacks,
// if it is there all the same. Listings of S3 lack nothing (fact sheet 7.6),
// those of other stores may, for a while; an object that freshet loses sight of
// would be left over for good, and so would its bytes be lost to a rollback.
func (e *Engine) unlisted(ctx context.Context, found []plan.Observed, doubted []site.Key, live release.Manifest, touched touched) ([]plan.Observed, error) {
	if len(doubted) > maxDoubted {
		return found, nil
	}
	g, gctx := crash.WithContext(ctx)
	g.SetLimit(e.opts.Jobs)
	there := make([]remote.Info, len(doubted))
	for i, k := range doubted {
		g.Go(func() error {
			return e.patient(gctx, nil, func() error {
				head, err := e.store.Head(gctx, k)
				if there[i] = head.Info; errors.Is(err, remote.ErrNotFound) {
					return nil
				}
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	listed := len(found)
	for _, info := range there {
		if info.Key != "" {
			found = append(found, observed(info, lookup(live, info.Key), touched))
		}
	}
	if len(found) > listed {
		slices.SortFunc(found, func(a, b plan.Observed) int { return cmp.Compare(a.Object.Key, b.Object.Key) })
	}
	return found, nil
}

// lookup is what is recorded under a key; nil for nothing.
func lookup(m release.Manifest, k site.Key) *site.Object {
	if o, ok := m.Site.Lookup(k); ok {
		return &o
	}
	i, ok := slices.BinarySearchFunc(m.Retired, k, func(r release.Retired, k site.Key) int { return cmp.Compare(r.Key, k) })
	if !ok {
		return nil
	}
	return &m.Retired[i].Object
}

// tally reports how far the listing is.
type tally struct {
	report *reporter
	mu     sync.Mutex // guards done; held while it is passed on, so that counts only rise but for a repeat
	done   int
}

func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += n
	t.report.send(Event{Stage: StageList, Done: t.done})
}

func (t *tally) finish() { t.report.send(Event{Stage: StageList, Done: t.done, Finished: true}) }
