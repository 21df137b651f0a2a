package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/memory"
)

// view is a control node's: who the members are.
type view struct {
	mu      sync.Mutex
	members map[string]uint64
}

func (v *view) apply(_ context.Context, e fleet.Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch id := string(e.Data[1:]); e.Data[0] {
	case 'J':
		v.members[id] = e.Sequence
	case 'E':
		delete(v.members, id)
	}
	return nil
}

func (v *view) Members() ([]fleet.Membership, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []fleet.Membership
	for id, joined := range v.members {
		out = append(out, fleet.Membership{Member: id, Joined: joined})
	}
	return out, nil
}

// node is a control node.
type node struct {
	engine     *memory.Engine
	follower   *fleet.Follower
	controller *fleet.Controller
}

// edge is a member with a cache, and its clock.
type edge struct {
	engine *memory.Engine
	member *fleet.Member
	clock  func() time.Time
	stop   context.CancelFunc

	mu      sync.Mutex
	cache   map[string]int
	last    uint64 // position of the cache
	applied []uint64
	hits    int
}

func (e *edge) Load(_ context.Context, state io.Reader) (uint64, error) {
	data, err := io.ReadAll(state)
	if err != nil || len(data) == 0 {
		return 0, err
	}
	var at uint64
	_, err = fmt.Sscan(string(data), &at)
	return at, err
}

func (e *edge) Apply(_ context.Context, entry fleet.Entry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if key, ok := strings.CutPrefix(string(entry.Data), "I"); ok {
		delete(e.cache, key)
	}
	e.last = entry.Sequence
	e.applied = append(e.applied, entry.Sequence)
	return nil
}

func (e *edge) Replay(ctx context.Context, entry fleet.Entry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if key, ok := strings.CutPrefix(string(entry.Data), "I"); ok {
		delete(e.cache, key)
	}
	return nil
}

func (e *edge) Position() (uint64, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, len(e.cache) > 0
}

func (e *edge) Revalidate() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.cache)
	return nil
}

// world is a publisher, control nodes, edges, and an origin. Everything in it runs in virtual time.
type world struct {
	t     *testing.T
	ctx   context.Context
	rand  *rand.Rand
	store *memory.Store
	nodes []*node
	terms fleet.Terms

	mu        sync.Mutex
	edges     []*edge
	truth     map[string]int // what the origin has
	completed map[string]int // the newest version whose invalidation was reported as Completed
	began     int            // invalidations
	done      int
}

func newWorld(t *testing.T, ctx context.Context, seed uint64) *world {
	w := &world{
		t: t, ctx: ctx, rand: rand.New(rand.NewPCG(seed, 7)), store: memory.New(),
		terms: fleet.Terms{}.WithDefaults(), truth: map[string]int{}, completed: map[string]int{},
	}
	for i := range 3 {
		w.addNode(uint64(i))
	}
	return w
}

func (w *world) addNode(seed uint64) {
	v := &view{members: map[string]uint64{}}
	n := &node{engine: w.store.Connect(seed)}
	n.controller = fleet.NewController(n.engine, v, fleet.ControllerOptions{
		Now: time.Now, End: func(member string) []byte { return []byte("E" + member) },
	})
	n.follower = fleet.NewFollower(n.engine, 0, func(ctx context.Context, e fleet.Entry) error {
		err := v.apply(ctx, e)
		n.controller.Changed()
		return err
	})
	w.nodes = append(w.nodes, n)
	go func() { _ = n.follower.Run(w.ctx) }()
	go func() { _ = n.controller.Run(w.ctx) }()
}

// drifting is a clock that runs too fast or too slow by up to 2 percent, a fifth of the margin.
func drifting(r *rand.Rand) func() time.Time {
	start, rate := time.Now(), 1+(r.Float64()-0.5)/25
	return func() time.Time { return start.Add(time.Duration(float64(time.Since(start)) * rate)) }
}

// addEdge starts an edge; the cache, with its position, is what an earlier life left on its disk.
func (w *world) addEdge(seed uint64, cache map[string]int, position uint64) {
	e := &edge{engine: w.store.Connect(seed), clock: drifting(w.rand), cache: cache, last: position}
	e.member = fleet.NewMember(e.engine, e, fleet.MemberOptions{
		Now: e.clock, Join: func(l fleet.Lease) []byte { return []byte("J" + l.Member) },
		Lease: func() fleet.Lease { return fleet.Lease{Name: fmt.Sprint("edge-", seed)} },
	})
	ctx, stop := context.WithCancel(w.ctx)
	e.stop = stop
	w.mu.Lock()
	w.edges = append(w.edges, e)
	w.mu.Unlock()
	go func() { _ = e.member.Run(ctx) }()
}

// request asks an edge for a page and checks that the answer is not older than a completed invalidation allows.
func (w *world) request(e *edge, key string) {
	w.mu.Lock()
	must, truth := w.completed[key], w.truth[key]
	w.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	got, cached := e.cache[key]
	if cached && e.member.Valid(e.clock()) {
		e.hits++
		if got < must {
			w.t.Errorf("%v: %s answers version %d of %s; version %d was completed", time.Now(), e.member.Lease().Name, got, key, must)
		}
		return
	}
	e.cache[key] = truth
}

// publish changes a page, invalidates it, and waits for completion at some control node.
func (w *world) publish(ctx context.Context, key string, n *node) {
	w.mu.Lock()
	w.truth[key]++
	version := w.truth[key]
	w.began++
	w.mu.Unlock()
	var at uint64
	for id := fmt.Sprint(key, "/", version); ; time.Sleep(50 * time.Millisecond) {
		var err error
		if at, err = n.engine.Add(ctx, id, []byte("I"+key)); err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
	}
	if n.follower.Wait(ctx, at) != nil || n.controller.Wait(ctx, at) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.completed[key] = max(w.completed[key], version)
	w.done++
}

func (w *world) key() string { return fmt.Sprint("/", w.rand.IntN(5)) }

func (w *world) someFaults() memory.Faults {
	switch w.rand.IntN(6) {
	case 0:
		return memory.Faults{Cut: true}
	case 1:
		return memory.Faults{Delay: time.Duration(w.rand.IntN(3000)) * time.Millisecond}
	case 2:
		return memory.Faults{Fail: 0.5, Skip: 0.3, Repeat: 0.3}
	case 3:
		return memory.Faults{Deaf: true, Backlog: w.rand.IntN(2) == 0}
	}
	return memory.Faults{}
}

// live lets things happen for a while.
func (w *world) live(steps int) {
	for range steps {
		time.Sleep(time.Duration(w.rand.IntN(200)) * time.Millisecond)
		e := w.edges[w.rand.IntN(len(w.edges))]
		switch w.rand.IntN(20) {
		case 0, 1:
			e.engine.Suffer(w.someFaults())
		case 2:
			w.nodes[w.rand.IntN(len(w.nodes))].engine.Suffer(w.someFaults())
		case 3:
			if w.rand.IntN(5) == 0 { // dies without a word, and comes back as another, with what is on its disk
				w.revive(e)
			}
		case 4, 5, 6:
			go w.publish(w.ctx, w.key(), w.nodes[w.rand.IntN(len(w.nodes))])
		default:
			for _, e := range w.edges {
				w.request(e, w.key())
			}
		}
	}
}

func (w *world) revive(e *edge) {
	e.engine.Suffer(memory.Faults{Cut: true})
	e.stop()
	synctest.Wait()
	time.Sleep(time.Duration(w.rand.IntN(8000)) * time.Millisecond)
	w.addEdge(w.rand.Uint64(), e.cache, e.last)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.edges {
		if w.edges[i] == e {
			w.edges = append(w.edges[:i], w.edges[i+1:]...)
			break
		}
	}
}

func (w *world) heal() {
	for _, e := range w.edges {
		e.engine.Suffer(memory.Faults{})
	}
	for _, n := range w.nodes {
		n.engine.Suffer(memory.Faults{})
	}
	time.Sleep(20 * time.Second)
	w.publish(w.ctx, "/end", w.nodes[0])
	time.Sleep(10 * time.Second)
}

// Whatever fails, no edge answers with what a completed invalidation covers; once all is well again, everything completes, and every
// edge answers from its cache.
func TestNoEdgeAnswersWithWhatIsCompleted(t *testing.T) {
	hits := 0
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			w := newWorld(t, ctx, seed)
			for i := range 4 {
				w.addEdge(100+uint64(i), map[string]int{}, 0)
			}
			w.live(300)
			w.heal()
			w.check()
			for _, e := range w.edges {
				hits += e.hits
			}
			stop()
			time.Sleep(time.Minute) // until members have left, or given that up
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if hits < 1000 {
		t.Errorf("only %d answers came from a cache: the test shows nothing", hits)
	}
}

func (w *world) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began != w.done {
		w.t.Errorf("%d of %d invalidations were completed", w.done, w.began)
	}
	for _, e := range w.edges {
		if !e.member.Valid(e.clock()) {
			w.t.Errorf("%s is without a lease although all is well", e.member.Lease().Name)
		}
		for i, at := range e.applied[1:] {
			if at != e.applied[i]+1 {
				w.t.Errorf("%s applied %d after %d", e.member.Lease().Name, at, e.applied[i])
			}
		}
	}
}

func TestFollowerWithoutLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		engine := store.Connect(1)
		for i := range 5 {
			if _, err := engine.Add(t.Context(), fmt.Sprint(i), []byte("Ix")); err != nil {
				t.Fatal(err)
			}
		}
		store.Truncate(4)
		f := fleet.NewFollower(engine, 1, func(context.Context, fleet.Entry) error { return nil })
		if err := f.Run(t.Context()); !errors.Is(err, fleet.ErrDropped) {
			t.Errorf("got %v, want ErrDropped", err)
		}
	})
}
