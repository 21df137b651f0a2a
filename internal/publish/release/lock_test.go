package release_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

func TestLockIsTakenAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.NewStore(memory.StoreOptions{})
		start := time.Now().UTC()
		r := record(t, store)
		h, err := r.Lock(t.Context(), release.LockOptions{Writer: "ben@laptop", Host: "laptop", Release: "r1-a"})
		if err != nil {
			t.Fatal(err)
		}
		want := release.Lock{
			Version: 1, Writer: "ben@laptop", Host: "laptop", Release: "r1-a", Sequence: 1,
			Since: start, Until: start.Add(30 * time.Second), LeaseMS: 30_000,
		}
		got := stored(t, store)
		if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(release.Lock{}, "Holder")); diff != "" {
			t.Errorf("lock.json (-got +want):\n%s", diff)
		}
		if len(got.Holder) != 32 {
			t.Errorf("the holder %q has not 128 random bits", got.Holder)
		}
		if s, err := r.Read(t.Context()); err != nil || s.Lock == nil || s.Lock.Holder != got.Holder {
			t.Errorf("the state shows the lock %+v, %v", s.Lock, err)
		}
		check(t, h, nil)
		give(t, h)
		if l := stored(t, store); !l.Free || l.Holder != got.Holder {
			t.Errorf("given back, lock.json is %+v", l)
		}
		if s, err := r.Read(t.Context()); err != nil || s.Lock != nil {
			t.Errorf("given back, the state shows the lock %+v, %v", s.Lock, err)
		}
		next := hold(t, store, release.LockOptions{})
		if l := stored(t, store); l.Holder == got.Holder || l.Free {
			t.Errorf("taken again, lock.json is %+v", l)
		}
		within(t, "taken again", time.Since(start), 0, 0)
		give(t, next)
	})
}

func TestWaitingForAHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		first := hold(t, store, release.LockOptions{Writer: "ben@laptop", Release: "r2-b"})
		start := time.Now()
		time.AfterFunc(20*time.Second+500*time.Millisecond, func() { give(t, first) })
		var told []time.Duration
		second := hold(t, store, release.LockOptions{Timeout: time.Minute, Waiting: func(held release.Lock, left time.Duration) {
			told = append(told, time.Since(start))
			if held.Writer != "ben@laptop" || held.Release != "r2-b" || left <= 20*time.Second || left > 30*time.Second {
				t.Errorf("told of %+v, dead in %s", held, left)
			}
		}})
		within(t, "taken", time.Since(start), 20*time.Second+500*time.Millisecond, 22*time.Second)
		if len(told) != 21 || told[0] != 0 || told[1] != time.Second {
			t.Errorf("told at %v, want at once and every second", told)
		}
		give(t, second)
	})
}

func TestAHeldLock(t *testing.T) {
	rows := []struct {
		name    string
		timeout time.Duration
	}{{"no wait", 0}, {"a wait shorter than a lease", 7*time.Second + 100*time.Millisecond}, {"a wait of many leases", 10 * time.Minute}}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				first := hold(t, store, release.LockOptions{Writer: "ben@laptop", Release: "r2-b"})
				start, told, before := time.Now(), 0, lockPuts(store)
				_, err := record(t, store).Lock(t.Context(), release.LockOptions{
					Timeout: row.timeout, Waiting: func(release.Lock, time.Duration) { told++ },
					Gone: func(string, string) bool { return false },
				})
				if !errors.Is(err, release.ErrLocked) || !strings.Contains(err.Error(), "ben@laptop") || !strings.Contains(err.Error(), "r2-b") {
					t.Errorf("Lock: %v, want ErrLocked and who has it", err)
				}
				within(t, "refused", time.Since(start), row.timeout, row.timeout)
				if (told > 0) != (row.timeout > 0) {
					t.Errorf("told %d times while it waited for %s", told, row.timeout)
				}
				if renewals := int(row.timeout / (7500 * time.Millisecond)); lockPuts(store)-before > renewals {
					t.Errorf("%d writes of the lock, want the %d of its holder", lockPuts(store)-before, renewals)
				}
				check(t, first, nil)
				give(t, first)
			})
		})
	}
}

// Two holders of one name, as by a broken source of randomness, are two.
func TestAHolderOfTheSameName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		h, err := open(t, store, 7).Record.Lock(t.Context(), release.LockOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, store, 7).Record.Lock(t.Context(), release.LockOptions{}); !errors.Is(err, release.ErrLocked) {
			t.Errorf("Lock: %v, want ErrLocked", err)
		}
		give(t, h)
	})
}

// A holder that is cut off for good is taken over a whole lease of its own after
// its last renewal was seen, no sooner, and finds out.
func TestADeadHolderIsTakenOver(t *testing.T) {
	for _, lease := range []time.Duration{2 * time.Second, 33_300 * time.Millisecond, 5 * time.Minute} {
		t.Run(lease.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				laptop := &machine{Store: store}
				first := hold(t, laptop, release.LockOptions{Lease: lease})
				time.Sleep(lease / 10)
				laptop.cut.Store(true)
				start := time.Now()
				second := hold(t, store, release.LockOptions{Lease: time.Second, Timeout: time.Hour})
				within(t, "taken over", time.Since(start), lease, lease)
				check(t, second, nil)
				laptop.cut.Store(false)
				check(t, first, release.ErrLost)
				before := stored(t, store)
				give(t, first)
				if diff := cmp.Diff(stored(t, store), before); diff != "" {
					t.Errorf("the lost lock was given back over the other's (-got +want):\n%s", diff)
				}
				check(t, first, release.ErrLost)
				give(t, second)
			})
		})
	}
}

func TestAHolderThatIsKnownToBeDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		overwrite(t, store, others())
		start := time.Now()
		h := hold(t, store, release.LockOptions{Gone: func(holder, host string) bool {
			if holder != others().Holder || host != "desk" {
				t.Errorf("asked for %s at %s", holder, host)
			}
			return true
		}})
		within(t, "taken over", time.Since(start), 0, 0)
		give(t, h)
		overwrite(t, store, others())
		h = hold(t, store, release.LockOptions{Timeout: time.Minute, Gone: func(string, string) bool { return time.Since(start) > 3*time.Second }})
		within(t, "taken over once it had died", time.Since(start), 3*time.Second, 5*time.Second)
		give(t, h)
	})
}

func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		var announced, ended []string
		announce := func(holder string) (func() error, error) {
			if len(store.Calls()) > 0 && lockPuts(store) > 0 {
				t.Error("announced after the lock was written")
			}
			announced = append(announced, holder)
			return func() error { ended = append(ended, holder); return errors.New("ignored") }, nil
		}
		h := hold(t, store, release.LockOptions{Announce: announce})
		if holder := stored(t, store).Holder; len(announced) != 1 || announced[0] != holder || len(ended) != 0 {
			t.Errorf("announced %v, ended %v; the holder is %s", announced, ended, holder)
		}
		give(t, h)
		give(t, h)
		if diff := cmp.Diff(ended, announced); diff != "" {
			t.Errorf("ended is not what was announced (-got +want):\n%s", diff)
		}
		give(t, hold(t, store, release.LockOptions{Announce: func(string) (func() error, error) { return nil, errors.New("no folder") }}))
		overwrite(t, store, others())
		store.ResetCalls()
		if _, err := record(t, store).Lock(t.Context(), release.LockOptions{Announce: announce}); !errors.Is(err, release.ErrLocked) {
			t.Errorf("Lock: %v", err)
		}
		if len(ended) != 2 {
			t.Errorf("without the lock: announced %v, ended %v", announced, ended)
		}
	})
}

// What lies in lock.json is somebody's, or damaged.
func TestStrangeLocks(t *testing.T) {
	overflow := others()
	overflow.LeaseMS = 1 << 62
	negative := others()
	negative.LeaseMS = -1
	rows := []struct {
		name string
		data string // of lock.json; "" takes lock
		lock release.Lock
		wait time.Duration // until it is taken over; 0 means never
		is   error
		text string
	}{
		{"no JSON", "x", release.Lock{}, 0, nil, "delete .freshet-"},
		{"a newer version", `{"version":2}`, release.Lock{}, 0, release.ErrVersion, "version 2"},
		{"a lease beyond all bounds", "", overflow, time.Hour, nil, ""},
		{"a lease that is none", "", negative, 10 * time.Millisecond, nil, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				overwrite(t, store, row.lock)
				if row.data != "" {
					store.Set(find(t, store, "/lock.json"), []byte(row.data), site.Headers{})
				}
				start := time.Now()
				h, err := record(t, store).Lock(t.Context(), release.LockOptions{Timeout: 2 * time.Hour})
				if row.wait > 0 {
					if err != nil {
						t.Fatal(err)
					}
					within(t, "taken over", time.Since(start), row.wait, row.wait)
					give(t, h)
					return
				}
				if err == nil || !strings.Contains(err.Error(), row.text) || row.is != nil && !errors.Is(err, row.is) {
					t.Errorf("Lock: %v, want %q", err, row.text)
				}
			})
		})
	}
}

// Requests that fail for the moment, each of them some times.
func TestLockOnAPoorConnection(t *testing.T) {
	for fails := 1; fails <= 6; fails++ {
		t.Run(fmt.Sprint(fails, " failures of each request"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				r := record(t, store)
				left := map[string]int{}
				var mu = make(chan struct{}, 1)
				store.SetHook(func(op, key string) memory.Fault {
					mu <- struct{}{}
					defer func() { <-mu }()
					left[op+key]++
					if left[op+key] <= fails {
						return memory.FailBefore(errCut)
					}
					return memory.Fault{}
				})
				h, err := r.Lock(t.Context(), release.LockOptions{})
				store.SetHook(nil)
				if fails < 6 {
					if err != nil {
						t.Fatal(err)
					}
					check(t, h, nil)
					give(t, h)
				} else if !errors.Is(err, remote.ErrTemporary) {
					t.Errorf("Lock: %v, want ErrTemporary", err)
				}
				give(t, hold(t, store, release.LockOptions{}))
			})
		})
	}
}

// The claim's requests all seem to fail, and one arrives when nobody waits for
// it any more.
func TestALateClaimIsFencedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		var mu sync.Mutex // for late
		var late *remote.Put
		odd := putter{store, nil}
		odd.put = func(ctx context.Context, put remote.Put) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if late == nil && strings.HasSuffix(string(put.Key), "/lock.json") {
				late = &put
			}
			if late != nil && put.If == late.If {
				body := make([]byte, put.Size)
				if _, err := put.Body.Read(body); err == nil && !strings.Contains(string(body), `"free":true`) {
					return "", errCut
				}
			}
			if _, err := put.Body.Seek(0, 0); err != nil {
				return "", err
			}
			return store.Put(ctx, put)
		}
		if _, err := record(t, odd).Lock(t.Context(), release.LockOptions{}); !errors.Is(err, remote.ErrTemporary) {
			t.Fatalf("Lock: %v", err)
		}
		if _, err := late.Body.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), *late); !errors.Is(err, remote.ErrPrecondition) {
			t.Errorf("the late claim: %v, want ErrPrecondition", err)
		}
		start := time.Now()
		give(t, hold(t, store, release.LockOptions{Timeout: time.Minute}))
		within(t, "taken", time.Since(start), 0, 0)
	})
}

func TestLockIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		overwrite(t, store, others())
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := record(t, store).Lock(ctx, release.LockOptions{Timeout: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock: %v", err)
		}
		if diff := cmp.Diff(stored(t, store), others()); diff != "" {
			t.Errorf("lock.json (-got +want):\n%s", diff)
		}
	})
	t.Run("once it has been taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := established(t)
			store.SetHook(func(op, key string) memory.Fault {
				if strings.HasSuffix(key, "/README.txt") {
					return memory.Delay(time.Hour)
				}
				return memory.Fault{}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := record(t, store).Lock(ctx, release.LockOptions{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Lock: %v", err)
			}
			if !stored(t, store).Free {
				t.Errorf("lock.json is %+v, want it free", stored(t, store))
			}
		})
	})
}

// A refusal is an answer, whatever else went wrong: nothing waits for a better
// one.
func TestARefusalIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, start := established(t), time.Now()
		store.SetHook(func(op, key string) memory.Fault {
			if strings.HasSuffix(key, "/README.txt") {
				return memory.FailAfter(errCut)
			}
			return memory.Fault{}
		})
		give(t, hold(t, store, release.LockOptions{}))
		within(t, "taken", time.Since(start), 0, 0)
	})
}

// What was seen before the lock was taken holds only if nobody else could have
// written in between.
func TestFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record := record(t, memory.NewStore(memory.StoreOptions{}))
		seen, err := record.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first, err := record.Lock(t.Context(), release.LockOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !first.Follows(seen) {
			t.Error("the first lock ever does not follow what was seen before it")
		}
		held, err := record.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		free, err := record.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := record.Lock(t.Context(), release.LockOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Release(t.Context())
		if second.Follows(seen) || second.Follows(held) || !second.Follows(free) {
			t.Errorf("the second lock follows: before the first %v, while it was held %v, after it %v; want false, false, true",
				second.Follows(seen), second.Follows(held), second.Follows(free))
		}
	})
}
