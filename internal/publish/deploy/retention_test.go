package deploy_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

// A sweep deletes first and purges after, and touches nothing else.
func TestSweep(t *testing.T) {
	s := newStory(t)
	synctest.Test(t, func(t *testing.T) {
		r := s.rig(t)
		before := r.store.Objects()
		r.edge.browse(s.keys...)
		res := r.mustDo(s.sweep)
		var got []string
		for _, c := range changes(r.calls()) {
			if strings.HasPrefix(c, "delete") || strings.HasPrefix(c, "invalidate") || !strings.Contains(c, "RECORD") {
				got = append(got, c)
			}
		}
		if diff := cmp.Diff(got[:3], []string{"delete", "delete key ancient.css", "invalidate"}); diff != "" {
			t.Errorf("calls (-got +want):\n%s", diff)
		}
		if diff := cmp.Diff(sent(res).Items, []string{"/ancient.css"}); diff != "" {
			t.Errorf("items (-got +want):\n%s", diff)
		}
		delete(before, "ancient.css")
		after := r.store.Objects()
		for k, o := range before {
			if !k.IsState() && after[k].Digest != o.Digest {
				t.Errorf("%s has changed", k)
			}
		}
		r.whole(s.sweep.want, s.keys)
		r.idle(s.sweep)
	})
}

// What somebody else has written over a retired asset is his: a sweep leaves it
// and the record forgets it.
func TestSweepOfSomebodyElsesObject(t *testing.T) {
	s := newStory(t)
	for _, a := range []act{s.sweep, s.same} {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := s.rig(t)
				r.store.Set("ancient.css", []byte("theirs"), site.Headers{})
				r.mustDo(a)
				for _, o := range r.state().Live.Retired {
					if a.name == s.same.name && o.Key == "ancient.css" {
						t.Errorf("the record still names %+v", o)
					}
				}
				if got := string(r.store.Objects()["ancient.css"].Data); got != "theirs" {
					t.Errorf("ancient.css holds %q", got)
				}
			})
		})
	}
}

// An asset goes once the last release that names it was superseded for the time
// of retain: to the second, by the releases' own times.
func TestWhenAnAssetIsSwept(t *testing.T) {
	named, without := map[site.Key]string{"index.html": "<a.css>", "a.css": "a"}, map[site.Key]string{"index.html": "none"}
	rows := []struct {
		name   string
		retain time.Duration
		after  time.Duration // since the release without it
		stays  bool
	}{
		{"a second too early", 30 * day, 30*day - time.Second, true},
		{"when the time is over", 30 * day, 30 * day, false},
		{"nothing is retained", 0, 0, false},
		{"a day", day, day, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			first, second := deployOf("with it", versionOf(t, named)), deployOf("without it", versionOf(t, without))
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.retain = row.retain
				r.mustDo(first)
				time.Sleep(90 * day) // the age of the object is nothing
				r.mustDo(second)
				if _, there := r.store.Objects()["a.css"]; !there {
					t.Error("the release that drops the asset deletes it")
				}
				since := r.state().Live.Retired[0].Since
				time.Sleep(time.Until(since.Add(row.after)))
				r.mustDo(act{name: "sweep", job: machine.sweep})
				if _, there := r.store.Objects()["a.css"]; there != row.stays {
					t.Errorf("a.css is there: %v, want %v", there, row.stays)
				}
			})
		})
	}
}

// liveOnce is a release as the test remembers it.
type liveOnce struct {
	id         release.ID
	files      map[site.Key]string
	superseded time.Time // zero while it is live
}

// chronicle publishes, rolls back and sweeps at random.
type chronicle struct {
	*rig
	random   *rand.Rand
	releases []liveOnce
	keys     map[site.Key]bool
}

// Sixty days of random releases, rollbacks and sweeps: after each, every page of
// every release that was live within the time of retain finds its assets, every
// such release can be restored, and nothing is left whose time is over.
func TestSixtyDays(t *testing.T) {
	seeds := 3
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &chronicle{rig: newRig(t), random: rand.New(rand.NewPCG(uint64(seed), 0)), keys: map[site.Key]bool{}}
				c.retain = 10 * day
				c.release()
				swept := 0
				for range 60 {
					time.Sleep(day/2 + time.Duration(c.random.IntN(int(day))))
					swept += c.something()
					c.check()
				}
				time.Sleep(c.retain)
				c.mustDo(act{name: "sweep", job: machine.sweep})
				c.check()
				if live := c.state().Live; swept == 0 || len(live.Retired)+len(live.Kept) > 0 {
					t.Errorf("%d were swept; in the end %d assets and %d contents are left over", swept, len(live.Retired), len(live.Kept))
				}
				manifests := 0
				for k := range c.store.Objects() {
					if strings.Contains(string(k), "/releases/") {
						manifests++
					} else if strings.Contains(string(k), "/content/") {
						t.Errorf("%s is left over", k)
					}
				}
				if manifests > 2 { // the last one before it has the same site
					t.Errorf("%d manifests are left over", manifests)
				}
			})
		})
	}
}

// something returns how many assets it swept.
func (c *chronicle) something() int {
	switch kept := c.kept(); {
	case c.random.IntN(10) < 2:
		c.mustDo(act{name: "sweep", job: machine.sweep})
	case c.random.IntN(10) < 2 && len(kept) > 0:
		to := kept[c.random.IntN(len(kept))]
		c.note(to.files, c.mustDo(act{name: "rollback", job: func(m machine) deploy.Job { return m.rollback(to.id) }}).Changed)
	default:
		c.release()
	}
	n, _ := c.plan.Count(plan.OpSweep)
	return n
}

// kept are the earlier releases whose time is not over.
func (c *chronicle) kept() []liveOnce {
	return slices.DeleteFunc(slices.Clone(c.releases), func(l liveOnce) bool {
		return l.superseded.IsZero() || !l.superseded.Add(c.retain).After(time.Now())
	})
}

// release publishes a site of some pages, which name some assets.
func (c *chronicle) release() {
	files := map[site.Key]string{"index.html": fmt.Sprint("home ", c.random.IntN(100))}
	for i := range 5 {
		if c.random.IntN(3) == 0 {
			continue
		}
		page := fmt.Sprint("page ", i)
		for range c.random.IntN(3) {
			name := site.Key(fmt.Sprintf("a%d.css", c.random.IntN(8)))
			files[name] = fmt.Sprint("version ", c.random.IntN(3))
			page += " <" + string(name) + ">"
		}
		files[site.Key(fmt.Sprintf("p%d.html", i))] = page
	}
	c.write(files)
	c.note(files, c.mustDeploy().Changed)
}

// note remembers what is live now.
func (c *chronicle) note(files map[site.Key]string, changed bool) {
	for k := range files {
		c.keys[k] = true
	}
	if !changed {
		return
	}
	s := c.state()
	if n := len(c.releases); n > 0 {
		c.releases[n-1].superseded = s.Live.Created
	}
	c.releases = append(c.releases, liveOnce{id: s.LiveID(), files: files})
}

func (c *chronicle) check() {
	c.t.Helper()
	// A sweep that let go of something is a release with the same site.
	if s, last := c.state(), &c.releases[len(c.releases)-1]; s.LiveID() != last.id {
		c.note(last.files, true)
	}
	objects := c.store.Objects()
	for _, l := range c.releases {
		if !l.superseded.IsZero() && !l.superseded.Add(c.retain).After(time.Now()) {
			continue
		}
		for k, body := range l.files {
			for _, name := range named([]byte(body)) {
				if _, there := objects[name]; !there {
					c.t.Errorf("%s of release %s, superseded %s, names %s, which is gone on %s", k, l.id, l.superseded, name, time.Now())
				}
			}
		}
	}
	s := c.state()
	for _, o := range s.Live.Retired {
		if !o.Since.Add(c.retain).After(c.plan.Supersedes) && c.plan.Sweeps {
			c.t.Errorf("%s is retired since %s, and a sweep on %s left it", o.Key, o.Since, time.Now())
		}
	}
	c.restorable(s)
	c.published(c.releases[len(c.releases)-1].files, nil)
	if stale := c.edge.stale(slices.Collect(maps.Keys(c.keys))...); len(stale) > 0 {
		c.t.Errorf("stale: %v", stale)
	}
}
