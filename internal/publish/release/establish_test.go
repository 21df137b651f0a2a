package release_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

const claim = site.StatePrefix + "claim"

var errKilled = errors.New("killed")

// prefixes are the folders of the record in the store.
func prefixes(s *memory.Store) map[string]int {
	out := map[string]int{}
	for k := range s.Objects() {
		if dir, _, ok := strings.Cut(string(k), "/"); ok {
			out[dir]++
		}
	}
	return out
}

// Many publishers find an empty bucket at once: one journal is written, all
// others are beaten, and one prefix is left.
func TestFirstPublishersAgree(t *testing.T) {
	for round := range 20 {
		store := memory.NewStore(memory.StoreOptions{})
		const publishers = 8
		var all []opened
		for i := range publishers {
			all = append(all, open(t, store, byte(i)))
		}
		errs := make([]error, publishers)
		var wg sync.WaitGroup
		for i, o := range all {
			wg.Go(func() {
				_, errs[i] = o.Begin(t.Context(), o.State, journal(release.ID(fmt.Sprintf("r1-%d", i)), 1))
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, release.ErrMoved) {
				t.Errorf("round %d: %v, want ErrMoved", round, err)
			}
		}
		if got := prefixes(store); won != 1 || len(got) != 1 {
			t.Fatalf("round %d: %d publishers won, prefixes %v; want one of each", round, won, got)
		}
		if open(t, store, 99).Journal == nil {
			t.Errorf("round %d: the winner's journal cannot be found", round)
		}
	}
}

// The second publisher begins at every point of the first one's making of the
// prefix, and the first one is killed there or goes on.
func TestKilledWhileMakingThePrefix(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for name, fault := range map[string]memory.Fault{"before": memory.FailBefore(errKilled), "after": memory.FailAfter(errKilled)} {
			t.Run(fmt.Sprintf("killed %s the effect of write %d", name, n), func(t *testing.T) {
				store := memory.NewStore(memory.StoreOptions{})
				first := open(t, store, 1)
				var mu sync.Mutex
				puts := 0
				store.SetHook(func(op, _ string) memory.Fault {
					mu.Lock()
					defer mu.Unlock()
					if op == memory.OpPut {
						puts++
					}
					if puts > n {
						return memory.FailBefore(errKilled)
					}
					if puts == n && op == memory.OpPut {
						return fault
					}
					return memory.Fault{}
				})
				if _, err := first.Begin(t.Context(), first.State, journal("r1-first", 1)); !errors.Is(err, errKilled) {
					t.Fatalf("Begin: %v", err)
				}
				store.SetHook(nil)
				publish(t, open(t, store, 2), "r1-second", "a")
				if got := open(t, store, 3).LiveID(); got != "r1-second" {
					t.Errorf("live is %q", got)
				}
			})
		}
	}
}

// The answer to the claim is lost, and so is the look that would have told it:
// the publisher finds itself named and must not clean itself away.
func TestTheClaimsAnswerIsLost(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	o := open(t, store, 1)
	gets := 0
	store.SetHook(func(op, key string) memory.Fault {
		switch {
		case op == memory.OpPut && key == claim:
			return memory.FailAfter(remote.ErrPrecondition) // as of an adapter that repeats a write by itself
		case op == memory.OpGet && key == claim:
			if gets++; gets == 1 {
				return memory.FailBefore(remote.ErrTemporary)
			}
		}
		return memory.Fault{}
	})
	if _, err := o.Begin(t.Context(), o.State, journal("r1-a", 1)); err != nil {
		t.Fatal(err)
	}
	store.SetHook(nil)
	find(t, store, "/README.txt")
	if open(t, store, 2).Journal == nil {
		t.Error("the journal cannot be found")
	}
}

func TestADamagedClaimIsRefused(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	publish(t, open(t, store, 1), "r1-a", "a")
	t.Run("it names a prefix that is gone", func(t *testing.T) {
		store.Set(claim, []byte("something else"), site.Headers{})
		if _, err := release.Open(t.Context(), store, release.Options{}); err == nil || !strings.Contains(err.Error(), "delete "+claim) {
			t.Errorf("Open: %v, want what to delete", err)
		}
	})
	t.Run("it is gone: the bucket is adopted anew", func(t *testing.T) {
		store.Remove(claim)
		o := open(t, store, 2)
		if o.LiveID() != "" {
			t.Errorf("live is %s", o.LiveID())
		}
		publish(t, o, "r1-b", "a")
		if got := open(t, store, 3).LiveID(); got != "r1-b" {
			t.Errorf("live is %q", got)
		}
	})
	t.Run("everything but the claim is gone", func(t *testing.T) {
		store := memory.NewStore(memory.StoreOptions{})
		store.Set(claim, []byte("something else"), site.Headers{})
		o := open(t, store, 4)
		if _, err := o.Begin(t.Context(), o.State, journal("r1-a", 1)); err == nil || !strings.Contains(err.Error(), "delete "+claim) {
			t.Errorf("Begin: %v, want what to delete", err)
		}
		for k := range store.Objects() {
			if !k.IsState() {
				t.Errorf("it wrote %s", k)
			}
		}
	})
}

func TestNewID(t *testing.T) {
	id, err := release.NewID(12, strings.NewReader("\x3f\x2a\x9c\x1b"))
	if err != nil || id != "r12-3f2a9c1b" {
		t.Errorf("NewID = %s, %v", id, err)
	}
	if _, err := release.NewID(1, strings.NewReader("")); err == nil {
		t.Error("no randomness is no error")
	}
}

// latecomer lists what was there before another first publisher made its
// prefix, and reads the claim after.
type latecomer struct {
	remote.Store
	old []string // the first listing's answer
}

func (s *latecomer) Dirs(ctx context.Context, prefix, start string) ([]string, error) {
	if old := s.old; old != nil {
		s.old = nil
		return old, nil
	}
	return s.Store.Dirs(ctx, prefix, start)
}

func TestTheClaimThatCameBetweenTwoReads(t *testing.T) {
	store := &latecomer{Store: established(t), old: []string{".freshet-00000000000000000000000000000000/"}}
	r, err := release.Open(t.Context(), store, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.Read(t.Context()); err != nil || s.LiveID() != "r1-a" {
		t.Errorf("Read: release %q, %v; want that of the record that is there", s.LiveID(), err)
	}
}
