package deploy_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
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
				began := time.Now()
				if res := r.mustDeploy(); res.Changed {
					t.Errorf("result %+v", res)
				}
				// The claim and the prefix; pointer, journal and lock; the manifest; the listing.
				if trips := time.Since(began) / latency; trips > 4 {
					t.Errorf("%d round trips", trips)
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
