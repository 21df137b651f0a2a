package stream

import (
	"io"
	"strings"
	"testing"
	"time"
)

// startedReader tells when it is read, and goes on when it may.
type startedReader struct {
	io.Reader
	started, goOn chan struct{}
}

func (r *startedReader) Read(b []byte) (int, error) {
	if r.started != nil {
		close(r.started)
		r.started = nil
		<-r.goOn
	}
	return r.Reader.Read(b)
}

// Control nodes that begin together take their first snapshots together. One that is overtaken leaves the other's alone: its parts come first in the stream.
func TestOvertakenPut(t *testing.T) {
	e := connect(t, Options{Node: alone(t, Config{})})
	ctx := within(t, time.Minute)
	late := &startedReader{strings.NewReader("late"), make(chan struct{}), make(chan struct{})}
	started, put := late.started, make(chan error, 1)
	go func() { put <- e.Put(ctx, 7, late) }()
	<-started
	if err := e.Put(ctx, 7, strings.NewReader("early")); err != nil {
		t.Fatal(err)
	}
	close(late.goOn)
	if err := <-put; err != nil {
		t.Fatal(err)
	}
	ctx = within(t, 10*time.Second)
	sequence, state, err := e.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if got, err := io.ReadAll(state); err != nil || string(got) != "early" || sequence != 7 {
		t.Errorf("snapshot of entry %d: %q, %v; want that of entry 7, \"early\"", sequence, got, err)
	}
}
