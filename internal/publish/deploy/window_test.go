package deploy

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestWindow judges one window after the other by how much was done in a second.
func TestWindow(t *testing.T) {
	const no = -1 // the service asks to slow down
	rows := []struct {
		name  string
		size  int
		rates []float64
		want  int
	}{
		{"unknown", 32, nil, 32},
		{"the first is the measure", 32, []float64{100}, 48},
		{"wider pays", 32, []float64{100, 150}, 72},
		{"wider pays up to the end", 32, []float64{100, 150, 225, 340, 500, 700}, 128},
		{"wider does not pay", 32, []float64{100, 105}, 32},
		{"wider does not pay any more", 32, []float64{100, 150, 160}, 48},
		{"tries again later", 32, []float64{100, 105, 100, 100, 100, 100, 100, 100, 100, 100, 100}, 48},
		{"is not misled by chance", 32, []float64{100, 105, 100, 100, 130, 100, 100, 100, 100, 100, 100, 140}, 32},
		{"tries less and less", 32, append([]float64{100, 105, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, make([]float64, 16)...), 32},
		{"slow down", 32, []float64{no}, 16},
		{"slow down, once for all", 32, []float64{no, no, no}, 16},
		{"slow down from what paid", 32, []float64{100, 150, no}, 36},
		{"slowly up again", 32, []float64{no, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 20},
		{"not up while it is told to slow down", 32, []float64{1e6, no, 1e6, 1e6, 1e6, 1e6, no, 1e6, 1e6, 1e6, 1e6, no, 1e6, 1e6, 1e6, 1e6}, 24},
		{"one alone", 1, []float64{100, 200, no, 100}, 1},
		{"two", 2, []float64{no}, 2},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w, now := newWindow(r.size), time.Unix(0, 0)
			w.finished(now, 0, true)
			for _, rate := range r.rates {
				if rate == no {
					w.slowDown(now)
					w.finished(now, 0, true)
					continue
				}
				now = now.Add(time.Duration(float64(turns*w.size) / max(rate, 1) * float64(time.Second)))
				for range turns * w.size {
					w.finished(now, 0, true)
				}
			}
			if w.size != r.want {
				t.Errorf("%d at once, want %d", w.size, r.want)
			}
		})
	}
}

// TestWindowRoom: where requests hardly wait for each other there is room for more,
// and the window has it after one judgement. The first row is a service that is
// busy: 32 at once take 32 times as long as one.
func TestWindowRoom(t *testing.T) {
	rows := []struct {
		name     string
		took     time.Duration // the quickest of the requests
		rate     float64       // a second
		slow     bool
		want     int
		wantNext int // after one more judgement at the same rate
	}{
		{"busy", time.Millisecond, 1000, false, 48, 32},
		{"far", 20 * time.Millisecond, 1500, false, 60, 60 + 30},
		{"very far", 80 * time.Millisecond, 400, false, 64, 64 + 32},
		{"further than the window grows", time.Second, 32, false, 64, 64 + 32},
		{"far, and told to slow down", 20 * time.Millisecond, 1500, true, 16, 16},
		{"unknown", 0, 1500, false, 48, 32},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w, now := newWindow(32), time.Unix(0, 0)
			if r.slow {
				w.slowDown(now)
			}
			w.finished(now, r.took, true)
			for i, want := range []int{r.want, r.wantNext} {
				now = now.Add(time.Duration(float64(turns*w.size) / r.rate * float64(time.Second)))
				for range turns * w.size {
					w.finished(now, 2*r.took, true)
				}
				if w.size != want {
					t.Errorf("%d at once after judgement %d, want %d", w.size, i+1, want)
				}
			}
		})
	}
}

// TestWindowIgnores what was not held back by it.
func TestWindowIgnores(t *testing.T) {
	w, now := newWindow(4), time.Unix(0, 0)
	for i := range 1000 {
		w.finished(now, 0, i%5 > 0) // somebody waits now and then only
		now = now.Add(time.Millisecond)
	}
	if w.size != 4 {
		t.Errorf("%d at once", w.size)
	}
}

// service takes a way of some length to reach, and has so many hands.
type service struct {
	way, work time.Duration
	hands     chan struct{}
	limit     int // how many requests at once it bears; 0 for any number

	mu           sync.Mutex
	inside, most int // guarded by mu
}

// serve answers one request; false where it refuses.
func (s *service) serve() bool {
	s.mu.Lock()
	s.inside++
	s.most = max(s.most, s.inside)
	refused := s.limit > 0 && s.inside > s.limit
	s.mu.Unlock()
	time.Sleep(s.way)
	if !refused {
		s.hands <- struct{}{}
		time.Sleep(s.work)
		<-s.hands
	}
	s.mu.Lock()
	s.inside--
	s.mu.Unlock()
	return !refused
}

// upload sends n requests through g and returns how long it took; each is
// repeated until it is done.
func (s *service) upload(g *gate, n int) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for range n {
		if g.enter(context.Background()) != nil {
			panic("a context without end has ended")
		}
		wg.Go(func() {
			began := time.Now()
			defer func() { g.leave(time.Since(began)) }()
			for !s.serve() {
				g.slowDown()
				time.Sleep(500 * time.Millisecond)
			}
		})
	}
	g.over()
	wg.Wait()
	return time.Since(began)
}

// TestGateAdapts compares with a fixed number of requests at once.
func TestGateAdapts(t *testing.T) {
	rows := []struct {
		name      string
		way, work time.Duration
		hands     int
		n         int
		ratio     float64 // of the time that 32 at once take, at most
	}{
		{"a near service", time.Millisecond, time.Millisecond, 2, 2000, 1.01},
		{"a far service", 20 * time.Millisecond, time.Millisecond, 100, 2000, 0.40},
		{"a far service that is small", 20 * time.Millisecond, time.Millisecond, 2, 2000, 0.95},
		{"a very far service", 80 * time.Millisecond, time.Millisecond, 100, 5000, 0.35},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{way: r.way, work: r.work, hands: make(chan struct{}, r.hands)}
				fixed := newGate(32)
				fixed.window.most = 32
				before := s.upload(fixed, r.n)
				adapted := s.upload(newGate(32), r.n)
				if got := adapted.Seconds() / before.Seconds(); got > r.ratio {
					t.Errorf("%v against %v with 32 at once: %.2f times, want at most %.2f", adapted, before, got, r.ratio)
				}
			})
		})
	}
}

// TestGateSlowsDown: a service that refuses above some number is left in peace,
// and used well all the same.
func TestGateSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{way: 20 * time.Millisecond, work: time.Millisecond, hands: make(chan struct{}, 100), limit: 20}
		g := newGate(32)
		took := s.upload(g, 5000)
		if g.window.size > 24 || g.window.size < 8 {
			t.Errorf("%d at once in the end", g.window.size)
		}
		if best := 5000 / 20 * 21 * time.Millisecond; took > 3*best {
			t.Errorf("took %v, at best %v", took, best)
		}
	})
}

func TestGateEnds(t *testing.T) {
	g := newGate(1)
	ctx, cancel := context.WithCancel(t.Context())
	if err := g.enter(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := g.enter(ctx); !errors.Is(err, context.Canceled) || g.inside != 1 {
		t.Errorf("error %v, %d inside", err, g.inside)
	}
	g.leave(0)
	if err := g.enter(ctx); !errors.Is(err, context.Canceled) || g.inside != 0 {
		t.Errorf("error %v, %d inside", err, g.inside)
	}
}
