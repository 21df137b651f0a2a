package plan_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// The names of random sites: few, so that everything meets everything, and
// with folders beside files of the same name and what no path can express.
var names = []site.Key{
	"index.html", "a", "a/index.html", "a/b.html", "a~b.html", "it's.html", "日本/index.html",
	"main.css", "app.3f2a9c1b.js", "pic 1.png", "feed.xml", "x.zip",
}

const dist = "E1FRESHET"

var (
	view = rules.View{RootObject: "index.html"}
	one  = []plan.Distribution{{ID: dist, View: view}}
)

func drawFiles(t *rapid.T, label string) map[site.Key]string {
	out := map[site.Key]string{}
	for _, k := range names {
		if rapid.Bool().Draw(t, label+" has "+string(k)) {
			out[k] = rapid.SampledFrom([]string{"1", "2", "1|x"}).Draw(t, label+" "+string(k))
		}
	}
	return out
}

// drawWorld is a random record, a bucket in which others have worked, and
// perhaps a journal.
func drawWorld(t *rapid.T) world {
	w := world{bucket: map[site.Key]string{}}
	if rapid.Bool().Draw(t, "published before") {
		w.live, w.retired = drawFiles(t, "live"), map[site.Key]string{}
		for k, body := range drawFiles(t, "retired") {
			if _, ok := w.live[k]; !ok {
				w.retired[k] = body
			}
		}
	}
	others := drawFiles(t, "others")
	for _, k := range names {
		if body, ok := others[k]; ok {
			w.bucket[k] = rapid.SampledFrom([]string{body, "", "?9"}).Draw(t, "others wrote "+string(k))
		}
	}
	if rapid.Bool().Draw(t, "interrupted") {
		j := &release.Journal{Release: "r2-open", Number: 2}
		for k := range drawFiles(t, "interrupted") {
			j.Touched = append(j.Touched, k)
			for _, u := range view.URLs(k) {
				j.Pending = append(j.Pending, release.PendingURL{Distribution: dist, Path: u.Path, Key: k})
			}
		}
		slices.Sort(j.Touched)
		w.journal = j
	}
	return w
}

// apply does to a bucket what the steps say; it fails where a step is not
// possible or comes too early.
func apply(t *rapid.T, p plan.Plan, live plan.Live) map[site.Key]site.Object {
	bucket := map[site.Key]site.Object{}
	for _, o := range live.Objects {
		bucket[o.Object.Key] = *o.Object
	}
	last := -1
	for _, s := range p.Steps {
		rank := int(s.Phase)
		switch s.Op {
		case plan.OpRemove:
			rank = plan.Phases
			delete(bucket, s.Object.Key)
		case plan.OpSweep:
			rank = plan.Phases + 1
			delete(bucket, s.Object.Key)
		case plan.OpRetire:
			rank = plan.Phases + 2
		case plan.OpHeaders:
			o := bucket[s.Object.Key]
			if o.Digest != s.Object.Digest {
				t.Fatalf("%s keeps the bytes %s, which are not wanted", s.Object.Key, o.Digest.Short())
			}
			bucket[s.Object.Key] = s.Object
		default:
			bucket[s.Object.Key] = s.Object
		}
		if rank < last {
			t.Fatalf("%s %s comes too late", s.Op, s.Object.Key)
		}
		last = rank
	}
	return bucket
}

// foreign tells what nobody may touch, by the words of the rule and not by the
// code: what the record does not name, and what others have written over it,
// unless the interrupted run may have been the writer.
func (w world) foreign(k site.Key) bool {
	if w.journal != nil && slices.Contains(w.journal.Touched, k) {
		return false
	}
	recorded, ours := w.live[k]
	if !ours {
		recorded, ours = w.retired[k]
	}
	return !ours || w.bucketed(k) != "" && file(k, trimUnknown(w.bucketed(k))).ETag != file(k, recorded).ETag
}

func (w world) bucketed(k site.Key) string {
	for _, m := range []map[site.Key]string{w.bucket, w.retired, w.live} {
		if body, ok := m[k]; ok {
			return body
		}
	}
	return ""
}

func trimUnknown(s string) string {
	if s != "" && s[0] == '?' {
		return s[1:]
	}
	return s
}

func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, want := drawWorld(t), drawFiles(t, "site")
		live := w.build(t)
		retain := rapid.SampledFrom([]time.Duration{0, time.Hour, 2 * time.Hour}).Draw(t, "retain")
		p := plan.Make(plan.Input{Release: "r2-new", Site: manifest(t, want), Live: live, Distributions: one, Retain: retain, Now: now})
		after := apply(t, p, live)
		checkBucket(t, w, want, live, p, after, retain <= time.Hour)
		checkURLs(t, w, live, p, after)
		checkPrice(t, p, after)
	})
}

// checkBucket: the site is there, what is retired is there as it was, foreign
// objects are untouched, and nothing else is there. Of what is ours nothing is
// deleted but pages and feeds and, where they are due, retired assets.
func checkBucket(t *rapid.T, w world, want map[site.Key]string, live plan.Live, p plan.Plan, after map[site.Key]site.Object, due bool) {
	retired := map[site.Key]bool{}
	for i, r := range p.Retired {
		retired[r.Key] = true
		if there := after[r.Key]; there.ETag != r.ETag || there.Size != r.Size {
			t.Fatalf("%+v is retired, and %+v is there", r, there)
		}
		if i > 0 && p.Retired[i-1].Key >= r.Key {
			t.Fatalf("retired objects are out of order: %v", p.Retired)
		}
	}
	for k, body := range want {
		if o, ok := after[k]; !ok || !o.SameAnswer(file(k, body)) {
			t.Fatalf("%s is %+v, want %q", k, o, body)
		}
	}
	before := map[site.Key]site.Object{}
	for _, o := range live.Objects {
		before[o.Object.Key] = *o.Object
	}
	for k, o := range after {
		if _, wanted := want[k]; wanted {
			continue
		}
		if o != before[k] {
			t.Fatalf("%s is not part of the site and was changed", k)
		}
		if !w.foreign(k) && !retired[k] {
			t.Fatalf("%s is neither part of the site, nor kept, nor foreign", k)
		}
		if w.foreign(k) && retired[k] {
			t.Fatalf("%s is foreign and was taken over", k)
		}
	}
	for k := range before {
		_, wasRetired := w.retired[k]
		if _, ok := after[k]; !ok && (w.foreign(k) || !file(k, "").Kind.Removable() && !(due && wasRetired)) {
			t.Fatalf("%s was removed", k)
		}
	}
}

// checkURLs: every URL whose answer differs is covered by an item, whether it
// differs from what the bucket holds or from what the record says that caches
// may hold.
func checkURLs(t *rapid.T, w world, live plan.Live, p plan.Plan, after map[site.Key]site.Object) {
	must := map[site.Key]bool{}
	differs := func(o site.Object) {
		now, ok := after[o.Key]
		gone := !ok && o.Kind.Removable()
		if gone || ok && !now.SameAnswer(o) && (!w.foreign(o.Key) || o.Kind.Removable()) {
			must[o.Key] = true
		}
	}
	for _, o := range live.Objects {
		differs(*o.Object)
	}
	for k, o := range after {
		if !slices.ContainsFunc(live.Objects, func(b plan.Observed) bool { return b.Object.Key == k }) {
			must[o.Key] = true
		}
	}
	for _, o := range live.State.Live.Site.Objects() {
		differs(o)
	}
	if w.journal != nil {
		for _, u := range w.journal.Pending {
			must[u.Key] = true
		}
	}
	for k := range must {
		for _, u := range view.URLs(k) {
			if !slices.ContainsFunc(p.Purges[0].Cover.Items, func(it invalidation.Item) bool { return it.Path.Covers(u.Path) }) {
				t.Fatalf("%s changed and is not covered by %v", u.Path, paths(p))
			}
		}
	}
	if len(urlsOf(p)) == 0 && len(p.Purges[0].Cover.Items) > 0 {
		t.Fatalf("nothing changed, yet %v is sent", paths(p))
	}
}

// checkPrice: an object that does not change and whose own URL does not either
// is covered only if it is counted as dropped.
func checkPrice(t *rapid.T, p plan.Plan, after map[site.Key]site.Object) {
	changed, objects := map[site.URLPath]bool{}, map[site.Key]bool{}
	for _, u := range urlsOf(p) {
		changed[u.Path], objects[u.Object] = true, true
	}
	drops, live := 0, 0
	for k := range after {
		own := "/" + strings.NewReplacer("%2F", "/", "%27", "'").Replace(url.PathEscape(string(k)))
		if changed[site.URLPath(own)] || objects[k] {
			continue
		}
		live++
		for _, it := range paths(p) {
			if prefix, wildcard := strings.CutSuffix(it, "*"); wildcard && strings.HasPrefix(own, prefix) || it == own {
				drops++
				break
			}
		}
	}
	if u := p.Purges[0]; drops != u.Cover.Drops || live != u.LiveObjects {
		t.Fatalf("the plan says that it drops %d of %d untouched objects, but it drops %d of %d: %v", u.Cover.Drops, u.LiveObjects, drops, live, paths(p))
	}
}
