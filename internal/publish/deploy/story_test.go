package deploy_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

const day = 24 * time.Hour

// act is one command that a person gives.
type act struct {
	name string
	site version // what the machine is to publish; empty where the bytes come from the bucket
	job  func(machine) deploy.Job
	want map[site.Key]string // what the site is afterwards
}

func deployOf(name string, v version) act { return act{name, v, machine.job, v.files} }

// from is the same command for what was built from rev.
func (a act) from(rev *release.Revision) act {
	job := a.job
	a.job = func(m machine) deploy.Job { m.revision = rev; return job(m) }
	return a
}

// asking is the same command, which asks approve.
func (a act) asking(approve func(p plan.Plan, again bool) error) act {
	job := a.job
	a.job = func(m machine) deploy.Job { m.approve = approve; return job(m) }
	return a
}

// do gives the command on a machine that knows nothing.
func (r *rig) do(a act) (deploy.Result, error) { return r.doBy(r.store, a) }

// doBy is do on a machine that has its own way to the store.
func (r *rig) doBy(store remote.Store, a act) (deploy.Result, error) {
	m, err := r.connectBy(r.t.Context(), store, r.opts, a.site)
	if err != nil {
		return deploy.Result{}, err
	}
	return m.engine.Publish(r.t.Context(), a.job(m))
}

func (r *rig) mustDo(a act) deploy.Result {
	r.t.Helper()
	res, err := r.do(a)
	if err != nil {
		r.t.Fatalf("%s: %v", a.name, err)
	}
	return res
}

// versionOf scans the files in a folder of their own.
func versionOf(t testing.TB, files map[site.Key]string, configured ...rules.Rule) version {
	t.Helper()
	dir := t.TempDir()
	writeAll(t, dir, files)
	v, err := scanned(context.Background(), dir, configured)
	if err != nil {
		t.Fatal(err)
	}
	v.files = files
	return v
}

// oldest, middle, before and after are versions of one site, in which
// everything that can happen to an object happens to one. third is a site that
// somebody wants instead of after.
func oldest() map[site.Key]string {
	return map[site.Key]string{
		"index.html": "home0 <app.3f2a9c1b.js> <ancient.css>", "a/index.html": "a0 <main.css>", "gone/index.html": "gone <old.css>",
		"same.html": "same <main.css>", "app.3f2a9c1b.js": "js", "main.css": "css0", "old.css": "old", "ancient.css": "ancient", "feed.xml": "feed0",
	}
}

func middle() map[site.Key]string {
	return with(before(), "a/index.html", "a1 <main.css>", "main.css", "css1", "once.html", "once <pic.png>", "pic.png", "pic", "feed.xml", "feed1")
}

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

func third() map[site.Key]string {
	return with(after(), "index.html", "home3 <app.77ab01cd.js>", "new/index.html", "", "third.html", "third <main.css>", "main.css", "css3")
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

// story is a bucket with three releases in it: the oldest one's time is over,
// an asset of it is due to be swept, and what the others need is kept.
type story struct {
	objects map[site.Key]memory.Object
	at      time.Time // as a bubble of synctest tells it
	seed    uint64
	keys    []site.Key // of all versions

	same, old, third act        // deploys of after, before and third
	rollback, sweep  act        // to middle
	restores         release.ID // middle
}

func newStory(t *testing.T) *story {
	noCache := "no-cache"
	header := rules.Rule{Match: "same.html", CacheControl: &noCache}
	s := &story{keys: everyKey(oldest(), middle(), before(), after(), third())}
	s.same, s.third = deployOf("the same site", versionOf(t, after(), header)), deployOf("a third site", versionOf(t, third(), header))
	s.old = deployOf("the old site", versionOf(t, before()))
	s.sweep = act{name: "a sweep", job: machine.sweep, want: before()}
	earlier := []act{deployOf("oldest", versionOf(t, oldest())), deployOf("middle", versionOf(t, middle()))}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for k, body := range foreign {
			r.store.Set(k, []byte(body), site.Headers{})
		}
		r.mustDo(earlier[0])
		time.Sleep(day)
		s.restores = r.mustDo(earlier[1]).Release
		time.Sleep(20 * day)
		r.mustDo(s.old)
		time.Sleep(12 * day)
		s.objects, s.at, s.seed = r.store.Objects(), time.Now(), r.seed
	})
	s.rollback = act{"a rollback", version{}, func(m machine) deploy.Job { return m.rollback(s.restores) }, middle()}
	return s
}

// rig is the story's bucket, in a bubble. The CDN has forgotten everything.
func (s *story) rig(t *testing.T) *rig {
	time.Sleep(time.Until(s.at))
	r := newRig(t)
	for k, o := range s.objects {
		r.store.Set(k, o.Data, o.Headers)
	}
	r.seed, r.opts.Jobs = s.seed, 2
	return r
}

// reader is one more location of the distribution, where a reader has been.
func (r *rig) reader(keys []site.Key) *edge {
	e := &edge{id: dist, view: view, store: r.store, cdn: r.cdn, cache: map[site.URLPath]entry{}}
	if why := e.broken(keys...); why != "" {
		r.t.Fatal(why)
	}
	return e
}

// whole checks everything that freshet promises after a run that succeeded.
func (r *rig) whole(want map[site.Key]string, keys []site.Key) {
	r.t.Helper()
	if stale := r.edge.stale(keys...); len(stale) > 0 {
		r.t.Errorf("stale: %v", stale)
	}
	r.published(want, foreign)
	s := r.state()
	if s.Lock != nil {
		r.t.Errorf("the lock is held: %+v", s.Lock)
	}
	r.asPlanned()
	r.restorable(s)
}

// asPlanned checks that nothing was invalidated but what a plan said.
func (r *rig) asPlanned() {
	r.t.Helper()
	said := map[string]bool{}
	for _, p := range r.plans {
		for _, purge := range p.Purges {
			for _, item := range purge.Cover.Items {
				said[string(item.Path)] = true
			}
		}
	}
	for _, item := range slices.Concat(r.invalidated()...) {
		if !said[item] {
			r.t.Errorf("%s was invalidated, and no plan says so", item)
		}
	}
}

// restorable checks that every release that is kept can be made live again: its
// objects lie at their keys or their bytes in the record.
func (r *rig) restorable(s release.State) {
	r.t.Helper()
	objects := r.store.Objects()
	contents := map[site.Digest]bool{}
	for k, o := range objects {
		if _, name, ok := strings.Cut(string(k), "/content/"); ok && k.IsState() {
			if contents[o.Digest] = true; name != o.Digest.String() {
				r.t.Errorf("%s holds %q", k, o.Data)
			}
		}
	}
	for _, k := range s.Live.Kept {
		if !contents[k.Digest] {
			r.t.Errorf("the record says that %s is kept, and it is not there", k.Digest.Short())
		}
	}
	for _, e := range s.Live.History {
		if e.Gone {
			continue
		}
		for _, o := range r.manifest(e).Objects() {
			if objects[o.Key].Digest != o.Digest && !contents[o.Digest] {
				r.t.Errorf("release %s cannot be restored: %s is nowhere", e.Release, o.Key)
			}
		}
	}
}

// manifest is the site of an earlier release, read without being logged.
func (r *rig) manifest(e release.Entry) site.Manifest {
	r.t.Helper()
	r.store.SetHook(nil)
	defer r.store.SetHook(r.called)
	record, err := release.Open(context.Background(), r.store, release.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := record.Manifest(context.Background(), e)
	if err != nil {
		r.t.Fatalf("the manifest of release %s: %v", e.Release, err)
	}
	return m.Site
}

// restoreAll rolls back to every release that is kept, and checks what that
// makes of the site.
func (r *rig) restoreAll(keys []site.Key) {
	r.t.Helper()
	for _, e := range r.state().Live.History {
		if e.Gone {
			continue
		}
		want := r.manifest(e)
		r.mustDo(act{name: fmt.Sprintf("rollback to %s", e.Release), job: func(m machine) deploy.Job { return m.rollback(e.Release) }})
		live := r.state()
		if plan.Fingerprint(live.Live.Site) != plan.Fingerprint(want) {
			r.t.Errorf("after the rollback to %s the site is %v", e.Release, live.Live.Site)
		}
		files := map[site.Key]string{}
		objects := r.store.Objects()
		for _, o := range want.Objects() {
			if files[o.Key] = string(objects[o.Key].Data); objects[o.Key].Digest != o.Digest {
				r.t.Errorf("after the rollback to %s, %s holds %q", e.Release, o.Key, objects[o.Key].Data)
			}
		}
		r.whole(files, keys)
	}
}
