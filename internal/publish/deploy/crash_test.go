package deploy_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

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
