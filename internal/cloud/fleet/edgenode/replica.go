package edgenode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge/purge"
	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/tenants"
)

// caches are the distributions at work, as the log concerns them; each method is tenants.Tenants'.
type caches interface {
	Configure(ctx context.Context, distribution string, cfg control.DistributionConfig) error
	Remove(distribution string) error
	InvalidateAt(distribution string, position uint64, items []string) error
	ReplayAt(distribution string, position uint64, items []string) error
	Advance(position uint64)
	RevalidateAll() error
	Positions() (map[string]uint64, error)
	Tidy() error
}

var _ caches = (*tenants.Tenants)(nil)

// replica carries out the log's entries at the distributions. The member calls it from one goroutine.
type replica struct {
	dir    string // of the views, which are files of this life only
	caches caches
	logger *slog.Logger

	view   *control.Replica // nil before the first Load
	number int              // of the view's file
	left   *unfinished      // the last entry, if not all of it could be carried out
	tidy   atomic.Bool      // every distribution is known: folders of others are of no use

	// mu guards known; held for map access only.
	mu    sync.Mutex
	known map[string]bool // the distributions that are configured
}

var _ fleet.Replica = (*replica)(nil)

// Load takes the snapshot's distributions in place of those that are there.
func (r *replica) Load(ctx context.Context, state io.Reader) (uint64, error) {
	view, err := r.open(state)
	if err != nil {
		return 0, err
	}
	if r.view != nil {
		_ = r.view.Close() // a file of the past
	}
	r.view, r.left = view, nil
	all, err := view.Distributions()
	if err != nil {
		return 0, err
	}
	now := map[string]bool{}
	for _, e := range all {
		now[e.Distribution] = true
	}
	for _, id := range r.distributions() {
		if !now[id] {
			all = append(all, control.Effect{Kind: control.Remove, Distribution: id})
		}
	}
	if err := r.carryOut(ctx, view.Applied(), all); err != nil {
		return 0, err
	}
	return view.Applied(), nil
}

// open makes a view of a snapshot, or of the log's beginning.
func (r *replica) open(state io.Reader) (*control.Replica, error) {
	r.number++
	path := filepath.Join(r.dir, "view-"+strconv.Itoa(r.number)+".db")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make a view: %w", err)
	}
	in := bufio.NewReader(state)
	if _, err := in.Peek(1); err == nil {
		if err := control.Restore(path, in); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the snapshot: %w", err)
	}
	view, err := control.OpenReplica(path)
	if err != nil {
		return nil, err
	}
	if r.number > 1 { // the one before
		_ = os.Remove(filepath.Join(r.dir, "view-"+strconv.Itoa(r.number-1)+".db")) // the folder goes with the process
	}
	return view, nil
}

// unfinished is an entry that the view has and the caches have not.
type unfinished struct {
	sequence uint64
	effects  []control.Effect
}

// Apply carries out one entry. One that failed is given again, and then does what it has to do although the view has it.
func (r *replica) Apply(ctx context.Context, e fleet.Entry) error {
	if r.left == nil || r.left.sequence != e.Sequence {
		effects, err := r.view.Apply(e.Sequence, control.Content(e))
		if err != nil {
			return err
		}
		r.left = &unfinished{e.Sequence, effects}
	}
	if err := r.carryOut(ctx, e.Sequence, r.left.effects); err != nil {
		return err
	}
	r.left = nil
	r.caches.Advance(e.Sequence)
	if r.tidy.Swap(false) {
		if err := r.caches.Tidy(); err != nil {
			r.logger.Error("folders of deleted distributions could not be removed", "error", err)
		}
	}
	return nil
}

// Replay drops what an entry invalidated, from caches of an earlier life.
func (r *replica) Replay(_ context.Context, e fleet.Entry) error {
	effects, err := control.Invalidations(control.Content(e))
	if err != nil {
		return err
	}
	return r.makeUp(e.Sequence, effects)
}

// makeUp carries out invalidations that were missed. The configurations are later ones by now.
func (r *replica) makeUp(sequence uint64, effects []control.Effect) error {
	for _, e := range joined(effects) {
		if err := r.invalidated(e, r.caches.ReplayAt(e.Distribution, sequence, e.Items)); err != nil {
			return err
		}
	}
	return nil
}

// carryOut does what an entry asks of the caches. It fails where the disk does, to be tried again. A distribution that cannot be carried out for another reason is
// the API's mistake, and must not stop the others: it is logged, and its viewers get errors.
func (r *replica) carryOut(ctx context.Context, sequence uint64, effects []control.Effect) error {
	for _, e := range joined(effects) {
		switch e.Kind {
		case control.Configure:
			err := r.caches.Configure(ctx, e.Distribution, e.Config)
			if errors.Is(err, tenants.ErrStorage) {
				return err
			}
			if err != nil {
				r.logger.Error("distribution cannot be served", "distribution", e.Distribution, "error", err)
				continue
			}
			r.note(e.Distribution, true)
		case control.Remove:
			r.note(e.Distribution, false)
			if err := r.caches.Remove(e.Distribution); err != nil {
				r.logger.Error("distribution could not be removed whole", "distribution", e.Distribution, "error", err)
			}
		case control.Invalidate:
			if err := r.invalidated(e, r.caches.InvalidateAt(e.Distribution, sequence, e.Items)); err != nil {
				return err
			}
		}
	}
	return nil
}

// joined are effects with all items of a distribution in its first invalidation: an entry may hold several, and a cache takes a position once.
func joined(effects []control.Effect) []control.Effect {
	var out []control.Effect
	first := map[string]int{}
	for _, e := range effects {
		if at, seen := first[e.Distribution]; e.Kind == control.Invalidate && seen {
			out[at].Items = append(out[at].Items[:len(out[at].Items):len(out[at].Items)], e.Items...)
			continue
		}
		if e.Kind == control.Invalidate {
			first[e.Distribution] = len(out)
		}
		out = append(out, e)
	}
	return out
}

// invalidated judges what became of an invalidation. It fails where the disk tier cannot keep the batch: then it is tried again, and the fleet waits.
func (r *replica) invalidated(e control.Effect, err error) error {
	switch {
	case errors.Is(err, tenants.ErrUnknown): // removed since, or it cannot be served: then what an earlier life left of it misses this
		return r.caches.Remove(e.Distribution)
	case errors.Is(err, purge.ErrItem): // the API takes nothing that the caches do not; if it did, asking the origin is safe
		r.logger.Error("invalidation not understood, everything of the distribution is revalidated", "distribution", e.Distribution, "error", err)
		return r.caches.RevalidateAll()
	}
	return err
}

func (r *replica) note(distribution string, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known {
		r.known[distribution] = true
	} else {
		delete(r.known, distribution)
	}
}

func (r *replica) distributions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.known))
	for id := range r.known {
		out = append(out, id)
	}
	return out
}

// Position is how far the caches have followed the log; false where nothing is cached. Entries are applied one after the other, so what the furthest cache has stored
// the others have too, but for that very entry, which may have been under way: it counts as missed, and a cache that has it skips it.
func (r *replica) Position() (uint64, bool) {
	all, err := r.caches.Positions()
	if err != nil {
		r.logger.Error("positions of the caches could not be read, the log is read from its beginning", "error", err)
		return 0, true
	}
	furthest := uint64(1)
	for _, at := range all {
		furthest = max(furthest, at)
	}
	return furthest - 1, len(all) > 0
}

// Revalidate lets nothing that is cached be used unasked. What waits in a folder for a configuration that could not be carried out cannot be marked, and goes.
func (r *replica) Revalidate() error {
	return errors.Join(r.caches.RevalidateAll(), r.caches.Tidy())
}

func (r *replica) close() error {
	if r.view == nil {
		return nil
	}
	return r.view.Close()
}
