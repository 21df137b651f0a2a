package release_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// The lock is written every quarter of a lease, and Check asks the store for
// nothing meanwhile.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		h := hold(t, store, release.LockOptions{})
		store.ResetCalls()
		start := time.Now()
		for time.Since(start) <= 10*time.Minute {
			time.Sleep(time.Second)
			check(t, h, nil)
		}
		if n, all := lockPuts(store), len(store.Calls()); n != 80 || all != n {
			t.Errorf("%d renewals in 10 minutes and %d calls, want 80 and no other", n, all)
		}
		if l := stored(t, store); !l.Until.Equal(start.Add(10*time.Minute+30*time.Second)) || !l.Since.Equal(start) {
			t.Errorf("lock.json tells since %s until %s", l.Since, l.Until)
		}
		give(t, h)
	})
}

// A wall clock that jumps forces a renewal, once, and nothing else.
func TestTheWallClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 11 * time.Second} {
		t.Run(jump.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				var offset time.Duration
				h := hold(t, store, release.LockOptions{Wall: func() time.Time { return time.Now().Add(offset) }})
				store.ResetCalls()
				check(t, h, nil)
				if n := lockPuts(store); n != 0 {
					t.Errorf("%d renewals before the jump", n)
				}
				offset = jump
				check(t, h, nil)
				check(t, h, nil)
				if n := lockPuts(store); n != 1 {
					t.Errorf("%d renewals after the jump, want 1", n)
				}
				overwrite(t, store, others())
				check(t, h, nil) // a third of a lease of freedom
				offset = 0
				check(t, h, release.ErrLost)
				give(t, h)
			})
		})
	}
}

func TestTheLockIsLost(t *testing.T) {
	rows := []struct {
		name string
		lose func(t testing.TB, s *memory.Store)
		text string
	}{
		{"to somebody else", func(t testing.TB, s *memory.Store) { overwrite(t, s, others()) }, "ann@desk"},
		{"it is deleted", func(t testing.TB, s *memory.Store) { s.Remove(find(t, s, "/lock.json")) }, "deleted"},
		{"to a newer freshet", func(t testing.TB, s *memory.Store) {
			s.Set(find(t, s, "/lock.json"), []byte(`{"version":2}`), site.Headers{})
		}, "version 2"},
		{"to nonsense", func(t testing.TB, s *memory.Store) { s.Set(find(t, s, "/lock.json"), []byte(`x`), site.Headers{}) }, "invalid"},
	}
	for _, row := range rows {
		for _, sleep := range []time.Duration{10 * time.Second, 8 * time.Second} {
			t.Run(fmt.Sprintf("%s, Check after %s", row.name, sleep), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := established(t)
					h := hold(t, store, release.LockOptions{})
					row.lose(t, store)
					check(t, h, nil) // nobody may have it before a lease is over
					time.Sleep(sleep)
					err := h.Check(t.Context())
					if !errors.Is(err, release.ErrLost) || !strings.Contains(err.Error(), row.text) {
						t.Errorf("Check: %v, want ErrLost and %q", err, row.text)
					}
					n := lockPuts(store)
					time.Sleep(time.Hour)
					give(t, h)
					if more := lockPuts(store) - n; more != 0 {
						t.Errorf("%d writes of a lost lock", more)
					}
				})
			})
		}
	}
}

// poor is what happens to a write of the lock.
type poor struct {
	put   memory.Fault
	blind bool // the read after it fails as well
}

// Every write of the lock loses its answer, or does not arrive, and the next one
// too. The hold lives on.
func TestLostAnswersOfTheLock(t *testing.T) {
	faults := map[string]poor{
		"the answer is lost":             {memory.FailAfter(errCut), false},
		"the adapter repeated by itself": {memory.FailAfter(remote.ErrPrecondition), false},
		"so it did, and nobody sees it":  {memory.FailAfter(remote.ErrPrecondition), true},
		"it does not arrive":             {memory.FailBefore(errCut), false},
		"it takes for ever":              {memory.Delay(time.Hour), false},
	}
	for name, fault := range faults {
		for n := 1; n <= 6; n++ {
			for run := 1; run <= 2; run++ {
				t.Run(fmt.Sprintf("%s, write %d and %d more", name, n, run-1), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { liveWith(t, fault, n, run) })
				})
			}
		}
	}
}

// liveWith holds the lock for some renewals, while the writes n to n+run-1 of it
// fail.
func liveWith(t *testing.T, fault poor, n, run int) {
	store, start := established(t), time.Now()
	var mu sync.Mutex
	puts, blind := 0, false
	store.SetHook(func(op, key string) memory.Fault {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasSuffix(key, "/lock.json") {
			return memory.Fault{}
		}
		if op == memory.OpGet && blind {
			blind = false
			return memory.FailBefore(errCut)
		}
		if op == memory.OpPut {
			if puts++; puts >= n && puts < n+run {
				blind = fault.blind
				return fault.put
			}
		}
		return memory.Fault{}
	})
	h := hold(t, store, release.LockOptions{})
	for range 40 {
		time.Sleep(time.Second)
		check(t, h, nil)
	}
	give(t, h)
	within(t, "done", time.Since(start), 40*time.Second, 100*time.Second)
	mu.Lock()
	defer mu.Unlock()
	if puts < n+run-1 {
		t.Errorf("only %d writes", puts)
	}
	if !stored(t, store).Free {
		t.Errorf("given back, lock.json is %+v", stored(t, store))
	}
}

// A renewal whose request was given up arrives later. It is ours all the same,
// and the next renewal goes on from it.
func TestALateRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		var mu sync.Mutex // for hanging
		var hanging []remote.Put
		var hang atomic.Bool
		odd := putter{store, func(ctx context.Context, put remote.Put) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if hang.Load() {
				hanging = append(hanging, put)
				<-ctx.Done()
				return "", ctx.Err()
			}
			for _, late := range hanging {
				if _, err := store.Put(ctx, late); err != nil {
					t.Errorf("the late renewal: %v", err)
				}
			}
			hanging = nil
			return store.Put(ctx, put)
		}}
		h := hold(t, odd, release.LockOptions{Lease: 10 * time.Minute, Wall: func() time.Time {
			if hang.Load() {
				return time.Now().Add(time.Hour)
			}
			return time.Now()
		}})
		hang.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Check(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, release.ErrLost) {
			t.Errorf("Check: %v, want that the time is over", err)
		}
		hang.Store(false)
		time.Sleep(4 * time.Minute) // the background renews every 150 s
		check(t, h, nil)
		give(t, h)
		if got := stored(t, store).Sequence; len(hanging) != 0 || got != 4 {
			t.Errorf("%d requests hang, lock.json has the sequence number %d, want 0 and 4", len(hanging), got)
		}
	})
}

// A third of a lease counts from when a renewal began, not from its answer, and
// either clock will do.
func TestASlowRenewalCountsFromItsBegin(t *testing.T) {
	for name, wall := range map[string]func() time.Time{"both clocks run": time.Now, "the wall clock stands still": func() time.Time { return began }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				laptop, start := &machine{Store: store}, time.Now()
				h := hold(t, laptop, release.LockOptions{Wall: wall})
				store.SetHook(func(op, key string) memory.Fault { return memory.Delay(4 * time.Second) })
				time.Sleep(12 * time.Second) // the renewal that began at 7.5 s was answered at 11.5 s
				laptop.cut.Store(true)
				for _, row := range []struct {
					at   time.Duration
					want error
				}{{17400 * time.Millisecond, nil}, {17600 * time.Millisecond, context.DeadlineExceeded}} {
					time.Sleep(row.at - time.Since(start))
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					if err := h.Check(ctx); !errors.Is(err, row.want) {
						t.Errorf("Check at %s: %v, want %v", row.at, err, row.want)
					}
					cancel()
				}
				laptop.cut.Store(false)
				check(t, h, nil)
				give(t, h)
			})
		})
	}
}

// Errors that are not about the lock are told, and are not the end of it.
func TestCredentialsRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		h := hold(t, store, release.LockOptions{})
		store.SetHook(func(op, key string) memory.Fault { return memory.FailBefore(remote.ErrExpired) })
		time.Sleep(15 * time.Second)
		if err := h.Check(t.Context()); !errors.Is(err, remote.ErrExpired) || errors.Is(err, release.ErrLost) {
			t.Errorf("Check: %v, want ErrExpired", err)
		}
		if err := h.Release(t.Context()); !errors.Is(err, remote.ErrExpired) {
			t.Errorf("Release: %v, want ErrExpired", err)
		}
		store.SetHook(nil)
		check(t, h, nil)
		give(t, h)
		if !stored(t, store).Free {
			t.Error("the repeat did not give the lock back")
		}
	})
}

func TestReleaseOutlivesTheContextOfLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		ctx, cancel := context.WithCancel(t.Context())
		h, err := record(t, store).Lock(ctx, release.LockOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(time.Minute + time.Second)
		if n := stored(t, store).Sequence; n != 9 {
			t.Errorf("%d renewals in a minute after the interrupt, want 8", n-1)
		}
		check(t, h, nil)
		store.ResetCalls()
		give(t, h)
		give(t, h)
		if n := lockPuts(store); n != 1 || !stored(t, store).Free {
			t.Errorf("%d writes, lock.json is %+v", n, stored(t, store))
		}
		check(t, h, release.ErrLost)
	})
}

// A lock that cannot be given back does not keep its goroutine.
func TestReleaseWithoutAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laptop := &machine{Store: established(t)}
		h := hold(t, laptop, release.LockOptions{})
		laptop.cut.Store(true)
		start := time.Now()
		if err := h.Release(t.Context()); !errors.Is(err, remote.ErrTemporary) {
			t.Errorf("Release: %v", err)
		}
		within(t, "given up", time.Since(start), time.Second, 4*time.Second)
	})
}
