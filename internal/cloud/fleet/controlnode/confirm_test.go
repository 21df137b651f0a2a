package controlnode

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// Whoever asks while one confirmation is under way waits for the next: the one under way may have begun before what it asks about.
func TestConfirmationsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var work, asked sync.WaitGroup
		var mu sync.Mutex // guards began; held for access to it only
		var began []time.Time
		c := newConfirmation(t.Context(), &work, func(ctx context.Context) error {
			mu.Lock()
			began = append(began, time.Now())
			mu.Unlock()
			return fleet.Sleep(ctx, time.Second)
		})
		start := time.Now()
		for _, after := range []time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond, 900 * time.Millisecond} {
			asked.Go(func() {
				time.Sleep(after)
				from := time.Now()
				if err := c.wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if last := began[len(began)-1]; last.Before(from) {
					t.Errorf("asked after %v, confirmed by one that began before, after %v", after, last.Sub(start))
				}
			})
		}
		time.Sleep(10 * time.Second)
		asked.Wait()
		work.Wait()
		if len(began) != 2 {
			t.Errorf("%d confirmations, want 2", len(began))
		}
	})
}

func TestConfirmationFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var work sync.WaitGroup
		away := errors.New("away")
		c := newConfirmation(t.Context(), &work, func(context.Context) error { return away })
		if err := c.wait(t.Context()); !errors.Is(err, away) {
			t.Errorf("error %v, want %v", err, away)
		}
		work.Wait()
	})
}
