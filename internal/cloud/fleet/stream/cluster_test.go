package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/fleettest"
)

// trio is a cluster in this process.
type trio struct {
	t     *testing.T
	cfgs  [3]Config
	nodes [3]*Node
}

// free are ports that nobody listened on a moment ago.
func free(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out
}

// threeConfigs are those of a cluster on loopback.
func threeConfigs(t testing.TB) (cfgs [3]Config) {
	t.Helper()
	ports, dir := free(t, 6), t.TempDir()
	for n := range cfgs {
		cfgs[n] = Config{
			Name: fmt.Sprint("node", n), Dir: filepath.Join(dir, fmt.Sprint(n)), Listen: ports[3+n],
			Cluster: &Cluster{Name: "test", Listen: ports[n], Routes: ports[:3]},
		}
	}
	return cfgs
}

// threeInProcess starts a cluster and waits for it.
func threeInProcess(t *testing.T) *trio {
	t.Helper()
	c := &trio{t: t, cfgs: threeConfigs(t)}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.Shutdown()
		}
	})
	for n := range c.nodes {
		c.start(n)
	}
	for _, n := range c.nodes {
		if err := n.Ready(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *trio) start(n int) {
	c.t.Helper()
	node, err := Start(c.cfgs[n])
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[n] = node
}

// connect connects within a node.
func (c *trio) connect(n int) *Engine {
	c.t.Helper()
	return connect(c.t, Options{Node: c.nodes[n]})
}

// servers are the URLs of all nodes.
func servers(cfgs [3]Config) (out []string) {
	for _, cfg := range cfgs {
		out = append(out, "nats://"+cfg.Listen)
	}
	return out
}

// leader is the number of the node that leads the log.
func leader(t *testing.T, e *Engine) int {
	t.Helper()
	for ctx := within(t, time.Minute); ; {
		var info struct {
			Cluster jetstream.ClusterInfo `json:"cluster"`
		}
		var n int
		err := e.call(ctx, apiInfo+logStream, json.RawMessage("{}"), &info)
		if _, scan := fmt.Sscanf(info.Cluster.Leader, "node%d", &n); err == nil && scan == nil {
			return n
		}
		if fleet.Sleep(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("nobody leads: %v", err)
		}
	}
}

func TestContractOfThree(t *testing.T) {
	t.Parallel() // most of its time goes by in elections
	if testing.Short() {
		t.Skip("starts many clusters")
	}
	fleettest.Test(t, func(t *testing.T) func() fleet.Engine {
		c, n := threeInProcess(t), 0
		return func() fleet.Engine {
			n++
			return c.connect(n % 3)
		}
	})
}

// TestThreeLoseTheirLeader ends the node that leads, then a second one, and starts them again.
func TestThreeLoseTheirLeader(t *testing.T) {
	t.Parallel() // most of its time goes by in elections
	c := threeInProcess(t)
	c.connect(0) // makes the streams
	e := connect(t, Options{Servers: servers(c.cfgs)})
	got := followed(t, e, 1)
	for n := range uint64(10) {
		mustAppend(t, e, n, fmt.Sprint(n))
	}
	first := leader(t, e)
	c.nodes[first].Shutdown()
	for n := uint64(10); n < 20; n++ {
		mustAppend(t, e, n, fmt.Sprint(n))
	}
	wantEntries(t, got, 1, 20)

	second := (first + 1) % 3
	c.nodes[second].Shutdown()
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if at, err := e.Append(soon, 20, "20", []byte("20")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("append without a majority: %d, %v", at, err)
	}
	c.start(first)
	c.start(second)
	for n := uint64(20); n < 25; n++ {
		mustAppend(t, e, n, fmt.Sprint(n)) // the first of them repeats what failed
	}
	wantEntries(t, got, 21, 25)
	wantBounds(t, e, 1, 25)
	for n := range uint64(25) {
		if entry, err := e.Read(within(t, time.Minute), n+1); err != nil || string(entry.Data) != fmt.Sprint(n) {
			t.Errorf("entry %d: %q, %v", n+1, entry.Data, err)
		}
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	first := alone(t, Config{Dir: dir})
	e := connect(t, Options{Node: first})
	ctx := within(t, time.Minute)
	for n := range uint64(10) {
		mustAppend(t, e, n, fmt.Sprint(n))
	}
	revision, err := e.Write(ctx, fleet.Lease{Member: "m", Applied: 10}, 0)
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	first.Shutdown()

	again := connect(t, Options{Node: alone(t, Config{Dir: dir})})
	wantBounds(t, again, 1, 10)
	mustAppend(t, again, 9, "9") // a repeat is known after a restart, too
	mustAppend(t, again, 10, "10")
	if l, err := again.Lease(ctx, "m"); err != nil || l.Revision != revision || l.Applied != 10 {
		t.Errorf("lease %+v, %v", l, err)
	}
	wantEntries(t, followed(t, again, 3), 3, 11)
}
