package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// pair is a node with a control node and two edges, of which one is hostile.
type pair struct {
	control, honest, hostile *Engine
	victim                   string // the honest edge's key
}

func startPair(t *testing.T) (p pair) {
	t.Helper()
	files := certify(t)
	honest, victim := key(t)
	hostile, other := key(t)
	n := alone(t, Config{Listen: "127.0.0.1:0", TLS: files, Edges: []string{victim, other}})
	opts := Options{Servers: []string{"tls://" + n.Address()}, CA: files.CA, Edge: true}
	p.control, p.victim = connect(t, Options{Node: n}), victim
	opts.Seed = honest
	p.honest = connect(t, opts)
	opts.Seed = hostile
	p.hostile = connect(t, opts)
	return p
}

// seen is the newest that a watcher sees of a member, after a while.
func seen(t *testing.T, e *Engine, member string) (newest fleet.Lease) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_ = e.Watch(ctx, func(l fleet.Lease) {
		if l.Member == member {
			newest = l
		}
	})
	return newest
}

func mustWrite(t *testing.T, e *Engine, l fleet.Lease, revision uint64) uint64 {
	t.Helper()
	at, err := e.Write(within(t, time.Minute), l, revision)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A member's id is in the log, where every edge reads it. Another edge cannot speak for it, also to a control node that begins after it did so.
func TestEdgeSpeaksForItselfOnly(t *testing.T) {
	p := startPair(t)
	m := p.honest.Member([]byte("0123456789"))
	mustWrite(t, p.hostile, fleet.Lease{Member: m, Applied: 99, Ended: true}, 0)
	at := mustWrite(t, p.honest, fleet.Lease{Member: m, Applied: 1}, 0)
	mustWrite(t, p.honest, fleet.Lease{Member: m, Applied: 2}, at) // its newest record is younger than the other's
	if l := seen(t, p.control, m); l.Ended || l.Applied != 2 {
		t.Errorf("a control node sees %+v", l)
	}
	mustWrite(t, p.hostile, fleet.Lease{Member: m, Applied: 99, Ended: true}, 1)
	if l, err := p.control.Lease(within(t, time.Minute), m); err != nil || l.Ended || l.Applied != 2 {
		t.Errorf("a control node reads %+v, %v", l, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	fresh := &Engine{nc: p.control.nc, opts: p.control.opts, owner: p.control.owner, log: p.control.log, again: make(chan struct{})} // knows no lease yet
	go func() {
		for ctx.Err() == nil {
			_ = p.hostile.Report(m, 99)
			_ = p.honest.Report(m, 2)
			_ = fleet.Sleep(ctx, 10*time.Millisecond)
		}
	}()
	heard := 0
	_ = fresh.Reports(ctx, func(member string, applied uint64) {
		heard++
		if applied == 99 {
			t.Error("a report of another's is heard")
			cancel()
		}
	})
	if heard == 0 {
		t.Error("nothing was heard: the test tests nothing")
	}
}

// A record that cannot be read, of a newer program or of none, can be ended like any other: nothing that an edge writes makes the fleet wait for ever.
func TestUnreadableLeaseCanBeEnded(t *testing.T) {
	p := startPair(t)
	m := p.hostile.Member([]byte("0123456789"))
	at := mustWrite(t, p.hostile, fleet.Lease{Member: m}, 0)
	for _, data := range []string{"", "no JSON", `{"term":"long"}`, `[]`} {
		next, err := p.hostile.publish(within(t, time.Minute), message(leaseSubject+p.hostile.owner+"."+m, []byte(data), headerID, "id of "+data))
		if err != nil {
			t.Fatal(err)
		}
		if l := seen(t, p.control, m); l.Revision != next {
			t.Errorf("%q: the watcher sees %+v", data, l)
		}
		if l, err := p.control.Lease(within(t, time.Minute), m); err != nil || l.Revision != next {
			t.Errorf("%q: reads %+v, %v", data, l, err)
		}
		at = next
	}
	mustWrite(t, p.control, fleet.Lease{Member: m, Ended: true}, at)
}

// An edge may have an answer sent to anywhere: also one with an entry that it had added to the log, whose data and position it chose.
func TestEdgeCannotForgeLeasesByAnswers(t *testing.T) {
	p := startPair(t)
	m := p.honest.Member([]byte("0123456789"))
	mustAppend(t, p.control, 0, "first")
	mustWrite(t, p.honest, fleet.Lease{Member: m, Applied: 1}, 0) // the first of the leases, as the log has one entry
	forged, err := json.Marshal(fleet.Lease{Member: m, Applied: 99})
	if err != nil {
		t.Fatal(err)
	}
	if at, err := p.hostile.Add(within(t, time.Minute), "x", forged); err != nil || at != 2 {
		t.Fatal(at, err)
	}
	if err := p.hostile.nc.PublishRequest(apiDirectGet+logStream, leaseSubject+p.victim+"."+m, []byte(`{"seq":2}`)); err != nil {
		t.Fatal(err)
	}
	l := seen(t, p.control, m)
	if l.Applied == 99 {
		t.Errorf("the watcher sees %+v", l)
	}
	l, err = p.control.Lease(within(t, time.Minute), m)
	if err != nil || l.Applied == 99 {
		t.Errorf("reads %+v, %v", l, err)
	}
	if l.Revision < 2 {
		t.Error("the answer was not stored: the test tests nothing")
	}
}

func TestEdgeCannotForgeSnapshotsByAnswers(t *testing.T) {
	p := startPair(t)
	ctx := within(t, time.Minute)
	mustAppend(t, p.control, 0, "first")
	put := func(at uint64, state string) {
		t.Helper()
		if err := p.control.Put(ctx, at, strings.NewReader(state)); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "state")
	h, err := p.control.head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(subject string) {
		t.Helper()
		if err := p.hostile.nc.PublishRequest(apiInfo+logStream, subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if _, err := p.hostile.Add(ctx, "after "+subject, nil); err != nil { // the answer has come by then
			t.Fatal(err)
		}
	}
	forge(snapshotPart + h.ID)
	if sequence, got := read(t, ctx, p.honest); sequence != 1 || got != "state" {
		t.Errorf("after a part too many: %d %q", sequence, got)
	}
	forge(snapshotHead)
	if sequence, got := read(t, ctx, p.honest); sequence != 0 || got != "" { // as long as the next one is not put
		t.Errorf("after a record that is none: %d %q", sequence, got)
	}
	put(2, "another")
	if sequence, got := read(t, ctx, p.honest); sequence != 2 || got != "another" {
		t.Errorf("after the next one: %d %q", sequence, got)
	}
}

func read(t *testing.T, ctx context.Context, e *Engine) (uint64, string) {
	t.Helper()
	sequence, state, err := e.Get(ctx)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	data, err := io.ReadAll(state)
	if err != nil {
		t.Error(err)
	}
	return sequence, string(data)
}

// An answer that is sent to the log brings a position of another stream in its headers. It is at its own position all the same.
func TestEdgeCannotForgePositions(t *testing.T) {
	for _, live := range []bool{false, true} {
		t.Run(fmt.Sprintf("live %v", live), func(t *testing.T) {
			p := startPair(t)
			ctx := within(t, time.Minute)
			mustAppend(t, p.control, 0, "1")
			for range 3 { // so that the newest part of a snapshot is at 5 of its stream
				if err := p.control.Put(ctx, 1, strings.NewReader("state")); err != nil {
					t.Fatal(err)
				}
			}
			follow := func() (at func(uint64) string) {
				var mu sync.Mutex
				got := map[uint64]string{}
				f := fleet.NewFollower(p.honest, 0, func(_ context.Context, e fleet.Entry) error {
					mu.Lock()
					defer mu.Unlock()
					got[e.Sequence] = string(e.Data)
					return nil
				})
				go func() { _ = f.Run(ctx) }()
				return func(n uint64) string {
					if err := f.Wait(within(t, 5*time.Second), n); err != nil {
						return err.Error()
					}
					mu.Lock()
					defer mu.Unlock()
					return got[n]
				}
			}
			at := follow
			var is func(uint64) string
			if live {
				is = at()
				if got := is(1); got != "1" {
					t.Fatal(got)
				}
			}
			if err := p.hostile.nc.PublishRequest(apiDirectGet+snapshotStream, entrySubject, []byte(`{"seq":5}`)); err != nil {
				t.Fatal(err)
			}
			for {
				if _, last, err := p.control.Bounds(ctx); err != nil || last == 2 {
					break
				}
			}
			if !live {
				is = at()
			}
			for n := uint64(2); n < 6; n++ {
				mustAppend(t, p.control, n, fmt.Sprint(n+1))
			}
			for n := uint64(3); n <= 6; n++ {
				if got := is(n); got != fmt.Sprint(n) {
					t.Errorf("entry %d is %q", n, got)
				}
			}
		})
	}
}

// An answer that says that there is nothing is not taken for one when it is read from the log.
func TestEdgeCannotEndTheLogByAnswers(t *testing.T) {
	p := startPair(t)
	ctx := within(t, time.Minute)
	mustAppend(t, p.control, 0, "1")
	for _, ask := range []string{`{"seq":99}`, `{"seq":1,"batch":1}`, `{`, ``} {
		if err := p.hostile.nc.PublishRequest(apiDirectGet+logStream, entrySubject, []byte(ask)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.hostile.Add(ctx, "after them", nil); err != nil {
		t.Fatal(err)
	}
	at, err := p.control.Add(ctx, "last", []byte("last"))
	if err != nil {
		t.Fatal(err)
	}
	t.Log("the last entry is at", at)
	f := fleet.NewFollower(p.honest, 0, func(context.Context, fleet.Entry) error { return nil })
	go func() { _ = f.Run(ctx) }()
	if err := f.Wait(within(t, 5*time.Second), at); err != nil {
		t.Errorf("followed to %d of %d: %v", f.Applied(), at, err)
	}
	for n := uint64(1); n <= at; n++ {
		if _, err := p.honest.Read(within(t, 5*time.Second), n); err != nil {
			t.Errorf("read %d: %v", n, err)
		}
	}
}
