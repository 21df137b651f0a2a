// Package memory is a fleet's engine inside one process, for tests: one Store, and an Engine for each node that is
// connected to it, which can be cut off, slowed, and made to fail before and after the effect. It promises what the
// interfaces of package fleet promise, and no more: what Follow and Watch deliver may be left out and repeated, if asked for. It
// keeps nothing.
package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// ErrCut: the node is cut off, or was made to fail.
var ErrCut = errors.New("cut off")

// Store is what the nodes share. The zero value is not ready: use New.
type Store struct {
	// mu guards what follows; held for memory access only.
	mu       sync.Mutex
	first    uint64 // position of log[0]
	log      [][]byte
	ids      map[string]uint64
	leases   map[string]fleet.Lease
	revision uint64
	snapshot []byte
	at       uint64
	changed  chan struct{} // closed and replaced with each change
	hearers  map[*Engine]func(string, uint64)
}

// New returns an empty store.
func New() *Store {
	return &Store{first: 1, ids: map[string]uint64{}, leases: map[string]fleet.Lease{}, changed: make(chan struct{}), hearers: map[*Engine]func(string, uint64){}}
}

// Truncate drops every entry before a position.
func (s *Store) Truncate(before uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.first < before && len(s.log) > 0 {
		s.first, s.log = s.first+1, s.log[1:]
	}
}

// Save returns what puts the store back to how it is now, as a restored copy does; revisions of leases go on from there.
func (s *Store) Save() (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, log, ids, leases, revision := s.first, slices.Clone(s.log), maps.Clone(s.ids), maps.Clone(s.leases), s.revision
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.first, s.log, s.ids, s.leases, s.revision = first, log, ids, leases, revision
		s.change()
	}
}

// Lose drops a member's lease, as its age does.
func (s *Store) Lose(member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leases, member)
}

// Len is the position of the last entry.
func (s *Store) Len() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last()
}

func (s *Store) last() uint64 { return s.first + uint64(len(s.log)) - 1 }

func (s *Store) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait returns a channel that is closed at the next change.
func (s *Store) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Faults are what one node suffers; the zero value is none.
type Faults struct {
	Cut     bool          // nothing goes through
	Delay   time.Duration // of each call, half of it before the effect
	Fail    float64       // share of calls that fail, half of them after the effect
	Skip    float64       // share of entries that Follow leaves out
	Repeat  float64       // share of entries that Follow delivers again
	Deaf    bool          // quick reports are lost
	Backlog bool          // Follow and Watch deliver nothing, while calls go through
}

// Engine is one node's connection.
type Engine struct {
	store *Store

	// mu guards what follows; held for field access only.
	mu     sync.Mutex
	faults Faults
	rand   *rand.Rand
}

var _ fleet.Engine = (*Engine)(nil)

// Connect returns a node's connection; seed is of its faults' dice.
func (s *Store) Connect(seed uint64) *Engine {
	return &Engine{store: s, rand: rand.New(rand.NewPCG(seed, 1))}
}

// Suffer sets the node's faults from now on.
func (e *Engine) Suffer(f Faults) {
	e.mu.Lock()
	e.faults = f
	e.mu.Unlock()
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	e.store.change() // whoever follows looks again
}

func (e *Engine) suffering() Faults {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.faults
}

func (e *Engine) dice(share float64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return share > 0 && e.rand.Float64() < share
}

// call carries out one request with the node's faults around it.
func (e *Engine) call(ctx context.Context, effect func() error) error {
	f := e.suffering()
	pause(ctx, f.Delay/2)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case e.suffering().Cut, e.dice(f.Fail / 2):
		return ErrCut
	}
	e.store.mu.Lock()
	err := effect()
	e.store.mu.Unlock()
	pause(ctx, f.Delay/2)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e.suffering().Cut || e.dice(f.Fail/2) {
		return ErrCut
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Append is fleet.Log's.
func (e *Engine) Append(ctx context.Context, after uint64, id string, data []byte) (at uint64, err error) {
	err = e.call(ctx, func() error { at, err = e.store.add(&after, id, data); return err })
	return at, err
}

// Add is fleet.Log's.
func (e *Engine) Add(ctx context.Context, id string, data []byte) (at uint64, err error) {
	err = e.call(ctx, func() error { at, err = e.store.add(nil, id, data); return err })
	return at, err
}

func (s *Store) add(after *uint64, id string, data []byte) (uint64, error) {
	if len(data) > fleet.MaxEntry {
		return 0, fmt.Errorf("an entry of %d bytes, more than %d", len(data), fleet.MaxEntry)
	}
	if at := s.ids[id]; at > 0 {
		return at, nil
	}
	if after != nil && *after != s.last() {
		return 0, fleet.ErrBehind
	}
	s.log = append(s.log, bytes.Clone(data))
	s.ids[id] = s.last()
	s.change()
	return s.last(), nil
}

// Read is fleet.Log's.
func (e *Engine) Read(ctx context.Context, sequence uint64) (out fleet.Entry, err error) {
	err = e.call(ctx, func() error { out, err = e.store.entry(sequence); return err })
	return out, err
}

func (s *Store) entry(sequence uint64) (fleet.Entry, error) {
	switch {
	case sequence < s.first:
		return fleet.Entry{}, fleet.ErrDropped
	case sequence > s.last():
		return fleet.Entry{}, errors.New("there is no such entry yet")
	}
	return fleet.Entry{Sequence: sequence, Data: s.log[sequence-s.first]}, nil
}

// Bounds is fleet.Log's.
func (e *Engine) Bounds(ctx context.Context) (first, last uint64, err error) {
	err = e.call(ctx, func() error { first, last = e.store.first, e.store.last(); return nil })
	return first, last, err
}

// Follow is fleet.Log's.
func (e *Engine) Follow(ctx context.Context, from uint64, f func(fleet.Entry) error) error {
	for next := from; ; {
		changed := e.store.wait()
		for !e.silent() {
			e.store.mu.Lock()
			entry, err := e.store.entry(max(next, e.store.first))
			e.store.mu.Unlock()
			if err != nil {
				break
			}
			next = entry.Sequence + 1
			faults := e.suffering()
			if e.dice(faults.Skip) {
				continue
			}
			for again := true; again; again = e.dice(faults.Repeat) {
				if err := f(entry); err != nil {
					return err
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *Engine) silent() bool {
	f := e.suffering()
	return f.Cut || f.Backlog
}

// Write is fleet.Leases'.
func (e *Engine) Write(ctx context.Context, l fleet.Lease, revision uint64) (at uint64, err error) {
	err = e.call(ctx, func() error {
		s := e.store
		if s.leases[l.Member].Revision != revision {
			return fleet.ErrTaken
		}
		s.revision++
		l.Revision = s.revision
		s.leases[l.Member], at = l, l.Revision
		s.change()
		return nil
	})
	return at, err
}

// Lease is fleet.Leases'.
func (e *Engine) Lease(ctx context.Context, member string) (l fleet.Lease, err error) {
	err = e.call(ctx, func() error { l = e.store.leases[member]; return nil })
	return l, err
}

// Watch is fleet.Leases'.
func (e *Engine) Watch(ctx context.Context, f func(fleet.Lease)) error {
	for seen := uint64(0); ; {
		changed := e.store.wait()
		if !e.silent() {
			for _, l := range e.store.since(seen) {
				seen = max(seen, l.Revision)
				f(l)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Store) since(revision uint64) (out []fleet.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leases {
		if l.Revision > revision {
			out = append(out, l)
		}
	}
	return out
}

// Report is fleet.Leases'.
func (e *Engine) Report(member string, applied uint64) error {
	if f := e.suffering(); f.Cut || f.Deaf {
		return nil
	}
	e.store.mu.Lock()
	var hear []func(string, uint64)
	for other, f := range e.store.hearers {
		if faults := other.suffering(); !faults.Cut && !faults.Deaf {
			hear = append(hear, f)
		}
	}
	e.store.mu.Unlock()
	for _, f := range hear {
		f(member, applied)
	}
	return nil
}

// Reports is fleet.Leases'.
func (e *Engine) Reports(ctx context.Context, f func(string, uint64)) error {
	e.store.mu.Lock()
	e.store.hearers[e] = f
	e.store.mu.Unlock()
	<-ctx.Done()
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	delete(e.store.hearers, e)
	return ctx.Err()
}

// Put is fleet.Snapshots'.
func (e *Engine) Put(ctx context.Context, sequence uint64, state io.Reader) error {
	data, err := io.ReadAll(state)
	if err != nil {
		return err
	}
	return e.call(ctx, func() error { e.store.snapshot, e.store.at = data, sequence; return nil })
}

// Get is fleet.Snapshots'.
func (e *Engine) Get(ctx context.Context) (sequence uint64, state io.ReadCloser, err error) {
	err = e.call(ctx, func() error {
		sequence, state = e.store.at, io.NopCloser(bytes.NewReader(e.store.snapshot))
		return nil
	})
	return sequence, state, err
}

// Close is fleet.Engine's.
func (e *Engine) Close() error { return nil }
