package control

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
)

// gate is a fleet whose edges have applied the log as far as the test says.
type gate struct {
	mu      sync.Mutex
	applied uint64
	calls   int
	moved   chan struct{}
}

func newGate() *gate { return &gate{moved: make(chan struct{})} }

func (g *gate) open(applied uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.applied = applied
	close(g.moved)
	g.moved = make(chan struct{})
}

func (g *gate) completed(ctx context.Context, sequence uint64) (uint64, error) {
	g.mu.Lock()
	g.calls++
	g.mu.Unlock()
	for {
		g.mu.Lock()
		applied, moved := g.applied, g.moved
		g.mu.Unlock()
		if applied >= sequence {
			return applied, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for began := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("never: %s", what)
		}
	}
}

// statuses are the status of every invalidation, oldest first, in letters.
func statuses(t *testing.T, s *Server, id string) string {
	t.Helper()
	all, err := s.Recent(id, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, one := range all {
		out = one.Status[:1] + out
	}
	return out
}

// An invalidation is Completed, at each node, once the edges have come past its entry, and not before; whatever they
// have come past costs one wait.
func TestCompleted(t *testing.T) {
	l, g := newLog(), newGate()
	nodes := startFleet(t, l, 2, Options{Completed: g.completed}, prompt)
	id := newDistribution(t, nodes[0].Server, "a")
	g.open(l.last())
	eventually(t, "deployed", func() bool {
		return strings.Contains(ask(t.Context(), nodes[1].Server, http.MethodGet, "distribution/"+id, "").body, "<Status>Deployed<")
	})
	var at []uint64
	for i := range 4 {
		if a := ask(t.Context(), nodes[i%2].Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML(fmt.Sprint(i), "/a")); a.status != http.StatusCreated {
			t.Fatal(a.body)
		}
		at = append(at, l.last())
	}
	settle(t, l, nodes)
	g.open(at[1])
	for _, n := range nodes {
		eventually(t, "two completed", func() bool { return statuses(t, n.Server, id) == "CCII" })
	}
	g.open(at[2] + 5)
	for _, n := range nodes {
		eventually(t, "all completed", func() bool { return statuses(t, n.Server, id) == "CCCC" })
	}
}

// However many invalidations are in progress, the edges are not asked once for each.
func TestCompletedTogether(t *testing.T) {
	l, g := newLog(), newGate()
	n := startFleet(t, l, 1, Options{Completed: g.completed, Volatile: true}, prompt)[0]
	id := newDistribution(t, n.Server, "a")
	for i := range 200 {
		ask(t.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML(fmt.Sprint(i), "/a"))
	}
	g.open(l.last())
	eventually(t, "completed", func() bool { return statuses(t, n.Server, id) == strings.Repeat("C", 200) })
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls > 5 {
		t.Errorf("the edges were asked %d times for 200 invalidations", g.calls)
	}
}

// A changed configuration is Deployed once the edges have come past the entry that changed it, or its policy.
func TestDeployedBehindLog(t *testing.T) {
	l, g := newLog(), newGate()
	n := startFleet(t, l, 1, Options{Completed: g.completed}, prompt)[0]
	policy := ask(t.Context(), n.Server, http.MethodPost, "cache-policy", cacheConfig)
	made := ask(t.Context(), n.Server, http.MethodPost, "distribution", configXML("a", "", func(cfg *DistributionConfig) {
		cfg.DefaultCacheBehavior.CachePolicyID = idIn(policy)
	}))
	status := func() string {
		return between(ask(t.Context(), n.Server, http.MethodGet, "distribution/"+idIn(made), "").body, "<Status>", "</Status>")
	}
	deployed := func() bool { return status() == "Deployed" }
	if got := status(); got != "InProgress" {
		t.Errorf("a new one is %s", got)
	}
	g.open(l.last())
	eventually(t, "deployed", deployed)
	if a := ask(t.Context(), n.Server, http.MethodPut, "cache-policy/"+idIn(policy), strings.Replace(cacheConfig, "COMMENT", "2", 1), "If-Match", policy.header.Get("ETag")); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	time.Sleep(10 * time.Millisecond)
	if got := status(); got != "InProgress" {
		t.Errorf("after a change of its policy it is %s", got)
	}
	g.open(l.last())
	eventually(t, "deployed again", deployed)
}

// A server of a log closes at once: what is in progress is completed elsewhere, or after the next start.
func TestCloseLeavesCompletion(t *testing.T) {
	l, g := newLog(), newGate()
	path := filepath.Join(t.TempDir(), "view.db")
	n := startNode(t, l, path, Options{Completed: g.completed}, prompt)
	id := newDistribution(t, n.Server, "a")
	ask(t.Context(), n.Server, http.MethodPost, "distribution/"+id+"/invalidation", batchXML("r", "/a"))
	began := time.Now()
	n.follow()
	if err := n.Close(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("closed after %v, %v", time.Since(began), err)
	}
	g.open(l.last())
	again := startNode(t, l, path, Options{Completed: g.completed}, prompt)
	eventually(t, "completed", func() bool { return statuses(t, again.Server, id) == "C" })
}

// The unmodified SDK talks to two nodes in turn, one of them slow to hear, and finds what it made.
func TestSDKOnTwoNodes(t *testing.T) {
	l := newLog()
	nodes := startFleet(t, l, 2, Options{}, func() { time.Sleep(3 * time.Millisecond) })
	dist, err := nodes[0].EnsureDistribution(t.Context(), siteConfig())
	if err != nil {
		t.Fatal(err)
	}
	turn := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn++ // the client sends one request after the other
		nodes[turn%2].Handler().ServeHTTP(w, r)
	}))
	defer web.Close()
	f := &fixture{dist: dist, url: web.URL, client: newClient(web.URL, testCredentials)}
	for i := range 10 {
		out, err := f.invalidate(t.Context(), fmt.Sprint(i), "/a")
		if err != nil {
			t.Fatal(err)
		}
		f.await(t, *out.Invalidation.Id)
		again, err := f.invalidate(t.Context(), fmt.Sprint(i), "/a")
		if err != nil || *again.Invalidation.Id != *out.Invalidation.Id {
			t.Errorf("a repeat at the other node: %v, %v", again, err)
		}
		got, err := f.client.GetDistributionConfig(t.Context(), &cloudfront.GetDistributionConfigInput{Id: &dist.ID})
		if err != nil {
			t.Fatal(err)
		}
		comment := fmt.Sprint("comment ", i)
		got.DistributionConfig.Comment = &comment
		if _, err := f.client.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: &dist.ID, IfMatch: got.ETag, DistributionConfig: got.DistributionConfig}); err != nil {
			t.Fatal(err)
		}
		if now, err := f.client.GetDistribution(t.Context(), &cloudfront.GetDistributionInput{Id: &dist.ID}); err != nil || *now.Distribution.DistributionConfig.Comment != comment {
			t.Errorf("read at the other node: %v, %v", now, err)
		}
	}
	if ids, _ := f.list(t, 3); len(ids) != 10 {
		t.Errorf("listed %d, want 10", len(ids))
	}
}
