package console

import (
	"sync"
	"sync/atomic"
	"time"
)

// kept is how many requests Events remembers: what a reader may be behind before it loses some.
const kept = 512

// Of a flood of requests a sample is kept: so many at once, then so many a second. Errors have a share of their own, so that one that fails among
// thousands is seen.
const (
	sampleBurst, sampleRate = 250, 50
	errorBurst, errorRate   = 100, 10
)

// Request is one viewer's request, as the edge answered it.
type Request struct {
	Time         time.Time // when it began
	Duration     time.Duration
	Method       string
	Path         string // as the viewer sent it, without query
	Status       int
	Cache        string // the value of X-Cache
	Bytes        int64  // of body sent
	Distribution string // id, where it is not the one that the console shows; "" for that one
}

// Events are the latest viewers' requests and those who follow them. All methods are safe for concurrent use.
type Events struct {
	total        atomic.Uint64 // requests, whether kept or not
	plain, wrong gate

	// mu guards what follows; held for a few assignments, never while waiting.
	mu        sync.Mutex
	ring      [kept]Request // number n stands at n % kept
	last      uint64        // number of the newest request that was kept; the first has 1
	followers map[*follower]struct{}
	done      chan struct{} // closed by Close
	closed    bool
}

// NewEvents returns Events without any request.
func NewEvents() *Events {
	return &Events{
		plain: gate{every: time.Second / sampleRate, burst: sampleBurst}, wrong: gate{every: time.Second / errorRate, burst: errorBurst},
		followers: map[*follower]struct{}{}, done: make(chan struct{}),
	}
}

// Add counts a request, and if it is among the sample remembers it and tells the followers. It never waits for them: one that falls too far behind loses
// requests, and is told how many. A request that is not kept costs two atomic operations.
func (e *Events) Add(r Request) {
	e.total.Add(1)
	gate := &e.plain
	if r.Status >= 400 {
		gate = &e.wrong
	}
	if !gate.pass(r.Time.Add(r.Duration)) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	e.ring[e.last%kept] = r
	for f := range e.followers {
		select {
		case f.news <- struct{}{}:
		default: // it knows already
		}
	}
}

// gate lets through burst at once and one every so often. It is the generic cell rate algorithm, in one word of memory.
type gate struct {
	every time.Duration
	burst int
	due   atomic.Int64 // when the burst will be whole again, in Unix nanoseconds
}

func (g *gate) pass(at time.Time) bool {
	now, depth := at.UnixNano(), int64(g.every)*int64(g.burst)
	for {
		due := g.due.Load()
		next := max(due, now) + int64(g.every)
		if next-now > depth {
			if next-now < depth+int64(time.Minute) {
				return false
			}
			next = now + int64(g.every) // the clock went back
		}
		if g.due.CompareAndSwap(due, next) {
			return true
		}
	}
}

// Close ends all followers, present and future, so that a server with open streams can shut down. Add still works; a second Close does nothing.
func (e *Events) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		close(e.done)
	}
}

// numbered is a request with its number.
type numbered struct {
	number uint64
	Request
}

// after returns the remembered requests with numbers above n, oldest first, and how many such requests are forgotten already.
func (e *Events) after(n uint64) (list []numbered, lost uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last > kept && n < e.last-kept {
		lost = e.last - kept - n
		n += lost
	}
	for n < e.last {
		n++
		list = append(list, numbered{n, e.ring[n%kept]})
	}
	return list, lost
}

// follower is somebody who reads requests at their own speed. One goroutine uses it.
type follower struct {
	events *Events
	news   chan struct{} // capacity 1: there may be requests to take
	seen   uint64        // number of the last request taken
	total  uint64        // requests of which it knows whether they were kept
}

// follow adds a follower that has seen everything up to number n; a number that is not reached yet, as from before a restart, means everything so far.
// The caller takes it away with leave.
func (e *Events) follow(n uint64) *follower {
	f := &follower{events: e, news: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	f.seen = min(n, e.last)
	f.total = e.total.Load() - (e.last - f.seen) // who comes late has missed nothing
	e.followers[f] = struct{}{}
	if f.seen < e.last {
		f.news <- struct{}{}
	}
	return f
}

// take returns what is new, oldest first, and how many other requests there were, not kept or forgotten already.
func (f *follower) take() (list []numbered, others uint64) {
	list, _ = f.events.after(f.seen)
	total := max(f.events.total.Load(), f.total+uint64(len(list)))
	others = total - f.total - uint64(len(list))
	f.total = total
	if len(list) > 0 {
		f.seen = list[len(list)-1].number
	}
	return list, others
}

func (f *follower) leave() {
	f.events.mu.Lock()
	defer f.events.mu.Unlock()
	delete(f.events.followers, f)
}
