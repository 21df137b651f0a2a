package release_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote/memory"
)

// A lock that was seen free is claimed without a look, and one that somebody has
// taken since is not.
func TestLockAsSeen(t *testing.T) {
	free := func(*testing.T, *memory.Store) {}
	rows := []struct {
		name    string
		before  func(*testing.T, *memory.Store) // the record is read after it
		since   func(*testing.T, *memory.Store) // and the lock is taken after this
		looks   int                             // at lock.json
		follows bool
		err     error
	}{
		{"never held", free, free, 0, true, nil},
		{"free", func(t *testing.T, s *memory.Store) { give(t, hold(t, s, release.LockOptions{})) }, free, 0, true, nil},
		{"held and freed since", free, func(t *testing.T, s *memory.Store) { give(t, hold(t, s, release.LockOptions{})) }, 2, false, nil},
		{"taken since", free, func(t *testing.T, s *memory.Store) { overwrite(t, s, others()) }, 4, false, release.ErrLocked}, // two of them to see that nothing is to be given back
		{"held when it was seen", func(t *testing.T, s *memory.Store) { overwrite(t, s, others()) }, free, 1, false, release.ErrLocked},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := established(t)
				row.before(t, store)
				o := open(t, store, 2)
				row.since(t, store)
				store.ResetCalls()
				h, err := o.Record.Lock(context.Background(), release.LockOptions{Seen: &o.State})
				if !errors.Is(err, row.err) {
					t.Fatalf("Lock: %v, want %v", err, row.err)
				}
				if n := store.Count(memory.OpGet); n != row.looks {
					t.Errorf("%d reads, want %d", n, row.looks)
				}
				if err != nil {
					return
				}
				if h.Follows(o.State) != row.follows {
					t.Errorf("follows what was seen: %t", !row.follows)
				}
				give(t, h)
			})
		})
	}
}

// A first publisher's store is probed once, and where the record is made the lock
// is not looked for.
func TestFirstLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.NewStore(memory.StoreOptions{})
		o := open(t, store, 1)
		store.ResetCalls()
		h, err := o.Record.Lock(context.Background(), release.LockOptions{Seen: &o.State})
		if err != nil {
			t.Fatal(err)
		}
		// README.txt, two probes, the claim, the lock.
		if puts, gets := store.Count(memory.OpPut), store.Count(memory.OpGet); puts != 5 || gets != 0 {
			t.Errorf("%d writes and %d reads, want 5 and none: %v", puts, gets, store.Calls())
		}
		give(t, h)
	})
}

// The manifest is stored first; what marks the journal is its digest.
func TestStoreManifestAndMark(t *testing.T) {
	store := established(t)
	o := open(t, store, 2)
	if _, err := o.Mark(t.Context(), o.State); err == nil {
		t.Error("Mark without a journal is no error")
	}
	s, err := o.Begin(t.Context(), o.State, journal("r2-b", 2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Mark(t.Context(), s); err == nil {
		t.Error("Mark without a manifest is no error")
	}
	m := manifest(t, "r2-b", 2, "b")
	if s, err = o.StoreManifest(t.Context(), s, m); err != nil {
		t.Fatal(err)
	}
	if seen := open(t, store, 3); !seen.Journal.Manifest.IsZero() {
		t.Error("StoreManifest marks the journal")
	}
	store.ResetCalls()
	if _, err := o.Commit(t.Context(), s, m, 0); err != nil || store.Count(memory.OpPut) != 1 {
		t.Errorf("Commit: %v, %d writes, want that of the pointer alone", err, store.Count(memory.OpPut))
	}
	other := open(t, store, 4)
	if other.LiveID() != "r2-b" || other.Journal != nil {
		t.Errorf("the record is %+v", other.State)
	}
}
