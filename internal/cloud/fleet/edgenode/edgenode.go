package edgenode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
	"github.com/freshet/freshet/internal/cloud/edge/standalone"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/tenants"
	"github.com/freshet/freshet/internal/cloud/tenants/buckets"
)

// Options are what a Node takes.
type Options struct {
	Name    string // by which operators know it; the host's name is usual
	Address string // base URL at which viewers reach it, to be shown; "" shows none
	Version string // of the program, to be shown
	Domain  string // below which distributions have their domain names, as on the control nodes (fleet.DomainOf); default fleet.DefaultDomain

	Terms       fleet.Terms
	Buckets     buckets.Options // how origins that are buckets are reached
	MemoryBytes int             // for all distributions; default edge.DefaultMemoryBytes
	Dir         string          // of the disk tier, below which each distribution has a folder; "" is none
	DiskBytes   int64           // of each distribution; default edge.DefaultDiskBytes
	Timeout     time.Duration   // for origins; default edge.DefaultOriginTimeout

	Now    func() time.Time // nil is time.Now
	Logger *slog.Logger     // nil discards
}

// Node is an edge of a fleet at work. It is what standalone.Options.Engine asks for.
type Node struct {
	opts    Options
	scratch string
	engine  fleet.Engine
	tenants *tenants.Tenants
	replica *replica
	member  *fleet.Member
	stop    context.CancelFunc
	work    sync.WaitGroup
}

var _ standalone.Engine = (*Node)(nil)

// Start makes a node that joins the fleet behind the engine, and goes on trying to. It closes the engine in the end. The error is one of the folders.
func Start(ctx context.Context, engine fleet.Engine, opts Options, hooks standalone.Hooks) (*Node, error) {
	opts.Domain = cmp.Or(opts.Domain, fleet.DefaultDomain)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if hooks.Measured == nil {
		hooks.Measured = func(next http.RoundTripper) http.RoundTripper { return next }
	}
	scratch, err := os.MkdirTemp("", "freshet-edge-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the state: %w", err)
	}
	n := &Node{opts: opts, scratch: scratch, engine: engine}
	n.tenants = tenants.New(tenants.Options{
		Origin: n.origins(hooks), Domain: func(id string) string { return fleet.DomainOf(id, opts.Domain) },
		Edge: func(string, control.DistributionConfig) edge.Options {
			return edge.Options{Lease: lease{n}, OnRequest: hooks.OnRequest, OriginTimeout: opts.Timeout, Now: opts.Now, Logger: opts.Logger}
		},
		MemoryBytes: opts.MemoryBytes, Dir: opts.Dir, DiskBytes: opts.DiskBytes, Logger: opts.Logger,
	})
	n.replica = &replica{dir: scratch, caches: n.tenants, logger: opts.Logger, known: map[string]bool{}}
	n.member = fleet.NewMember(engine, n.replica, fleet.MemberOptions{
		Terms: opts.Terms, Lease: n.lease, Now: opts.Now, Logger: opts.Logger,
		Join:   func(l fleet.Lease) []byte { return control.EncodeJoin(l.Member, l.Name) },
		Caught: func() { n.replica.tidy.Store(true) },
	})
	ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	n.work.Go(func() {
		if err := n.member.Run(ctx); ctx.Err() == nil {
			opts.Logger.Error("this edge asks the origin for every request from now on: stop it, remove its disk folder, and start it again", "folder", opts.Dir, "error", err)
		}
	})
	return n, nil
}

// lease asks the member, which is made after the caches that ask.
type lease struct{ node *Node }

// Valid is edge.Options.Lease's.
func (l lease) Valid(now time.Time) bool { return l.node.member.Valid(now) }

// origins measures the way to every origin.
func (n *Node) origins(hooks standalone.Hooks) tenants.OriginFunc {
	open := buckets.Origins(n.opts.Buckets)
	return func(o control.Origin, next http.RoundTripper) (edge.Origin, error) {
		out, err := open(o, next)
		if err == nil {
			out.Transport = hooks.Measured(out.Transport)
		}
		return out, err
	}
}

// lease is what the node says of itself.
func (n *Node) lease() fleet.Lease {
	s := n.Stats()
	return fleet.Lease{Name: n.opts.Name, Address: n.opts.Address, Version: n.opts.Version, Requests: s.Requests, Hits: s.Hits}
}

// Hit is front.Engine's.
func (n *Node) Hit(rq *front.Request, resp *front.Response) bool { return n.tenants.Hit(rq, resp) }

// ServeHTTP answers a viewer.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) { n.tenants.ServeHTTP(w, r) }

// Ready says whether it has joined and knows its distributions.
func (n *Node) Ready() bool { return n.member.Ready() }

// Stats are the sums over all distributions.
func (n *Node) Stats() edge.Stats {
	var sum edge.Stats
	for _, s := range n.tenants.Stats() {
		sum.Add(s)
	}
	sum.MemoryBytes = int64(n.opts.MemoryBytes)
	if sum.MemoryBytes == 0 {
		sum.MemoryBytes = edge.DefaultMemoryBytes
	}
	return sum
}

// Figures are the member's.
func (n *Node) Figures() []standalone.Figure {
	valid := 0.0
	if n.member.Valid(n.opts.Now()) {
		valid = 1
	}
	l := n.member.Lease()
	return []standalone.Figure{
		{Name: "fleet_lease_valid", Help: "1 while the edge may answer from its cache; 0 while it is fenced.", Value: valid},
		{Name: "fleet_applied_sequence", Help: "Position in the fleet's log up to which it is applied.", Value: float64(n.member.Applied())},
		{Name: "fleet_joined_sequence", Help: "Position in the log at which the edge joined; 0 before.", Value: float64(l.Joined)},
		{Name: "fleet_fenced_total", Help: "Times that the edge's lease ran out.", Counter: true, Value: float64(n.member.Lapsed())},
		{Name: "fleet_fenced_requests_total", Help: "Requests that asked the origin because of that.", Counter: true, Value: float64(n.Stats().Fenced)},
	}
}

// Member is the node's membership.
func (n *Node) Member() *fleet.Member { return n.member }

// Close leaves the fleet and ends the caches. Viewers are not answered any more by then.
func (n *Node) Close() error {
	n.stop()
	n.work.Wait()
	n.tenants.Close()
	return errors.Join(n.replica.close(), n.engine.Close(), os.RemoveAll(n.scratch))
}
