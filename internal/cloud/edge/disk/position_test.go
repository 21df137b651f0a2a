package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

func (r *rig) acceptAt(position uint64, items ...string) {
	r.t.Helper()
	if _, err := r.log.AcceptAt(position, "tag", items); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) wantPosition(want uint64) {
	r.t.Helper()
	if got := r.log.Position(); got != want {
		r.t.Errorf("position %d, want %d", got, want)
	}
}

// A position and its batch come back together after a kill; one that was reached without a batch, after Close or with the next batch.
func TestPositionSurvives(t *testing.T) {
	r := newRig(t)
	r.wantPosition(0)
	r.store("/a", 10)
	r.acceptAt(7, "/a")
	r.kill(nil)
	r.wantPosition(7)
	r.has("/a", 0)
	a := r.store("/a", 10)
	r.acceptAt(7, "/a") // a repeat after a restart
	r.has("/a", a)
	r.log.Advance(20)
	r.kill(nil)
	r.wantPosition(7)
	r.log.Advance(20)
	r.accept("/elsewhere")
	r.kill(nil)
	r.wantPosition(20)
	r.log.Advance(30)
	r.reopen()
	r.wantPosition(30)
	r.log.Advance(25)
	r.wantPosition(30)
}

// Sweeps and rewrites of the purge file drop batches, but never the position that they brought.
func TestPositionIsKept(t *testing.T) {
	r := newRig(t)
	for i := range 6000 {
		r.journal.Record(purge.Batch{Sequence: purge.Sequence(i + 1), Position: uint64(i + 100), Items: []string{fmt.Sprintf("/no/such/page/with/a/long/name/at/all/%d", i)}})
	}
	if err := r.journal.Wait(6000); err != nil {
		t.Fatal(err)
	}
	r.log.Restore(6000, nil)
	r.log.Advance(6200)
	r.journal.swept(6000)
	if got := r.journal.used(); got > 2000 {
		t.Errorf("%d bytes in use", got)
	}
	r.kill(nil)
	r.wantPosition(6200)
	r.acceptAt(6201, "/a")
	r.sweep()
	r.kill(nil)
	r.wantPosition(6201)
	if r.log.Current() != 6001 {
		t.Errorf("sequence %d", r.log.Current())
	}
}

// What may have lost a batch has no position.
func TestPositionIsLost(t *testing.T) {
	r := newRig(t)
	r.acceptAt(7, "/a")
	r.kill(func(dir string) {
		if err := os.Remove(filepath.Join(dir, purgeName)); err != nil {
			t.Fatal(err)
		}
	})
	r.wantPosition(0)
}

// A purge file of form 1 opens, with all that it covers, and takes positions from then on.
func TestPurgeFileOfForm1(t *testing.T) {
	r := newRig(t)
	r.store("/a", 10)
	b := r.store("/b", 10)
	r.accept("/a")
	r.kill(func(dir string) {
		path := filepath.Join(dir, purgeName)
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append([]byte(purgeMagic1), file[len(purgeMagic):]...), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		r.has("/a", 0)
		r.has("/b", b)
		r.reopen()
	}
	r.wantPosition(0)
	r.acceptAt(3, "/b")
	r.kill(nil)
	r.wantPosition(3)
	r.has("/b", 0)
	if r.log.Current() != 2 {
		t.Errorf("sequence %d, want 2", r.log.Current())
	}
}
