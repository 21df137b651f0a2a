package deploy_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
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

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dist = "E1FRESHET"

var view = rules.View{RootObject: "index.html"}

// rig is a bucket, a CDN with an edge in front of it, and a folder to publish.
type rig struct {
	t     *testing.T
	dir   string
	store *memory.Store
	cdn   *memory.CDN
	edge  *edge
	opts  deploy.Options // for the next run
	rules []rules.Rule
	seed  byte

	spending  plan.Spending
	retain    time.Duration
	tagHeader string // where the distributions look for cache tags; "" for nowhere

	mu   sync.Mutex // guards the fields below; held for a moment
	log  []memory.Call
	plan plan.Plan // of the last run
	hook memory.Hook
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, dir: t.TempDir(), retain: 30 * 24 * time.Hour, store: memory.NewStore(memory.StoreOptions{PageSize: 3})}
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

// calls is the log since the last call of it, as "put a.html"; the random
// prefix of the record is left out, and reads of it too.
func (r *rig) calls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, c := range r.log {
		key := regexp.MustCompile(`\.freshet-[0-9a-f]{32}/`).ReplaceAllString(c.Key, "RECORD/")
		key = regexp.MustCompile(`r\d+-[0-9a-f]{8}`).ReplaceAllString(key, "ID")
		key = regexp.MustCompile(`manifest-[0-9a-f]{16}\.json\.zst`).ReplaceAllString(key, "MANIFEST")
		out = append(out, strings.TrimSpace(c.Op+" "+key))
	}
	r.log = nil
	return out
}

// write replaces the whole site folder.
func (r *rig) write(files map[site.Key]string) {
	r.t.Helper()
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Fatal(err)
	}
	for k, body := range files {
		path := filepath.Join(r.dir, filepath.FromSlash(string(k)))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// machine is a run's own copy of everything but the cloud.
type machine struct {
	r        *rig
	engine   *deploy.Engine
	want     site.Manifest
	source   deploy.Source
	random   *rand.ChaCha8
	revision *release.Revision
}

// machine scans the folder and connects.
func (r *rig) machine(ctx context.Context) (machine, error) {
	m := machine{r: r}
	files, err := scan.Folder(ctx, r.dir, scan.Options{})
	if err != nil {
		return m, err
	}
	set, err := rules.NewSet(r.rules)
	if err != nil {
		return m, err
	}
	var objects []site.Object
	for _, f := range files {
		kind, h := set.Describe(f.Key)
		objects = append(objects, site.Object{Key: f.Key, Size: f.Size, Digest: f.Digest, Kind: kind, Headers: h})
	}
	if m.want, err = site.NewManifest(objects); err != nil {
		return m, err
	}
	r.mu.Lock()
	r.seed++
	m.random = rand.NewChaCha8([32]byte{r.seed})
	r.mu.Unlock()
	record, err := release.Open(ctx, r.store, release.Options{Random: m.random})
	m.engine, m.source = deploy.New(r.store, r.cdn, record, r.opts), deploy.NewFiles(files)
	return m, err
}

// job publishes the machine's site.
func (m machine) job(ctx context.Context) deploy.Job {
	return deploy.Job{
		Revision: m.revision,
		Want: func(context.Context, release.State) (site.Manifest, deploy.Source, error) {
			return m.want, m.source, nil
		},
		Plan: func(_ context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			return m.plan(live, want)
		},
	}
}

func (m machine) plan(live plan.Live, want site.Manifest) (plan.Plan, error) {
	id, err := release.NewID(live.State.NextNumber(), m.random)
	if err != nil {
		return plan.Plan{}, err
	}
	p := plan.Make(plan.Input{
		Release: id, Site: want, Live: live, Distributions: m.r.planned(), Spending: m.r.spending, Retain: m.r.retain, Now: time.Now().UTC(),
	})
	m.r.mu.Lock()
	m.r.plan = p
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
	if p.live, err = m.engine.Look(ctx, m.want, m.source); err != nil {
		return p, err
	}
	p.plan, err = m.plan(p.live, m.want)
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
	return m.engine.Publish(ctx, m.job(ctx))
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

// edge is a cache that keeps everything, negative answers too, until an
// accepted invalidation covers it.
type edge struct {
	id    string     // of its distribution
	view  rules.View // what it shows
	store *memory.Store
	cdn   *memory.CDN
	mu    sync.Mutex // held for one request
	cache map[site.URLPath]entry
	// stuck, if not nil, says which URLs no invalidation reaches.
	stuck func(path site.URLPath, batches int) bool
	hides func(path site.URLPath) bool // answers 404 whatever the bucket holds; nil for nothing
	asked []site.URLPath
	down  int // how many more questions get no answer
}

type entry struct {
	answer  remote.Answer
	tags    string // that it carries
	batches int    // accepted before it was fetched
}

func (e *edge) String() string {
	if e.id != dist {
		return "http://" + e.id
	}
	return "http://edge"
}

func (e *edge) Ask(ctx context.Context, path site.URLPath) (remote.Answer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return remote.Answer{}, err
	}
	if e.asked = append(e.asked, path); e.down > 0 {
		e.down--
		return remote.Answer{}, errors.New("connection reset")
	}
	return e.get(path), nil
}

// get needs mu to be held.
func (e *edge) get(path site.URLPath) remote.Answer {
	batches := e.cdn.Accepted(e.id)
	if have, ok := e.cache[path]; ok && !e.purged(path, have.tags, batches[have.batches:], len(batches)) {
		have.answer.Cache = "Hit"
		return have.answer
	}
	a, tags := e.origin(path)
	if e.hides != nil && e.hides(path) {
		a, tags = e.origin("/nothing")
	}
	e.cache[path] = entry{a, tags, len(batches)}
	return a
}

func (e *edge) purged(path site.URLPath, tags string, since []remote.Invalidation, n int) bool {
	if e.stuck != nil && e.stuck(path, n) {
		return false
	}
	for _, inv := range since {
		for _, item := range inv.Items {
			if tag, ok := strings.CutPrefix(item, "#"); ok {
				if slices.Contains(strings.Split(tags, ","), tag) {
					return true
				}
				continue
			}
			prefix, wildcard := strings.CutSuffix(item, "*")
			if wildcard && strings.HasPrefix(string(path), prefix) || item == string(path) {
				return true
			}
		}
	}
	return false
}

// origin is the bucket behind an index-rewrite function.
func (e *edge) origin(path site.URLPath) (a remote.Answer, tags string) {
	key, err := url.PathUnescape(strings.TrimPrefix(e.view.OriginPath+string(path), "/"))
	if err != nil {
		panic(err)
	}
	objects := e.store.Objects()
	for _, k := range []string{key, strings.TrimSuffix(key, "/") + "/index.html", key + "index.html"} {
		if o, ok := objects[site.Key(k)]; ok {
			return remote.Answer{Status: 200, ContentType: o.Headers.ContentType, CacheControl: o.Headers.CacheControl, Digest: o.Digest}, o.Headers.Tags
		}
	}
	return remote.Answer{Status: 404, Digest: sha256.Sum256([]byte("not found"))}, ""
}

// browse fills the edge with every URL of every key.
func (e *edge) browse(keys ...site.Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range keys {
		for _, u := range e.view.URLs(k) {
			e.get(u.Path)
		}
	}
}

// stale lists the URLs of keys whose answer at the edge is not the origin's.
func (e *edge) stale(keys ...site.Key) []site.URLPath {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []site.URLPath
	for _, k := range keys {
		for _, u := range e.view.URLs(k) {
			got := e.get(u.Path)
			want, _ := e.origin(u.Path)
			if got.Cache = ""; got != want {
				out = append(out, u.Path)
			}
		}
	}
	return out
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

var href = regexp.MustCompile(`<([^>]+)>`)

// broken names a page in the bucket that names something which is not there;
// "<a.css>" in a page names a.css.
func broken(store *memory.Store) string {
	objects := store.Objects()
	for k, o := range objects {
		if !strings.HasSuffix(string(k), ".html") {
			continue
		}
		for _, m := range href.FindAllStringSubmatch(string(o.Data), -1) {
			if _, ok := objects[site.Key(m[1])]; !ok {
				return fmt.Sprintf("%s names %s, which is not there", k, m[1])
			}
		}
	}
	return ""
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
		if got := objects[o.Key]; got.ETag != o.ETag || got.Digest != o.Digest || got.Headers != o.Headers {
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
