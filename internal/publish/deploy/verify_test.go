package deploy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// An edge that keeps an old answer is purged once more; if that does not help,
// the run says so and leaves the journal open, and the next run purges anew.
func TestStaleEdge(t *testing.T) {
	rows := []struct {
		name    string
		deaf    int // how many batches the edge ignores for the page
		runs    int // that end with ErrStale
		batches int // sent until it is over
	}{
		{"the first purge is lost", 1, 0, 2},
		{"both purges of a run are lost", 2, 1, 3},
		{"two runs are in vain", 4, 2, 5},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.publish(blog())
				r.edge.browse("index.html", "main.css")
				base := len(r.invalidated())
				r.edge.stuck = func(path site.URLPath, n int) bool { return path == "/index.html" && n <= base+row.deaf }
				edited := with(blog(), "index.html", "edited", "main.css", "css2")
				r.write(edited)
				for run := range row.runs {
					res, err := r.deploy()
					if !errors.Is(err, deploy.ErrStale) || !strings.Contains(err.Error(), "/index.html still answers with the old bytes (status 200, X-Cache: Hit)") {
						t.Fatalf("run %d: %v, want ErrStale", run, err)
					}
					if len(res.Verified.Stale) != 1 || res.Verified.Stale[0].Path != "/index.html" {
						t.Errorf("run %d: stale %+v", run, res.Verified.Stale)
					}
					if j := r.state().Journal; j == nil || !j.Stale {
						t.Fatalf("run %d left the journal %+v", run, j)
					}
				}
				res := r.mustDeploy()
				if len(res.Verified.Stale) != 0 || res.Verified.Checked == 0 {
					t.Errorf("verified: %+v", res.Verified)
				}
				sent := r.invalidated()[base:]
				if len(sent) != row.batches {
					t.Errorf("batches %v, want %d", sent, row.batches)
				}
				if row.deaf == 1 && !slices.Equal(sent[1], []string{"/index.html"}) {
					t.Errorf("the second purge is %v, want only what was stale", sent[1])
				}
				r.published(edited, nil)
			})
		})
	}
}

// What the edge answers is compared by bytes and type.
func TestWhatCountsAsStale(t *testing.T) {
	old, page := "old", "new"
	noCache := "no-cache"
	rows := []struct {
		name  string
		files map[site.Key]string
		rules []rules.Rule
		spoil func(r *rig) // after the deploy has written
		why   string       // "" for fine
	}{
		{"all is well", map[site.Key]string{"a.html": page}, nil, nil, ""},
		{"other bytes", map[site.Key]string{"a.html": page}, nil, func(r *rig) { r.store.Set("a.html", []byte("?"), r.store.Objects()["a.html"].Headers) }, "other bytes"},
		{"gone again", map[site.Key]string{"a.html": page}, nil, func(r *rig) { r.store.Remove("a.html") }, "answers with status 404"},
		{"another type", map[site.Key]string{"a.html": page}, nil, func(r *rig) { r.store.Set("a.html", []byte(page), site.Headers{ContentType: "text/plain"}) }, `type "text/plain" instead of "text/html; charset=utf-8"`},
		{"the old header", map[site.Key]string{"a.html": old}, []rules.Rule{{Match: "**", CacheControl: &noCache}}, func(r *rig) {
			_, h := rules.Set{}.Describe("a.html")
			r.store.Set("a.html", []byte(old), h)
		}, "old cache-control"},
		{"a removed page is back", map[site.Key]string{"b.html": page}, nil, func(r *rig) { r.store.Set("a.html", []byte(old), site.Headers{}) }, "/a.html still answers with the old bytes"},
		{"an alias of an index page is old", map[site.Key]string{"a.html": old, "d/index.html": page}, nil, func(r *rig) {
			r.edge.stuck = func(path site.URLPath, _ int) bool { return path == "/d/" }
		}, "/d/ still answers with the old bytes"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.publish(map[site.Key]string{"a.html": old, "d/index.html": old, "keep1": "1", "keep2": "2", "keep3": "3"})
				r.edge.browse("a.html", "d/index.html")
				r.rules = row.rules
				r.setHook(func(op, _ string) memory.Fault {
					if op == memory.OpInvalidate && row.spoil != nil {
						row.spoil(r)
					}
					return memory.Fault{}
				})
				r.write(with(row.files, "keep1", "1", "keep2", "2", "keep3", "3"))
				_, err := r.deploy()
				if row.why == "" && err != nil || row.why != "" && (!errors.Is(err, deploy.ErrStale) || !strings.Contains(err.Error(), row.why)) {
					t.Errorf("deploy: %v, want %q", err, row.why)
				}
			})
		})
	}
}

// A distribution with an index-rewrite function does not show a name without a
// dot; it is published all the same, for whoever reads the bucket.
func TestANameWithoutADot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.edge.hides = func(path site.URLPath) bool { return path == "/CNAME" }
		r.publish(map[site.Key]string{"index.html": "home", "CNAME": "example.org"})
		r.published(map[site.Key]string{"index.html": "home", "CNAME": "example.org"}, nil)
		r.edge.hides, r.edge.cache = nil, map[site.URLPath]entry{}
		r.edge.browse("CNAME")
		r.edge.stuck = func(path site.URLPath, _ int) bool { return path == "/CNAME" }
		r.write(map[site.Key]string{"index.html": "home", "CNAME": "example.com"})
		if _, err := r.deploy(); !errors.Is(err, deploy.ErrStale) {
			t.Errorf("deploy: %v, want ErrStale for old bytes", err)
		}
	})
}

// A removed page whose bytes the error page has too is not stale.
func TestAnErrorPageLikeTheRemovedPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		files := map[site.Key]string{"gone.html": "not found", "a.html": "a", "b.html": "b"}
		r.publish(files)
		r.edge.browse("gone.html")
		r.publish(with(files, "gone.html", ""))
		r.published(with(files, "gone.html", ""), nil)
	})
}

func TestManyURLsAreSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		files := map[site.Key]string{"keep.html": "k"}
		for i := range 450 {
			files[site.Key(fmt.Sprintf("p%03d.html", i))] = "1"
		}
		r.publish(files)
		for k := range files {
			if k != "keep.html" {
				files[k] = "2"
			}
		}
		r.edge.asked = nil
		res := r.publish(files)
		if res.Verified.Checked != 200 || res.Verified.Of != 450 || len(r.edge.asked) != 200 {
			t.Errorf("verified %+v with %d questions, want 200 of 450", res.Verified, len(r.edge.asked))
		}
		asked := slices.Sorted(slices.Values(r.edge.asked))
		if len(slices.Compact(asked)) != 200 || asked[0] > "/p003" || asked[199] < "/p446" {
			t.Errorf("the sample goes from %s to %s", asked[0], asked[199])
		}
	})
}

func TestUnreachableEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.Jobs = 1
		r.write(map[site.Key]string{"a.html": "a"})
		r.edge.down = 3
		r.mustDeploy()
		r.edge.down = 1000
		r.write(map[site.Key]string{"a.html": "b"})
		if _, err := r.deploy(); err == nil || !strings.Contains(err.Error(), "verify at http://edge: ask for /a.html: connection reset") {
			t.Errorf("deploy: %v", err)
		}
		if r.state().Journal == nil {
			t.Error("nothing is left for the next run")
		}
		r.edge.down = 0
		r.mustDeploy()
		r.published(map[site.Key]string{"a.html": "b"}, nil)
	})
}
