// Package fleettest is the contract of package fleet's engines as tests, to be run on each of them.
//
// It has the clocks of a machine, too, for tests in which they disagree.
//
// The contract tests what every engine promises while nothing fails; what an engine promises beyond, and under failures, is for its own tests.
package fleettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// limit bounds what should take no time, so that a hanging engine fails instead.
const limit = 30 * time.Second

// Test runs the contract. fresh makes a new, empty fleet and returns what connects a further engine to it; the engines
// are closed here, the rest by fresh's t.Cleanup.
func Test(t *testing.T, fresh func(t *testing.T) (connect func() fleet.Engine)) {
	for name, test := range map[string]func(t *testing.T, ctx context.Context, one, two fleet.Engine){
		"an empty log":                      emptyLog,
		"append in order":                   appendInOrder,
		"append behind":                     appendBehind,
		"append repeated":                   appendRepeated,
		"add repeated":                      addRepeated,
		"append in a race":                  appendRace,
		"sizes":                             sizes,
		"follow":                            follow,
		"follow ends":                       followEnds,
		"leases change by compare-and-swap": leaseSwap,
		"leases in a race":                  leaseRace,
		"leases are watched":                leaseWatch,
		"reports":                           reports,
		"snapshots":                         snapshots,
		"a context that has ended":          ended,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			connect := fresh(t)
			one, two := connect(), connect()
			defer one.Close()
			defer two.Close()
			test(t, ctx, one, two)
		})
	}
}

func emptyLog(t *testing.T, ctx context.Context, one, _ fleet.Engine) {
	wantBounds(t, ctx, one, 1, 0)
	if _, err := one.Read(ctx, 1); err == nil || errors.Is(err, fleet.ErrDropped) {
		t.Errorf("read of an entry that is not there yet: %v", err)
	}
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond) // an engine may wait for the entry that is named
	defer cancel()
	if _, err := one.Append(soon, 3, "x", nil); err == nil {
		t.Error("append after an entry that is not there succeeded")
	}
	wantBounds(t, ctx, one, 1, 0)
}

func appendInOrder(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	for n := range uint64(5) {
		got, err := []fleet.Engine{one, two}[n%2].Append(ctx, n, fmt.Sprint("id", n), []byte(fmt.Sprint("entry ", n+1)))
		if err != nil || got != n+1 {
			t.Fatalf("append after %d: %d, %v", n, got, err)
		}
	}
	if got, err := two.Add(ctx, "added", []byte("entry 6")); err != nil || got != 6 {
		t.Fatalf("add: %d, %v", got, err)
	}
	wantBounds(t, ctx, two, 1, 6)
	for n := range uint64(6) {
		got, err := one.Read(ctx, n+1)
		if err != nil || got.Sequence != n+1 || string(got.Data) != fmt.Sprint("entry ", n+1) {
			t.Errorf("read %d: %d %q, %v", n+1, got.Sequence, got.Data, err)
		}
	}
	if _, err := one.Read(ctx, 7); err == nil || errors.Is(err, fleet.ErrDropped) {
		t.Errorf("read of an entry that is not there yet: %v", err)
	}
}

func appendBehind(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	mustAppend(t, ctx, one, 0, "a")
	mustAppend(t, ctx, one, 1, "b")
	for after := range uint64(2) {
		if at, err := two.Append(ctx, after, fmt.Sprint("late", after), nil); !errors.Is(err, fleet.ErrBehind) {
			t.Errorf("append after %d of 2: %d, %v", after, at, err)
		}
	}
	wantBounds(t, ctx, two, 1, 2)
}

func appendRepeated(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	mustAppend(t, ctx, one, 0, "a")
	repeat := func(when string) {
		if at, err := two.Append(ctx, 0, "a", []byte("a")); err != nil || at != 1 {
			t.Errorf("%s: %d, %v", when, at, err)
		}
	}
	repeat("at once")
	mustAppend(t, ctx, one, 1, "b")
	mustAppend(t, ctx, one, 2, "c")
	repeat("where newer entries follow")
	wantBounds(t, ctx, one, 1, 3)
}

func addRepeated(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	mustAppend(t, ctx, one, 0, "a")
	for range 2 {
		if at, err := two.Add(ctx, "b", []byte("b")); err != nil || at != 2 {
			t.Errorf("add: %d, %v", at, err)
		}
		if at, err := one.Add(ctx, "b", []byte("b")); err != nil || at != 2 {
			t.Errorf("add elsewhere: %d, %v", at, err)
		}
	}
	mustAppend(t, ctx, one, 2, "c")
	wantBounds(t, ctx, one, 1, 3)
}

// appendRace has several appenders, each of which must find its place; positions are taken once.
func appendRace(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	const appenders, each = 6, 10
	var wait sync.WaitGroup
	taken := make([][]uint64, appenders)
	for a := range appenders {
		e := []fleet.Engine{one, two}[a%2]
		wait.Go(func() {
			var after uint64
			for n := 0; n < each; {
				at, err := e.Append(ctx, after, fmt.Sprint(a, "-", n, "-", after), []byte(fmt.Sprint(a)))
				switch {
				case err == nil:
					taken[a] = append(taken[a], at)
					n, after = n+1, at
				case errors.Is(err, fleet.ErrBehind):
					after++
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	wantBounds(t, ctx, one, 1, appenders*each)
	for a, list := range taken {
		for _, at := range list {
			if got, err := one.Read(ctx, at); err != nil || string(got.Data) != fmt.Sprint(a) {
				t.Errorf("entry %d: %q, want that of appender %d (%v)", at, got.Data, a, err)
			}
		}
	}
}

func sizes(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	big := bytes.Repeat([]byte("0123456789abcdef"), fleet.MaxEntry/16)
	for n, data := range [][]byte{{}, big, {0, 255}} {
		if _, err := one.Append(ctx, uint64(n), fmt.Sprint("size", n), data); err != nil {
			t.Fatal(err)
		}
		got, err := two.Read(ctx, uint64(n+1))
		if err != nil || !bytes.Equal(got.Data, data) {
			t.Errorf("entry of %d bytes: %d bytes, %v", len(data), len(got.Data), err)
		}
	}
	if _, err := one.Append(ctx, 3, "huge", append(big, 'x')); err == nil {
		t.Error("an entry above MaxEntry was taken")
	}
	if _, err := one.Add(ctx, "huge too", append(big, 'x')); err == nil {
		t.Error("an entry above MaxEntry was taken")
	}
	wantBounds(t, ctx, one, 1, 3)
}

// follow has followers from several positions, before, amid and after the entries.
func follow(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	const old, all = 10, 30
	for n := range uint64(old) {
		mustAppend(t, ctx, one, n, fmt.Sprint(n+1))
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, from := range []uint64{0, 1, 5, old + 1, old + 5} {
		wait.Go(func() {
			have := map[uint64]bool{}
			done := errors.New("all there")
			err := two.Follow(ctx, from, func(e fleet.Entry) error {
				if string(e.Data) != fmt.Sprint(e.Sequence) {
					t.Errorf("entry %d is %q", e.Sequence, e.Data)
				}
				if e.Sequence >= from {
					have[e.Sequence] = true
				}
				if len(have) == all-int(max(from, 1))+1 {
					return done
				}
				return nil
			})
			if !errors.Is(err, done) {
				t.Errorf("follower from %d: %v, with %d entries", from, err, len(have))
			}
		})
	}
	for n := uint64(old); n < all; n++ {
		mustAppend(t, ctx, one, n, fmt.Sprint(n+1))
	}
}

func followEnds(t *testing.T, ctx context.Context, one, _ fleet.Engine) {
	mustAppend(t, ctx, one, 0, "a")
	ctx, cancel := context.WithCancel(ctx)
	err := one.Follow(ctx, 1, func(fleet.Entry) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("follow ended with %v", err)
	}
}

func ended(t *testing.T, ctx context.Context, one, _ fleet.Engine) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := one.Append(ctx, 0, "a", nil); err == nil {
		t.Error("append: no error")
	}
	if _, err := one.Write(ctx, fleet.Lease{Member: "m"}, 0); err == nil {
		t.Error("write: no error")
	}
	if err := one.Put(ctx, 1, strings.NewReader("state")); err == nil {
		t.Error("put: no error")
	}
}

func snapshots(t *testing.T, ctx context.Context, one, two fleet.Engine) {
	wantSnapshot(t, ctx, one, 0, nil)
	large := bytes.Repeat([]byte("some state of a fleet; "), 130_000)
	for _, row := range []struct {
		sequence uint64
		state    []byte
	}{{7, []byte("seven")}, {8, large}, {9, nil}, {12, large[1:]}, {11, []byte("an earlier one in its place")}} {
		if err := one.Put(ctx, row.sequence, bytes.NewReader(row.state)); err != nil {
			t.Fatalf("put %d: %v", row.sequence, err)
		}
		wantSnapshot(t, ctx, two, row.sequence, row.state)
	}
	failing := io.MultiReader(bytes.NewReader(large), failingReader{})
	if err := one.Put(ctx, 20, failing); !errors.Is(err, errFailing) {
		t.Errorf("put of what cannot be read: %v", err)
	}
	wantSnapshot(t, ctx, two, 11, []byte("an earlier one in its place"))
}

var errFailing = errors.New("no more of it")

// failingReader gives nothing but an error.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errFailing }

func wantSnapshot(t *testing.T, ctx context.Context, e fleet.Engine, sequence uint64, state []byte) {
	t.Helper()
	got, r, err := e.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if got != sequence || !bytes.Equal(data, state) {
		t.Errorf("snapshot of entry %d with %d bytes, want that of %d with %d", got, len(data), sequence, len(state))
	}
}

func mustAppend(t *testing.T, ctx context.Context, e fleet.Log, after uint64, data string) {
	t.Helper()
	if at, err := e.Append(ctx, after, data, []byte(data)); err != nil || at != after+1 {
		t.Errorf("append after %d: %d, %v", after, at, err)
	}
}

func wantBounds(t *testing.T, ctx context.Context, e fleet.Log, first, last uint64) {
	t.Helper()
	gotFirst, gotLast, err := e.Bounds(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{gotFirst, gotLast}, []uint64{first, last}); diff != "" {
		t.Errorf("bounds (-got +want):\n%s", diff)
	}
}
