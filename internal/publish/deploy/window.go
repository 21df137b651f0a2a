package deploy

import (
	"context"
	"sync"
	"time"
)

// A window grows by half while that pays, and slowly after it was told to slow
// down.
const (
	// widest is how many times as many requests may be under way as in the
	// beginning.
	widest = 4
	// turns is how often each place of a window is used until it is judged.
	turns = 2
	// gain is by how much more must be done a second to make a wider window
	// worth it.
	gain = 1.15
	// rest is for how many judgements a window is left as it is after a wider one
	// did not pay; twice as many the next time, up to longRest. Chance would else
	// widen it sooner or later.
	rest     = 8
	longRest = 64
	// headroom is how many times as many requests may be under way as would be if
	// none of them had to wait for another.
	headroom = 2
	// calm is in which time all requests to slow down count as one: they come
	// from what was under way together.
	calm = time.Second
)

// window is how many requests are under way at once. It begins with a number, is
// widened while more is done in the same time by it, and halved when the service
// asks to slow down. Where requests hardly wait for each other, which their
// answers' delay tells, the way is not full yet, and it is widened without trial:
// a far service then has all that it can take after a few answers. It is a value
// without clock or goroutines.
type window struct {
	size, least, most int

	began    time.Time // of the current judgement; zero where it has to begin anew
	done     int       // since began
	rate     float64   // the most that was done a second without widening; 0 where unknown
	narrower int       // the window before it was widened; 0 where it has not been
	resting  int       // judgements that are still to be passed over
	rested   int       // as many were passed over the last time
	slow     bool      // whether the service has ever asked to slow down
	slowed   time.Time // when it did last
	// quickest is the shortest time that a request took: that of one which waited
	// for no other. 0 where unknown.
	quickest time.Duration
}

// newWindow begins with size requests at once. One alone stays alone.
func newWindow(size int) window {
	if size <= 1 {
		return window{size: 1, least: 1, most: 1}
	}
	return window{size: size, least: 2, most: widest * size}
}

// finished counts one request, which took so long; 0 where nobody knows. full
// says that the window was what kept others from being sent; only then its width
// means anything.
func (w *window) finished(now time.Time, took time.Duration, full bool) {
	if took > 0 && (took < w.quickest || w.quickest == 0) {
		w.quickest = took
	}
	if !full {
		w.began = time.Time{}
		return
	}
	if w.began.IsZero() {
		w.began, w.done = now, 0
		return
	}
	if w.done++; w.done >= turns*w.size {
		w.judge(float64(w.done) / max(now.Sub(w.began), time.Microsecond).Seconds())
		w.began, w.done = now, 0
	}
}

// judge decides what follows from so many requests a second.
func (w *window) judge(rate float64) {
	if room := w.room(rate); room > w.size && !w.slow {
		w.size = room
		w.settle(0)
		return
	}
	switch {
	case w.resting > 0:
		w.resting--
		w.rate = max(w.rate, rate)
		return
	case w.narrower > 0 && rate < gain*w.rate && !w.slow:
		w.size = w.narrower
		w.settle(min(max(2*w.rested, rest), longRest))
		return
	case w.narrower > 0:
		w.rested = 0
	}
	w.rate, w.narrower = max(w.rate, rate), w.size
	step := w.size / 2
	if w.slow {
		step = w.size / 8
	}
	w.size = min(w.size+max(step, 1), w.most)
	if w.size == w.narrower {
		w.settle(longRest)
	}
}

// room is the width at which so many requests a second can be done, and more if
// the service has hands free: their number under way, by Little's law, if each
// took as long as the quickest, times headroom. A service that is busy already, or
// a way that is full, lets them wait, and the quickest says so.
func (w *window) room(rate float64) int {
	return min(int(headroom*rate*w.quickest.Seconds()), w.most)
}

// settle leaves the window as it is for n judgements.
func (w *window) settle(n int) {
	w.rate, w.narrower, w.resting, w.rested = 0, 0, n, n
}

// slowDown halves the window, and keeps it as it is for a while.
func (w *window) slowDown(now time.Time) {
	if !w.slow || now.Sub(w.slowed) >= calm {
		w.size = max(w.size/2, w.least)
		w.slow, w.slowed = true, now
	}
	w.began = time.Time{}
	w.settle(rest)
}

// gate lets requests through as the window says. One goroutine enters; many
// leave.
type gate struct {
	mu     sync.Mutex // guards window, inside and full, for a few assignments
	window window
	inside int
	full   bool          // whether somebody had to wait
	left   chan struct{} // has room for one word that somebody left
}

func newGate(size int) *gate { return &gate{window: newWindow(size), left: make(chan struct{}, 1)} }

// enter waits for a place. An error is that of ctx, and no place is taken then.
func (g *gate) enter(ctx context.Context) error {
	for ctx.Err() == nil {
		if g.try() {
			return nil
		}
		select {
		case <-g.left:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (g *gate) try() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside >= g.window.size {
		g.full = true
		return false
	}
	g.inside++
	return true
}

// leave gives back a place that was used for so long.
func (g *gate) leave(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.window.finished(time.Now(), took, g.full)
	select {
	case g.left <- struct{}{}:
	default:
	}
}

// over notes that nobody will wait any more: what finishes from now on says
// nothing about the window.
func (g *gate) over() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.full = false
}

// slowDown is told by requests under way that the service asks for fewer.
func (g *gate) slowDown() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.window.slowDown(time.Now())
}
