// Package sim plays a fleet of many edges on several continents in virtual time: the rules of internal/cloud/fleet
// (one ordered log, reports, leases by each side's own clock, giving up by compare-and-swap), on links with latency,
// jitter and loss, with edges that die and join and a continent that is cut off.
//
// It promises that a run follows from its configuration alone, seed included, and that it checks the one promise that
// matters: nothing is Completed while an edge that has not applied it may answer from its cache. It leaves out what a
// log's engine does inside: elections, disks that fail, slow processors; a commit takes a majority's round trip and a
// sync. Links are TCP's: in order, and a lost segment holds up what follows it for a retransmission time.
package sim

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Config is one run. Every field must be set; Default sets them.
type Config struct {
	Seed     uint64
	Edges    int
	Topology Topology
	Spread   bool    // the control nodes are on three continents; otherwise in three zones of one region
	Rate     float64 // invalidations a second, at even distances
	Size     int     // bytes of an entry on the wire
	Length   time.Duration
	Lease    time.Duration
	Renew    time.Duration
	Margin   time.Duration
	Report   time.Duration // least time between two reports of one sender
	Loss     float64       // share of messages that need a retransmission
	Jitter   float64       // mean of an exponential addition to each latency, as a share of it
	Drift    float64       // clocks run too fast or slow by up to this share
	Churn    float64       // edges a second that die without a word, each followed by a new one
	Cut      Cut
	NoLease  bool // edges answer from their caches without a lease: wrong, for the test that the check finds it
}

// Topology is who follows whom.
type Topology int

// Topologies.
const (
	Direct   Topology = iota // every edge follows the control nodes
	Regional                 // a hub on each continent follows them; edges follow their hub, which answers for them
)

// String is the topology's name.
func (t Topology) String() string { return [...]string{"direct", "regional"}[t] }

// Cut is a continent's absence; the zero value is none.
type Cut struct {
	Region   int
	From, To time.Duration
}

// Default is 1,000 edges and 100 invalidations a second for two minutes.
func Default() Config {
	return Config{
		Seed: 1, Edges: 1000, Rate: 100, Size: 400, Length: 2 * time.Minute,
		Lease: 5 * time.Second, Renew: 1250 * time.Millisecond, Margin: 500 * time.Millisecond, Report: 5 * time.Millisecond,
		Loss: 0.001, Jitter: 0.05, Drift: 200e-6,
	}
}

// Result is what came of a run.
type Result struct {
	Config     Config
	Completed  []Sample // in the order of acceptance; those of the last seconds may be missing
	Accepted   int
	Fenced     time.Duration // that edges were without a lease, all together, joining not counted
	GivenUp    int
	Joins      int
	Violations int    // completions, or grants, that the promise forbids
	Control    Volume // that the control nodes sent and took
	Ocean      Volume // that crossed between continents
	Commits    int    // writes to the log and the leases, at the control nodes
}

// Sample is one invalidation.
type Sample struct {
	At   time.Duration // of its acceptance
	Took time.Duration // until it was Completed
}

// Volume is messages and bytes.
type Volume struct{ Messages, Bytes int64 }

func (v *Volume) add(size int) {
	v.Messages++
	v.Bytes += int64(size)
}

// Sizes on the wire, in bytes, with the engine's and TCP's heads.
const (
	reportSize = 150
	leaseSize  = 450
	ackSize    = 150
)

// syncTime is what a write to disk takes before it is acknowledged.
const syncTime = time.Millisecond

// world is a run under way.
type world struct {
	cfg    Config
	rand   *rand.Rand
	now    time.Duration
	events events
	number uint64 // of the last event, to keep equal times in order

	root     *node
	hubs     []*node
	edges    []*node
	accepted []time.Duration // by sequence-1
	done     uint64          // everything through it is completed
	out      Result
}

// event is something that happens.
type event struct {
	at     time.Duration
	number uint64
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }

func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].number < e[j].number
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push is heap.Interface's.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop is heap.Interface's.
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = event{}
	*e = (*e)[:len(*e)-1]
	return last
}

func (w *world) at(t time.Duration, do func()) {
	w.number++
	heap.Push(&w.events, event{max(t, w.now), w.number, do})
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now+d, do) }

// Run plays one configuration.
func Run(cfg Config) Result {
	w := &world{cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 2))}
	w.out.Config = cfg
	w.build()
	w.publish()
	w.churn()
	for len(w.events) > 0 && w.events[0].at <= cfg.Length {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.out.Accepted = len(w.accepted)
	for _, e := range w.edges {
		w.out.Fenced += e.fencedUntil(cfg.Length)
	}
	return w.out
}

// build makes the nodes; edges are dealt to the continents by their shares.
func (w *world) build() {
	w.root = newNode(w, nil, home)
	if w.cfg.Topology == Regional {
		for r := range regions {
			w.hubs = append(w.hubs, newNode(w, w.root, r))
		}
	}
	for i := range w.cfg.Edges {
		w.addEdge(regionOf(i, w.cfg.Edges))
	}
}

func (w *world) addEdge(region int) {
	parent := w.root
	if w.cfg.Topology == Regional {
		parent = w.hubs[region]
	}
	w.edges = append(w.edges, newNode(w, parent, region))
}

// publish accepts invalidations at even distances, from the third second on, when all have joined.
func (w *world) publish() {
	pause := time.Duration(float64(time.Second) / w.cfg.Rate)
	var next func()
	next = func() {
		w.accept()
		w.after(pause, next)
	}
	w.at(3*time.Second, next)
}

// accept enters an invalidation: from its commit on it is accepted.
func (w *world) accept() {
	w.commit(func() {
		w.accepted = append(w.accepted, w.now)
		w.root.take(uint64(len(w.accepted)))
		w.complete()
	})
}

// commit does something once a majority of the control nodes has it on disk.
func (w *world) commit(do func()) {
	w.out.Commits++
	trip := time.Millisecond
	if w.cfg.Spread {
		trip = roundTrip(home, second)
	}
	w.after(w.jitter(trip)+syncTime, do)
}

// complete marks what every edge that may answer from its cache has applied, as the control nodes know it.
func (w *world) complete() {
	floor := min(w.root.floor(), uint64(len(w.accepted)))
	for w.done < floor {
		at := w.accepted[w.done]
		w.done++
		w.out.Completed = append(w.out.Completed, Sample{at, w.now - at})
	}
	for _, e := range w.edges {
		if e.received < w.done && e.answers() && e.joined < w.done {
			w.out.Violations++
		}
	}
}

// churn lets edges die, and new ones join at the same place.
func (w *world) churn() {
	if w.cfg.Churn == 0 {
		return
	}
	pause := time.Duration(float64(time.Second) / w.cfg.Churn)
	var next func()
	next = func() {
		i := w.rand.IntN(len(w.edges))
		old := w.edges[i]
		old.dead = true
		w.out.Fenced += old.fencedUntil(w.now)
		w.addEdge(old.region)
		last := len(w.edges) - 1
		w.edges[i], w.edges = w.edges[last], w.edges[:last]
		w.after(pause, next)
	}
	w.at(10*time.Second, next)
}
