package control

import (
	"context"
	"crypto/rand"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// heldRandom is a source of randomness that can be held up, once.
type heldRandom struct {
	held            atomic.Bool
	reached, passed chan struct{}
}

func (g *heldRandom) Read(b []byte) (int, error) {
	if g.held.Swap(false) {
		close(g.reached)
		<-g.passed
	}
	return io.ReadFull(rand.Reader, b)
}

// Who gives up waiting shares nothing with the change that goes on without him. The race detector tells.
func TestAbandonedChangeSharesNothing(t *testing.T) {
	g := &heldRandom{reached: make(chan struct{}), passed: make(chan struct{})}
	l := newLog()
	n := startNode(t, l, filepath.Join(t.TempDir(), "view.db"), Options{Rand: g}, prompt)
	id := newDistribution(t, n.Server, "d")
	g.held.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan string)
	go func() {
		rec, _, err := n.accept(ctx, id, batch{reference: "r", items: []string{"/a"}})
		if err == nil {
			t.Error("it waited")
		}
		done <- rec.ID + rec.Reference
	}()
	<-g.reached
	cancel()
	if got := <-done; got != "" {
		t.Errorf("an error, and %q", got)
	}
	close(g.passed)
	settle(t, l, []*fleetNode{n})
}
