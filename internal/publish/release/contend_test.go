package release_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

// Fifty contenders on a slow and lossy network, of whom some are cut off for
// good or for a while, and some have clocks that jump: whoever has just passed
// Check is alone for the time that Check promises.
func TestNeverTwoHolders(t *testing.T) {
	done, lost := 0, 0
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := contest{t: t, rng: rand.New(rand.NewPCG(seed, 1)), store: established(t)}
				c.store.SetHook(c.weather)
				var wg sync.WaitGroup
				for i := range 50 {
					wg.Go(func() { c.contend(i) })
				}
				wg.Wait()
				done, lost = done+c.done, lost+c.lost
				c.store.SetHook(nil)
				give(t, hold(t, c.store, release.LockOptions{Timeout: time.Minute}))
			})
		})
	}
	if done < 40 || lost < 4 {
		t.Errorf("%d contenders did their work, and %d lost the lock on the way: that shows nothing", done, lost)
	}
}

type contest struct {
	t     *testing.T
	store *memory.Store

	mu         sync.Mutex // for the fields below
	rng        *rand.Rand
	done, lost int

	writing atomic.Int32 // contenders between a Check and the end of what it allowed
	writer  atomic.Int32
}

func (c *contest) random(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// weather makes requests slow, and loses some or their answers.
func (c *contest) weather(string, string) memory.Fault {
	late := memory.Delay(time.Duration(1+c.random(300)) * time.Millisecond)
	switch c.random(20) {
	case 0:
		return late.And(memory.FailBefore(errCut))
	case 1:
		return late.And(memory.FailAfter(errCut))
	}
	return late
}

const contendLease = 6 * time.Second

func (c *contest) contend(i int) {
	m := &machine{Store: c.store}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
	defer cancel()
	time.Sleep(time.Duration(c.random(20_000)) * time.Millisecond)
	r, err := release.Open(ctx, m, release.Options{})
	if err != nil {
		return // the network
	}
	var skew atomic.Int64
	h, err := r.Lock(ctx, release.LockOptions{
		Lease: contendLease, Timeout: time.Hour, Writer: fmt.Sprint("machine ", i),
		Wall: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) },
	})
	if err != nil {
		return
	}
	err = c.work(ctx, int32(i), h, m, &skew)
	m.cut.Store(c.random(5) == 0) // killed before it gives the lock back
	_ = h.Release(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.done++
	} else if errors.Is(err, release.ErrLost) {
		c.lost++
	}
}

// work writes some objects, each after a Check; each arrives within two thirds of
// a lease.
func (c *contest) work(ctx context.Context, i int32, h *release.Hold, m *machine, skew *atomic.Int64) error {
	for range 1 + c.random(10) {
		if c.random(12) == 0 {
			m.cut.Store(true)
			nap := time.Duration(c.random(20_000)) * time.Millisecond
			time.AfterFunc(nap, func() { m.cut.Store(false) })
			time.Sleep(nap / 2)
		}
		if c.random(5) == 0 {
			skew.Store(int64(c.random(7_200_000)-3_600_000) * int64(time.Millisecond))
		}
		if err := h.Check(ctx); err != nil {
			return err
		}
		if n := c.writing.Add(1); n != 1 {
			c.t.Errorf("contender %d writes while contender %d does", i, c.writer.Load())
		}
		c.writer.Store(i)
		time.Sleep(time.Duration(c.random(int(contendLease*2/3 - time.Millisecond))))
		c.writing.Add(-1)
	}
	return nil
}
