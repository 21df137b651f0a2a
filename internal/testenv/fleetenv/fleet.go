//go:build unix

package fleetenv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Fleet is made of.
type Options struct {
	Program  string        // path of freshet, by Build
	Dir      string        // for everything that is kept, made if missing
	Controls int           // 1 or 3
	Edges    int           // of which every second has a disk tier
	Lease    time.Duration // of the edges
	Memory   string        // of each edge, as --memory; default 32MiB
	Delay    time.Duration // between an edge's first 503 at /readyz and its end
	Direct   bool          // no links: edges and nodes reach each other directly, as a measurement wants it
	Secure   bool          // certificates on API, log and the links between nodes, a key for each edge, a signed API
	Bucket   bool          // the distribution is in front of a bucket of a Store, as control nodes make it, in place of Origin
}

// Fleet is processes that make a fleet, with one distribution in front of an Origin, or of a Store's bucket.
type Fleet struct {
	opts         Options
	Origin       *Origin
	Store        *Store   // nil without Options.Bucket
	secrets      *secrets // nil without Options.Secure
	Distribution string   // its id
	Controls     []*Control
	Edges        []*Edge
	host         string          // of every process
	taken        map[string]bool // addresses that processes have
	next         atomic.Int64    // the control node that is asked next
}

// Control is a control node.
type Control struct {
	*Process
	API   string // base URL
	log   string // address
	peers string // address for other nodes
	owner *Fleet
	fixed int // number of arguments that are the same at each start; the keys of edges follow
	// Peers are the links by which this node reaches the others, by their index; nil for itself.
	Peers []*Link
}

// Log is where its clients reach the log, as a URL.
func (c *Control) Log() string {
	_, scheme := c.owner.secrets.scheme()
	return scheme + c.log
}

// Edge is an edge of the fleet.
type Edge struct {
	*Process
	Viewers string // base URL
	Admin   string // base URL
	// Links lead to the control nodes, in their order.
	Links []*Link
	// Fenced says to viewers that this edge cannot have a lease any more, and must answer what the origin has.
	Fenced atomic.Bool
	asked  atomic.Int64 // requests under way that began while it was Fenced
}

// Unfence takes Fenced back and waits until nobody judges an answer by it any more; then the edge may get a lease.
func (e *Edge) Unfence(ctx context.Context) error {
	e.Fenced.Store(false)
	for e.asked.Load() > 0 {
		if err := sleep(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("wait for requests to %s: %w", e.Name, err)
		}
	}
	return nil
}

// New lays a fleet out; Start starts it. The caller stops it, also after an error of Start.
func New(opts Options) (*Fleet, error) {
	f := &Fleet{opts: opts, Origin: NewOrigin(), host: ownHost(), taken: map[string]bool{}}
	var err error
	if opts.Secure {
		if f.secrets, err = newSecrets(filepath.Join(opts.Dir, "keys"), f.host); err != nil {
			return f, err
		}
	}
	if opts.Bucket {
		if err := f.layStore(); err != nil {
			return f, err
		}
	}
	if err := errors.Join(f.layControls(), f.layEdges()); err != nil || !opts.Secure {
		return f, err
	}
	for _, e := range f.Edges {
		if err := f.secrets.key(opts.Program, e.Name); err != nil {
			return f, err
		}
	}
	for i := range f.Controls {
		f.allow(i)
	}
	return f, nil
}

func (f *Fleet) layControls() error {
	n := f.opts.Controls
	for i := range n {
		c := &Control{owner: f, Peers: make([]*Link, n)}
		ports, err := f.freePorts(3)
		if err != nil {
			return err
		}
		scheme, _ := f.secrets.scheme()
		c.API, c.log, c.peers = scheme+ports[0], ports[1], ports[2]
		name := "control-" + strconv.Itoa(i+1)
		dir := filepath.Join(f.opts.Dir, name)
		c.Process = &Process{Name: name, Dir: dir, Ready: c.API + "/readyz", args: []string{
			f.opts.Program, "control", "--name", name, "--state", filepath.Join(dir, "state"), "--listen", ports[0], "--log", c.log, "--console", "127.0.0.1:0", "--json",
		}, trust: f.secrets}
		if f.secrets != nil {
			c.args = append(c.args, f.secrets.controlArgs(n > 1)...)
			c.env = f.secrets.signer.env()
		}
		if f.opts.Bucket {
			c.args = append(c.args, "--distribution", "s3://"+bucketName)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		c.fixed = len(c.args)
		f.Controls = append(f.Controls, c)
	}
	if n == 1 {
		return nil
	}
	return f.joinControls()
}

// joinControls lays the links between the control nodes.
func (f *Fleet) joinControls() error {
	for i, c := range f.Controls {
		c.args = append(c.args, "--cluster", "proof", "--cluster-listen", c.peers)
		for j, other := range f.Controls {
			if i == j {
				continue
			}
			to, err := f.link(other.peers)
			if err != nil {
				return err
			}
			c.Peers[j] = to.link
			c.args = append(c.args, "--peer", to.address)
		}
		c.fixed = len(c.args)
	}
	return nil
}

// way is a way to an address, with a link or without.
type way struct {
	link    *Link
	address string
}

func (f *Fleet) link(to string) (way, error) {
	if f.opts.Direct {
		return way{nil, to}, nil
	}
	l, err := NewLink(to)
	if err != nil {
		return way{}, err
	}
	return way{l, l.Address()}, nil
}

func (f *Fleet) layEdges() error {
	for i := range f.opts.Edges {
		if err := f.layEdge(i); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) layEdge(i int) error {
	name := "edge-" + strconv.Itoa(i+1)
	ports, err := f.freePorts(2)
	if err != nil {
		return err
	}
	dir := filepath.Join(f.opts.Dir, name)
	e := &Edge{Viewers: "http://" + ports[0], Admin: "http://" + ports[1]}
	e.Process = &Process{Name: name, Dir: dir, Ready: e.Admin + "/readyz", args: []string{
		f.opts.Program, "edge", "--name", name, "--listen", ports[0], "--admin", ports[1], "--lease", f.opts.Lease.String(), "--json",
	}}
	memory := f.opts.Memory
	if memory == "" {
		memory = "32MiB"
	}
	e.args = append(e.args, "--memory", memory)
	if i%2 == 1 {
		e.args = append(e.args, "--disk", filepath.Join(dir, "disk"), "--disk-size", "64MiB")
	}
	if f.secrets != nil {
		e.args = append(e.args, "--seed", f.secrets.file(name+".seed"), "--authority", f.secrets.file("ca.pem"))
	}
	if f.opts.Bucket {
		e.args = append(e.args, "--origin-endpoint", f.Store.URL)
	}
	_, scheme := f.secrets.scheme()
	for _, c := range f.Controls {
		to, err := f.link(c.log)
		if err != nil {
			return err
		}
		e.Links = append(e.Links, to.link)
		e.args = append(e.args, "--control", scheme+to.address)
	}
	f.Edges = append(f.Edges, e)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	config := fmt.Sprintf("edge:\n  shutdown-delay: %v\n", max(f.opts.Delay, time.Millisecond))
	return os.WriteFile(filepath.Join(dir, "freshet.yaml"), []byte(config), 0o600)
}

// freePorts are addresses of this machine that nothing listens on, below those that outgoing connections get, so that they stay free while a
// process that had them is gone.
func (f *Fleet) freePorts(n int) (out []string, err error) {
	for range 1000 {
		address := f.host + ":" + strconv.Itoa(20000+rand.N(10000))
		if f.taken[address] {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		f.taken[address] = true
		if out = append(out, address); len(out) == n {
			return out, nil
		}
	}
	return nil, errors.New("find free ports: none between 20000 and 30000")
}

// Start starts everything, makes the distribution, and waits until all are ready.
func (f *Fleet) Start(ctx context.Context) error {
	if f.opts.Bucket {
		if err := f.startStore(ctx); err != nil {
			return err
		}
	}
	for _, c := range f.Controls {
		if err := c.Start(); err != nil {
			return err
		}
	}
	if err := f.awaitControls(ctx); err != nil {
		return err
	}
	var err error
	if f.opts.Bucket {
		f.Distribution, err = f.findDistribution(ctx)
	} else {
		f.Distribution, err = f.createDistribution(ctx)
	}
	if err != nil {
		return err
	}
	for _, e := range f.Edges {
		if err := e.Start(); err != nil {
			return err
		}
	}
	return f.AwaitAll(ctx)
}

func (f *Fleet) awaitControls(ctx context.Context) error {
	for _, c := range f.Controls {
		if err := c.Await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// AwaitAll waits until every process is ready, starting what is dead.
func (f *Fleet) AwaitAll(ctx context.Context) error {
	all := f.Processes()
	for _, p := range all {
		if err := p.Start(); err != nil {
			return err
		}
	}
	for _, p := range all {
		if err := p.Await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Processes are all of them, control nodes first.
func (f *Fleet) Processes() (out []*Process) {
	for _, c := range f.Controls {
		out = append(out, c.Process)
	}
	for _, e := range f.Edges {
		out = append(out, e.Process)
	}
	return out
}

// links are all of them.
func (f *Fleet) links() (out []*Link) {
	for _, c := range f.Controls {
		out = append(out, c.Peers...)
	}
	for _, e := range f.Edges {
		out = append(out, e.Links...)
	}
	return out
}

// Isolate cuts a control node off from the other control nodes; HealAll ends it.
func (f *Fleet) Isolate(i int) {
	for j, c := range f.Controls {
		if j != i {
			c.Peers[i].Cut()
			f.Controls[i].Peers[j].Cut()
		}
	}
}

// Cut cuts an edge off from every control node.
func (e *Edge) Cut() {
	for _, l := range e.Links {
		l.Cut()
	}
}

// HealAll makes every link whole, and lets stopped processes go on.
func (f *Fleet) HealAll() {
	for _, l := range f.links() {
		if l != nil {
			l.Heal()
		}
	}
	for _, p := range f.Processes() {
		p.Continue()
	}
}

// Stop kills everything.
func (f *Fleet) Stop() {
	var all sync.WaitGroup
	for _, p := range f.Processes() {
		all.Go(p.Kill)
	}
	all.Wait()
	for _, l := range f.links() {
		if l != nil {
			l.Close()
		}
	}
	if f.Store != nil {
		f.Store.Kill()
	}
	f.Origin.Close()
}

// Heal ends Cut.
func (e *Edge) Heal() {
	for _, l := range e.Links {
		l.Heal()
	}
}

// LoneEdge is an edge of the same program in front of the same origin, but of no fleet. It is not started, and the caller kills it.
func (f *Fleet) LoneEdge() (*Edge, error) {
	ports, err := f.freePorts(2)
	if err != nil {
		return nil, err
	}
	e := &Edge{Viewers: "http://" + ports[0], Admin: "http://" + ports[1]}
	e.Process = &Process{Name: "lone", Dir: f.opts.Dir, Ready: e.Admin + "/readyz", args: []string{
		f.opts.Program, "edge", "--origin", f.Origin.server.URL, "--listen", ports[0], "--admin", ports[1], "--memory", "32MiB", "--json",
	}}
	return e, nil
}
