package deploy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// A deploy with nothing to do waits for few answers, whatever the size of the
// site: what is asked for at once counts once.
func TestFewRoundTrips(t *testing.T) {
	for _, n := range []int{1, 1000, 4500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.store = memory.NewStore(memory.StoreOptions{}) // pages of 1,000
				r.store.SetHook(r.called)
				r.edge.store = r.store
				files := map[site.Key]string{}
				for i := range n {
					files[site.Key(fmt.Sprintf("%04d.txt", i))] = "x"
				}
				r.opts.Jobs, r.opts.NoVerify = 32, true
				r.publish(files)
				const latency = 20 * time.Millisecond
				r.setHook(func(string, string) memory.Fault { return memory.Delay(latency) })
				// The claim and the prefix; pointer, journal and lock; the manifest; the
				// listing. Who knows the prefix waits once for the first two.
				for hint, want := range map[string]time.Duration{"": 4, strings.TrimSuffix(string(r.lockKey()), "lock.json"): 3} {
					r.hint = hint
					began := time.Now()
					if res := r.mustDeploy(); res.Changed {
						t.Errorf("result %+v", res)
					}
					if trips := time.Since(began) / latency; trips != want {
						t.Errorf("%d round trips with the hint %q, want %d", trips, hint, want)
					}
				}
			})
		})
	}
}

func TestTrustRecord(t *testing.T) {
	listed := func(r *rig) bool { return slices.Contains(r.calls(), "list") }
	tests := []struct {
		name  string
		trust bool
		pend  bool // a deploy was interrupted before
		want  string
	}{
		{name: "without trust", want: "listed, repaired"},
		{name: "with trust", trust: true, want: "not listed, not repaired"},
		{name: "with trust after an interrupted deploy", trust: true, pend: true, want: "listed, repaired"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.opts.TrustRecord = test.trust
				r.publish(blog())
				if !listed(r) {
					t.Error("the first deploy did not list")
				}
				files := blog()
				if test.pend {
					r.opts.NoWait = true
					files["index.html"] = "another"
					r.write(files)
					if _, err := r.deploy(); !errors.Is(err, deploy.ErrPending) {
						t.Fatal(err)
					}
					r.opts.NoWait = false
				}
				r.calls()
				r.store.Remove("index.html")
				r.mustDeploy()
				got := "not listed"
				if listed(r) {
					got = "listed"
				}
				if _, there := r.store.Objects()["index.html"]; there {
					got += ", repaired"
				} else {
					got += ", not repaired"
				}
				if got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		})
	}
}

// What a deploy waits for, in answers of 20 ms one after another, when everything
// that it asks for at once counts once.
func TestRoundTripsOfAChange(t *testing.T) {
	pages := func(n int, text string) map[site.Key]string {
		files := map[site.Key]string{}
		for i := range n {
			files[site.Key(fmt.Sprintf("%02d.html", i))] = text
		}
		return files
	}
	rows := []struct {
		name      string
		live, new map[site.Key]string // live nil: nothing has been published
		trips     int
	}{
		// The prefix, the listing; README.txt, its probes, the claim; the lock; the
		// journal; the pages; the manifest; the pointer; and the lock given back while
		// the journal is closed.
		{"first, pages alone", nil, pages(20, "x"), 11},
		// Assets before pages before feeds.
		{"first, every kind", nil, blog(), 13},
		// The claim and the prefix; pointer, journal and lock; the manifest; the
		// listing; the lock; the journal, and what is kept; the pages; then as above.
		{"pages changed", pages(20, "x"), pages(20, "y"), 10},
		// Its bytes are kept with the journal, and it is deleted where it would be
		// written.
		{"a page removed", pages(20, "x"), pages(19, "x"), 10},
		// Five stages of uploads, and the deletion, one after another.
		{"every kind", before(), after(), 15},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.store = memory.NewStore(memory.StoreOptions{})
				r.store.SetHook(r.called)
				r.opts.Jobs, r.opts.NoVerify, r.opts.Distributions = 32, true, nil
				if row.live != nil {
					r.publish(row.live)
				}
				r.write(row.new)
				const latency = 20 * time.Millisecond
				r.setHook(func(string, string) memory.Fault { return memory.Delay(latency) })
				began := time.Now()
				if res := r.mustDeploy(); !res.Changed {
					t.Errorf("result %+v", res)
				}
				if trips := int(time.Since(began) / latency); trips != row.trips {
					t.Errorf("%d round trips, want %d", trips, row.trips)
				}
			})
		})
	}
}

// The manifest is stored, and the journal marked, while an invalidation is under
// way, and polling it is all that is waited for then.
func TestStoredWhileInvalidating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cdn = memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{{ID: dist}}, Polls: -1, Hook: r.called})
		r.opts.NoVerify, r.opts.Wait = true, time.Minute
		r.write(blog())
		if _, err := r.deploy(); !errors.Is(err, deploy.ErrPending) {
			t.Fatal(err)
		}
		if j := r.state().Journal; j == nil || j.Manifest.IsZero() {
			t.Errorf("the journal is %+v, want it marked", j)
		}
	})
}
