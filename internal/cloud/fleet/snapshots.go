package fleet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// SnapshotEvery is how many entries may lie between the newest snapshot and the log's end before a control node writes
// another one: few beside what the log keeps, and quickly applied by who begins.
const SnapshotEvery = 1000

// State is what snapshots are taken of.
type State interface {
	Applied() uint64
	// Snapshot writes the state, which says by itself after which entry it is that.
	Snapshot(w io.Writer) error
}

// KeepSnapshots writes a snapshot whenever the newest one is SnapshotEvery entries old, until ctx ends. Several control nodes may do so
// at once; it looks every so often.
func KeepSnapshots(ctx context.Context, to Snapshots, state State, every time.Duration, log *slog.Logger) error {
	for {
		if err := snapshot(ctx, to, state); err != nil && ctx.Err() == nil {
			log.Warn("no snapshot could be written, will retry", "error", err)
		}
		if err := Sleep(ctx, every); err != nil {
			return err
		}
	}
}

func snapshot(ctx context.Context, to Snapshots, state State) error {
	newest, old, err := to.Get(ctx)
	if err != nil {
		return fmt.Errorf("read the newest snapshot: %w", err)
	}
	if err := old.Close(); err != nil {
		return fmt.Errorf("read the newest snapshot: %w", err)
	}
	if state.Applied() < newest+SnapshotEvery {
		return nil
	}
	r, w := io.Pipe()
	defer r.Close()       // ends the writer where Put stopped reading
	at := state.Applied() // the state may be of a few entries later: it knows by itself
	go func() { w.CloseWithError(state.Snapshot(w)) }()
	if err := to.Put(ctx, at, r); err != nil {
		return fmt.Errorf("write a snapshot at %d: %w", at, err)
	}
	return nil
}
