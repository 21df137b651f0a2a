package deploy_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

var errKilled = errors.New("killed")

// before and after are two versions of a site that differ in every way.
func before() map[site.Key]string {
	return map[site.Key]string{
		"index.html": "home <app.3f2a9c1b.js>", "a/index.html": "a <main.css>", "gone/index.html": "gone <old.css>",
		"same.html": "same <main.css>", "app.3f2a9c1b.js": "js", "main.css": "css", "old.css": "old", "feed.xml": "feed",
	}
}

func after() map[site.Key]string {
	return map[site.Key]string{
		"index.html": "home2 <app.77ab01cd.js>", "a/index.html": "a <main.css>", "new/index.html": "new <new.css>",
		"same.html": "same <main.css>", "app.77ab01cd.js": "js2", "main.css": "css2", "new.css": "new", "feed.xml": "feed2",
	}
}

var foreign = map[site.Key]string{"theirs.html": "theirs", "theirs/data.bin": "bin", "new/theirs.css": "t"}

// everyKey is all that the versions ever named.
func everyKey(versions ...map[site.Key]string) []site.Key {
	all := maps.Clone(foreign)
	for _, v := range versions {
		maps.Copy(all, v)
	}
	return slices.Sorted(maps.Keys(all))
}

// killer lets n calls pass and then fails everything, as for a process that is
// killed; the last call may still take effect. While the run lives, viewers
// ask for every URL and every page is checked, before each call.
type killer struct {
	r     *rig
	n     int
	late  bool // the call at which it is killed takes effect
	keys  []site.Key
	mu    sync.Mutex // held for one call, so that calls are counted in order
	calls int
}

func (k *killer) hook(op, key string) memory.Fault {
	if op == memory.OpDeleteKey {
		return memory.Fault{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.r.edge.browse(k.keys...)
	if why := broken(k.r.store); why != "" {
		k.r.t.Errorf("before call %d (%s %s): %s", k.calls, op, key, why)
	}
	k.calls++
	switch {
	case k.calls == k.n && k.late:
		return memory.FailAfter(errKilled)
	case k.calls >= k.n:
		return memory.FailBefore(errKilled)
	}
	return memory.Fault{}
}

// TestKilledAtEveryCall kills a deploy at each of its remote calls, before and
// after the call takes effect, and then runs another one from a machine that
// knows nothing: on the same site, on the old one again, and on a third one.
// In the end everything is as if nothing had happened, and no viewer sees
// anything old.
func TestKilledAtEveryCall(t *testing.T) {
	third := with(after(), "index.html", "home3 <app.77ab01cd.js>", "new/index.html", "", "third.html", "third <main.css>", "main.css", "css3")
	for name, next := range map[string]map[site.Key]string{"the same site": after(), "the old site again": before(), "a third site": third} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %v", name, late), func(t *testing.T) {
				for n := 1; ; n++ {
					if !killAt(t, n, late, next) {
						if n < 20 {
							t.Fatalf("a deploy is only %d calls", n)
						}
						return
					}
				}
			})
		}
	}
}

// killAt reports whether there was an n-th call to be killed at.
func killAt(t *testing.T, n int, late bool, next map[site.Key]string) (killed bool) {
	ok := t.Run(fmt.Sprint(n), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.opts.Jobs = 2
			for k, body := range foreign {
				r.store.Set(k, []byte(body), site.Headers{})
			}
			r.publish(before())
			keys := everyKey(before(), after(), next)
			k := &killer{r: r, n: n, late: late, keys: keys}
			r.setHook(k.hook)
			r.write(after())
			noCache := "no-cache"
			r.rules = []rules.Rule{{Match: "same.html", CacheControl: &noCache}}
			_, err := r.deploy()
			killed = k.calls >= n
			if killed != errors.Is(err, errKilled) && !errors.Is(err, deploy.ErrStale) {
				t.Errorf("the run that was killed at call %d says %v", n, err)
			}
			r.setHook((&killer{r: r, n: 1 << 30, keys: keys}).hook) // nobody is killed, everybody looks
			r.publish(next)
			r.setHook(nil)
			if stale := r.edge.stale(keys...); len(stale) > 0 {
				t.Errorf("stale: %v", stale)
			}
			r.published(next, foreign)
			again := len(r.invalidated())
			if res := r.mustDeploy(); res.Changed || len(r.invalidated()) != again {
				t.Error("a third run finds something to do")
			}
		})
	})
	return killed && ok
}

// TestKilledTwice kills the run, and then the run that finishes it.
func TestKilledTwice(t *testing.T) {
	for first := 4; first < 30; first += 5 {
		for second := 4; second < 30; second += 6 {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.publish(before())
				keys := everyKey(before(), after())
				for i, n := range []int{first, second} {
					r.setHook((&killer{r: r, n: n, late: i == 0, keys: keys}).hook)
					r.write([]map[site.Key]string{after(), before()}[(i+first)%2])
					_, _ = r.deploy() // killed, or not if it is shorter than that
				}
				r.setHook(nil)
				r.publish(after())
				if stale := r.edge.stale(keys...); len(stale) > 0 {
					t.Errorf("killed at %d and %d: stale %v", first, second, stale)
				}
				r.published(after(), nil)
			})
		}
	}
}

// A first deploy is killed before it gets to a foreign object that it was
// going to replace; the site then drops that page. It is not freshet's.
func TestTheForeignObjectThatWasNotReached(t *testing.T) {
	for name, reached := range map[string]bool{"not reached": false, "replaced": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				_, h := rules.Set{}.Describe("x.html")
				r.store.Set("x.html", []byte("theirs"), h)
				r.setHook(func(op, key string) memory.Fault {
					if op == memory.OpPut && key == "x.html" && !reached || op == memory.OpInvalidate {
						return memory.FailBefore(errKilled)
					}
					return memory.Fault{}
				})
				files := map[site.Key]string{"a.html": "a", "b.html": "b", "c.html": "c"}
				r.opts.Jobs = 1
				r.write(with(files, "x.html", "ours"))
				for range 2 {
					if _, err := r.deploy(); !errors.Is(err, errKilled) {
						t.Fatal(err)
					}
				}
				r.setHook(nil)
				r.publish(files)
				if reached {
					r.published(files, nil)
				} else {
					r.published(files, map[site.Key]string{"x.html": "theirs"})
				}
			})
		})
	}
}

// The same, and the run after the first is killed too, and did not want the
// page either.
func TestTheForeignObjectThatTwoRunsDidNotReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, h := rules.Set{}.Describe("x.html")
		r.store.Set("x.html", []byte("theirs"), h)
		files := map[site.Key]string{"a.html": "a", "b.html": "b", "c.html": "c"}
		r.setHook(func(op, key string) memory.Fault {
			if op == memory.OpPut && key == "a.html" {
				return memory.FailBefore(errKilled)
			}
			return memory.Fault{}
		})
		r.opts.Jobs = 1
		for _, version := range []map[site.Key]string{with(files, "x.html", "ours"), files} {
			r.write(version)
			if _, err := r.deploy(); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
		r.setHook(nil)
		r.publish(files)
		r.published(files, map[site.Key]string{"x.html": "theirs"})
	})
}

// An outsider writes over a page after the purge was sent and before the run
// is repeated: repairing it needs a purge of its own, not the one that was sent.
func TestRepairAfterThePurgeNeedsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.publish(before())
		keys := everyKey(before(), after())
		r.setHook(func(op, key string) memory.Fault {
			if op == memory.OpPut && len(r.invalidated()) > 1 {
				return memory.FailBefore(errKilled) // the commit
			}
			return memory.Fault{}
		})
		r.write(after())
		if _, err := r.deploy(); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		r.setHook(nil)
		_, h := rules.Set{}.Describe("index.html")
		r.store.Set("index.html", []byte("outsider <app.77ab01cd.js>"), h)
		r.edge.cache = map[site.URLPath]entry{}
		r.edge.browse(keys...)
		r.mustDeploy()
		if stale := r.edge.stale(keys...); len(stale) > 0 {
			t.Errorf("stale: %v", stale)
		}
		r.published(after(), nil)
	})
}
