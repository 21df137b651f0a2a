package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// runner is one of several runs at once: its own machine and way to the store,
// on which nobody but the holder of the lock may write.
type runner struct {
	remote.Store
	race     *race
	site     version
	revision *release.Revision

	mu     sync.Mutex // guards holder; held for a moment
	holder string     // of the lock, as the run is announced

	res deploy.Result
	err error
}

var _ remote.Store = (*runner)(nil)

func (r *runner) announce(holder string) (func() error, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holder = holder
	return func() error { return nil }, nil
}

// alone checks that the lock is the runner's, before and after a write: then it
// was all the time, since every claim has a holder of its own.
func (r *runner) alone(key site.Key, write func() (string, error)) (string, error) {
	if key.IsState() && !strings.Contains(string(key), "/content/") {
		return write()
	}
	r.check(key)
	tag, err := write()
	if err == nil {
		r.check(key)
	}
	return tag, err
}

func (r *runner) check(key site.Key) {
	r.mu.Lock()
	holder := r.holder
	r.mu.Unlock()
	if l := r.race.rig.lock(); l.Free || l.Holder != holder {
		r.race.rig.t.Errorf("%s is written while %s has the lock (free: %v)", key, l.Holder, l.Free)
	}
}

func (r *runner) Put(ctx context.Context, put remote.Put) (string, error) {
	return r.alone(put.Key, func() (string, error) { return r.Store.Put(ctx, put) })
}

func (r *runner) Copy(ctx context.Context, c remote.Copy) (string, error) {
	return r.alone(c.To, func() (string, error) { return r.Store.Copy(ctx, c) })
}

func (r *runner) Delete(ctx context.Context, keys []site.Key) error {
	_, err := r.alone(keys[0], func() (string, error) { return "", r.Store.Delete(ctx, keys) })
	return err
}

// lock is who has the lock.
func (r *rig) lock() (l release.Lock) {
	for k, o := range r.store.Objects() {
		if k.IsState() && k.Base() == "lock.json" {
			if err := json.Unmarshal(o.Data, &l); err != nil {
				r.t.Error(err)
			}
		}
	}
	return l
}

// race is some runs at once.
type race struct {
	rig     *rig
	runners []*runner
	reader  *edge
	keys    []site.Key
	slow    int        // of a thousand calls, how many take up to 10 s instead of 0.1 s
	delays  *rand.Rand // nil for no delays
	mu      sync.Mutex // guards delays; held for a moment
}

// hook makes every call take a while, some a long one, and lets a reader look.
func (c *race) hook(op, key string) memory.Fault {
	if why := c.reader.broken(c.keys...); why != "" {
		c.rig.t.Errorf("at %s %s: %s", op, key, why)
	}
	c.rig.edge.browse(c.keys...)
	if c.delays == nil {
		return memory.Fault{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	took := time.Duration(c.delays.IntN(int(100 * time.Millisecond)))
	if c.delays.IntN(1000) < c.slow {
		took *= 100
	}
	return memory.Delay(took)
}

// raceSite is what the i-th of several runs publishes: everything of it differs
// from every other's, and some names are everybody's.
func raceSite(i int) map[site.Key]string {
	return map[site.Key]string{
		"index.html":                          fmt.Sprintf("home %d <app.%08x.js> <main.css>", i, 0x3f2a9c00+i),
		site.Key(fmt.Sprintf("p%d.html", i)):  fmt.Sprintf("page %d <main.css> <own%d.css>", i, i),
		site.Key(fmt.Sprintf("own%d.css", i)): "own", site.Key(fmt.Sprintf("app.%08x.js", 0x3f2a9c00+i)): fmt.Sprint("js", i),
		"main.css": fmt.Sprint("css", i), "feed.xml": fmt.Sprint("feed", i),
	}
}

// raceSites are scanned once, for all rounds.
func raceSites(t *testing.T, n int) []version {
	out := make([]version, n)
	for i := range out {
		out[i] = versionOf(t, raceSite(i))
	}
	return out
}

// newRace is a bucket with the first of the sites in it, and a run for each of
// the others.
func newRace(t *testing.T, sites []version, seed uint64) *race {
	r := newRig(t)
	r.seed = seed * 100
	c := &race{rig: r}
	random := rand.New(rand.NewPCG(seed, 1))
	for i, v := range sites {
		c.keys = append(c.keys, keysOf(v.files)...)
		run := &runner{Store: r.store, race: c, site: v}
		if seed%4 != 0 || random.IntN(3) > 0 { // in every fourth round some do not tell
			run.revision = &release.Revision{Name: fmt.Sprint("c", i), Branch: "main", Time: time.Unix(int64(1e9+i), 0)}
		}
		c.runners = append(c.runners, run)
	}
	slices.Sort(c.keys)
	c.keys = slices.Compact(c.keys)
	if seed%5 != 0 { // else nobody has published yet
		r.mustDo(deployOf("the first", sites[0]))
	}
	c.runners = c.runners[1:]
	c.reader = r.reader(c.keys)
	return c
}

// run lets everybody publish at once.
func (c *race) run(lock release.LockOptions) {
	c.rig.setHook(c.hook)
	var wg sync.WaitGroup
	for i, one := range c.runners {
		opts := c.rig.opts
		opts.Lock = lock
		opts.Lock.Writer, opts.Lock.Announce = fmt.Sprintf("run%d@m%d", i, i), one.announce
		wg.Go(func() {
			one.publish(opts)
		})
	}
	wg.Wait()
	c.rig.setHook(nil)
}

func (r *runner) publish(opts deploy.Options) {
	ctx := r.race.rig.t.Context()
	m, err := r.race.rig.connectBy(ctx, r, opts, r.site)
	if r.err = err; err == nil {
		m.revision = r.revision
		r.res, r.err = m.engine.Publish(ctx, m.job())
	}
}

// judge checks that exactly the site of one who succeeded is live, and that it
// is the newest of those who told a revision, unless it is one who did not.
func (c *race) judge(allowed ...error) {
	t := c.rig.t
	winner, newest := -1, -1
	live := c.rig.state().LiveID()
	for i, one := range c.runners {
		if one.err != nil {
			if !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(one.err, a) }) {
				t.Errorf("run %d: %v", i, one.err)
			}
			continue
		}
		if one.res.Release == live {
			winner = i
		}
		if one.revision != nil {
			newest = i
		}
	}
	if winner < 0 {
		for i, one := range c.runners {
			t.Logf("run %d: %s, %v", i, one.res.Release, one.err)
		}
		t.Fatalf("release %s is live, and nobody says that it is his", live)
	}
	if w := c.runners[winner]; w.revision != nil && winner != newest {
		t.Errorf("run %d has won over run %d, which is newer and says that it succeeded", winner, newest)
	}
	if last := c.runners[len(c.runners)-1]; errors.Is(last.err, deploy.ErrOlder) {
		t.Errorf("the newest run: %v", last.err)
	}
	c.rig.published(c.runners[winner].site.files, nil)
	if stale := c.rig.edge.stale(c.keys...); len(stale) > 0 {
		t.Errorf("stale: %v", stale)
	}
	if l := c.rig.lock(); !l.Free && c.slow == 0 {
		t.Errorf("the lock is held: %+v", l)
	}
	c.rig.asPlanned()
	c.rig.restorable(c.rig.state())
}

// Two and five deploys at once, with calls that take their time: 200 rounds.
// Time stands still while anybody works, so that no lease runs out because
// this machine is busy.
func TestDeploysAtOnce(t *testing.T) {
	sites := raceSites(t, 6)
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	lost := 0
	for _, n := range []int{2, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			won := make([]int, n)
			for round := range rounds {
				synctest.Test(t, func(t *testing.T) {
					c := newRace(t, sites[:n+1], uint64(round*10+n))
					c.round(round)
					for i, one := range c.runners {
						if one.err == nil {
							won[i]++
						} else if errors.Is(one.err, release.ErrLost) {
							lost++
						}
					}
				})
			}
			if slices.Contains(won, 0) && !testing.Short() {
				t.Errorf("the rounds are all alike: the runs succeeded %v times", won)
			}
		})
	}
	if lost == 0 && !testing.Short() {
		t.Error("nobody ever lost the lock")
	}
}

// round is one of five kinds: most just wait for each other; in some nobody has
// the patience; in some, requests hang for longer than a lease, renewals too, so
// that a run can lose the lock. What such a run leaves is finished by another.
func (c *race) round(n int) {
	c.delays = rand.New(rand.NewPCG(uint64(n), uint64(len(c.runners))))
	lock := release.LockOptions{Lease: 2 * time.Second, Timeout: time.Hour}
	allowed := []error{deploy.ErrOlder}
	switch n % 5 {
	case 3:
		lock.Timeout = time.Second
		allowed = append(allowed, release.ErrLocked)
	case 4:
		c.slow = 60
		allowed = append(allowed, release.ErrLost, release.ErrMoved)
	}
	c.run(lock)
	// A pointer that a run has sent before it lost the lock may arrive while it is
	// repeated, and beat its own repeat: then it is repeated once more.
	last := c.runners[len(c.runners)-1]
	for range 3 {
		if c.slow == 0 || c.rig.state().Journal == nil && last.err == nil {
			break
		}
		opts := c.rig.opts
		opts.Lock = lock
		opts.Lock.Announce = last.announce
		last.publish(opts)
	}
	c.judge(allowed...)
}

// The same by the real clock, without delays: whoever is faster.
func TestDeploysAtOnceInRealTime(t *testing.T) {
	sites := raceSites(t, 4)
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			c := newRace(t, sites, uint64(round))
			c.run(release.LockOptions{Lease: 20 * time.Second, Timeout: 5 * time.Minute})
			c.judge(deploy.ErrOlder)
		})
	}
}
