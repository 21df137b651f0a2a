package deploy_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/publish/scan"
	"github.com/freshet/freshet/internal/site"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // the crash matrix makes thousands of small buckets
	goleak.VerifyTestMain(m)
}

const dist = "E1FRESHET"

var view = rules.View{RootObject: "index.html"}

// rig is a bucket, a CDN with an edge in front of it, and a folder to publish.
type rig struct {
	t     *testing.T
	dir   string // "" before write
	store *memory.Store
	cdn   *memory.CDN
	edge  *edge
	opts  deploy.Options // for the next run
	rules []rules.Rule

	spending  plan.Spending
	retain    time.Duration
	tagHeader string // where the distributions look for cache tags; "" for nowhere
	noLock    bool
	hint      string // where the record is, "" for machines that never were here

	mu    sync.Mutex // guards the fields below; held for a moment
	log   []memory.Call
	seed  uint64    // of the last machine
	plan  plan.Plan // of the last run
	plans []plan.Plan
	hook  memory.Hook
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, retain: 30 * 24 * time.Hour, store: memory.NewStore(memory.StoreOptions{PageSize: 3})}
	r.cdn = memory.NewCDN(memory.CDNOptions{Distributions: []remote.Distribution{{ID: dist, DefaultRootObject: "index.html"}}, Polls: 1})
	r.edge = &edge{id: dist, view: view, store: r.store, cdn: r.cdn, cache: map[site.URLPath]entry{}}
	r.opts = deploy.Options{Distributions: []deploy.Distribution{{ID: dist, View: view, Viewer: r.edge}}, Jobs: 4, Wait: time.Minute, Lock: release.LockOptions{Writer: "ben@laptop", Timeout: time.Minute, Gone: gone}, Now: time.Now}
	r.store.SetHook(r.called)
	r.cdn.SetHook(r.called)
	return r
}

// called logs a call of either service in one order, and asks the test's hook.
func (r *rig) called(op, key string) memory.Fault {
	r.mu.Lock()
	r.log = append(r.log, memory.Call{Op: op, Key: key})
	hook := r.hook
	r.mu.Unlock()
	if hook == nil {
		return memory.Fault{}
	}
	return hook(op, key)
}

func (r *rig) setHook(h memory.Hook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = h
}

var (
	prefixOfRecord = regexp.MustCompile(`\.freshet-[0-9a-f]{32}/`)
	manifestOf     = regexp.MustCompile(`r\d+-[0-9a-f]{8}/manifest-[0-9a-f]{16}\.json\.zst`)
)

// calls is the log since the last call of it, as "put a.html"; the random
// prefix of the record is left out, and reads of it too.
func (r *rig) calls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, c := range r.log {
		key := prefixOfRecord.ReplaceAllString(c.Key, "RECORD/")
		key = manifestOf.ReplaceAllString(key, "ID/MANIFEST")
		out = append(out, strings.TrimSpace(c.Op+" "+key))
	}
	r.log = nil
	return out
}

// write replaces the whole site folder.
func (r *rig) write(files map[site.Key]string) {
	r.t.Helper()
	if r.dir == "" {
		r.dir = r.t.TempDir()
	}
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Fatal(err)
	}
	writeAll(r.t, r.dir, files)
}

func writeAll(t testing.TB, dir string, files map[site.Key]string) {
	t.Helper()
	for k, body := range files {
		path := filepath.Join(dir, filepath.FromSlash(string(k)))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// version is a site as a scan has found it.
type version struct {
	files  map[site.Key]string
	want   site.Manifest
	source deploy.Files
}

func scanned(ctx context.Context, dir string, configured []rules.Rule) (v version, err error) {
	files, err := scan.Folder(ctx, dir, scan.Options{})
	if err != nil {
		return v, err
	}
	set, err := rules.NewSet(configured)
	if err != nil {
		return v, err
	}
	v.source, v.want = deploy.NewFiles(files), files.Manifest(set.Describe)
	return v, nil
}

// machine is a run's own copy of everything but the cloud.
type machine struct {
	version
	r        *rig
	engine   *deploy.Engine
	record   *release.Record
	random   *rand.ChaCha8
	revision *release.Revision
	approve  func(p plan.Plan, again bool) error
}

// machine scans the folder and connects.
func (r *rig) machine(ctx context.Context) (machine, error) {
	v, err := scanned(ctx, r.dir, r.rules)
	if err != nil {
		return machine{}, err
	}
	return r.connect(ctx, v)
}

// connect is a machine that knows nothing but what it is to publish.
func (r *rig) connect(ctx context.Context, v version) (machine, error) {
	return r.connectBy(ctx, r.store, r.opts, v)
}

// connectBy is connect for a machine that has its own way to the store.
func (r *rig) connectBy(ctx context.Context, store remote.Store, opts deploy.Options, v version) (machine, error) {
	m := machine{version: v, r: r}
	r.mu.Lock()
	r.seed++
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], r.seed)
	r.mu.Unlock()
	m.random = rand.NewChaCha8(seed)
	var err error
	m.record, err = release.Open(ctx, store, release.Options{Random: m.random, Unconditional: r.noLock, Hint: r.hint})
	m.engine = deploy.New(store, r.cdn, m.record, opts)
	return m, err
}

// job publishes the machine's site.
func (m machine) job() deploy.Job {
	return deploy.Job{
		Revision: m.revision,
		Approve:  m.approve,
		Want: func(context.Context, release.State) (site.Manifest, deploy.Source, error) {
			return m.want, m.source, nil
		},
		Plan: func(_ context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			return m.decide(live, want, "", plan.Make)
		},
	}
}

// rollback makes an earlier release live again.
func (m machine) rollback(name release.ID) deploy.Job {
	var kept deploy.Kept
	return deploy.Job{
		Revision: m.revision,
		Want: func(ctx context.Context, state release.State) (site.Manifest, deploy.Source, error) {
			e, err := state.Find(string(name))
			if err != nil {
				return site.Manifest{}, nil, err
			}
			earlier, err := m.record.Manifest(ctx, e)
			if err == nil {
				kept, err = deploy.NewKept(ctx, m.record)
			}
			return earlier.Site, kept, err
		},
		Plan: func(_ context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			p, err := m.decide(live, want, name, plan.Make)
			for _, s := range p.Steps {
				if (s.Op == plan.OpAdd || s.Op == plan.OpUpdate) && !kept.Has(s.Object.Digest) {
					err = errors.Join(err, fmt.Errorf("the bytes of %s are not kept", s.Object.Key))
				}
			}
			return p, err
		},
	}
}

// sweep deletes what no kept release names.
func (m machine) sweep() deploy.Job {
	return deploy.Job{
		Want: func(_ context.Context, state release.State) (site.Manifest, deploy.Source, error) {
			return state.Live.Site, deploy.Nothing{}, nil
		},
		Plan: func(_ context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			p, err := m.decide(live, want, "", plan.Sweep)
			if len(p.Guards) > 0 {
				err = errors.Join(err, errors.New(p.Guards[0]))
			}
			return p, err
		},
	}
}

// resume finishes, without the site's folder, a run that has uploaded everything.
func (m machine) resume() deploy.Job {
	return deploy.Job{
		Want: func(ctx context.Context, state release.State) (site.Manifest, deploy.Source, error) {
			pending, err := m.record.Pending(ctx, state)
			return pending.Site, deploy.Nothing{}, err
		},
		Plan: func(_ context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			return m.decide(live, want, live.State.Journal.Restores, plan.Make)
		},
	}
}

func (m machine) decide(live plan.Live, want site.Manifest, restores release.ID, how func(plan.Input) plan.Plan) (plan.Plan, error) {
	id, err := release.NewID(live.State.NextNumber(), m.random)
	if err != nil {
		return plan.Plan{}, err
	}
	p := how(plan.Input{
		Release: id, Site: want, Live: live, Distributions: m.r.planned(), Spending: m.r.spending, Retain: m.r.retain, Now: time.Now().UTC(),
		Restores: restores,
	})
	m.r.mu.Lock()
	m.r.plan, m.r.plans = p, append(m.r.plans, p)
	m.r.mu.Unlock()
	return p, nil
}

// prepared is everything up to the plan.
type prepared struct {
	engine *deploy.Engine
	plan   plan.Plan
	live   plan.Live
	source deploy.Source
}

func (r *rig) prepare(ctx context.Context) (prepared, error) {
	var p prepared
	m, err := r.machine(ctx)
	if err != nil {
		return p, err
	}
	p.engine, p.source = m.engine, m.source
	if p.live, err = m.engine.Look(ctx, deploy.Given(m.want, m.source)); err != nil {
		return p, err
	}
	p.plan, err = m.decide(p.live, m.want, "", plan.Make)
	return p, err
}

// gone says that whoever holds the lock is dead: the rig publishes one at a
// time, unless a test says otherwise.
func gone(string, string) bool { return true }

// planned are the distributions as a plan sees them.
func (r *rig) planned() []plan.Distribution {
	var out []plan.Distribution
	for _, d := range r.opts.Distributions {
		out = append(out, plan.Distribution{ID: d.ID, View: d.View, TagHeader: r.tagHeader})
	}
	return out
}

// deploy publishes the folder as cmd/freshet does, from a machine that knows
// nothing.
func (r *rig) deploy() (deploy.Result, error) { return r.deployCtx(r.t.Context()) }

func (r *rig) deployCtx(ctx context.Context) (deploy.Result, error) {
	m, err := r.machine(ctx)
	if err != nil {
		return deploy.Result{}, err
	}
	return m.engine.Publish(ctx, m.job())
}

func (r *rig) mustDeploy() deploy.Result {
	r.t.Helper()
	res, err := r.deploy()
	if err != nil {
		r.t.Fatalf("deploy: %v", err)
	}
	return res
}

// publish writes the files and deploys them.
func (r *rig) publish(files map[site.Key]string) deploy.Result {
	r.t.Helper()
	r.write(files)
	return r.mustDeploy()
}

// state reads the record without being logged.
func (r *rig) state() release.State {
	r.t.Helper()
	r.store.SetHook(nil)
	defer r.store.SetHook(r.called)
	record, err := release.Open(context.Background(), r.store, release.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := record.Read(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// invalidated are the items that the first distribution accepted, oldest batch
// first.
func (r *rig) invalidated() [][]string { return r.invalidatedOn(dist) }

func (r *rig) invalidatedOn(id string) [][]string {
	var out [][]string
	for _, inv := range r.cdn.Accepted(id) {
		out = append(out, inv.Items)
	}
	return out
}

// published checks that bucket and record hold exactly the files, what was
// retired, and the foreign objects.
func (r *rig) published(files, foreign map[site.Key]string) {
	r.t.Helper()
	s := r.state()
	if s.Journal != nil {
		r.t.Errorf("the journal of release %s is open", s.Journal.Release)
	}
	objects := r.store.Objects()
	var recorded []site.Key
	for _, o := range s.Live.Site.Objects() {
		recorded = append(recorded, o.Key)
		if got := objects[o.Key]; got.ETag != o.ETag || got.Digest != o.Digest || got.Headers != o.Headers.Get() {
			r.t.Errorf("the record says of %s %+v, the bucket holds %+v", o.Key, o, got)
		}
	}
	var want []site.Key
	for k, body := range files {
		if want = append(want, k); string(objects[k].Data) != body {
			r.t.Errorf("%s holds %q, want %q", k, objects[k].Data, body)
		}
	}
	slices.Sort(want)
	if !slices.Equal(recorded, want) {
		r.t.Errorf("the record names %v, want %v", recorded, want)
	}
	for k, body := range foreign {
		if string(objects[k].Data) != body {
			r.t.Errorf("the foreign object %s holds %q, want %q", k, objects[k].Data, body)
		}
	}
	for k := range objects {
		_, wanted := files[k]
		_, theirs := foreign[k]
		kept := slices.ContainsFunc(s.Live.Retired, func(o release.Retired) bool { return o.Key == k })
		if !wanted && !theirs && !kept && !k.IsState() {
			r.t.Errorf("%s is in the bucket and nobody knows it", k)
		}
	}
}
