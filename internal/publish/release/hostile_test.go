package release_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

// hostile are stores that do not do what S3 does with a condition.
var hostile = []struct {
	name string
	put  func(s *memory.Store) func(context.Context, remote.Put) (string, error)
	text string
}{
	{"it ignores all conditions", func(s *memory.Store) func(context.Context, remote.Put) (string, error) {
		return func(ctx context.Context, put remote.Put) (string, error) {
			put.If = remote.Condition{}
			return s.Put(ctx, put)
		}
	}, "ignores conditional writes"},
	{"it ignores If-None-Match", func(s *memory.Store) func(context.Context, remote.Put) (string, error) {
		return func(ctx context.Context, put remote.Put) (string, error) {
			put.If.Absent = false
			return s.Put(ctx, put)
		}
	}, "ignores conditional writes (If-None-Match)"},
	{"it ignores If-Match", func(s *memory.Store) func(context.Context, remote.Put) (string, error) {
		return func(ctx context.Context, put remote.Put) (string, error) {
			put.If.ETag = ""
			return s.Put(ctx, put)
		}
	}, "ignores conditional writes (If-Match)"},
	{"it refuses conditions", func(s *memory.Store) func(context.Context, remote.Put) (string, error) {
		return func(ctx context.Context, put remote.Put) (string, error) {
			if put.If != (remote.Condition{}) {
				return "", fmt.Errorf("501 NotImplemented: %w", remote.ErrUnsupported)
			}
			return s.Put(ctx, put)
		}
	}, "refuses conditional writes"},
}

const unprotected = "nothing keeps two deploys apart, and a slow one can overwrite the record of a newer one"

func wantUnsupported(t *testing.T, what string, err error, text string) {
	t.Helper()
	if !errors.Is(err, remote.ErrUnsupported) || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), unprotected) {
		t.Errorf("%s: %v, want ErrUnsupported, %q and what is not protected", what, err, text)
	}
}

func TestAStoreWithoutConditionalWrites(t *testing.T) {
	for _, row := range hostile {
		t.Run(row.name+", nothing published yet", func(t *testing.T) {
			store := memory.NewStore(memory.StoreOptions{})
			odd := putter{store, row.put(store)}
			_, err := record(t, odd).Lock(t.Context(), release.LockOptions{})
			wantUnsupported(t, "Lock", err, row.text)
			o := open(t, odd, 1)
			_, err = o.Begin(t.Context(), o.State, journal("r1-a", 1))
			wantUnsupported(t, "Begin", err, row.text)
			if got := stateKeys(store); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
		})
		t.Run(row.name+", with a record", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				give(t, hold(t, store, release.LockOptions{}))
				r := record(t, putter{store, row.put(store)})
				_, err := r.Lock(t.Context(), release.LockOptions{})
				wantUnsupported(t, "Lock", err, row.text)
				wantUnsupported(t, "Probe", r.Probe(t.Context()), row.text)
				if l := stored(t, store); !l.Free {
					t.Errorf("lock.json is %+v, want it free", l)
				}
			})
		})
		t.Run(row.name+", and that is known", func(t *testing.T) {
			store := memory.NewStore(memory.StoreOptions{})
			odd := putter{store, row.put(store)}
			liveUnconditionally(t, odd)
			if o := open(t, store, 2); o.LiveID() != "r2-b" || o.Journal != nil || o.State.Lock != nil {
				t.Errorf("the record is %+v", o.State)
			}
		})
	}
}

func liveUnconditionally(t *testing.T, store remote.Store) {
	t.Helper()
	r, err := release.Open(t.Context(), store, release.Options{Unconditional: true})
	if err != nil {
		t.Fatal(err)
	}
	h, err := r.Lock(t.Context(), release.LockOptions{Announce: func(string) (func() error, error) {
		t.Error("a lock that is none was announced")
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, h, nil)
	if err := r.Probe(t.Context()); err != nil {
		t.Errorf("Probe: %v", err)
	}
	for i, id := range []release.ID{"r1-a", "r2-b"} {
		s, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.NextNumber() != i+1 {
			t.Errorf("release %s is number %d", id, s.NextNumber())
		}
		publish(t, opened{r, s}, id, "a")
	}
	give(t, h)
	check(t, h, nil)
}

func TestUnconditionalWritesHaveNoCondition(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	liveUnconditionally(t, putter{store, func(ctx context.Context, put remote.Put) (string, error) {
		if put.If != (remote.Condition{}) {
			t.Errorf("%s was written if %+v", put.Key, put.If)
		}
		return store.Put(ctx, put)
	}})
}

// A store whose ETags are no good for a condition: every such write is refused.
func TestAStoreThatNeverMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		give(t, hold(t, store, release.LockOptions{}))
		var claims atomic.Int32
		odd := putter{store, func(ctx context.Context, put remote.Put) (string, error) {
			if put.If.ETag != "" {
				claims.Add(1)
				return "", remote.ErrPrecondition
			}
			return store.Put(ctx, put)
		}}
		_, err := record(t, odd).Lock(t.Context(), release.LockOptions{Timeout: time.Hour})
		wantUnsupported(t, "Lock", err, "although nothing has changed")
		if n := claims.Load(); n > 20 {
			t.Errorf("%d claims", n)
		}
	})
}

func TestTheReadmeIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		readme := find(t, store, "/README.txt")
		want := store.Objects()[readme]
		store.Remove(readme)
		give(t, hold(t, store, release.LockOptions{}))
		if diff := cmp.Diff(store.Objects()[readme], want); diff != "" {
			t.Errorf("README.txt (-got +want):\n%s", diff)
		}
	})
}

// The probe cannot be answered: the lock, which has been written, is free again.
func TestTheProbeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := established(t)
		store.SetHook(func(op, key string) memory.Fault {
			if op == memory.OpPut && strings.HasSuffix(key, "/README.txt") {
				return memory.Delay(time.Second).And(memory.FailBefore(remote.ErrDenied))
			}
			return memory.Fault{}
		})
		if _, err := record(t, store).Lock(t.Context(), release.LockOptions{}); !errors.Is(err, remote.ErrDenied) {
			t.Errorf("Lock: %v, want ErrDenied", err)
		}
		if l := stored(t, store); l.Sequence != 2 || !l.Free {
			t.Errorf("lock.json is %+v, want it taken and free again", l)
		}
	})
}
