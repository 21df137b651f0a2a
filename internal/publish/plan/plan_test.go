package plan_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// file is an object in few words: its kind and headers follow from the key,
// its digest and ETag from the body. "body|cache" sets another Cache-Control.
func file(key site.Key, body string) site.Object {
	body, cache, custom := strings.Cut(body, "|")
	kind, h := rules.Set{}.Describe(key)
	if custom {
		h.CacheControl = cache
	}
	return site.Object{
		Key: key, Size: int64(len(body)), Digest: sha256.Sum256([]byte(body)), Kind: kind, Headers: site.Share(h), ETag: "etag of " + body,
	}
}

func manifest(t tester, files map[site.Key]string) site.Manifest {
	t.Helper()
	var objects []site.Object
	for k, body := range files {
		objects = append(objects, file(k, body))
	}
	m, err := site.NewManifest(objects)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
}

// world is what is live before a plan, in few words.
type world struct {
	live    map[site.Key]string // the recorded site; nil before the first release
	retired map[site.Key]string
	// bucket differs from live and retired: the body that is there, "" for
	// gone, and with a "?" in front where nobody knows what it is.
	bucket  map[site.Key]string
	journal *release.Journal
}

func (w world) build(t tester) plan.Live {
	t.Helper()
	var out plan.Live
	out.State.Journal = w.journal
	all := map[site.Key]string{}
	if w.live != nil {
		out.State.Current = &release.Pointer{Release: "r1-live", Number: 1}
		out.State.Live = release.Manifest{Release: "r1-live", Number: 1, Site: manifest(t, w.live)}
		for _, o := range manifest(t, w.retired).Objects() {
			out.State.Live.Retired = append(out.State.Live.Retired, release.Retired{Object: o, Release: "r1-live", Since: now.Add(-time.Hour)})
		}
	}
	for _, m := range []map[site.Key]string{w.live, w.retired, w.bucket} {
		for k, body := range m {
			all[k] = body
		}
	}
	for _, k := range slices.Sorted(keysOf(all)) {
		if body := all[k]; body != "" {
			out.Objects = append(out.Objects, w.observed(k, body))
		}
	}
	return out
}

func (w world) observed(k site.Key, body string) plan.Observed {
	body, unknown := strings.CutPrefix(body, "?")
	_, isLive := w.live[k]
	_, isRetired := w.retired[k]
	touched := w.journal != nil && slices.Contains(w.journal.Touched, k)
	o := plan.Observed{Object: ptr(file(k, body)), Known: !unknown, Ours: isLive || isRetired || touched}
	recorded, ok := w.live[k]
	if !ok {
		recorded, ok = w.retired[k]
	}
	if r := file(k, recorded); ok && !touched && r.ETag == o.Object.ETag {
		o.Object, o.Known = &r, true // a listing cannot tell more
		return o
	}
	if unknown {
		o.Object = &site.Object{Key: k, Size: o.Object.Size, ETag: o.Object.ETag}
	}
	return o
}

func keysOf[V any](m map[site.Key]V) func(func(site.Key) bool) {
	return func(yield func(site.Key) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func planFor(t tester, w world, want map[site.Key]string) plan.Plan {
	t.Helper()
	return plan.Make(plan.Input{Release: "r2-new", Site: manifest(t, want), Live: w.build(t), Distributions: one, Retain: 30 * day, Now: now})
}

// steps are a plan's steps in few words, in their order.
func steps(p plan.Plan) []string {
	var out []string
	for _, s := range p.Steps {
		phase := ""
		if s.Op == plan.OpAdd || s.Op == plan.OpUpdate || s.Op == plan.OpHeaders {
			phase = s.Phase.String() + ": "
		}
		out = append(out, fmt.Sprintf("%s%s %s (%s)", phase, s.Op, s.Object.Key, s.Why))
	}
	return out
}

func changed(p plan.Plan) []string {
	var out []string
	for _, u := range urlsOf(p) {
		out = append(out, string(u.Path))
	}
	slices.Sort(out)
	return out
}

// urlsOf are the URLs that change, over all distributions.
func urlsOf(p plan.Plan) []invalidation.URL {
	var out []invalidation.URL
	for _, u := range p.Purges {
		out = append(out, u.Changed...)
	}
	return out
}

// paths are the items that are sent, over all distributions.
func paths(p plan.Plan) []string {
	var out []string
	for _, u := range p.Purges {
		out = append(out, u.Cover.Paths()...)
	}
	return out
}

func TestStepsAndReasons(t *testing.T) {
	const (
		hashed  = "app.3f2a9c1b.js"
		page    = "index.html"
		content = "content: the bucket's copy is not what freshet published"
	)
	base := map[site.Key]string{page: "home", "about/index.html": "about", "main.css": "css", "feed.xml": "feed", "a.zip": "zip", hashed: "js"}
	with := func(pairs ...string) map[site.Key]string {
		out := map[site.Key]string{}
		for k, v := range base {
			out[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			if out[site.Key(pairs[i])] = pairs[i+1]; pairs[i+1] == "" {
				delete(out, site.Key(pairs[i]))
			}
		}
		return out
	}
	rows := []struct {
		name  string
		world world
		site  map[site.Key]string
		steps []string
		urls  []string
		check func(t *testing.T, p plan.Plan)
	}{
		{"nothing changed", world{live: base}, base, nil, nil, func(t *testing.T, p plan.Plan) {
			if !p.Empty() || !p.Recorded || p.Unchanged != 6 || len(p.Guards) > 0 {
				t.Errorf("the plan is not empty: %+v", p)
			}
		}},
		{"a first deploy goes in phases", world{}, base, []string{
			"immutable assets: add app.3f2a9c1b.js (new immutable asset)",
			"new assets: add a.zip (new file)",
			"new assets: add main.css (new asset)",
			"new pages: add about/index.html (new page)",
			"new pages: add index.html (new page)",
			"feeds: add feed.xml (new feed)",
		}, []string{"/", "/a.zip", "/about", "/about/", "/about/index.html", "/app.3f2a9c1b.js", "/feed.xml", "/index.html", "/main.css"}, func(t *testing.T, p plan.Plan) {
			if p.Number != 1 || p.Base != "" || p.Recorded || len(p.Guards) > 0 {
				t.Errorf("number %d, base %q, recorded %v, guards %v", p.Number, p.Base, p.Recorded, p.Guards)
			}
		}},
		{"an edited page", world{live: base}, with("about/index.html", "new"),
			[]string{"changed pages: update about/index.html (content)"}, []string{"/about", "/about/", "/about/index.html"}, func(t *testing.T, p plan.Plan) {
				drops, _ := p.Drops()
				if got := paths(p); !cmp.Equal(got, []string{"/about", "/about/", "/about/index.html"}) || drops != 0 {
					t.Errorf("items %v drop %d", got, drops)
				}
				if u := p.Purges[0]; u.LiveObjects != 5 || u.LiveBytes != 4+3+4+3+2 {
					t.Errorf(`"/*" would drop %d objects of %d bytes`, u.LiveObjects, u.LiveBytes)
				}
			}},
		{"changed everything goes in phases", world{live: base},
			map[site.Key]string{page: "1", "about/index.html": "2", "main.css": "3", "feed.xml": "4", "a.zip": "5", hashed: "6", "new.css": "7"}, []string{
				"immutable assets: update app.3f2a9c1b.js (content)",
				"new assets: add new.css (new asset)",
				"changed assets: update a.zip (content)",
				"changed assets: update main.css (content)",
				"changed pages: update about/index.html (content)",
				"changed pages: update index.html (content)",
				"feeds: update feed.xml (content)",
			}, nil, func(t *testing.T, p plan.Plan) {
				if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], hashed) {
					t.Errorf("warnings %q, want one for a changed immutable asset", p.Warnings)
				}
			}},
		{"only headers", world{live: base}, with("main.css", "css|no-cache"),
			[]string{"changed assets: headers main.css (cache-control: public, max-age=0, s-maxage=31536000 → no-cache)"}, []string{"/main.css"}, nil},
		{"headers and content", world{live: base}, with("main.css", "new|no-cache"),
			[]string{"changed assets: update main.css (content; cache-control: public, max-age=0, s-maxage=31536000 → no-cache)"}, []string{"/main.css"}, nil},
		{"pages go, assets stay for a while", world{live: base}, with("about/index.html", "", "main.css", "", "a.zip", ""), []string{
			"remove about/index.html (removed page)",
			"retire a.zip (no longer used; kept until 22 Dec (retain: 30d))",
			"retire main.css (no longer used; kept until 22 Dec (retain: 30d))",
		}, []string{"/about", "/about/", "/about/index.html"}, func(t *testing.T, p plan.Plan) {
			want := []release.Retired{{Object: file("a.zip", "zip"), Release: "r2-new", Since: now}, {Object: file("main.css", "css"), Release: "r2-new", Since: now}}
			if diff := cmp.Diff(p.Retired, want); diff != "" {
				t.Errorf("retired (-got +want):\n%s", diff)
			}
		}},
		{"removals follow uploads", world{live: base}, with("feed.xml", "", "index.html", "new"),
			[]string{"changed pages: update index.html (content)", "remove feed.xml (removed feed)"}, []string{"/", "/feed.xml", "/index.html"}, nil},
		{"what was retired stays retired", world{live: base, retired: map[site.Key]string{"old.css": "old"}}, base, nil, nil, func(t *testing.T, p plan.Plan) {
			if len(p.Retired) != 1 || !p.Retired[0].Since.Equal(now.Add(-time.Hour)) || !p.Empty() || p.Foreign != 0 {
				t.Errorf("retired %+v, empty %v, foreign %d", p.Retired, p.Empty(), p.Foreign)
			}
		}},
		{"a retired asset comes back as it was", world{live: base, retired: map[site.Key]string{"old.css": "old"}}, with("old.css", "old"), nil, nil, func(t *testing.T, p plan.Plan) {
			if len(p.Retired) != 0 || p.Empty() || p.Recorded {
				t.Errorf("retired %v, empty %v: the record must change", p.Retired, p.Empty())
			}
		}},
		{"a retired asset comes back changed", world{live: base, retired: map[site.Key]string{"old.css": "old"}}, with("old.css", "other"),
			[]string{"changed assets: update old.css (content)"}, []string{"/old.css"}, nil},
		{"adoption: identical objects are not sent again", world{bucket: base}, base, nil, nil, func(t *testing.T, p plan.Plan) {
			if p.Unchanged != 6 || p.Empty() {
				t.Errorf("unchanged %d, empty %v: the record must be made", p.Unchanged, p.Empty())
			}
		}},
		{"adoption: other headers, other bytes, unknown bytes, more files", world{bucket: map[site.Key]string{"index.html": "home|old", "main.css": "other", "feed.xml": "?feed", "x.html": "theirs"}}, base, []string{
			"immutable assets: add app.3f2a9c1b.js (new immutable asset)",
			"new assets: add a.zip (new file)",
			"changed assets: update main.css (content)",
			"new pages: add about/index.html (new page)",
			"changed pages: headers index.html (cache-control: old → public, max-age=0, s-maxage=31536000)",
			"feeds: update feed.xml (content: the bucket has another version, which freshet did not publish)",
		}, nil, func(t *testing.T, p plan.Plan) {
			if p.Foreign != 1 || len(p.Guards) != 0 {
				t.Errorf("foreign %d, guards %v", p.Foreign, p.Guards)
			}
		}},
		{"foreign objects are left alone", world{live: base, bucket: map[site.Key]string{"theirs/index.html": "t", "theirs/x.css": "?x"}}, base, nil, nil, func(t *testing.T, p plan.Plan) {
			if p.Foreign != 2 || !p.Empty() {
				t.Errorf("foreign %d, empty %v", p.Foreign, p.Empty())
			}
		}},
		{"somebody changed an object: it is repaired", world{live: base, bucket: map[site.Key]string{page: "?hacked"}}, base,
			[]string{"changed pages: update index.html (" + content + ")"}, []string{"/", "/index.html"}, nil},
		{"somebody deleted an object: it is sent again", world{live: base, bucket: map[site.Key]string{"main.css": ""}}, base,
			[]string{"new assets: add main.css (gone from the bucket: somebody else deleted it)"}, []string{"/main.css"}, nil},
		{"somebody wrote what the site now wants: caches may hold the old one", world{live: base, bucket: map[site.Key]string{page: "new"}}, with(page, "new"),
			nil, []string{"/", "/index.html"}, nil},
		{"somebody replaced a page that the site drops: it is theirs now", world{live: base, bucket: map[site.Key]string{"about/index.html": "?theirs"}}, with("about/index.html", ""),
			nil, []string{"/about", "/about/", "/about/index.html"}, func(t *testing.T, p plan.Plan) {
				if p.Foreign != 1 || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "left alone") {
					t.Errorf("foreign %d, warnings %q", p.Foreign, p.Warnings)
				}
			}},
		{"somebody replaced an asset that the site drops, and one that was kept", world{live: base, retired: map[site.Key]string{"old.css": "old"}, bucket: map[site.Key]string{"main.css": "?theirs", "old.css": "?theirs"}},
			with("main.css", ""), nil, nil, func(t *testing.T, p plan.Plan) {
				if p.Foreign != 2 || len(p.Retired) != 0 {
					t.Errorf("foreign %d, retired %v", p.Foreign, p.Retired)
				}
			}},
		{"a removed page is gone already: its URLs still change", world{live: base, bucket: map[site.Key]string{"about/index.html": ""}}, with("about/index.html", "", "feed.xml", ""),
			[]string{"remove about/index.html (removed page)", "remove feed.xml (removed feed)"}, []string{"/about", "/about/", "/about/index.html", "/feed.xml"}, nil},
		{"a removed asset is gone already", world{live: base, bucket: map[site.Key]string{"main.css": ""}}, with("main.css", ""), nil, nil, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := planFor(t, row.world, row.site)
			if diff := cmp.Diff(steps(p), row.steps, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("steps (-got +want):\n%s", diff)
			}
			if row.urls != nil || row.steps == nil {
				if diff := cmp.Diff(changed(p), row.urls, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("changed URLs (-got +want):\n%s", diff)
				}
			}
			if got, want := keys(p.Site), keys(manifest(t, row.site)); !cmp.Equal(got, want) {
				t.Errorf("the site after the plan is %v, want %v", got, want)
			}
			if row.check != nil {
				row.check(t, p)
			}
		})
	}
}

func keys(m site.Manifest) []site.Key {
	var out []site.Key
	for _, o := range m.Objects() {
		out = append(out, o.Key)
	}
	return out
}

func TestGuards(t *testing.T) {
	pages := func(n int) map[site.Key]string {
		out := map[site.Key]string{}
		for i := range n {
			out[site.Key(fmt.Sprintf("p%d.html", i))] = "page"
		}
		return out
	}
	journal := func(keep int) *release.Journal {
		j := &release.Journal{Release: "r2-open", Number: 2, Base: "r1-live", Site: plan.Fingerprint(manifest(t, pages(keep)))}
		for k := range pages(10) {
			j.Touched = append(j.Touched, k)
		}
		return j
	}
	orphans := journal(10)
	orphans.Base = ""
	strays := func(n int) map[site.Key]string {
		out := map[site.Key]string{}
		for i := range n {
			out[site.Key(fmt.Sprintf("stray%d.html", i))] = "stray"
		}
		return out
	}
	straying := &release.Journal{Release: "r2-open", Number: 2}
	for k := range strays(30) {
		straying.Touched = append(straying.Touched, k)
	}
	rows := []struct {
		name    string
		world   world
		keep    int
		refused bool
	}{
		{"half goes", world{live: pages(10)}, 5, false},
		{"more than half goes", world{live: pages(10)}, 4, true},
		{"all go", world{live: pages(1)}, 0, true},
		{"a first deploy", world{}, 3, false},
		{"an adopted bucket", world{bucket: pages(10)}, 1, false},
		{"an interrupted removal goes on", world{live: pages(10), journal: journal(1)}, 1, false},
		{"an interrupted run did not mean this", world{live: pages(10), journal: journal(9)}, 1, true},
		{"an interrupted first deploy, and now almost nothing", world{bucket: pages(10), journal: orphans}, 1, true},
		{"a first deploy that was interrupted early, and now another site", world{bucket: strays(3), journal: straying}, 10, false},
		{"what an interrupted run has added does not count", world{live: pages(10), bucket: strays(30), journal: straying}, 10, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := planFor(t, row.world, pages(row.keep))
			if got := len(p.Guards) > 0; got != row.refused {
				t.Errorf("guards %q, want refused: %v", p.Guards, row.refused)
			}
		})
	}
}

func TestResumption(t *testing.T) {
	old, next := map[site.Key]string{"a.html": "old", "b.html": "b", "gone.html": "gone"}, map[site.Key]string{"a.html": "new", "b.html": "b"}
	open := func(change func(*release.Journal)) *release.Journal {
		j := &release.Journal{
			Release: "r2-open", Number: 2, Base: "r1-live", Site: plan.Fingerprint(manifest(t, next)),
			Touched: []site.Key{"a.html", "gone.html"},
			Pending: []release.PendingURL{{Path: "/a.html", Key: "a.html"}, {Path: "/gone.html", Key: "gone.html"}},
		}
		if change != nil {
			change(j)
		}
		return j
	}
	done := map[site.Key]string{"a.html": "new", "gone.html": ""}
	rows := []struct {
		name    string
		world   world
		site    map[site.Key]string
		id      release.ID
		urls    []string
		uploads int
	}{
		{"everything was written: the same references", world{live: old, bucket: done, journal: open(nil)}, next, "r2-open", []string{"/a.html", "/gone.html"}, 0},
		{"nothing was written", world{live: old, journal: open(nil)}, next, "r2-new", []string{"/a.html", "/gone.html"}, 1},
		{"an upload is missing: what was sent before does not count", world{live: old, bucket: map[site.Key]string{"gone.html": ""}, journal: open(nil)}, next, "r2-new", []string{"/a.html", "/gone.html"}, 1},
		{"another site", world{live: old, bucket: done, journal: open(nil)}, map[site.Key]string{"a.html": "new", "b.html": "other"}, "r2-new", []string{"/a.html", "/b.html", "/gone.html"}, 1},
		{"the old site again", world{live: old, bucket: done, journal: open(nil)}, old, "r2-new", []string{"/a.html", "/gone.html"}, 2},
		{"the edge outlived the purge", world{live: old, bucket: done, journal: open(func(j *release.Journal) { j.Stale = true })}, next, "r2-new", []string{"/a.html", "/gone.html"}, 0},
		{"another base", world{live: old, bucket: done, journal: open(func(j *release.Journal) { j.Base = "r0" })}, next, "r2-new", []string{"/a.html", "/gone.html"}, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := planFor(t, row.world, row.site)
			if p.Resumes != "r2-open" || p.Release != row.id || p.Number != 2 || p.Empty() {
				t.Errorf("resumes %s as %s number %d, empty %v; want as %s", p.Resumes, p.Release, p.Number, p.Empty(), row.id)
			}
			if diff := cmp.Diff(changed(p), row.urls); diff != "" {
				t.Errorf("changed URLs (-got +want):\n%s", diff)
			}
			if n, _ := p.Count(plan.OpAdd, plan.OpUpdate, plan.OpHeaders); n != row.uploads {
				t.Errorf("%d uploads in %v", n, steps(p))
			}
		})
	}
	t.Run("a page that only the interrupted run had goes, an asset of it is kept", func(t *testing.T) {
		j := open(func(j *release.Journal) { j.Touched = append(j.Touched, "x.css", "x.html") })
		p := planFor(t, world{live: old, bucket: map[site.Key]string{"x.html": "?x", "x.css": "?x"}, journal: j}, old)
		want := []string{"remove x.html (removed page)", "retire x.css (no longer used; kept until 22 Dec (retain: 30d))"}
		if diff := cmp.Diff(steps(p), want); diff != "" {
			t.Errorf("steps (-got +want):\n%s", diff)
		}
	})
}

func TestFingerprint(t *testing.T) {
	base := map[site.Key]string{"a.html": "1", "b.html": "2"}
	same := plan.Fingerprint(manifest(t, base))
	for name, other := range map[string]map[site.Key]string{
		"body": {"a.html": "1", "b.html": "3"}, "key": {"a.html": "1", "c.html": "2"}, "headers": {"a.html": "1", "b.html": "2|x"},
		"fewer": {"a.html": "1"}, "none": {},
	} {
		if plan.Fingerprint(manifest(t, other)) == same {
			t.Errorf("%s: equal fingerprints", name)
		}
	}
	m := manifest(t, base).Objects()
	h := m[0].Headers.Get()
	h.TagHeader, h.Tags = "x-amz-meta-t", "fr.page"
	m[0].ETag, m[0].Kind, m[0].Headers = "other", site.KindOther, site.Share(h)
	again, err := site.NewManifest(m)
	if err != nil || plan.Fingerprint(again) != same {
		t.Errorf("the fingerprint sees more than viewers do (%v)", err)
	}
}

func ptr[T any](v T) *T { return &v }
