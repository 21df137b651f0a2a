package deploy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

const docs = "E2DOCS"

// twoFold is a rig with a second distribution, which shows the folder docs
// alone.
func twoFold(t *testing.T) (r *rig, second *edge) {
	r = newRig(t)
	shown := rules.View{OriginPath: "/docs", RootObject: "index.html"}
	r.cdn.SetDistribution(remote.Distribution{ID: docs, DefaultRootObject: "index.html"})
	second = &edge{id: docs, view: shown, store: r.store, cdn: r.cdn, cache: map[site.URLPath]entry{}}
	r.opts.Distributions = append(r.opts.Distributions, deploy.Distribution{ID: docs, View: shown, Viewer: second})
	return r, second
}

func docsSite() map[site.Key]string {
	return map[site.Key]string{
		"index.html": "home", "main.css": "css", "docs/index.html": "docs", "docs/a/index.html": "a", "docs/b.html": "b", "docs/c.html": "c",
	}
}

// onlyTheSecond makes the invalidations fail but the first: the distributions
// are served in their order, and other items have another reference.
func (r *rig) onlyTheSecond(f memory.Fault) memory.Hook {
	first := ""
	return func(op, key string) memory.Fault {
		if op != memory.OpInvalidate {
			return memory.Fault{}
		}
		if first == "" {
			first = key
		}
		if key == first {
			return memory.Fault{}
		}
		return f
	}
}

func TestTwoDistributions(t *testing.T) {
	rows := []struct {
		name          string
		changed       site.Key
		first, second []string
	}{
		{"what both show", "docs/a/index.html", []string{"/docs/a", "/docs/a/", "/docs/a/index.html"}, []string{"/a", "/a/", "/a/index.html"}},
		{"the home page of the second", "docs/index.html", []string{"/docs", "/docs/", "/docs/index.html"}, []string{"/", "/index.html"}},
		{"what the second does not show", "main.css", []string{"/main.css"}, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, second := twoFold(t)
				r.publish(docsSite())
				r.edge.browse(keysOf(docsSite())...)
				second.browse(keysOf(docsSite())...)
				r.edge.asked, second.asked = nil, nil
				before := [2]int{len(r.invalidatedOn(dist)), len(r.invalidatedOn(docs))}
				res := r.publish(with(docsSite(), string(row.changed), "edited"))
				got := [][]string{slices.Concat(r.invalidatedOn(dist)[before[0]:]...), slices.Concat(r.invalidatedOn(docs)[before[1]:]...)}
				if diff := cmp.Diff(got, [][]string{row.first, row.second}, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("invalidated (-got +want):\n%s", diff)
				}
				for i, e := range []*edge{r.edge, second} {
					slices.Sort(e.asked)
					if diff := cmp.Diff(e.asked, paths([][]string{row.first, row.second}[i]), cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("asked at %s (-got +want):\n%s", e, diff)
					}
					if stale := e.stale(keysOf(docsSite())...); len(stale) > 0 {
						t.Errorf("stale at %s: %v", e, stale)
					}
				}
				if n := 1 + min(len(row.second), 1); len(res.Invalidations) != n || res.Invalidations[n-1].Status != remote.Completed {
					t.Errorf("submitted: %+v", res.Invalidations)
				}
			})
		})
	}
}

func keysOf(files map[site.Key]string) []site.Key {
	var out []site.Key
	for k := range files {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func paths(items []string) []site.URLPath {
	var out []site.URLPath
	for _, it := range items {
		out = append(out, site.URLPath(it))
	}
	return out
}

// Only the second distribution fails: the journal says what is left where, and
// the next run repeats the first one's batch under its old name.
func TestResumeWithTwoDistributions(t *testing.T) {
	for name, fault := range map[string]memory.Fault{
		"refused": memory.FailBefore(remote.ErrDenied), "throttled": memory.FailBefore(remote.ErrTemporary), "the answer is lost": memory.FailAfter(remote.ErrTemporary),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, second := twoFold(t)
				r.publish(docsSite())
				r.edge.browse("docs/b.html")
				second.browse("docs/b.html")
				r.setHook(r.onlyTheSecond(fault))
				edited := with(docsSite(), "docs/b.html", "edited")
				r.write(edited)
				if _, err := r.deploy(); err == nil {
					t.Fatal("the deploy did not fail")
				}
				want := []release.PendingURL{{Distribution: dist, Path: "/docs/b.html", Key: "docs/b.html"}, {Distribution: docs, Path: "/b.html", Key: "docs/b.html"}}
				if j := r.state().Journal; j == nil || !cmp.Equal(j.Pending, want) {
					t.Fatalf("the journal is %+v, want pending %+v", j, want)
				}
				r.setHook(nil)
				r.mustDeploy()
				if a, b := len(r.invalidatedOn(dist)), len(r.invalidatedOn(docs)); a != 2 || b != 2 {
					t.Errorf("%d and %d batches were accepted, want 2 and 2", a, b)
				}
				for _, e := range []*edge{r.edge, second} {
					if stale := e.stale("docs/b.html"); len(stale) > 0 {
						t.Errorf("stale at %s: %v", e, stale)
					}
				}
				r.published(edited, nil)
			})
		})
	}
}

// What is stale is stale at one viewer, and purged once more there alone.
func TestStaleAtOneOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, second := twoFold(t)
		r.publish(with(docsSite(), "b.html", "another"))
		second.browse("docs/b.html")
		second.stuck = func(path site.URLPath, n int) bool { return n <= 2 }
		r.publish(with(docsSite(), "docs/b.html", "edited", "b.html", "edited too"))
		if a, b := r.invalidatedOn(dist), r.invalidatedOn(docs); len(a) != 2 || len(b) != 3 || !slices.Equal(b[2], []string{"/b.html"}) {
			t.Errorf("batches %v and %v", a, b)
		}
		second.stuck = func(site.URLPath, int) bool { return true }
		second.browse("docs/c.html")
		r.write(with(docsSite(), "docs/b.html", "edited", "b.html", "edited too", "docs/c.html", "edited"))
		res, err := r.deploy()
		if !errors.Is(err, deploy.ErrStale) || len(res.Verified.Stale) != 1 {
			t.Fatalf("%+v, %v", res.Verified, err)
		}
		if s := res.Verified.Stale[0]; s.Distribution != docs || s.Base != "http://"+docs || s.Path != "/c.html" {
			t.Errorf("stale: %+v", s)
		}
	})
}

// A distribution that nobody can ask is invalidated all the same.
func TestADistributionWithoutAViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, second := twoFold(t)
		r.opts.Distributions[1].Viewer = nil
		r.publish(docsSite())
		res := r.publish(with(docsSite(), "docs/b.html", "edited"))
		if len(r.invalidatedOn(docs)) != 2 || len(second.asked) != 0 || res.Verified.Checked != 1 {
			t.Errorf("%v, asked %v, verified %+v", r.invalidatedOn(docs), second.asked, res.Verified)
		}
	})
}

const tagHeader = "x-amz-meta-cache-tag"

// Uploads and header changes carry tags; the next theme change is one of them.
func TestTagsAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.tagHeader, r.spending = tagHeader, plan.Spending{Budget: 100}
		files := map[site.Key]string{"robots.txt": "all"}
		var pages []site.Key
		for i := range 20 {
			k := site.Key(fmt.Sprintf("posts/p%02d.html", i))
			files[k], files[site.Key(fmt.Sprintf("posts/p%02d.png", i))] = "page", "image"
			pages = append(pages, k)
		}
		r.publish(files)
		for k, o := range r.store.Objects() {
			want, tags := 1+strings.Count(string(k), "/"), strings.Split(o.Headers.Tags, ",")
			if !k.IsState() && (o.Headers.TagHeader != tagHeader || len(tags) != want || !strings.HasPrefix(tags[0], "fr.")) {
				t.Errorf("%s carries %q in %q", k, o.Headers.Tags, o.Headers.TagHeader)
			}
			if k.IsState() && o.Headers.Tags != "" {
				t.Errorf("the record carries %q", o.Headers.Tags)
			}
		}
		r.published(files, nil)
		r.edge.browse(keysOf(files)...)
		for _, k := range pages {
			files[k] = "new theme"
		}
		res := r.publish(files)
		if got := sent(res).Items; len(got) != 1 || !strings.HasPrefix(got[0], "#fr.page") {
			t.Errorf("items %v, want one tag", got)
		}
		if stale := r.edge.stale(keysOf(files)...); len(stale) > 0 {
			t.Errorf("stale: %v", stale)
		}
		if got := r.edge.now().get("/posts/p00.png").answer; got.Cache != "Hit" {
			t.Error("an image was thrown out")
		}
		for _, k := range pages {
			files[k] = "newer theme"
		}
		n := len(r.invalidated())
		r.edge.stuck = func(path site.URLPath, batches int) bool { return path == "/posts/p07.html" && batches <= n+1 }
		r.publish(files)
		if got := r.invalidated()[n:]; len(got) != 2 || !slices.Equal(got[0], got[1]) {
			t.Errorf("batches %v, want the tag once more for what was stale", got)
		}
		noCache := "no-cache"
		r.rules = []rules.Rule{{Match: "robots.txt", CacheControl: &noCache}}
		r.publish(files)
		if h := r.store.Objects()["robots.txt"].Headers; h.CacheControl != noCache || h.Tags == "" || h.TagHeader != tagHeader {
			t.Errorf("a header change leaves %+v", h)
		}
	})
}

// Switching tags on writes nothing and purges nothing.
func TestSwitchingTagsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish(blog())
		r.tagHeader = tagHeader
		r.calls()
		if res := r.publish(blog()); res.Changed || len(writes(r.calls())) > 0 {
			t.Errorf("changed %v", res.Changed)
		}
		r.publish(with(blog(), "index.html", "edited"))
		for k, o := range r.store.Objects() {
			if (o.Headers.Tags != "") != (k == "index.html") {
				t.Errorf("%s carries %q", k, o.Headers.Tags)
			}
		}
		r.published(with(blog(), "index.html", "edited"), nil)
	})
}
