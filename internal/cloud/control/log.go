package control

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// defaultCommitWait is how long a change waits for the log: longer than a cluster takes to choose another leader.
const defaultCommitWait = 10 * time.Second

// syncWait bounds how long a request waits to catch up with the log.
const syncWait = 2 * time.Second

// Log is the part of fleet.Log by which a Server makes changes.
type Log interface {
	// Append adds an entry right after the entry `after` and returns its position, after+1; fleet.ErrBehind if another entry is there.
	// Repeated with the same id after another error, it adds the entry once.
	Append(ctx context.Context, after uint64, id string, data []byte) (uint64, error)
}

// Member is a process that serves viewers of the fleet.
type Member struct {
	ID     string `json:"id"`     // unique to one life of one process
	Name   string `json:"name"`   // as its operator knows it
	Joined uint64 `json:"joined"` // position in the log of the entry by which it joined: it is concerned by those after it
}

// errBeenApplied ends a transaction that has nothing to do.
var errBeenApplied = errors.New("the entry has been applied")

// view is how far a Server's file has come, for those who do not read it.
type view struct {
	// mu guards what follows; held for field access, and while the members are read from the file.
	mu      sync.Mutex
	applied uint64
	at      uint64 // position of the entry that changed members last
	members []Member
	changed chan struct{} // closed and replaced when applied changes
}

// Applied is the position of the last entry of the log that the Server has applied; 0 is none.
func (s *Server) Applied() uint64 {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	return s.view.applied
}

// Members are the members of the fleet after the entry Applied, or a later one, in the order of their ids.
func (s *Server) Members() []Member {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	return slices.Clone(s.view.members)
}

// AwaitApplied returns nil once the Server has applied the log through sequence.
func (s *Server) AwaitApplied(ctx context.Context, sequence uint64) error {
	for {
		s.view.mu.Lock()
		applied, changed := s.view.applied, s.view.changed
		s.view.mu.Unlock()
		if applied >= sequence {
			return nil
		}
		select {
		case <-changed:
		case <-s.closing:
			return fmt.Errorf("await entry %d: %w", sequence, errClosed)
		case <-ctx.Done():
			return fmt.Errorf("await entry %d, at %d: %w", sequence, applied, ctx.Err())
		}
	}
}

// Apply carries out the log's entry at sequence: the next after Applied. An earlier one, this Server's own among them, is skipped. It
// fails without effect for an entry that is not next, that this freshet does not understand, or that the file does not take.
func (s *Server) Apply(sequence uint64, data []byte) error {
	if !s.begin() {
		return fmt.Errorf("apply entry %d: %w", sequence, errClosed)
	}
	defer s.calls.Done()
	if s.opts.Log == nil {
		return fmt.Errorf("apply entry %d: this server has no log", sequence)
	}
	if sequence <= s.Applied() {
		return nil
	}
	ops, err := decodeEntry(data)
	if err != nil {
		return fmt.Errorf("apply entry %d: %w", sequence, err)
	}
	if err := s.applyOps(sequence, ops); err != nil {
		return fmt.Errorf("apply entry %d: %w", sequence, err)
	}
	return nil
}

// applyOps carries out an entry, unless the file has it.
func (s *Server) applyOps(sequence uint64, ops []op) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		applied := appliedIn(tx)
		if sequence <= applied {
			return errBeenApplied
		}
		if sequence != applied+1 {
			return fmt.Errorf("entry %d is next", applied+1)
		}
		for _, o := range ops {
			if err := o.apply(tx, sequence); err != nil {
				return err
			}
		}
		return setApplied(tx, sequence)
	})
	if err != nil && !errors.Is(err, errBeenApplied) {
		return err
	}
	return s.advance(ops)
}

// advance makes known what the file has come to.
func (s *Server) advance(ops []op) error {
	if err := s.refresh(); err != nil {
		return err
	}
	for _, o := range ops {
		switch o := o.(type) {
		case putDistribution:
			s.worker(o.rec.ID).wake()
		case removeDistribution:
			s.worker(o.id).wake() // it finds nothing any more, and ends
		case addInvalidation:
			s.worker(o.distribution).wake()
		case putPolicy:
			s.wakeAll() // the edges of the distributions that use it need the change
		}
	}
	s.opts.Changed()
	return nil
}

// refresh reads how far the file has come. What it makes known is of one instant, and never older than what was known: the lock is
// taken before the file is read.
func (s *Server) refresh() error {
	v := &s.view
	v.mu.Lock()
	defer v.mu.Unlock()
	return s.db.View(func(tx *bbolt.Tx) error {
		if at := positionAt(tx, membersKey); at != v.at || v.members == nil {
			members, err := membersIn(tx)
			if err != nil {
				return err
			}
			v.members, v.at = members, at
		}
		if applied := appliedIn(tx); applied != v.applied {
			v.applied = applied
			close(v.changed)
			v.changed = make(chan struct{})
		}
		return nil
	})
}

// membersIn reads all members in the order of their ids.
func membersIn(tx *bbolt.Tx) ([]Member, error) {
	all := []Member{}
	err := tx.Bucket(membersBucket).ForEach(func(id, data []byte) error {
		var m Member
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("read member %s: %w", id, err)
		}
		all = append(all, m)
		return nil
	})
	return all, err
}

func appliedIn(tx *bbolt.Tx) uint64 { return positionAt(tx, appliedKey) }

func setApplied(tx *bbolt.Tx, sequence uint64) error {
	if err := tx.Bucket(metaBucket).Put(appliedKey, sequenceKey(sequence)); err != nil {
		return fmt.Errorf("write position %d: %w", sequence, err)
	}
	return nil
}

// positionAt reads a position of the log; 0 without one.
func positionAt(tx *bbolt.Tx, key []byte) uint64 {
	if v := tx.Bucket(metaBucket).Get(key); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// claim makes the file one of a server with a log, or without: what one of them wrote is not what the other's state amounts to.
func claim(db *bbolt.DB, logged bool) error {
	fresh := false
	err := db.View(func(tx *bbolt.Tx) error {
		has := tx.Bucket(metaBucket).Get(appliedKey) != nil
		if has && !logged {
			return errors.New("it is a view of a fleet's log, and cannot be changed without the log")
		}
		if has || !logged {
			return nil
		}
		fresh = true
		used, err := inUse(tx)
		if used {
			return errors.New("it has distributions or policies that are not in the fleet's log")
		}
		return err
	})
	if err != nil || !fresh {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error { return setApplied(tx, 0) })
}

// inUse is whether the file has a distribution or a custom policy.
func inUse(tx *bbolt.Tx) (bool, error) {
	all, err := allDistributions(tx)
	used := len(all) > 0
	for _, k := range policyKinds() {
		customs, one := k.customs(tx)
		used, err = used || len(customs) > 0, errors.Join(err, one)
	}
	return used, err
}

// now is the time of a change, as every view of it has it: without a zone.
func (s *Server) now() time.Time { return s.opts.Now().UTC() }

// unavailable is an answer 503 with its own words, and a cause for the log.
type unavailable struct {
	words string
	cause error
}

// Error gives words and cause, for logs.
func (e *unavailable) Error() string { return fmt.Sprintf("%s (%v)", e.words, e.cause) }

// Unwrap is the cause.
func (e *unavailable) Unwrap() error { return e.cause }
