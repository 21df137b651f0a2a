//go:build unix

package fleetenv

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// siteTrial is a trial whose publisher is the program.
type siteTrial struct {
	*trial
	deployer *Deployer
	viewers  *SiteProber
	stop     context.CancelFunc
	stopped  chan struct{}
}

// deployWait is the --wait-timeout: longer than it takes to elect a leader and to give an edge up.
const deployWait = 30 * time.Second

func beginSite(t *testing.T, opts Options) *siteTrial {
	t.Helper()
	opts.Bucket = true
	tr := &siteTrial{trial: begin(t, opts), stop: func() {}}
	api, err := tr.SpreadControls()
	tr.must(err)
	t.Cleanup(api.Close)
	edges, err := tr.SpreadEdges()
	tr.must(err)
	t.Cleanup(edges.Close)
	tr.deployer, err = tr.NewDeployer(filepath.Join(t.TempDir(), "site"), api.Address(), edges.Address())
	tr.must(err)
	tr.done = tr.deployer.Done
	tr.deploy(deployWait)
	tr.note("the first deploy took %v", tr.deployer.last)
	tr.viewers = tr.ProbeSite(tr.deployer.site, 2, pause(5*time.Millisecond))
	t.Cleanup(func() { tr.viewers.Stop() })
	return tr
}

// deploy must succeed.
func (tr *siteTrial) deploy(wait time.Duration) {
	tr.t.Helper()
	if code, said := tr.deployer.Deploy(tr.within(2*time.Minute), wait); code != 0 {
		tr.t.Fatalf("deploy exits %d: %s\n%s", code, said, tr.said())
	}
}

// keep changes the folder and deploys it, again and again.
func (tr *siteTrial) keep(pause time.Duration) {
	ctx, stop := context.WithCancel(context.Background())
	tr.stop, tr.stopped = stop, make(chan struct{})
	go func() {
		defer close(tr.stopped)
		rng := dice(5)
		for sleep(ctx, pause) == nil {
			if err := tr.deployer.site.Change(rng); err != nil {
				tr.t.Error(err)
				return
			}
			tr.deployer.Deploy(context.WithoutCancel(ctx), deployWait)
		}
	}()
	tr.t.Cleanup(func() { stop(); tr.deployer.Kill(); <-tr.stopped })
}

// checkSite ends the publisher, has it deploy once more, and tests everything that must hold.
func (tr *siteTrial) checkSite() {
	t := tr.t
	t.Helper()
	tr.stop()
	<-tr.stopped
	tr.HealAll()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	tr.must(tr.deployer.site.Change(dice(6)))
	tr.deploy(deployWait)
	if err := tr.CheckSite(tr.within(time.Minute), tr.deployer.site); err != nil {
		t.Errorf("after the faults: %v", err)
	}
	if err := tr.checkEnds(tr.within(time.Minute)); err != nil {
		t.Error(err)
	}
	exits, said := tr.deployer.Exits()
	for _, what := range said {
		tr.note("%s", what)
	}
	found := tr.viewers.Stop()
	tr.note("deploys by exit code: %v; %d answers, %d of them hits", exits, found.Answers, found.Hits)
	for code := range exits {
		// 1: the API, or an edge by which it is proved, was away for longer than it tries; 3: an invalidation was not Completed in time; -1: it was killed here.
		// 4, that an edge answers with what is old, never is; nor that a lock is held: whoever held it is dead, and of this machine.
		if !slices.Contains([]int{0, 1, 3, -1}, code) {
			t.Errorf("a deploy exits %d", code)
		}
	}
	tr.explain(found.Errors)
	for _, v := range found.Violations[:min(len(found.Violations), 20)] {
		t.Errorf("VIOLATION: %s", v)
	}
	if found.Hits*10 < found.Answers*5 {
		t.Errorf("%d of %d answers were hits: the test tests little", found.Hits, found.Answers)
	}
	if t.Failed() {
		t.Log(tr.said())
	}
}

// Deploys go on while edges and control nodes die, and are cut off.
func TestDeploys(t *testing.T) {
	tr := beginSite(t, Options{Controls: 3, Edges: 4})
	tr.keep(500 * time.Millisecond)
	tr.alive()
	tr.note("kill -9 of %s, cut %s off", tr.Edges[0].Name, tr.Edges[1].Name)
	tr.Edges[0].Kill()
	tr.Edges[1].Cut()
	tr.alive()
	tr.alive()
	time.Sleep(500 * time.Millisecond) // for viewers of the edge that is cut off
	tr.HealAll()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	tr.note("kill -9 of %s", tr.Controls[0].Name)
	tr.Controls[0].Kill()
	tr.alive()
	tr.note("kill -9 of the next deploy")
	tr.deployer.Doom(100 * time.Millisecond)
	tr.alive()
	tr.must(tr.AwaitAll(tr.within(time.Minute)))
	tr.checkSite()
}

// A random mixture of everything, and of deploys that are killed.
func TestRandomSites(t *testing.T) {
	if *sitesFor == 0 {
		t.Skip("TestDeploys does for a short run; -sites 10m")
	}
	tr := beginSite(t, Options{Controls: *controls, Edges: 4, Secure: *randomSeed%2 == 0})
	tr.note("seed %d", *randomSeed)
	tr.keep(time.Second)
	rng := dice(98)
	tr.suffer(rng, *sitesFor, func() {
		if rng.IntN(4) == 0 {
			after := time.Duration(rng.Int64N(int64(500 * time.Millisecond)))
			tr.note("kill -9 of the next deploy, %v after its start", after.Round(time.Millisecond))
			tr.deployer.Doom(after)
		}
	})
	tr.checkSite()
}
