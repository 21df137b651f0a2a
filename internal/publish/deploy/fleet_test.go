package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// fleet is a rig whose CDN has edges, each with a cache of its own.
type fleet struct {
	*rig
	edges map[string]*edge // by address
	dead  map[string]error // addresses that give no answer, and what they give instead
	read  func() error     // before the state is read, nil for nothing
	state remote.Fleet
}

func newFleet(t *testing.T, edges int) *fleet {
	f := &fleet{rig: newRig(t), edges: map[string]*edge{}, dead: map[string]error{}}
	for i := range edges {
		name := fmt.Sprint("edge-", i+1)
		address := "https://" + name + ".example"
		f.edges[address] = &edge{id: dist, view: view, store: f.store, cdn: f.cdn, cache: map[site.URLPath]entry{}}
		f.state.Edges = append(f.state.Edges, remote.FleetEdge{Name: name, State: remote.Serving, Address: address})
	}
	f.opts.Distributions[0].At = func(address string) (remote.Viewer, error) {
		if address == "nonsense" {
			return nil, errors.New("the address is nonsense")
		}
		return member{f, address}, nil
	}
	f.opts.Fleet = func(context.Context) (*remote.Fleet, error) {
		if f.read != nil {
			if err := f.read(); err != nil {
				return nil, err
			}
		}
		state := f.state
		state.Edges = slices.Clone(f.state.Edges)
		return &state, nil
	}
	return f
}

// member is one edge as somebody sees it who connects to its address.
type member struct {
	*fleet
	address string
}

func (m member) String() string { return "http://edge" }

func (m member) Ask(ctx context.Context, path site.URLPath) (remote.Answer, error) {
	if err := m.dead[m.address]; err != nil {
		return remote.Answer{}, err
	}
	return m.edges[m.address].Ask(ctx, path)
}

func (f *fleet) browse(keys ...site.Key) {
	f.edge.browse(keys...)
	for _, e := range f.edges {
		e.browse(keys...)
	}
}

// stuck makes the edge at the address keep the path through so many batches, from
// now on.
func (f *fleet) stuck(address string, path site.URLPath, batches int) {
	through := len(f.invalidated()) + batches
	f.edges[address].stuck = func(p site.URLPath, n int) bool { return p == path && n <= through }
}

// errRefused is what a connection to a dead edge ends with.
var errRefused = fmt.Errorf("ask: %w: connection refused", remote.ErrUnreachable)

func TestVerificationAtEachEdge(t *testing.T) {
	const one, two, three = "https://edge-1.example", "https://edge-2.example", "https://edge-3.example"
	rows := []struct {
		name    string
		happens func(f *fleet) // before the second deploy
		stale   string         // part of the error, "" for none
		want    deploy.FleetVerification
		batches int // of the second deploy
	}{
		{"all is well", func(*fleet) {}, "", deploy.FleetVerification{Edges: 3, Proved: 3}, 1},
		{"one edge is deaf", func(f *fleet) { f.stuck(two, "/index.html", 9) },
			"1 of 3 URLs checked at edge-2: /index.html still answers with the old bytes (status 200, X-Cache: Hit)", deploy.FleetVerification{Edges: 3, Proved: 2}, 2},
		{"two edges are deaf", func(f *fleet) { f.stuck(two, "/index.html", 9); f.stuck(three, "/main.css", 9) },
			"2 of 3 URLs checked at edge-2, edge-3: edge-2: /index.html still answers with the old bytes (status 200, X-Cache: Hit); edge-3: /main.css still",
			deploy.FleetVerification{Edges: 3, Proved: 1}, 2},
		{"an edge and the site's name are stale", func(f *fleet) {
			f.stuck(one, "/index.html", 9)
			f.edge.stuck = func(path site.URLPath, _ int) bool { return path == "/index.html" }
		}, "1 of 3 URLs checked at http://edge, edge-1: http://edge: /index.html still", deploy.FleetVerification{Edges: 3, Proved: 2}, 2},
		{"purged once more", func(f *fleet) { f.stuck(two, "/index.html", 1) }, "", deploy.FleetVerification{Edges: 3, Proved: 3}, 2},
		{"one is killed before it is asked", func(f *fleet) { f.read = func() error { f.dead[two] = errRefused; return nil } }, "",
			deploy.FleetVerification{Edges: 3, Proved: 2, Unasked: []deploy.Unasked{{Edge: "edge-2", Why: errRefused.Error()}}}, 1},
		{"one hangs", func(f *fleet) { f.dead[two] = errors.New("no answer") }, "",
			deploy.FleetVerification{Edges: 3, Proved: 2, Unasked: []deploy.Unasked{{Edge: "edge-2", Why: "no answer"}}}, 1},
		{"one fails for a moment", func(f *fleet) { f.edges[two].down = 2 }, "", deploy.FleetVerification{Edges: 3, Proved: 3}, 1},
		{"one says nonsense", func(f *fleet) { f.state.Edges[2].Address = "nonsense" }, "",
			deploy.FleetVerification{Edges: 3, Proved: 2, Unasked: []deploy.Unasked{{Edge: "edge-3", Why: "the address is nonsense"}}}, 1},
		{"one is fenced", func(f *fleet) { f.state.Edges[0].State = "silent"; f.stuck(one, "/index.html", 9) }, "", deploy.FleetVerification{Edges: 2, Proved: 2}, 1},
		{"one says no address", func(f *fleet) { f.state.Edges[0].Address = "" }, "", deploy.FleetVerification{Edges: 3, Proved: 2, Nameless: 1}, 1},
		{"nobody knows the edges", func(f *fleet) { f.read = func() error { return remote.ErrDenied } }, "", deploy.FleetVerification{Unread: remote.ErrDenied.Error()}, 1},
		{"one was stale and died", func(f *fleet) {
			f.stuck(two, "/index.html", 9)
			f.opts.Events = func(e deploy.Event) {
				if strings.Contains(e.Note, "purging") {
					f.dead[two] = errRefused
				}
			}
		}, "at edge-2: /index.html still", deploy.FleetVerification{Edges: 3, Proved: 2}, 2},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				f.publish(blog())
				f.browse("index.html", "main.css")
				before := len(f.invalidated())
				row.happens(f)
				f.write(with(blog(), "index.html", "edited", "main.css", "css2"))
				res, err := f.deploy()
				if row.stale == "" && err != nil || row.stale != "" && (!errors.Is(err, deploy.ErrStale) || !strings.Contains(err.Error(), row.stale)) {
					t.Errorf("deploy: %v, want %q", err, row.stale)
				}
				if res.Verified.Fleet == nil {
					t.Fatal("it is not told of the fleet")
				}
				if diff := cmp.Diff(*res.Verified.Fleet, row.want); diff != "" {
					t.Errorf("verified (-got +want):\n%s", diff)
				}
				if got := len(f.invalidated()) - before; got != row.batches {
					t.Errorf("%d batches were sent, want %d", got, row.batches)
				}
			})
		})
	}
}

// Each edge is asked for what the site's name is asked for.
func TestEveryEdgeIsAskedForEveryURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 5)
		var told []deploy.Event
		f.opts.Events = func(e deploy.Event) {
			if e.Stage == deploy.StageVerify {
				told = append(told, e)
			}
		}
		res := f.publish(blog())
		want := slices.Sorted(slices.Values(f.edge.asked))
		if len(want) == 0 || res.Verified.Checked != len(want) || res.Verified.Of != len(want) {
			t.Errorf("asked for %v, told of %+v", want, res.Verified)
		}
		for address, e := range f.edges {
			if diff := cmp.Diff(slices.Sorted(slices.Values(e.asked)), want); diff != "" {
				t.Errorf("asked %s for (-got +want):\n%s", address, diff)
			}
		}
		first, last := told[0], told[len(told)-1]
		if first.Total != 6*len(want) || first.Edges != 5 || last.Done != len(want) || last.Total != len(want) || last.Edges != 5 || !last.Finished {
			t.Errorf("told first %+v, last %+v", first, last)
		}
	})
}

// Many edges are asked for a sample each, but every one is asked.
func TestManyEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 100)
		files := map[site.Key]string{}
		for i := range 300 {
			files[site.Key(fmt.Sprintf("%03d.html", i))] = "page"
		}
		res := f.publish(files)
		if res.Verified.Fleet.Proved != 100 || res.Verified.Checked != 200 || len(f.edge.asked) != 200 {
			t.Errorf("verified %+v, %+v", res.Verified, res.Verified.Fleet)
		}
		seen := map[site.URLPath]bool{}
		for e := range maps.Values(f.edges) {
			if len(e.asked) != 40 {
				t.Fatalf("an edge was asked for %d URLs, want 40", len(e.asked))
			}
			for _, path := range e.asked {
				seen[path] = true
			}
		}
		if len(seen) != 300 {
			t.Errorf("all edges together were asked for %d of 300 URLs", len(seen))
		}
	})
}

// Where no connection can be made to the site's name, edges that can be asked
// prove the deploy; where none can be, nothing does, and that is said.
func TestTheSitesNameLeadsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.opts.Distributions[0].Viewer = nowhere{}
		v := f.publish(blog()).Verified
		if v.Checked != v.Of || v.Unseen == "" || v.Fleet.Proved != 2 || len(v.Unproved()) != 1 {
			t.Errorf("verified %+v, %+v", v, v.Fleet)
		}
		f.dead["https://edge-1.example"], f.dead["https://edge-2.example"] = errRefused, errRefused
		v = f.publish(with(blog(), "index.html", "edited")).Verified
		if v.Checked != 0 || v.Unseen == "" || v.Fleet.Proved != 0 || len(v.Fleet.Unasked) != 2 {
			t.Errorf("verified %+v, %+v", v, v.Fleet)
		}
	})
}

// An edge that takes questions and gives no answer holds the run up for less than
// two minutes, and the fleet is not asked of where nothing is to be verified.
func TestWhatAnEdgeMayCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.opts.Wait = time.Hour
		f.opts.Distributions[0].At = func(string) (remote.Viewer, error) { return mute{}, nil }
		f.write(blog())
		began := time.Now()
		res := f.mustDeploy()
		if took := time.Since(began); took > 2*time.Minute || len(res.Verified.Fleet.Unasked) != 2 {
			t.Errorf("after %s: %+v", took, res.Verified.Fleet)
		}
		f.read = func() error { t.Error("the fleet is asked"); return nil }
		f.opts.NoVerify = true
		f.publish(with(blog(), "index.html", "edited"))
	})
}

// mute is an edge whose every answer is waited for in vain.
type mute struct{}

func (mute) String() string { return "http://edge" }

func (mute) Ask(ctx context.Context, _ site.URLPath) (remote.Answer, error) {
	select {
	case <-ctx.Done():
		return remote.Answer{}, ctx.Err()
	case <-time.After(30 * time.Second):
		return remote.Answer{}, errors.New("timeout awaiting response headers")
	}
}
