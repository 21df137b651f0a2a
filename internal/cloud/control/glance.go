package control

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"go.etcd.io/bbolt"
)

// Glance is a distribution as a page shows it.
type Glance struct {
	ID         string
	DomainName string
	Aliases    []string // not to be changed
	Comment    string
	Enabled    bool
	Deployed   bool // as Distribution.Status, as far as this server knows
	Pending    int  // invalidations that are not Completed
	Mark       Mark // of its invalidations
}

// glances are the distributions as they were parsed last, for those who look every second: to parse one takes milliseconds.
type glances struct {
	mu  sync.Mutex // guards what follows; held while distributions are parsed
	sum [sha256.Size]byte
	all []stored
}

// Glances returns every distribution in the order of their ids, as Distributions does, without asking anybody else and at little cost as long as none of them
// changes: about 10 µs for each. It fails when the Server is closed or its file unreadable.
func (s *Server) Glances() (out []Glance, err error) {
	if !s.begin() {
		return nil, fmt.Errorf("list distributions: %w", errClosed)
	}
	defer s.calls.Done()
	err = s.db.View(func(tx *bbolt.Tx) error {
		all, err := s.glances.read(tx)
		if err != nil {
			return err
		}
		for _, d := range all {
			h, err := historyOf(tx, d.rec.ID)
			if err != nil {
				return err
			}
			d.pending = h.pendingCount()
			shown := s.show(d)
			out = append(out, Glance{
				ID: shown.ID, DomainName: shown.DomainName, Aliases: shown.Config.Aliases, Comment: shown.Config.Comment, Enabled: shown.Config.Enabled,
				Deployed: shown.Status == "Deployed", Pending: d.pending, Mark: h.mark(),
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list distributions: %w", err)
	}
	return out, nil
}

// read parses again only if distributions or policies differ from last time's.
func (g *glances) read(tx *bbolt.Tx) ([]stored, error) {
	digest := sha256.New()
	if err := add(digest, tx.Bucket(distributionsBucket)); err != nil {
		return nil, err
	}
	if err := add(digest, tx.Bucket(policiesBucket)); err != nil {
		return nil, err
	}
	sum := [sha256.Size]byte(digest.Sum(nil))
	g.mu.Lock()
	defer g.mu.Unlock()
	if sum == g.sum {
		return g.all, nil
	}
	all, err := parseAll(tx)
	if err == nil {
		g.sum, g.all = sum, all
	}
	return all, err
}

// add puts what a bucket holds into a digest, with the lengths, and buckets in it as well.
func add(digest hash.Hash, b *bbolt.Bucket) error {
	return b.ForEach(func(key, value []byte) error {
		var lengths [16]byte
		binary.BigEndian.PutUint64(lengths[:], uint64(len(key)))
		binary.BigEndian.PutUint64(lengths[8:], uint64(len(value)))
		for _, part := range [][]byte{lengths[:], key, value} {
			_, _ = digest.Write(part) // a digest takes everything
		}
		if value == nil {
			return add(digest, b.Bucket(key))
		}
		return nil
	})
}
