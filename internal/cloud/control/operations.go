package control

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// op is one change of replicated state, decided: it names ids, versions and times, so that applied to the same state it makes the same
// state everywhere. Whether it is allowed was asked by the transaction that made it.
type op interface {
	kind() byte
	encode(e *encoder)
	// apply carries it out at a position of the log; 0 without a log.
	apply(tx *bbolt.Tx, sequence uint64) error
}

// putDistribution stores a distribution, new or in place of another version.
type putDistribution struct{ rec distributionRecord }

// removeDistribution forgets a distribution and its invalidations.
type removeDistribution struct{ id string }

// setTags replaces a distribution's tags. Edges need not know.
type setTags struct {
	id   string
	tags []tag
}

// addInvalidation stores an invalidation as pending.
type addInvalidation struct {
	distribution string
	rec          invalidationRecord
}

// forget drops a distribution's invalidations up to a sequence number, with their caller references. It is the deciding node
// that knows them to be completed: other views may not have found out yet, and must forget the same.
type forget struct {
	distribution string
	through      uint64
}

// putPolicy stores a custom policy of the kind with the path.
type putPolicy struct {
	path string
	rec  policyRecord
}

// removePolicy forgets a custom policy.
type removePolicy struct{ path, id string }

// join enters a member of the fleet.
type join struct{ member, name string }

// end forgets a member of the fleet.
type end struct{ member string }

func (o putDistribution) apply(tx *bbolt.Tx, sequence uint64) error {
	o.rec.Log = sequence
	return storeDistribution(tx, o.rec)
}

func (o removeDistribution) apply(tx *bbolt.Tx, _ uint64) error {
	err := errors.Join(tx.Bucket(distributionsBucket).Delete([]byte(o.id)), tx.Bucket(invalidationsBucket).DeleteBucket([]byte(o.id)))
	if err != nil {
		return fmt.Errorf("delete distribution %s: %w", o.id, err)
	}
	return nil
}

func (o setTags) apply(tx *bbolt.Tx, _ uint64) error {
	rec, err := getDistribution(tx, o.id)
	if err != nil {
		return err
	}
	rec.Tags = o.tags
	return storeDistribution(tx, rec)
}

func (o addInvalidation) apply(tx *bbolt.Tx, sequence uint64) error {
	h, err := historyOf(tx, o.distribution)
	if err != nil {
		return err
	}
	next, err := h.records.NextSequence()
	if err != nil {
		return fmt.Errorf("number invalidation: %w", err)
	}
	if next != o.rec.Sequence {
		return fmt.Errorf("write invalidation %s: it has number %d where %d is next", o.rec.ID, o.rec.Sequence, next)
	}
	return h.put(o.rec, sequence)
}

func (o forget) apply(tx *bbolt.Tx, _ uint64) error {
	h, err := historyOf(tx, o.distribution)
	if err != nil {
		return err
	}
	return h.forget(o.through)
}

func (o putPolicy) apply(tx *bbolt.Tx, sequence uint64) error {
	b, err := policiesAt(tx, o.path)
	if err != nil {
		return err
	}
	o.rec.Log = sequence
	data, err := json.Marshal(o.rec)
	if err == nil {
		err = b.Put([]byte(o.rec.ID), data)
	}
	if err != nil {
		return fmt.Errorf("write %s %s: %w", o.path, o.rec.ID, err)
	}
	return nil
}

func (o removePolicy) apply(tx *bbolt.Tx, _ uint64) error {
	b, err := policiesAt(tx, o.path)
	if err != nil {
		return err
	}
	return b.Delete([]byte(o.id))
}

// policiesAt is the bucket of one kind of policies.
func policiesAt(tx *bbolt.Tx, path string) (*bbolt.Bucket, error) {
	if b := tx.Bucket(policiesBucket).Bucket([]byte(path)); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("find policies: unknown kind %q", path)
}

// apply keeps the birth of a member that is there: whoever added the entry twice is one member.
func (o join) apply(tx *bbolt.Tx, sequence uint64) error {
	b := tx.Bucket(membersBucket)
	if b.Get([]byte(o.member)) != nil {
		return nil
	}
	data, err := json.Marshal(Member{ID: o.member, Name: o.name, Joined: sequence})
	if err == nil {
		err = b.Put([]byte(o.member), data)
	}
	if err != nil {
		return fmt.Errorf("write member %s: %w", o.member, err)
	}
	return tx.Bucket(metaBucket).Put(membersKey, sequenceKey(sequence))
}

func (o end) apply(tx *bbolt.Tx, sequence uint64) error {
	if err := tx.Bucket(membersBucket).Delete([]byte(o.member)); err != nil {
		return fmt.Errorf("forget member %s: %w", o.member, err)
	}
	return tx.Bucket(metaBucket).Put(membersKey, sequenceKey(sequence))
}
