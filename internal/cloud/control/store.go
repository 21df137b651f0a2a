package control

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// formatVersion is the version of what the file holds; another one is refused, not guessed.
const formatVersion = "1"

// lockWait is how long opening waits for another process to let go of the file.
const lockWait = 2 * time.Second

// Buckets of the file:
//
//	meta                      format → "1"; of a server with a log also applied → position of the log's last entry in
//	                          the file, and members → position of the last one that changed the members
//	distributions             ID → distributionRecord
//	invalidations/<ID>/
//	    records               sequence → invalidationRecord
//	    ids                   invalidation ID → sequence
//	    references            SHA-256 of the caller reference → sequence
//	    pending               sequence → position of its entry in the log, nothing without a log; an invalidation is
//	                          Completed once it is gone from here. Local: each view of a log finds it out by itself
//	policies/<kind>           ID → policyRecord, custom ones only
//	members                   ID → Member
//
// Sequences are 8 bytes, big-endian, so the bucket's order is the order of acceptance.
var (
	metaBucket          = []byte("meta")
	distributionsBucket = []byte("distributions")
	invalidationsBucket = []byte("invalidations")
	recordsBucket       = []byte("records")
	idsBucket           = []byte("ids")
	referencesBucket    = []byte("references")
	pendingBucket       = []byte("pending")
	policiesBucket      = []byte("policies")
	membersBucket       = []byte("members")

	formatKey  = []byte("format")
	appliedKey = []byte("applied")
	membersKey = []byte("members")
)

// distributionRecord is a distribution in the file.
type distributionRecord struct {
	ID       string    `json:"id"`
	ETag     string    `json:"etag"`
	Modified time.Time `json:"modified"`
	Document []byte    `json:"document"` // the DistributionConfig document
	Tags     []tag     `json:"tags,omitempty"`
	Log      uint64    `json:"log,omitempty"` // position in the log of the document's entry
}

// invalidationRecord is an invalidation in the file.
type invalidationRecord struct {
	ID        string    `json:"id"`
	Sequence  uint64    `json:"sequence"`
	Reference string    `json:"reference"`
	Created   time.Time `json:"created"`
	Items     []string  `json:"items"`
	Log       uint64    `json:"-"` // of one in progress: position in the log of its entry
}

// openDB opens or makes the file and its buckets, readable by the owner only. What is written to a volatile file is not waited for.
func openDB(path string, volatile bool) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, NoSync: volatile})
	if err != nil {
		return nil, fmt.Errorf("open control state %s: %w", path, err)
	}
	if err := db.Update(prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("open control state %s: %w", path, err), db.Close())
	}
	return db, nil
}

func prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, distributionsBucket, invalidationsBucket, policiesBucket, membersBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	for _, k := range policyKinds() {
		if _, err := tx.Bucket(policiesBucket).CreateBucketIfNotExists([]byte(k.path)); err != nil {
			return fmt.Errorf("make bucket of %s: %w", k.path, err)
		}
	}
	meta := tx.Bucket(metaBucket)
	switch v := string(meta.Get(formatKey)); v {
	case formatVersion:
		return nil
	case "":
		return meta.Put(formatKey, []byte(formatVersion))
	default:
		return fmt.Errorf("unknown format version %q", v)
	}
}

// getDistribution reads one distribution; errNoSuchDistribution without it.
func getDistribution(tx *bbolt.Tx, id string) (distributionRecord, error) {
	var rec distributionRecord
	data := tx.Bucket(distributionsBucket).Get([]byte(id))
	if data == nil {
		return rec, errNoSuchDistribution()
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read distribution %s: %w", id, err)
	}
	return rec, nil
}

// allDistributions reads every distribution in the order of their IDs.
func allDistributions(tx *bbolt.Tx) ([]distributionRecord, error) {
	var all []distributionRecord
	err := tx.Bucket(distributionsBucket).ForEach(func(id, data []byte) error {
		var rec distributionRecord
		if err := json.Unmarshal(data, &rec); err != nil {
			return fmt.Errorf("read distribution %s: %w", id, err)
		}
		all = append(all, rec)
		return nil
	})
	return all, err
}

// storeDistribution writes a distribution and makes the buckets of its invalidations.
func storeDistribution(tx *bbolt.Tx, rec distributionRecord) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("write distribution %s: %w", rec.ID, err)
	}
	if err := tx.Bucket(distributionsBucket).Put([]byte(rec.ID), data); err != nil {
		return fmt.Errorf("write distribution %s: %w", rec.ID, err)
	}
	b, err := tx.Bucket(invalidationsBucket).CreateBucketIfNotExists([]byte(rec.ID))
	if err != nil {
		return fmt.Errorf("write distribution %s: %w", rec.ID, err)
	}
	for _, name := range [][]byte{recordsBucket, idsBucket, referencesBucket, pendingBucket} {
		if _, err := b.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("write distribution %s: %w", rec.ID, err)
		}
	}
	return nil
}

// history is the invalidations of one distribution within a transaction.
type history struct {
	records, ids, references, pending *bbolt.Bucket
}

// historyOf returns errNoSuchDistribution for an unknown distribution.
func historyOf(tx *bbolt.Tx, distribution string) (history, error) {
	if distribution == "" {
		return history{}, errNoSuchDistribution()
	}
	b := tx.Bucket(invalidationsBucket).Bucket([]byte(distribution))
	if b == nil {
		return history{}, errNoSuchDistribution()
	}
	return history{
		records: b.Bucket(recordsBucket), ids: b.Bucket(idsBucket),
		references: b.Bucket(referencesBucket), pending: b.Bucket(pendingBucket),
	}, nil
}

// bySequence reads the record at a sequence key.
func (h history) bySequence(key []byte) (invalidationRecord, error) {
	var rec invalidationRecord
	data := h.records.Get(key)
	if data == nil {
		return rec, fmt.Errorf("read invalidation %x: no record", key)
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read invalidation %x: %w", key, err)
	}
	return rec, nil
}

// byID reads the record with an invalidation ID; errNoSuchInvalidation without it.
func (h history) byID(id string) (invalidationRecord, error) {
	key := h.ids.Get([]byte(id))
	if key == nil {
		return invalidationRecord{}, errNoSuchInvalidation()
	}
	return h.bySequence(key)
}

// byReference reads the record of a caller reference and whether there is one.
func (h history) byReference(reference string) (invalidationRecord, bool, error) {
	key := h.references.Get(referenceKey(reference))
	if key == nil {
		return invalidationRecord{}, false, nil
	}
	rec, err := h.bySequence(key)
	return rec, err == nil, err
}

// add stores a new invalidation as pending, gives it the next sequence number and forgets the oldest completed
// ones beyond keep.
func (t *txn) add(distribution string, h history, rec *invalidationRecord, keep int) error {
	if h.ids.Get([]byte(rec.ID)) != nil {
		return fmt.Errorf("write invalidation %s: the id is taken", rec.ID)
	}
	rec.Sequence = h.records.Sequence() + 1
	if err := t.do(addInvalidation{distribution, *rec}); err != nil {
		return err
	}
	if through := h.forgettable(rec.Sequence, keep); through > 0 {
		return t.do(forget{distribution, through})
	}
	return nil
}

// put stores an invalidation whose number has been taken, as pending.
func (h history) put(rec invalidationRecord, sequence uint64) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("write invalidation %s: %w", rec.ID, err)
	}
	position := []byte{}
	if sequence > 0 {
		position = sequenceKey(sequence)
	}
	key := sequenceKey(rec.Sequence)
	err = errors.Join(
		h.records.Put(key, data),
		h.ids.Put([]byte(rec.ID), key),
		h.references.Put(referenceKey(rec.Reference), key),
		h.pending.Put(key, position))
	if err != nil {
		return fmt.Errorf("write invalidation %s: %w", rec.ID, err)
	}
	return nil
}

// forgettable is the newest sequence number of those to forget: the oldest, while there are more than keep and the
// oldest is completed; 0 is none. Sequences have no gaps, so the first key tells how many there are.
func (h history) forgettable(newest uint64, keep int) (through uint64) {
	c := h.records.Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		at := binary.BigEndian.Uint64(key)
		if newest-at < uint64(keep) || h.isPending(key) {
			return through
		}
		through = at
	}
	return through
}

// forget drops the invalidations up to a sequence number.
func (h history) forget(through uint64) error {
	for {
		key, _ := h.records.Cursor().First()
		if key == nil || binary.BigEndian.Uint64(key) > through {
			return nil
		}
		rec, err := h.bySequence(key)
		if err != nil {
			return err
		}
		key = bytes.Clone(key)
		err = errors.Join(h.records.Delete(key), h.ids.Delete([]byte(rec.ID)),
			h.references.Delete(referenceKey(rec.Reference)), h.pending.Delete(key))
		if err != nil {
			return fmt.Errorf("forget invalidation %s: %w", rec.ID, err)
		}
	}
}

func (h history) isPending(key []byte) bool { return h.pending.Get(key) != nil }

// status is the record's status in the API's spelling; spec: cloudfront 1.5.
func (h history) status(rec invalidationRecord) string {
	if h.isPending(sequenceKey(rec.Sequence)) {
		return "InProgress"
	}
	return "Completed"
}

// pendingCount counts the invalidations in progress.
func (h history) pendingCount() int {
	n := 0
	c := h.pending.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	return n
}

// nextPending reads the oldest invalidation in progress and whether there is one.
func (h history) nextPending() (invalidationRecord, bool, error) {
	key, at := h.pending.Cursor().First()
	if key == nil {
		return invalidationRecord{}, false, nil
	}
	rec, err := h.bySequence(key)
	rec.Log = position(at)
	return rec, err == nil, err
}

func sequenceKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// referenceKey is a digest, because a caller reference may be longer than a key of the file.
func referenceKey(reference string) []byte {
	sum := sha256.Sum256([]byte(reference))
	return sum[:]
}
