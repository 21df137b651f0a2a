package testenv

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/viewer"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/publish/scan"
	"github.com/freshet/freshet/internal/site"
)

// Deploy publishes the site folder from a machine that knows nothing. Guards
// are the caller's business, as with `--yes`.
func (e *Env) Deploy() (deploy.Result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	res, err := e.deploy(ctx, cancel)
	e.lastErr = err
	return res, err
}

// MustDeploy is Deploy that must succeed.
func (e *Env) MustDeploy() deploy.Result {
	e.tb.Helper()
	res, err := e.Deploy()
	if err != nil {
		e.tb.Fatalf("deploy: %v", err)
	}
	return res
}

func (e *Env) deploy(ctx context.Context, kill func()) (deploy.Result, error) {
	files, want, err := e.scan(ctx)
	if err != nil {
		return deploy.Result{}, err
	}
	restore := e.arm(kill)
	defer restore()
	engine, shown, err := e.engine(ctx)
	if err != nil {
		return deploy.Result{}, err
	}
	var items []string
	res, err := engine.Publish(ctx, deploy.Job{
		Want: func(context.Context, release.State) (site.Manifest, deploy.Source, error) {
			return want, deploy.NewFiles(files), nil
		},
		Plan: func(_ context.Context, live plan.Live, want site.Manifest) (plan.Plan, error) {
			id, err := release.NewID(live.State.NextNumber(), rand.Reader)
			if err != nil {
				return plan.Plan{}, err
			}
			e.Plan = plan.Make(plan.Input{
				Release: id, Site: want, Live: live, Distributions: shown, Spending: e.Spending, Retain: e.Retain, Now: time.Now().UTC(),
			})
			items = e.Plan.Purges[0].Cover.Paths()
			e.shared.sent = append(e.shared.sent, items)
			if e.alter != nil {
				e.alter(&e.Plan)
			}
			return e.Plan, nil
		},
	})
	if err == nil {
		e.shared.whole = append(e.shared.whole, items)
		e.remember(want, files)
	}
	return res, err
}

func (e *Env) scan(ctx context.Context) (*scan.Files, site.Manifest, error) {
	files, err := scan.Folder(ctx, e.Dir, scan.Options{})
	if err != nil {
		return nil, site.Manifest{}, err
	}
	set, err := rules.NewSet(e.Rules)
	if err != nil {
		return nil, site.Manifest{}, err
	}
	return files, files.Manifest(set.Describe), nil
}

// engine connects to the target.
func (e *Env) engine(ctx context.Context) (*deploy.Engine, []plan.Distribution, error) {
	info, store, cdn := e.shared.info, e.store(e.prefix, e.client("s3")), e.control(e.client("cloudfront"))
	record, err := release.Open(ctx, store, release.Options{})
	if err != nil {
		return nil, nil, err
	}
	d, err := cdn.Distribution(ctx, info.Distribution)
	if err != nil {
		return nil, nil, err
	}
	edge, err := viewer.New(info.Edge, 8)
	if err != nil {
		return nil, nil, err
	}
	view := rules.View{Prefix: e.prefix, RootObject: d.DefaultRootObject, OriginPath: d.Origins[0].Path}
	return deploy.New(store, cdn, record, deploy.Options{
		Distributions: []deploy.Distribution{{ID: d.ID, View: view, Viewer: &oneByOne{Viewer: edge}}},
		Limits:        e.Spending.Limits, Jobs: 8, Wait: cmp.Or(e.Wait, time.Minute), NoVerify: e.alter != nil,
		Lock: release.LockOptions{Writer: "testenv", Timeout: time.Minute, Gone: gone},
	}), []plan.Distribution{{ID: d.ID, View: view, TagHeader: d.TagHeader}}, nil
}

// gone says that whoever holds the lock is dead: an Env publishes one at a
// time.
func gone(string, string) bool { return true }

// oneByOne is a viewer that asks one question at a time, and so never dials a
// connection that it does not use; see shared.transport.
type oneByOne struct {
	remote.Viewer
	mu sync.Mutex // held for one question
}

// Ask implements remote.Viewer.
func (v *oneByOne) Ask(ctx context.Context, path site.URLPath) (remote.Answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.Viewer.Ask(ctx, path)
}

// remember notes what viewers must get from now on, and what they must not get
// any more.
func (e *Env) remember(want site.Manifest, files *scan.Files) {
	next := make(map[site.Key]published, files.Len())
	for f := range files.All() {
		o, _ := want.Lookup(f.Key)
		body, err := os.ReadFile(filepath.Join(e.Dir, filepath.FromSlash(string(f.Key))))
		if err != nil {
			e.tb.Fatal(err)
		}
		next[f.Key] = published{o, string(body)}
		delete(e.shared.foreign, site.Key(e.prefix)+f.Key) // the site has it now: it is not theirs any more
	}
	for k, old := range e.last {
		h := e.past[k]
		now, ok := next[k]
		if h.removed = !ok && old.object.Kind.Removable(); h.removed || ok && now.body != old.body {
			h.bodies = append(h.bodies, old.body)
		}
		e.past[k] = h
	}
	for k, now := range next {
		h := e.past[k]
		h.removed, h.bodies = false, slices.DeleteFunc(h.bodies, func(body string) bool { return body == now.body })
		e.past[k] = h
	}
	e.last = next
}

// State is the record of the target as it stands.
func (e *Env) State() release.State {
	e.tb.Helper()
	record, err := release.Open(context.Background(), e.store(e.prefix, e.client("s3")), release.Options{})
	if err != nil {
		e.tb.Fatalf("open the record: %v", err)
	}
	s, err := record.Read(context.Background())
	if err != nil {
		e.tb.Fatalf("read the record: %v", err)
	}
	return s
}

func newPut(key site.Key, body string, h site.Headers) remote.Put {
	return remote.Put{Key: key, Size: int64(len(body)), Digest: sha256.Sum256([]byte(body)), Headers: h, Body: strings.NewReader(body)}
}
