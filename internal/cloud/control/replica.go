package control

import (
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
)

// EffectKind is what an Effect asks of an edge.
type EffectKind int

// What an entry of the log asks of an edge.
const (
	Configure  EffectKind = iota + 1 // use Config for the distribution from now on, new or not
	Remove                           // the distribution is no more
	Invalidate                       // drop what Items cover from the distribution's cache
)

// String names the kind.
func (k EffectKind) String() string {
	switch k {
	case Configure:
		return "configure"
	case Remove:
		return "remove"
	case Invalidate:
		return "invalidate"
	}
	return fmt.Sprintf("EffectKind(%d)", int(k))
}

// Effect is one thing that an edge has to do.
type Effect struct {
	Kind         EffectKind
	Distribution string             // its id
	Config       DistributionConfig // of Configure, with its policies
	Items        []string           // of Invalidate, at least one: paths, paths with a trailing star, and tags after a #
}

// Replica is the state behind the control API as an edge of the fleet follows it: it answers no API and changes nothing
// by itself. Its file is for this process only. It does not keep invalidations and members. It is safe for concurrent use.
type Replica struct {
	db *bbolt.DB

	// mu guards applied; held while an entry is applied.
	mu      sync.Mutex
	applied uint64
}

// OpenReplica opens what Restore put at path, or makes an empty state there, to which the log's first entry is next. Who opens it closes it,
// and removes the file.
func OpenReplica(path string) (*Replica, error) {
	db, err := openDB(path, true)
	if err != nil {
		return nil, err
	}
	r := &Replica{db: db}
	err = db.View(func(tx *bbolt.Tx) error {
		r.applied = appliedIn(tx)
		return nil
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open replica %s: %w", path, err)
	}
	return r, nil
}

// Close closes the file. A second Close does nothing.
func (r *Replica) Close() error { return r.db.Close() }

// Applied is the position of the last entry that was applied; 0 is none.
func (r *Replica) Applied() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.applied
}

// Distributions are what an edge that begins has to do: Configure for every distribution, in the order of their ids.
func (r *Replica) Distributions() ([]Effect, error) {
	var out []Effect
	err := r.db.View(func(tx *bbolt.Tx) error {
		all, err := parseAll(tx)
		out = configure(all)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list distributions: %w", err)
	}
	return out, nil
}

// Apply takes the log's entry at sequence, the next after Applied, and returns what it asks of the edge, in order; an earlier one asks
// nothing. After an error nothing has changed. After success the entry counts as applied here, whatever becomes of the
// effects: who carries them out says when the edge has come so far.
func (r *Replica) Apply(sequence uint64, data []byte) ([]Effect, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sequence <= r.applied {
		return nil, nil
	}
	if sequence != r.applied+1 {
		return nil, fmt.Errorf("apply entry %d: entry %d is next", sequence, r.applied+1)
	}
	ops, err := decodeEntry(data)
	if err != nil {
		return nil, fmt.Errorf("apply entry %d: %w", sequence, err)
	}
	effects, err := r.effects(sequence, ops)
	if err != nil {
		return nil, fmt.Errorf("apply entry %d: %w", sequence, err)
	}
	r.applied = sequence
	return effects, nil
}

// effects carries out what a replica keeps of an entry. Most entries are invalidations, of which it keeps nothing: they cost
// no transaction.
func (r *Replica) effects(sequence uint64, ops []op) (effects []Effect, err error) {
	if !concernsReplica(ops) {
		return invalidations(ops), nil
	}
	err = r.db.Update(func(tx *bbolt.Tx) error {
		for _, o := range ops {
			one, err := effectOf(tx, o, sequence)
			if err != nil {
				return err
			}
			effects = append(effects, one...)
		}
		return setApplied(tx, sequence)
	})
	return effects, err
}

func concernsReplica(ops []op) bool {
	for _, o := range ops {
		switch o.(type) {
		case addInvalidation, forget, join, end:
		default:
			return true
		}
	}
	return false
}

// effectOf carries out one operation and returns what it asks of an edge.
func effectOf(tx *bbolt.Tx, o op, sequence uint64) ([]Effect, error) {
	switch o := o.(type) {
	case addInvalidation, forget, join, end:
		return invalidations([]op{o}), nil
	case putDistribution:
		if err := o.apply(tx, sequence); err != nil {
			return nil, err
		}
		d, err := loadIn(tx, o.rec.ID)
		return configure([]stored{d}), err
	case removeDistribution:
		return []Effect{{Kind: Remove, Distribution: o.id}}, o.apply(tx, sequence)
	case putPolicy:
		if err := o.apply(tx, sequence); err != nil {
			return nil, err
		}
		users, err := usersOf(tx, o)
		return configure(users), err
	}
	return nil, o.apply(tx, sequence)
}

// usersOf are the distributions that refer to a policy.
func usersOf(tx *bbolt.Tx, o putPolicy) ([]stored, error) {
	for _, k := range policyKinds() {
		if k.path == o.path {
			return k.users(tx, o.rec.ID)
		}
	}
	return nil, fmt.Errorf("find users of policy %s: unknown kind %q", o.rec.ID, o.path)
}

func configure(all []stored) []Effect {
	var out []Effect
	for _, d := range all {
		out = append(out, Effect{Kind: Configure, Distribution: d.rec.ID, Config: d.cfg})
	}
	return out
}

// Invalidations are the Invalidate effects of an entry, without a state to apply it to: for a cache that stored its position in the log
// and has missed the entries between that and a snapshot.
func Invalidations(data []byte) ([]Effect, error) {
	ops, err := decodeEntry(data)
	return invalidations(ops), err
}

func invalidations(ops []op) []Effect {
	var out []Effect
	for _, o := range ops {
		add, ok := o.(addInvalidation)
		if !ok {
			continue
		}
		if items := effective(add.rec.Items); len(items) > 0 {
			out = append(out, Effect{Kind: Invalidate, Distribution: add.distribution, Items: items})
		}
	}
	return out
}
