package controlnode_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge/standalone"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/controlnode"
	"github.com/freshet/freshet/internal/cloud/fleet/edgenode"
	"github.com/freshet/freshet/internal/cloud/fleet/fleettest"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
	"github.com/freshet/freshet/internal/cloud/listen"
)

const anyPort = "127.0.0.1:0"

// terms are short, so that an edge is given up soon; long enough for a busy machine to renew in time.
var terms = fleet.Terms{Lease: 2 * time.Second}

// world is an origin, two control nodes with clocks of their own, and edges, on one log in memory.
type world struct {
	t       *testing.T
	store   *memory.Store
	origin  *httptest.Server
	clocks  [2]fleettest.Clocks
	engines [2]*memory.Engine // of the nodes
	nodes   [2]*controlnode.Server
	id      string       // of the distribution
	newest  atomic.Int64 // version of everything at the origin
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: memory.New()}
	w.origin = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "max-age=86400")
		fmt.Fprint(rw, w.newest.Load())
	}))
	t.Cleanup(w.origin.Close)
	for i := range w.nodes {
		w.engines[i] = w.store.Connect(uint64(i))
		node, err := controlnode.Start(t.Context(), w.engines[i], controlnode.Options{
			Name: fmt.Sprint("control-", i), Dir: t.TempDir(), API: listen.Listener{Address: anyPort}, Terms: terms, Now: w.clocks[i].Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.nodes[i] = node
		t.Cleanup(func() {
			if err := node.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(w.origin.URL, "http://"), ":")
	custom := &control.CustomOrigin{HTTPSPort: 443, ProtocolPolicy: "http-only"}
	if _, err := fmt.Sscan(port, &custom.HTTPPort); err != nil {
		t.Fatal(err)
	}
	d, err := w.nodes[0].EnsureDistribution(t.Context(), control.DistributionConfig{
		CallerReference: "test", Enabled: true, Origins: []control.Origin{{ID: "o", DomainName: host, CustomOrigin: custom}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: "o", ViewerProtocolPolicy: "allow-all", CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
			AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.id = d.ID
	return w
}

// member is an edge.
type member struct {
	engine *memory.Engine
	node   *edgenode.Node
	url    string
}

// edge starts one, and waits until it has a lease.
func (w *world) edge(name string, seed uint64) *member {
	m := &member{engine: w.store.Connect(seed)}
	server, err := standalone.Start(w.t.Context(), standalone.Options{
		Listeners: []standalone.Listener{{Address: anyPort}},
		Engine: func(h standalone.Hooks) (standalone.Engine, error) {
			node, err := edgenode.Start(w.t.Context(), m.engine, edgenode.Options{Name: name, Terms: terms}, h)
			m.node = node
			return node, err
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
	})
	m.url = server.Info().Viewers[0]
	w.await(name+" has a lease", func() bool { return m.node.Ready() && m.node.Member().Valid(time.Now()) })
	return m
}

func (w *world) await(what string, done func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// ask returns the body of an answer with the status that is wanted.
func (w *world) ask(ctx context.Context, method, url, body string, status int) string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != status {
		w.t.Fatalf("%s %s: %d %s", method, url, resp.StatusCode, data)
	}
	return string(data)
}

// publish changes everything, invalidates one path at one node, waits until each says Completed, and holds every edge to it.
func (w *world) publish(turn int, edges ...*member) {
	w.t.Helper()
	w.publishAt(turn, w.nodes[turn%2], w.nodes[:], edges)
}

func (w *world) publishAt(turn int, at *controlnode.Server, nodes []*controlnode.Server, edges []*member) {
	w.t.Helper()
	path, version := fmt.Sprint("/", turn%3), w.newest.Add(1)
	body := fmt.Sprintf(`<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><CallerReference>%d</CallerReference>`+
		`<Paths><Quantity>1</Quantity><Items><Path>%s</Path></Items></Paths></InvalidationBatch>`, version, path)
	invalidations := "/2020-05-31/distribution/" + w.id + "/invalidation"
	got := w.ask(w.t.Context(), http.MethodPost, at.Info().API+invalidations, body, http.StatusCreated)
	_, id, _ := strings.Cut(got, "<Id>")
	id, _, _ = strings.Cut(id, "<")
	for _, node := range nodes {
		w.await(fmt.Sprint("invalidation ", version, " is Completed"), func() bool {
			return strings.Contains(w.ask(w.t.Context(), http.MethodGet, node.Info().API+invalidations+"/"+id, "", http.StatusOK), "<Status>Completed<")
		})
		for i, m := range edges {
			var seen int64
			if _, err := fmt.Sscan(w.ask(w.t.Context(), http.MethodGet, m.url+path, "", http.StatusOK), &seen); err != nil {
				w.t.Fatal(err)
			}
			if seen < version {
				w.t.Errorf("%s was Completed, and edge %d answers with version %d of %d", path, i, seen, version)
			}
		}
	}
}
