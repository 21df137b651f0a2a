package console

import (
	"sync"
	"time"
)

// kept is how many requests Events remembers: what a reader may be behind
// before it loses some.
const kept = 256

// Request is one viewer's request, as the edge answered it.
type Request struct {
	Time     time.Time // when it began
	Duration time.Duration
	Method   string
	Path     string // as the viewer sent it, without query
	Status   int
	Cache    string // the value of X-Cache
	Bytes    int64  // of body sent
}

// Events are the latest viewers' requests and those who follow them. All
// methods are safe for concurrent use.
type Events struct {
	// mu guards what follows; held for a few assignments, never while waiting.
	mu        sync.Mutex
	ring      [kept]Request // number n stands at n % kept
	last      uint64        // number of the newest request; the first has 1
	followers map[*follower]struct{}
	done      chan struct{} // closed by Close
	closed    bool
}

// NewEvents returns Events without any request.
func NewEvents() *Events {
	return &Events{followers: map[*follower]struct{}{}, done: make(chan struct{})}
}

// Add remembers a request and tells the followers. It never waits for them:
// one that falls too far behind loses requests, and is told how many.
func (e *Events) Add(r Request) {
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

// Close ends all followers, present and future, so that a server with open
// streams can shut down. Add still works; a second Close does nothing.
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

// after returns the remembered requests with numbers above n, oldest first,
// and how many such requests are forgotten already.
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

// follower is somebody who reads requests at their own speed. One goroutine
// uses it.
type follower struct {
	events *Events
	news   chan struct{} // capacity 1: there may be requests to take
	seen   uint64        // number of the last request taken
}

// follow adds a follower that has seen everything up to number n; a number
// that is not reached yet, as from before a restart, means everything so far.
// The caller takes it away with leave.
func (e *Events) follow(n uint64) *follower {
	f := &follower{events: e, news: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	f.seen = min(n, e.last)
	e.followers[f] = struct{}{}
	if f.seen < e.last {
		f.news <- struct{}{}
	}
	return f
}

// take returns what is new, oldest first, and how many requests came and went
// unseen before that.
func (f *follower) take() (list []numbered, lost uint64) {
	list, lost = f.events.after(f.seen)
	if len(list) > 0 {
		f.seen = list[len(list)-1].number
	}
	return list, lost
}

func (f *follower) leave() {
	f.events.mu.Lock()
	defer f.events.mu.Unlock()
	delete(f.events.followers, f)
}
