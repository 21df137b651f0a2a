package edgenode_test

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

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge/standalone"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/controlnode"
	"github.com/freshet/freshet/internal/cloud/fleet/edgenode"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
	"github.com/freshet/freshet/internal/cloud/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const anyPort = "127.0.0.1:0"

// world is an origin, two control nodes and edges on one log in memory.
type world struct {
	t        *testing.T
	store    *memory.Store
	origin   string
	version  atomic.Int64
	requests atomic.Int64
	nodes    []*controlnode.Server
	id       string // of the distribution
}

// terms are short, so that a fence comes soon; long enough for a busy machine to renew in time.
var terms = fleet.Terms{Lease: 2 * time.Second}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: memory.New()}
	origin := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		rw.Header().Set("Cache-Control", "max-age=3600")
		_, _ = fmt.Fprintf(rw, "%s version %d", r.URL.Path, w.version.Load())
	}))
	t.Cleanup(origin.Close)
	w.origin = strings.TrimPrefix(origin.URL, "http://")
	for i := range 2 {
		w.nodes = append(w.nodes, w.node(i))
	}
	d, err := w.nodes[0].EnsureDistribution(t.Context(), distribution(w.origin))
	if err != nil {
		t.Fatal(err)
	}
	w.id = d.ID
	return w
}

func (w *world) node(i int) *controlnode.Server {
	n, err := controlnode.Start(w.t.Context(), w.store.Connect(uint64(i)), controlnode.Options{
		Name: fmt.Sprint("control-", i), Dir: w.t.TempDir(), API: listen.Listener{Address: anyPort}, Page: anyPort, Terms: terms,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return n
}

// distribution caches everything of the origin by its path.
func distribution(origin string) control.DistributionConfig {
	host, port, _ := strings.Cut(origin, ":")
	n := 0
	_, _ = fmt.Sscan(port, &n)
	return control.DistributionConfig{
		CallerReference: "test", Enabled: true,
		Origins: []control.Origin{{ID: "o", DomainName: host, CustomOrigin: &control.CustomOrigin{HTTPPort: n, HTTPSPort: 443, ProtocolPolicy: "http-only"}}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: "o", ViewerProtocolPolicy: "allow-all", CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
			AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"},
		},
	}
}

// member is an edge that serves viewers.
type member struct {
	w      *world
	engine *memory.Engine
	node   *edgenode.Node
	server *standalone.Server
}

func (w *world) edge(name string, seed uint64, dir string) *member {
	return w.edgeAt(name, seed, dir, nil)
}

// edgeAt is edge with a clock of its own.
func (w *world) edgeAt(name string, seed uint64, dir string, clock func() time.Time) *member {
	m := &member{w: w, engine: w.store.Connect(seed)}
	var err error
	m.server, err = standalone.Start(w.t.Context(), standalone.Options{
		Listeners: []standalone.Listener{{Address: anyPort}}, Admin: standalone.Listener{Address: anyPort},
		Engine: func(h standalone.Hooks) (standalone.Engine, error) {
			opts := edgenode.Options{Name: name, Terms: terms, Dir: dir, DiskBytes: 64 << 20, Now: clock}
			if dir != "" {
				opts.MemoryBytes = 3000 // everything goes to the disk
			}
			node, err := edgenode.Start(w.t.Context(), m.engine, opts, h)
			m.node = node
			return node, err
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.await(name+" is ready", func() bool { return m.node.Ready() && m.node.Member().Valid(time.Now()) })
	return m
}

func (m *member) close() {
	if err := m.server.Close(); err != nil {
		m.w.t.Error(err)
	}
}

func (m *member) get(path string) string { return m.w.get(m.server.Info().Viewers[0] + path) }

func (w *world) get(url string) string {
	w.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprint(resp.StatusCode, " ", string(body))
	}
	return string(body)
}

func (w *world) await(what string, done func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// invalidate asks one control node and waits until another says Completed.
func (w *world) invalidate(reference, path string) {
	w.t.Helper()
	body := `<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><CallerReference>` + reference +
		`</CallerReference><Paths><Quantity>1</Quantity><Items><Path>` + path + `</Path></Items></Paths></InvalidationBatch>`
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(w.nodes[0].Info().API+"/2020-05-31/distribution/"+w.id+"/invalidation", "text/xml", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	data, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		w.t.Fatalf("invalidation refused: %d %s", resp.StatusCode, data)
	}
	_, id, _ := strings.Cut(string(data), "<Id>")
	id, _, _ = strings.Cut(id, "<")
	w.await("invalidation "+reference+" is Completed", func() bool {
		return strings.Contains(w.get(w.nodes[1].Info().API+"/2020-05-31/distribution/"+w.id+"/invalidation/"+id), "<Status>Completed<")
	})
}

func (w *world) want(m *member, path, body string) {
	w.t.Helper()
	if got := m.get(path); got != body {
		w.t.Errorf("%s answers %q, want %q", path, got, body)
	}
}

func TestFleet(t *testing.T) {
	w := newWorld(t)
	a, b := w.edge("a", 10, ""), w.edge("b", 11, t.TempDir())
	for _, m := range []*member{a, b} {
		w.want(m, "/x", "/x version 0")
		w.want(m, "/y", "/y version 0")
	}
	before := w.requests.Load()
	w.version.Store(1)
	w.want(a, "/x", "/x version 0")
	w.invalidate("1", "/x")
	for _, m := range []*member{a, b} {
		w.want(m, "/x", "/x version 1")
		w.want(m, "/y", "/y version 0")
	}
	if got := w.requests.Load() - before; got != 2 {
		t.Errorf("the origin was asked %d times, want once by each edge", got)
	}
	a.close()
	w.invalidate("2", "/x") // nobody waits for one that left
	b.close()
}

// An edge that is cut off answers from its cache while the fleet waits for it, and asks the origin when the fleet has given it up; back again, it has missed nothing.
func TestCutOff(t *testing.T) {
	w := newWorld(t)
	a, b := w.edge("a", 10, ""), w.edge("b", 11, "")
	defer a.close()
	defer b.close()
	w.want(a, "/x", "/x version 0")
	w.want(a, "/y", "/y version 0")
	a.engine.Suffer(memory.Faults{Cut: true})
	w.version.Store(1)
	w.invalidate("1", "/x")
	w.want(a, "/x", "/x version 1")
	w.version.Store(2)
	w.want(a, "/y", "/y version 2")
	a.engine.Suffer(memory.Faults{})
	w.await("a is a member again", func() bool { return a.node.Member().Valid(time.Now()) })
	w.want(a, "/y", "/y version 2")
	w.version.Store(3)
	w.want(a, "/y", "/y version 2")
	w.invalidate("2", "/*")
	w.want(a, "/y", "/y version 3")
}

// What the disk tier kept is used again, but for what was invalidated meanwhile.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	b := w.edge("b", 11, dir)
	w.want(b, "/x", "/x version 0")
	w.want(b, "/y", "/y version 0")
	w.await("both are on the disk", func() bool { return b.node.Stats().Disk.Stored >= 2 })
	w.invalidate("0", "/other")
	b.close()
	w.version.Store(1)
	w.invalidate("1", "/x")
	b = w.edge("b", 12, dir)
	defer b.close()
	w.want(b, "/x", "/x version 1")
	w.want(b, "/y", "/y version 0")
}

// A control node that begins late knows what the others know.
func TestAnotherControlNode(t *testing.T) {
	w := newWorld(t)
	a := w.edge("a", 10, "")
	defer a.close()
	w.invalidate("1", "/x")
	late := w.node(7)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for late.Status().Applied < w.nodes[0].Status().Applied {
		if ctx.Err() != nil {
			t.Fatal("the new node does not catch up")
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.await("the new node sees the edge", func() bool {
		all := late.Status().Edges
		return len(all) == 1 && all[0].Name == "a" && all[0].State == "serving"
	})
	if page := w.get(late.Info().Page + "/"); !strings.Contains(page, "freshet fleet") {
		t.Errorf("the page: %s", page)
	}
	if got := w.get(late.Info().API + "/metrics"); !strings.Contains(got, `freshet_control_edges{state="serving"} 1`) {
		t.Errorf("metrics: %s", got)
	}
}

// A log that was begun anew is no log for a cache that followed another one: nothing is used unasked.
func TestAnotherLog(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	b := w.edge("b", 11, dir)
	w.want(b, "/x", "/x version 0")
	w.await("it is on the disk", func() bool { return b.node.Stats().Disk.Stored >= 1 })
	for i := range 5 {
		w.invalidate(fmt.Sprint(i), "/other")
	}
	b.close()
	w.version.Store(1)
	other := newWorld(t)
	engine := other.store.Connect(1)
	node, err := edgenode.Start(t.Context(), engine, edgenode.Options{Name: "b", Terms: terms, Dir: dir, MemoryBytes: 3000, DiskBytes: 64 << 20}, standalone.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // long enough to join, if it did
	if node.Ready() || node.Member().Valid(time.Now()) {
		t.Error("the edge is a member of a log that is not its own")
	}
	if err := node.Close(); err != nil {
		t.Error(err)
	}
}
