package stream

import (
	"context"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// within bounds a test's waiting.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// alone starts a node that nobody else can connect to.
func alone(t *testing.T, cfg Config) *Node {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Shutdown)
	if err := n.Ready(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	return n
}

// connect connects, for as long as the test runs.
func connect(t *testing.T, opts Options) *Engine {
	t.Helper()
	e, err := Connect(within(t, time.Minute), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// mustAppend appends after a position.
func mustAppend(t *testing.T, e *Engine, after uint64, data string) {
	t.Helper()
	if at, err := e.Append(within(t, time.Minute), after, data, []byte(data)); err != nil || at != after+1 {
		t.Fatalf("append after %d: %d, %v", after, at, err)
	}
}

// wantBounds checks the log's.
func wantBounds(t *testing.T, e fleet.Log, first, last uint64) {
	t.Helper()
	gotFirst, gotLast, err := e.Bounds(within(t, time.Minute))
	if err != nil || gotFirst != first || gotLast != last {
		t.Fatalf("bounds %d to %d (%v), want %d to %d", gotFirst, gotLast, err, first, last)
	}
}
