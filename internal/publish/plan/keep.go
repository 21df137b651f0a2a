package plan

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// recorded is what the record says that lies under k, and when the last release
// that names it is superseded: with this plan for what is live, earlier for an
// asset that was retired.
func (d *differ) recorded(k site.Key) (o site.Object, since time.Time, ok bool) {
	if o, ok := d.live.Site.Lookup(k); ok {
		return o, d.since, true
	}
	if i, ok := d.findRetired(k); ok {
		return d.live.Retired[i].Object, d.live.Retired[i].Since, true
	}
	return site.Object{}, time.Time{}, false
}

// written reports whether have is the object that was recorded, not written
// again since. Its headers may differ where an interrupted run copied it onto
// itself, since that need not change the ETag (fact sheet 7.1).
func written(have Observed, recorded site.Object) bool {
	return have.Object.ETag == recorded.ETag && have.Object.Size == recorded.Size
}

// holds reports whether have's bytes are the recorded ones.
func holds(have Observed, recorded site.Object) bool {
	if recorded.Digest.IsZero() {
		return false
	}
	return written(have, recorded) || have.Known && have.Object.Digest == recorded.Digest
}

// found is have as far as it is known, given what the record says of its key.
func found(have Observed, recorded site.Object) site.Object {
	o := *have.Object
	o.Kind = recorded.Kind
	if !have.Known && written(have, recorded) {
		o.Digest = recorded.Digest
	}
	return o
}

// recall is have as the record knows it, where an interrupted run was to write
// over have and did not get to it. It may have got to its headers: have stays
// unknown if nothing but those could differ from want.
func (d *differ) recall(have Observed, want site.Object) Observed {
	if have.Known {
		return have
	}
	recorded, _, ok := d.recorded(want.Key)
	if !ok || !holds(have, recorded) || recorded.Digest == want.Digest {
		return have
	}
	have.Object, have.Known = &recorded, true
	return have
}

// keep notes that s, whose Old is known, destroys the bytes of have, where a
// release of ours needs them for a rollback: the bucket holds what was recorded
// under the key, and the time of a retired asset is not over.
func (d *differ) keep(s *Step, have Observed) {
	recorded, since, ok := d.recorded(have.Object.Key)
	if !ok || !holds(have, recorded) || s.Op == OpUpdate && recorded.Digest == s.Object.Digest {
		return
	}
	if _, live := d.live.Site.Lookup(recorded.Key); !live && d.due(since) {
		return
	}
	old := *s.Old
	old.Digest, old.ETag = recorded.Digest, have.Object.ETag // a copy of an object onto itself may have changed its ETag
	s.Old, s.Keep = &old, true
	d.keeps[old.Key] = true
}

// kept lists the bytes that are kept after the plan, in digest order: those of
// the record whose time is not over, and those that lose their key with it.
func (d *differ) kept() []release.Kept {
	out, stored := map[site.Digest]release.Kept{}, map[site.Digest]bool{}
	for _, k := range d.live.Kept {
		if stored[k.Digest] = true; !d.due(k.Since) {
			later(out, k)
		}
	}
	for i := range d.live.Site.Len() {
		digest, _ := d.live.Site.AnswerAt(i)
		k := d.live.Site.KeyAt(i)
		if (d.keeps[k] || d.touched[k] || stored[digest]) && !d.stays(k, digest) {
			later(out, release.Kept{Digest: digest, Size: d.live.Site.At(i).Size, Since: d.since})
		}
	}
	for _, r := range d.live.Retired {
		// An asset that an interrupted run has swept is gone; one that it has
		// written over was kept before.
		saved := d.keeps[r.Key] || d.touched[r.Key] && d.inBucket(r.Key) || stored[r.Digest]
		if saved && !d.due(r.Since) && !d.stays(r.Key, r.Digest) {
			later(out, release.Kept{Digest: r.Digest, Size: r.Size, Since: r.Since})
		}
	}
	return inOrder(out)
}

// stays reports whether the bytes with the digest lie under k after the plan.
func (d *differ) stays(k site.Key, digest site.Digest) bool {
	if i, ok := slices.BinarySearchFunc(d.retired, k, func(r release.Retired, k site.Key) int { return cmp.Compare(r.Key, k) }); ok {
		return d.retired[i].Digest == digest
	}
	o, ok := d.site.Lookup(k)
	return ok && o.Digest == digest
}

// later adds k, unless its bytes are listed for longer already.
func later(out map[site.Digest]release.Kept, k release.Kept) {
	if old, listed := out[k.Digest]; k.Digest.IsZero() || listed && !k.Since.After(old.Since) {
		return
	}
	out[k.Digest] = k
}

func inOrder(kept map[site.Digest]release.Kept) []release.Kept {
	if len(kept) == 0 {
		return nil
	}
	out := make([]release.Kept, 0, len(kept))
	for _, k := range kept {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b release.Kept) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	return out
}

// remember fills in what the record keeps after the plan; live is the
// fingerprint of the site that is live.
func (p *Plan) remember(d *differ, live site.Digest) {
	for i := range d.retired {
		if d.retired[i].Release == d.in.Release {
			d.retired[i].Release = p.Release // an interrupted run's, where the plan repeats it
		}
	}
	p.Retired, p.Kept = d.retired, d.kept()
	p.History, p.Supersedes = d.history, d.since
	p.Trims = d.trims(p, live)
}

// trims counts the kept bytes and the earlier releases that go with p. A
// release whose site is the very one that is live does not count: there is
// nothing that a rollback to it would change, and if it counted, each sweep
// would leave something for the next.
func (d *differ) trims(p *Plan, live site.Digest) int {
	n := 0
	for _, k := range d.live.Kept {
		_, still := slices.BinarySearchFunc(p.Kept, k.Digest, func(k release.Kept, d site.Digest) int { return bytes.Compare(k.Digest[:], d[:]) })
		if !still {
			n++
		}
	}
	gone := map[release.ID]bool{}
	for _, e := range d.live.History {
		gone[e.Release] = e.Gone
	}
	for _, e := range p.History {
		if e.Gone && !gone[e.Release] && e.Site != live {
			n++
		}
	}
	return n
}

// Manifest is the record's entry of the release that p makes. Its state, what p
// was made from, is not needed: p says all of it. published is the site with the
// ETags that the store answered, and about what only the run knows: Created,
// Writer, Revision and Seconds. All else in About is p's.
//
// What was live until now is superseded at about.Created, not when p was made:
// between the two the plan may have been read, or stored, for a while.
func (p Plan) Manifest(_ release.State, published site.Manifest, about release.Entry) release.Manifest {
	about.Release, about.Number, about.Restores = p.Release, p.Number, p.Restores
	about.Site, about.Objects, about.Bytes = Fingerprint(published), published.Len(), published.Bytes()
	about.Uploaded, about.Sent = p.Count(OpAdd, OpUpdate)
	about.Headers, _ = p.Count(OpHeaders)
	about.Removed, _ = p.Count(OpRemove)
	about.Retired, _ = p.Count(OpRetire)
	about.Swept, _ = p.Count(OpSweep)
	about.Paths = p.Paths()
	about.Drops, _ = p.Drops()
	m := release.Manifest{
		Release: p.Release, Number: p.Number, Created: about.Created, Site: published,
		Retired: slices.Clone(p.Retired), Kept: slices.Clone(p.Kept), About: about, History: slices.Clone(p.History),
	}
	for i := range m.Retired {
		m.Retired[i].Since = p.madeAt(m.Retired[i].Since, m.Created)
	}
	for i := range m.Kept {
		m.Kept[i].Since = p.madeAt(m.Kept[i].Since, m.Created)
	}
	return m
}

// madeAt is since, or, where p supersedes something at since, the time created
// at which it really does.
func (p Plan) madeAt(since, created time.Time) time.Time {
	if since.Equal(p.Supersedes) && created.After(since) {
		return created
	}
	return since
}

// superseded is when what is live is superseded: now, but not before anything
// else that is still kept was. Else a clock that went back would take bytes
// from an earlier release too early.
func superseded(now time.Time, live release.Manifest, history []release.Entry) time.Time {
	t := now
	not := func(before time.Time) {
		if before.After(t) {
			t = before
		}
	}
	for i, e := range history {
		if i > 0 && !e.Gone {
			not(history[i-1].Created)
		}
	}
	for _, r := range live.Retired {
		not(r.Since)
	}
	for _, k := range live.Kept {
		not(k.Since)
	}
	return t
}
