package deploy_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// blog is a site with every kind of file.
func blog() map[site.Key]string {
	return map[site.Key]string{
		"index.html": "home <main.css> <app.3f2a9c1b.js>", "posts/a/index.html": "a <main.css>", "posts/b/index.html": "b <pic.png>",
		"main.css": "css", "app.3f2a9c1b.js": "js", "pic.png": "png", "feed.xml": "feed", "report.zip": "zip",
	}
}

func with(base map[site.Key]string, pairs ...string) map[site.Key]string {
	out := maps.Clone(base)
	for i := 0; i < len(pairs); i += 2 {
		if out[site.Key(pairs[i])] = pairs[i+1]; pairs[i+1] == "" {
			delete(out, site.Key(pairs[i]))
		}
	}
	return out
}

func TestFirstDeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.Jobs = 1
		res := r.publish(blog())
		want := []string{
			"put .freshet-claim", "put RECORD/lock.json", "put RECORD/journal.json",
			"put app.3f2a9c1b.js",
			"put main.css", "put pic.png", "put report.zip",
			"put index.html", "put posts/a/index.html", "put posts/b/index.html",
			"put feed.xml",
			"invalidate", "put RECORD/journal.json", "put RECORD/releases/ID/MANIFEST", // at once, the journal after the manifest
			"put RECORD/current.json",
			"put RECORD/journal.json", "put RECORD/lock.json", // at once
		}
		got := changes(r.calls())
		if n := len(got); n == len(want) {
			slices.Sort(got[n-6 : n-3])
			slices.Sort(got[n-2:])
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("calls (-got +want):\n%s", diff)
		}
		if !res.Changed || sent(res).Status != remote.Completed || !slices.Equal(sent(res).Items, []string{"/*"}) || res.Verified.Checked == 0 {
			t.Errorf("result: %+v", res)
		}
		r.published(blog(), nil)
	})
}

func TestAgainSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first := r.publish(blog())
		r.calls()
		res := r.mustDeploy()
		got := r.calls()
		slices.Sort(got) // the record and the bucket are read at once
		want := []string{"dirs .freshet-", "get .freshet-claim", "get RECORD/current.json", "get RECORD/journal.json", "get RECORD/lock.json", "get RECORD/releases/ID/MANIFEST", "list"}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("calls (-got +want):\n%s", diff)
		}
		if res.Changed || res.Release != first.Release {
			t.Errorf("result %+v, want that release %s is live", res, first.Release)
		}
	})
}

// changes are the calls that change something; probing the store for
// conditional writes does not.
func changes(calls []string) []string {
	var out []string
	for _, c := range calls {
		op, key, _ := strings.Cut(c, " ")
		switch {
		case key == "RECORD/README.txt", op == "get", op == "list", op == "dirs", op == "head", op == "invalidation":
		case op == "invalidate":
			out = append(out, op)
		default:
			out = append(out, c)
		}
	}
	return out
}

// writes are the calls that change something and are not about the record.
func writes(calls []string) []string {
	return slices.DeleteFunc(calls, func(c string) bool {
		op, _, _ := strings.Cut(c, " ")
		return strings.Contains(c, "RECORD") || op == "get" || op == "list" || op == "dirs" || op == "head" || op == "invalidation"
	})
}

func TestExactCalls(t *testing.T) {
	noCache := "no-cache"
	rows := []struct {
		name  string
		files map[site.Key]string
		rules []rules.Rule
		calls []string
		items []string
	}{
		{"an edited page", with(blog(), "posts/a/index.html", "a2 <main.css>"), nil,
			[]string{"put posts/a/index.html", "invalidate"}, []string{"/posts/a", "/posts/a/", "/posts/a/index.html"}},
		{"one header", blog(), []rules.Rule{{Match: "*.css", CacheControl: &noCache}},
			[]string{"copy main.css", "invalidate"}, []string{"/main.css"}},
		{"a removed page", with(blog(), "posts/b/index.html", "", "feed.xml", "feed2"), nil,
			[]string{"put feed.xml", "delete", "delete key posts/b/index.html", "invalidate"},
			[]string{"/feed.xml", "/posts/b", "/posts/b/", "/posts/b/index.html"}},
		{"a removed asset", with(blog(), "report.zip", ""), nil, nil, nil},
		{"a renamed asset", with(blog(), "app.3f2a9c1b.js", "", "app.77ab01cd.js", "js2", "index.html", "home <main.css> <app.77ab01cd.js>"), nil,
			[]string{"put app.77ab01cd.js", "put index.html", "invalidate"}, []string{"/", "/app.77ab01cd.js", "/index.html"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.opts.Jobs = 1
				r.publish(blog())
				r.edge.browse(slices.Collect(maps.Keys(blog()))...)
				r.calls()
				r.rules = row.rules
				res := r.publish(row.files)
				got := writes(r.calls())
				for i := range got {
					if strings.HasPrefix(got[i], "invalidate ") {
						got[i] = "invalidate"
					}
				}
				if diff := cmp.Diff(got, row.calls); diff != "" && len(got)+len(row.calls) > 0 {
					t.Errorf("calls (-got +want):\n%s", diff)
				}
				if diff := cmp.Diff(sent(res).Items, row.items); diff != "" {
					t.Errorf("items (-got +want):\n%s", diff)
				}
				if stale := r.edge.stale(slices.Collect(maps.Keys(blog()))...); len(stale) > 0 {
					// An asset that is kept answers as before.
					t.Errorf("stale: %v", stale)
				}
				r.published(row.files, nil)
			})
		})
	}
}

// Each stage is over before the next begins, however many requests run at once
// and however slow they are. The assets that are new are one.
func TestPhasesDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.Jobs = 32
		r.publish(with(blog(), "old.html", "x", "gone/index.html", "y"))
		delays := map[string]time.Duration{"app.77ab01cd.js": 5 * time.Second, "new.css": 4 * time.Second, "main.css": 3 * time.Second,
			"new/index.html": 2 * time.Second, "index.html": time.Second, "feed.xml": time.Second}
		r.setHook(func(op, key string) memory.Fault {
			if op == memory.OpPut && delays[key] > 0 {
				return memory.Delay(delays[key])
			}
			return memory.Fault{}
		})
		r.calls()
		start := time.Now()
		r.publish(with(blog(), "app.77ab01cd.js", "n", "new.css", "n", "main.css", "n", "new/index.html", "n", "index.html", "n", "feed.xml", "n"))
		if took := time.Since(start); took < 12*time.Second || took > 14*time.Second {
			t.Errorf("it took %s, not as long as the stages one after another", took)
		}
		got := writes(r.calls())
		slices.Sort(got[:min(2, len(got))])
		want := []string{"put app.77ab01cd.js", "put new.css", "put main.css", "put new/index.html", "put index.html", "put feed.xml", "delete",
			"delete key gone/index.html", "delete key old.html"}
		if diff := cmp.Diff(got[:len(want)], want); diff != "" {
			t.Errorf("calls (-got +want):\n%s", diff)
		}
	})
}

func TestAdoption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, h := rules.Set{}.Describe("index.html")
		r.store.Set("index.html", []byte(blog()["index.html"]), h)
		h.CacheControl = ""
		r.store.Set("posts/a/index.html", []byte(blog()["posts/a/index.html"]), h)
		r.store.Set("main.css", []byte("c55"), site.Headers{ContentType: "text/css"})
		r.store.Set("theirs/index.html", []byte("theirs"), h)
		r.opts.Jobs = 1
		r.publish(blog())
		got := writes(r.calls())
		want := []string{"put .freshet-claim", "put app.3f2a9c1b.js", "put pic.png", "put report.zip", "put main.css", "put posts/b/index.html", "copy posts/a/index.html", "put feed.xml"}
		if diff := cmp.Diff(got[:len(got)-1], want); diff != "" {
			t.Errorf("calls (-got +want):\n%s", diff)
		}
		r.published(blog(), map[site.Key]string{"theirs/index.html": "theirs"})
		// What was adopted is freshet's own from then on.
		r.publish(with(blog(), "index.html", ""))
		r.published(with(blog(), "index.html", ""), map[site.Key]string{"theirs/index.html": "theirs"})
	})
}

// Where the store keeps no SHA-256, an ETag that is the file's MD5 proves the
// bytes of an adopted object.
func TestAdoptionByMD5(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, h := rules.Set{}.Describe("index.html")
		r.store.Set("index.html", []byte("same"), h)
		r.store.Set("other.html", []byte("1234"), h)
		r.write(map[site.Key]string{"index.html": "same", "other.html": "4321"})
		p, err := r.prepare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		record, err := release.Open(t.Context(), r.store, release.Options{})
		if err != nil {
			t.Fatal(err)
		}
		live, err := deploy.New(noDigest{r.store}, r.cdn, record, r.opts).Look(t.Context(), deploy.Given(p.plan.Site, p.source))
		if err != nil {
			t.Fatal(err)
		}
		got := plan.Make(plan.Input{Release: "r1-a", Site: p.plan.Site, Live: live, Distributions: r.planned()})
		if len(got.Steps) != 1 || got.Steps[0].Object.Key != "other.html" || got.Steps[0].Op != plan.OpUpdate {
			t.Errorf("steps: %+v", got.Steps)
		}
	})
}

type noDigest struct{ *memory.Store }

func (s noDigest) Head(ctx context.Context, key site.Key) (remote.Head, error) {
	h, err := s.Store.Head(ctx, key)
	h.Digest = site.Digest{}
	return h, err
}

// Somebody writes an object between the look and the copy onto itself.
func TestCopyOfOtherBytes(t *testing.T) {
	for _, name := range []string{"other bytes", "deleted"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.publish(blog())
				noCache := "no-cache"
				r.rules = []rules.Rule{{Match: "*.css", CacheControl: &noCache}}
				r.setHook(func(op, key string) memory.Fault {
					if op == memory.OpCopy && name == "deleted" {
						r.store.Remove("main.css")
					} else if op == memory.OpCopy {
						r.store.Set("main.css", []byte("evl"), site.Headers{})
					}
					return memory.Fault{}
				})
				r.mustDeploy()
				r.setHook(nil)
				r.published(blog(), nil)
			})
		})
	}
}

func TestAFileThatChangesAfterTheScan(t *testing.T) {
	rows := []struct {
		name   string
		change func(path string) error
	}{
		{"longer", func(path string) error { return os.WriteFile(path, []byte("much longer than before"), 0o644) }},
		{"gone", os.Remove},
		{"the same size and time", func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			body := []byte(strings.Repeat("x", int(info.Size())))
			return errors.Join(os.WriteFile(path, body, 0o644), os.Chtimes(path, info.ModTime(), info.ModTime()))
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.publish(blog())
				old := r.store.Objects()["index.html"]
				r.write(with(blog(), "index.html", "home, edited"))
				p, err := r.prepare(t.Context())
				if err == nil {
					err = row.change(filepath.Join(r.dir, "index.html"))
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.engine.Run(t.Context(), p.plan, p.live, p.source); err == nil || !strings.Contains(err.Error(), "index.html") {
					t.Errorf("Run: %v, want an error that names the file", err)
				}
				if diff := cmp.Diff(r.store.Objects()["index.html"], old); diff != "" {
					t.Errorf("something was uploaded (-got +want):\n%s", diff)
				}
				r.publish(with(blog(), "index.html", "final"))
				r.published(with(blog(), "index.html", "final"), nil)
			})
		})
	}
}

// failing answers some keys with errors, all at the same moment.
type failing struct {
	*memory.Store
	errs    map[site.Key]error
	barrier chan struct{} // closed once waiting is 0
	waiting atomic.Int32
}

func (s *failing) Put(ctx context.Context, put remote.Put) (string, error) {
	err, ok := s.errs[put.Key]
	if !ok {
		return s.Store.Put(ctx, put)
	}
	if s.waiting.Add(-1) == 0 {
		close(s.barrier)
	}
	<-s.barrier
	if err == nil {
		<-ctx.Done() // broken off, which is no failure of its own
		return "", ctx.Err()
	}
	return "", err
}

func TestFailuresAreJoinedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opts.Jobs = 8
		r.write(blog())
		p, err := r.prepare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		store := &failing{Store: r.store, barrier: make(chan struct{}), errs: map[site.Key]error{
			"report.zip": errors.New("disk full"), "main.css": remote.ErrDenied, "pic.png": nil,
		}}
		store.waiting.Store(3)
		record, err := release.Open(t.Context(), r.store, release.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = deploy.New(store, r.cdn, record, r.opts).Run(t.Context(), p.plan, p.live, p.source)
		if want := "upload main.css: access denied\nupload report.zip: disk full"; err == nil || err.Error() != want {
			t.Errorf("Run: %v\nwant %s", err, want)
		}
	})
}

func TestAnotherDeployInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish(blog())
		r.write(with(blog(), "index.html", "slow"))
		slow, err := r.prepare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.publish(with(blog(), "index.html", "fast"))
		r.calls()
		if _, err := slow.engine.Run(t.Context(), slow.plan, slow.live, slow.source); !errors.Is(err, release.ErrMoved) {
			t.Errorf("Run: %v, want ErrMoved", err)
		}
		if got := writes(r.calls()); len(got) != 0 {
			t.Errorf("the beaten run did %q", got)
		}
		r.published(with(blog(), "index.html", "fast"), nil)
	})
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.write(blog())
		ctx, cancel := context.WithCancel(t.Context())
		r.setHook(func(op, key string) memory.Fault {
			if op == memory.OpPut && key == "main.css" {
				cancel()
			}
			return memory.Fault{}
		})
		if _, err := r.deployCtx(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("deploy: %v, want context.Canceled", err)
		}
		r.setHook(nil)
		if r.state().Journal == nil {
			t.Error("the interrupted run left no journal")
		}
		r.mustDeploy()
		r.published(blog(), nil)
	})
}
