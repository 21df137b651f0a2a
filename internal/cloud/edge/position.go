package edge

import (
	"fmt"

	"github.com/freshet/freshet/internal/cloud/edge/disk"
	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// An edge of several follows one log of invalidations. The position in it that the edge has reached is kept with the batch that was there, so that after a restart
// with a disk tier the edge knows what it has missed.

// InvalidateAt is Invalidate for the items at a position, from 1, of a log that several edges follow. Positions come in order; one that was reached already
// changes nothing. With a disk tier the position is stored with the items, in one record.
// An error that wraps purge.ErrItem says that nothing was applied; any other one, that a restart may forget items and position both: see Invalidate.
func (e *Edge) InvalidateAt(position uint64, items []string) error {
	return e.invalidateAt(position, e.dist.Load().TagHeader, items)
}

// ReplayAt is InvalidateAt for a position that the edge missed, and whose configuration of then nobody knows: a tag is one under any header.
func (e *Edge) ReplayAt(position uint64, items []string) error {
	return e.invalidateAt(position, purge.AnyScope, items)
}

func (e *Edge) invalidateAt(position uint64, scope string, items []string) error {
	before := e.log.Position()
	if _, err := e.log.AcceptAt(position, scope, items); err != nil {
		return fmt.Errorf("invalidate at %d: %w", position, err)
	}
	if position > before {
		e.invalidated(len(items))
	}
	return nil
}

// Advance notes that the log has been followed up to a position, from the last one on without items for this edge. It costs no write: a restart may find
// an earlier position.
func (e *Edge) Advance(position uint64) { e.log.Advance(position) }

// Position is how far the log has been followed; 0 for not at all. A new edge with a disk tier begins where the last one with that folder has come, with
// one that had to empty the folder at 0.
func (e *Edge) Position() uint64 { return e.log.Position() }

// RevalidateAll has everything that is cached asked for before it serves again, as an invalidation of everything does: what is in memory and can be proved
// keeps its bytes for ten minutes, the rest is fetched anew, and with it what is on the disk alone.
func (e *Edge) RevalidateAll() error {
	if _, err := e.log.Accept("", []string{"/*"}); err != nil {
		return fmt.Errorf("revalidate all: %w", err)
	}
	e.invalidated(1)
	return nil
}

// invalidated counts a batch and has what it covers reclaimed.
func (e *Edge) invalidated(items int) {
	e.stats.invalidations.Add(1)
	e.stats.items.Add(int64(items))
	e.wishSweep()
}

// StoredPosition is the Position at which an edge with this disk tier would begin, read without opening it; 0 for a folder without one.
func StoredPosition(dir string) (uint64, error) { return disk.Position(dir) }

// IsDisk says whether a folder is a disk tier's.
func IsDisk(dir string) (bool, error) { return disk.Is(dir) }

// SetMemory changes the budget for cached objects, in bytes. What does not fit any more is evicted. One object still takes a quarter of Options.MemoryBytes at most.
func (e *Edge) SetMemory(bytes int) { e.store.cache.SetMaximum(uint64(max(bytes, 0))) }
