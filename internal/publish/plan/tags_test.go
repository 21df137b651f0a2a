package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

const tagHeader = "x-amz-meta-cache-tag"

// scarce makes naming 20 pages dearer than a tag.
var scarce = plan.Spending{Budget: 100}

var withTags = []plan.Distribution{{ID: dist, View: view, TagHeader: tagHeader}}

// next plans files on top of live behind dists.
func next(t tester, id release.ID, live plan.Live, files map[site.Key]string, dists []plan.Distribution) plan.Plan {
	t.Helper()
	return plan.Make(plan.Input{Release: id, Site: manifest(t, files), Live: live, Distributions: dists, Spending: scarce, Now: now})
}

func isTag(item string) bool { return strings.HasPrefix(item, "#") }

func TestUploadsCarryTags(t *testing.T) {
	p := next(t, "r1-a", plan.Live{}, map[site.Key]string{"a/b/c.html": "c", "x.png": "x"}, withTags)
	want := map[site.Key]int{"a/b/c.html": 3, "x.png": 1} // how many tags
	for _, s := range p.Steps {
		h := s.Object.Headers.Get()
		tags := strings.Split(h.Tags, ",")
		if h.TagHeader != tagHeader || len(tags) != want[s.Object.Key] || tags[0] != "fr."+string(s.Object.Kind) {
			t.Errorf("%s carries %q in %q", s.Object.Key, h.Tags, h.TagHeader)
		}
		if o, _ := p.Site.Lookup(s.Object.Key); o.Headers.Get() != h {
			t.Errorf("the manifest does not know the tags of %s: %+v", o.Key, o.Headers)
		}
	}
	for _, header := range []string{"", "Cache-Tag"} { // a bucket can carry the second only through a function
		p := next(t, "r1-a", plan.Live{}, map[site.Key]string{"a.html": "a"}, []plan.Distribution{{ID: dist, TagHeader: header}})
		if h := p.Steps[0].Object.Headers.Get(); h.Tags != "" || h.TagHeader != "" {
			t.Errorf("with the header %q: tags %q", header, h.Tags)
		}
	}
}

// Enabling tags alone changes nothing; what is written later carries them, and
// only what was cached since is reached by one.
func TestTagsAreUsedOnceTheyAreThere(t *testing.T) {
	files := many(20)
	plain := next(t, "r1-a", plan.Live{}, files, one)
	on := next(t, "r2-b", liveAfter(plain), files, withTags)
	if !on.Empty() || len(on.Steps)+on.Paths() != 0 {
		t.Fatalf("enabling tags alone makes the plan %v with %v", steps(on), paths(on))
	}
	themed := edited(files, pagesOf(files)...)
	first := next(t, "r2-b", liveAfter(plain), themed, withTags)
	if slices.ContainsFunc(paths(first), isTag) || first.Paths() == 0 {
		t.Errorf("caches hold answers without tags, yet %v is sent", paths(first))
	}
	second := next(t, "r3-c", liveAfter(first), edited(themed, pagesOf(files)...), withTags)
	if drops, _ := second.Drops(); !cmp.Equal(paths(second), []string{"#fr.page"}) || drops != 0 {
		t.Errorf("%v drop %d; want one tag that drops nothing", paths(second), drops)
	}
	if u := second.Purges[0]; u.LiveObjects != 21 || u.Cover.Items[0].CoverCount != 20 {
		t.Errorf("the tag covers %d of the changed URLs beside %d untouched objects, want 20 and 21", u.Cover.Items[0].CoverCount, u.LiveObjects)
	}
	off := next(t, "r3-c", liveAfter(first), edited(themed, pagesOf(files)...), one)
	if slices.ContainsFunc(paths(off), isTag) {
		t.Errorf("tags are off, yet %v is sent", paths(off))
	}
	renamed := next(t, "r3-c", liveAfter(first), edited(themed, pagesOf(files)...), []plan.Distribution{{ID: dist, View: view, TagHeader: "x-amz-meta-other"}})
	if slices.ContainsFunc(paths(renamed), isTag) {
		t.Errorf("the answers carry another header, yet %v is sent", paths(renamed))
	}
}

// What is not written does not get tags, whatever else is.
func TestTagsComeWithTheNextWrite(t *testing.T) {
	files := many(20)
	plain := next(t, "r1-a", plan.Live{}, files, one)
	on := next(t, "r2-b", liveAfter(plain), edited(files, "robots.txt"), withTags)
	for _, o := range on.Site.Objects() {
		if (o.Headers.Get().Tags != "") != (o.Key == "robots.txt") {
			t.Errorf("the record says that %s carries %q", o.Key, o.Headers.Get().Tags)
		}
	}
	if len(on.Steps) != 1 || !cmp.Equal(paths(on), []string{"/robots.txt"}) {
		t.Errorf("steps %v, items %v", steps(on), paths(on))
	}
}

// Somebody deleted pages, and may have put others there before; those carry no
// tags.
func TestTagsOfWhatIsGone(t *testing.T) {
	files := many(20)
	live := liveAfter(next(t, "r1-a", plan.Live{}, files, withTags))
	live.Objects = slices.DeleteFunc(live.Objects, func(o plan.Observed) bool { return o.Object.Kind == site.KindPage })
	p := next(t, "r2-b", live, files, withTags)
	if slices.ContainsFunc(paths(p), isTag) || p.Paths() == 0 {
		t.Errorf("items %v", paths(p))
	}
}

// A distribution may show one object under two paths. Its tags name the folders
// of the first.
func TestTagsOfAnObjectOfTwoRoutes(t *testing.T) {
	files := map[site.Key]string{}
	for k, body := range many(20) {
		files["a/"+k] = body
	}
	dists := []plan.Distribution{{ID: dist, TagHeader: tagHeader, View: rules.View{Routes: []rules.Route{
		{Pattern: "/posts/*", Bucket: true, OriginPath: "/a"}, {Pattern: "*", Bucket: true},
	}}}}
	live := liveAfter(next(t, "r1-a", plan.Live{}, files, dists))
	posts := slices.DeleteFunc(pagesOf(files), func(k site.Key) bool { return !strings.HasPrefix(string(k), "a/posts/") })
	p := plan.Make(plan.Input{
		Release: "r2-b", Site: manifest(t, edited(files, posts[1:]...)), Live: live, Distributions: dists, Now: now,
		Spending: plan.Spending{Policy: invalidation.PolicyExact},
	})
	for _, s := range p.Steps {
		for _, u := range dists[0].View.URLs(s.Object.Key) {
			if !slices.ContainsFunc(paths(p), func(it string) bool { return reaches(it, string(u.Path), s.Old.Headers.Get().Tags) }) {
				t.Errorf("%s, cached with %s, is reached by none of %v", u.Path, s.Old.Headers.Get().Tags, paths(p))
			}
		}
	}
	if n := len(urlsOf(p)); n != 18 {
		t.Errorf("%d URLs change, want two of each page", n)
	}
}

// Tags name folders as the first distribution shows them. Another one that
// shows the same objects under other paths must not look for its own.
func TestTagsOfAnotherOriginPath(t *testing.T) {
	files := map[site.Key]string{}
	for k, body := range many(20) {
		files["prod/"+k] = body
	}
	dists := []plan.Distribution{
		{ID: "EWHOLE", TagHeader: tagHeader},
		{ID: "EPROD", View: rules.View{OriginPath: "/prod"}, TagHeader: tagHeader},
	}
	tagged := next(t, "r1-a", plan.Live{}, files, dists)
	var posts []site.Key
	for _, k := range pagesOf(files) {
		if strings.HasPrefix(string(k), "prod/posts/") {
			posts = append(posts, k)
		}
	}
	p := plan.Make(plan.Input{
		Release: "r2-b", Site: manifest(t, edited(files, posts...)), Live: liveAfter(tagged), Distributions: dists,
		Spending: plan.Spending{Budget: 20}, Now: now,
	})
	for _, u := range p.Purges {
		for _, s := range p.Steps {
			reached := false
			for _, it := range u.Cover.Paths() {
				own, _ := dists[slices.IndexFunc(dists, func(d plan.Distribution) bool { return d.ID == u.Distribution })].View.Own(s.Object.Key)
				reached = reached || reaches(it, string(own), s.Old.Headers.Get().Tags)
			}
			if !reached {
				t.Errorf("%s on %s is reached by none of %v; it carries %s", s.Object.Key, u.Distribution, u.Cover.Paths(), s.Old.Headers.Get().Tags)
			}
		}
	}
	if !slices.ContainsFunc(p.Purges[0].Cover.Paths(), isTag) {
		t.Errorf("no tag in %v: the test does not try what it is for", p.Purges[0].Cover.Paths())
	}
}

// reaches says by the fact sheet, 1.2 and 2, whether an item drops the answer
// that a cache holds under path with the given tags.
func reaches(item, path, tags string) bool {
	if tag, ok := strings.CutPrefix(item, "#"); ok {
		return slices.Contains(strings.Split(tags, ","), tag)
	}
	prefix, wildcard := strings.CutSuffix(item, "*")
	return item == path || wildcard && strings.HasPrefix(path, prefix)
}

// An interrupted run may have given pages other tags; caches of a distribution
// that the target did not have then may hold them as well.
func TestTagsOfWhatAnInterruptedRunTouched(t *testing.T) {
	files := many(20)
	live := liveAfter(next(t, "r1-a", plan.Live{}, files, withTags))
	if p := next(t, "r2-b", live, edited(files, pagesOf(files)...), withTags); !slices.ContainsFunc(paths(p), isTag) {
		t.Fatalf("no tag in %v: the test does not try what it is for", paths(p))
	}
	live.State.Journal = &release.Journal{Release: "r2-b", Number: 2, Base: "r1-a", Touched: pagesOf(files)}
	for i := range live.Objects {
		if o := &live.Objects[i]; o.Object.Kind == site.KindPage {
			*o = plan.Observed{Object: &site.Object{Key: o.Object.Key, Size: o.Object.Size, ETag: o.Object.ETag}, Ours: true}
		}
	}
	p := next(t, "r2-b", live, edited(files, pagesOf(files)...), withTags)
	if slices.ContainsFunc(paths(p), isTag) || p.Paths() == 0 {
		t.Errorf("items %v", paths(p))
	}
	if n := len(copies(t, p)); n != 20 {
		t.Errorf("%d pages are kept, want 20", n)
	}
}

// An interrupted run may have left answers in caches that carry no tags yet,
// although what the bucket holds now does.
func TestTagsAndAnInterruptedRun(t *testing.T) {
	files := many(20)
	plain := next(t, "r1-a", plan.Live{}, files, one)
	half := next(t, "r2-b", liveAfter(plain), edited(files, pagesOf(files)...), withTags)
	live := liveAfter(half) // all is written, nothing is purged or committed
	live.State = liveAfter(plain).State
	j := &release.Journal{Release: "r2-b", Number: 2, Base: "r1-a"}
	for _, u := range urlsOf(half) {
		j.Touched = append(j.Touched, u.Object)
		j.Pending = append(j.Pending, release.PendingURL{Distribution: dist, Path: u.Path, Key: u.Object})
	}
	live.State.Journal = j
	third := edited(edited(files, pagesOf(files)...), pagesOf(files)...)
	p := next(t, "r3-c", live, third, withTags)
	if slices.ContainsFunc(paths(p), isTag) || p.Paths() == 0 {
		t.Errorf("caches may hold what has no tags, yet %v is sent", paths(p))
	}
}

// Two objects may answer one URL, "/a". A tag of the one does not reach what
// caches hold of the other.
func TestTagsOfASharedURL(t *testing.T) {
	files := many(20)
	files["a"], files["a/index.html"] = "download", "page"
	tagged := next(t, "r1-a", plan.Live{}, files, withTags)
	p := next(t, "r2-b", liveAfter(tagged), edited(files, append(pagesOf(files), "a")...), withTags)
	old, _ := tagged.Site.Lookup("a")
	if !slices.ContainsFunc(paths(p), func(it string) bool { return reaches(it, "/a", old.Headers.Get().Tags) }) {
		t.Errorf("/a as it was cached of the download, with %s, is reached by none of %v", old.Headers.Get().Tags, paths(p))
	}
	if !slices.ContainsFunc(paths(p), isTag) {
		t.Errorf("no tag in %v: the test does not try what it is for", paths(p))
	}

	files = map[site.Key]string{"a.html": "page"}
	for k, body := range many(20) {
		files["a/"+k] = body
	}
	objects := manifest(t, files).Objects()
	old = objects[0] // a page that is named "a", as a rule may make it
	old.Key = "a"
	first, err := site.NewManifest(append(slices.Clone(objects[1:]), old, file("a/index.html", "page")))
	if err != nil {
		t.Fatal(err)
	}
	tagged = plan.Make(plan.Input{Release: "r1-a", Site: first, Distributions: withTags, Spending: scarce, Now: now})
	delete(files, "a.html")
	files["a/index.html"] = "page"
	p = next(t, "r2-b", liveAfter(tagged), edited(files, pagesOf(files)...), withTags)
	old, _ = tagged.Site.Lookup("a")
	if !slices.ContainsFunc(paths(p), func(it string) bool { return reaches(it, "/a", old.Headers.Get().Tags) }) {
		t.Errorf("/a as it was cached of the removed page, with %s, is reached by none of %v", old.Headers.Get().Tags, paths(p))
	}
	if !slices.ContainsFunc(paths(p), isTag) {
		t.Errorf("no tag in %v: the test does not try what it is for", paths(p))
	}
}

// Whatever changes, behind whatever distributions, and however little may be
// spent: whatever a cache may hold of a URL whose answer changes is reached.
func TestNothingStaysCached(t *testing.T) {
	dists := rapid.SliceOfN(rapid.SampledFrom([]plan.Distribution{
		{ID: "E1", View: view, TagHeader: tagHeader}, {ID: "E2", View: rules.View{OriginPath: "/a"}, TagHeader: tagHeader}, {ID: "E3", View: view},
		{ID: "E4", TagHeader: tagHeader, View: rules.View{Routes: []rules.Route{
			{Pattern: "/b/*", Bucket: true, OriginPath: "/a"}, {Pattern: "/main*"}, {Pattern: "*", Bucket: true, Folders: true, Variants: true},
		}}},
	}), 1, 3)
	policies := rapid.SampledFrom([]invalidation.Policy{"", invalidation.PolicyExact, invalidation.PolicyBalanced, invalidation.PolicyFrugal})
	rapid.Check(t, func(t *rapid.T) {
		behind := dists.Draw(t, "distributions")
		spend := plan.Spending{Policy: policies.Draw(t, "policy"), Budget: rapid.IntRange(0, 6).Draw(t, "budget")}
		live := plan.Live{}
		for range 3 { // the tags of a distribution may come late
			on := slices.Clone(behind)
			for i := range on {
				if rapid.Bool().Draw(t, "tags off") {
					on[i].TagHeader = ""
				}
			}
			files := map[site.Key]string{"a/b/c.html": "1", "a/b/d.html": "1", "z.html": "1"}
			for k, body := range drawFiles(t, "site") {
				files[k] = body
			}
			p := plan.Make(plan.Input{Release: "r1-a", Site: manifest(t, files), Live: live, Distributions: on, Spending: spend, Now: now})
			for i, u := range p.Purges {
				checkReached(t, p, u, on[i], live)
			}
			live = liveAfter(p)
		}
	})
}

func checkReached(t *rapid.T, p plan.Plan, u plan.Purge, on plan.Distribution, live plan.Live) {
	changes := map[site.Key]bool{}
	for _, s := range p.Steps {
		changes[s.Object.Key] = s.Op != plan.OpRetire
	}
	for _, s := range p.Steps {
		if s.Op == plan.OpRetire {
			continue
		}
		for _, form := range on.View.URLs(s.Object.Key) {
			asked := []string{string(form.Path)}
			if form.Variants {
				asked = append(asked, asked[0]+"?x=/y")
			}
			cached := []string{""} // the tags of what caches may hold and must not
			for _, o := range live.Objects {
				if changes[o.Object.Key] && slices.ContainsFunc(on.View.URLs(o.Object.Key), func(f rules.URL) bool { return f.Path == form.Path }) {
					cached = append(cached, o.Object.Headers.Get().Tags)
				}
			}
			if len(cached) > 1 {
				cached = cached[1:] // an object, and not that there is none
			}
			for i := range len(asked) * len(cached) {
				path, tags := asked[i%len(asked)], cached[i/len(asked)]
				if !slices.ContainsFunc(u.Cover.Paths(), func(it string) bool { return reaches(it, path, tags) }) {
					t.Fatalf("%s on %s changes; cached with %q it is reached by none of %v", path, on.ID, tags, u.Cover.Paths())
				}
			}
		}
	}
}
