package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// raw publishes to the log as Append does, once, and returns what the server says.
func raw(t *testing.T, e *Engine, after uint64, id string) (uint64, error) {
	t.Helper()
	return e.publish(within(t, 10*time.Second), message(entrySubject, []byte(id), headerID, id, headerLast, strconv.FormatUint(after, 10)))
}

// TestRepeatIsRefusedForItsPosition shows what Append relies on and works around: one node tests the expected position
// before the message id, so that a repeat is refused; three nodes test the id first. Append is exact with both.
func TestRepeatIsRefusedForItsPosition(t *testing.T) {
	check := func(t *testing.T, e *Engine, refused bool) {
		mustAppend(t, e, 0, "a")
		at, err := raw(t, e, 0, "a")
		if outdated(err) != refused || !refused && at != 1 {
			t.Errorf("a repeat was answered with %d, %v", at, err)
		}
		mustAppend(t, e, 1, "b")
		mustAppend(t, e, 0, "a")
		wantBounds(t, e, 1, 2)
		if _, err := e.Append(within(t, time.Minute), 0, "c", nil); !errors.Is(err, fleet.ErrBehind) {
			t.Errorf("another entry at a taken position: %v", err)
		}
	}
	t.Run("alone", func(t *testing.T) { check(t, connect(t, Options{Node: alone(t, Config{})}), true) })
	t.Run("three", func(t *testing.T) { check(t, threeInProcess(t).connect(0), false) })
}

// TestLeaseIsFoundAfterALostAnswer writes a record whose answer is lost: the repeat, with the same id, must find its own.
func TestLeaseIsFoundAfterALostAnswer(t *testing.T) {
	e := connect(t, Options{Node: alone(t, Config{})})
	ctx := within(t, time.Minute)
	subject := leaseSubject + controlOwner + ".m"
	at, err := e.publish(ctx, message(subject, []byte(`{}`), headerID, "mine", headerLastOf, "0"))
	if err != nil {
		t.Fatal(err)
	}
	_, refused := e.publish(ctx, message(subject, []byte(`{}`), headerID, "mine", headerLastOf, "0"))
	if refused != nil { // the server tests the position first, as with the log
		got, err := e.taken(ctx, subject, "mine", 0, refused)
		if err != nil || got != at {
			t.Errorf("own record found at %d, %v; want %d", got, err, at)
		}
	}
	if _, err := e.taken(ctx, subject, "another's", 0, errAgain); !errors.Is(err, fleet.ErrTaken) {
		t.Errorf("another's record: %v", err)
	}
	if _, err := e.taken(ctx, subject, "another's", at, errAgain); !errors.Is(err, errAgain) {
		t.Errorf("a record that still is at the revision, while another is on its way: %v", err)
	}
}

// deaf makes the log republish nothing, as if every message to followers were lost.
func deaf(t *testing.T, e *Engine) {
	t.Helper()
	js, err := jetstream.New(e.nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := streams(e.opts, 1)[0]
	cfg.RePublish = nil
	if _, err := js.UpdateStream(within(t, time.Minute), cfg); err != nil {
		t.Fatal(err)
	}
}

// followed starts a follower and returns what it gets.
func followed(t *testing.T, e *Engine, from uint64) <-chan fleet.Entry {
	out := make(chan fleet.Entry, 10000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Follow(ctx, from, func(e fleet.Entry) error { out <- e; return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("follow ended with %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return out
}

// wantEntries waits for entries of all positions from first to last.
func wantEntries(t *testing.T, got <-chan fleet.Entry, first, last uint64) {
	t.Helper()
	have := map[uint64]bool{}
	timeout := time.After(time.Minute)
	for uint64(len(have)) < last-first+1 {
		select {
		case e := <-got:
			if e.Sequence >= first && e.Sequence <= last {
				have[e.Sequence] = true
			}
		case <-timeout:
			t.Fatalf("%d entries of %d to %d came", len(have), first, last)
		}
	}
}

func TestFollowerWhoHearsNothingAsks(t *testing.T) {
	e := connect(t, Options{Node: alone(t, Config{}), Poll: 20 * time.Millisecond})
	deaf(t, e)
	got := followed(t, e, 1)
	for n := range uint64(5) {
		mustAppend(t, e, n, fmt.Sprint(n))
		wantEntries(t, got, n+1, n+1)
	}
}

// TestFollowerFillsAGap loses all messages but the fourth.
func TestFollowerFillsAGap(t *testing.T) {
	e := connect(t, Options{Node: alone(t, Config{}), Poll: time.Hour})
	mustAppend(t, e, 0, "1")
	got := followed(t, e, 1)
	wantEntries(t, got, 1, 1)
	deaf(t, e)
	for n := uint64(1); n < 4; n++ {
		mustAppend(t, e, n, fmt.Sprint(n+1))
	}
	select {
	case e := <-got:
		t.Fatalf("entry %d came, although nothing was to be heard", e.Sequence)
	default:
	}
	heard := message(tailSubject+entrySubject, []byte("4"), headerSequence, "4", headerSubject, entrySubject)
	if err := e.nc.PublishMsg(heard); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, got, 2, 4)
}

// TestFollowerHearsAtOnce has a follower that would not ask for an hour.
func TestFollowerHearsAtOnce(t *testing.T) {
	e := connect(t, Options{Node: alone(t, Config{}), Poll: time.Hour})
	mustAppend(t, e, 0, "1")
	got := followed(t, e, 1)
	wantEntries(t, got, 1, 1)
	mustAppend(t, e, 1, "2")
	wantEntries(t, got, 2, 2)
}

// TestFollowerFarBehind needs several batches.
func TestFollowerFarBehind(t *testing.T) {
	const all = 2*batchMessages + 500
	e := connect(t, Options{Node: alone(t, Config{}), Poll: time.Hour})
	for n := range all {
		if err := e.nc.PublishMsg(message(entrySubject, []byte(strconv.Itoa(n+1)))); err != nil {
			t.Fatal(err)
		}
	}
	got := followed(t, e, 1)
	wantEntries(t, got, 1, all)
}

func TestDroppedEntries(t *testing.T) {
	e := connect(t, Options{Node: alone(t, Config{}), MaxEntries: 3})
	for n := range uint64(10) {
		mustAppend(t, e, n, fmt.Sprint(n))
	}
	wantBounds(t, e, 8, 10)
	ctx := within(t, time.Minute)
	if _, err := e.Read(ctx, 7); !errors.Is(err, fleet.ErrDropped) {
		t.Errorf("read of a dropped entry: %v", err)
	}
	if _, err := e.Append(ctx, 4, "late", nil); !errors.Is(err, fleet.ErrBehind) {
		t.Errorf("append at a dropped position: %v", err)
	}
	wantEntries(t, followed(t, e, 2), 8, 10)
}

// TestSnapshotsPutAtOnce has two that put; what is there in the end is whole, and old parts are dropped.
func TestSnapshotsPutAtOnce(t *testing.T) {
	e := connect(t, Options{Node: alone(t, Config{})})
	ctx := within(t, time.Minute)
	before, err := e.head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what              string
		head              head
		overtaken, refuse bool
	}{
		{"the first", head{Version: headVersion, Sequence: 5, ID: "five"}, false, false},
		{"the same, after a lost answer", head{Version: headVersion, Sequence: 5, ID: "five"}, false, false},
		{"one as new, overtaken", head{Version: headVersion, Sequence: 5, ID: "fifth"}, true, false},
		{"an older one, overtaken", head{Version: headVersion, Sequence: 4, ID: "four"}, true, false},
		{"a newer one, overtaken", head{Version: headVersion, Sequence: 6, ID: "six"}, false, true},
	} {
		overtaken, err := e.putHead(ctx, row.head, before)
		if overtaken != row.overtaken || (err != nil) != row.refuse {
			t.Errorf("%s: overtaken %v, %v; want %v, an error: %v", row.what, overtaken, err, row.overtaken, row.refuse)
		}
	}
}

// A node that leads before it has heard of the third is asked again for its streams.
func TestNoPeersYet(t *testing.T) {
	err := fmt.Errorf("make the stream: %w", &jetstream.APIError{Code: 400, ErrorCode: 10005, Description: "no suitable peers for placement, peer offline"})
	if !transient(err) {
		t.Error("a start that comes too early is taken for a failure")
	}
	if transient(&jetstream.APIError{Code: 400, ErrorCode: 10025}) {
		t.Error("a bad request is tried again")
	}
}
