package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errCut is what a machine without a network sees.
var errCut = fmt.Errorf("%w: connection reset", remote.ErrTemporary)

// machine is one machine's way to a store; it can be cut off.
type machine struct {
	remote.Store
	cut  atomic.Bool
	puts atomic.Int64 // that reached the store
	gets atomic.Int64
}

func (m *machine) Get(ctx context.Context, key site.Key) ([]byte, string, error) {
	if m.cut.Load() {
		return nil, "", errCut
	}
	m.gets.Add(1)
	return m.Store.Get(ctx, key)
}

func (m *machine) Put(ctx context.Context, put remote.Put) (string, error) {
	if m.cut.Load() {
		return "", errCut
	}
	m.puts.Add(1)
	return m.Store.Put(ctx, put)
}

// putter is a store whose Put is replaced.
type putter struct {
	remote.Store
	put func(ctx context.Context, put remote.Put) (string, error)
}

func (p putter) Put(ctx context.Context, put remote.Put) (string, error) { return p.put(ctx, put) }

// established is a store with a record in it.
func established(t testing.TB) *memory.Store {
	t.Helper()
	store := memory.NewStore(memory.StoreOptions{})
	publish(t, open(t, store, 1), "r1-a", "a")
	return store
}

func record(t testing.TB, store remote.Store) *release.Record {
	t.Helper()
	r, err := release.Open(context.Background(), store, release.Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return r
}

// hold takes the lock, or the test is over.
func hold(t testing.TB, store remote.Store, o release.LockOptions) *release.Hold {
	t.Helper()
	h, err := record(t, store).Lock(context.Background(), o)
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	return h
}

func give(t testing.TB, h *release.Hold) {
	t.Helper()
	if err := h.Release(context.Background()); err != nil {
		t.Errorf("Release: %v", err)
	}
}

func check(t testing.TB, h *release.Hold, want error) {
	t.Helper()
	if err := h.Check(context.Background()); !errors.Is(err, want) {
		t.Errorf("Check: %v, want %v", err, want)
	}
}

// stored is lock.json as it lies in the store.
func stored(t testing.TB, s *memory.Store) (l release.Lock) {
	t.Helper()
	if err := json.Unmarshal(s.Objects()[find(t, s, "/lock.json")].Data, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// overwrite puts another lock there, as somebody who asks for nothing.
func overwrite(t testing.TB, s *memory.Store, l release.Lock) {
	t.Helper()
	data, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	s.Set(site.Key(find(t, s, "/current.json").Dir()+"lock.json"), data, site.Headers{})
}

// others is somebody else's lock.
func others() release.Lock {
	return release.Lock{Version: 1, Holder: strings.Repeat("ab", 16), Writer: "ann@desk", Host: "desk", Release: "r2-ann", Sequence: 1, Since: began, LeaseMS: 30_000}
}

// lockPuts counts the writes of lock.json.
func lockPuts(s *memory.Store) (n int) {
	for _, c := range s.Calls() {
		if c.Op == memory.OpPut && strings.HasSuffix(c.Key, "/lock.json") {
			n++
		}
	}
	return n
}

func within(t testing.TB, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s after %s, want %s to %s", what, got, least, most)
	}
}
