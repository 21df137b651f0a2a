package objects

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/freshet/freshet/internal/durable"
)

// maxBatch is how many changes one transaction takes at most: enough that the
// fixed cost of a commit is shared, few enough that
// the first change of a batch does not wait long for the last.
const maxBatch = 256

// change is one step of one caller. check looks, and its error refuses this
// change alone; write changes, and its error fails the whole batch, because the
// transaction can no longer be trusted.
type change struct {
	check func(*bolt.Tx) error
	write func(*batch) error
	done  chan error
}

// batch is the transaction that a change writes to, with what must happen to
// files before and after its commit.
type batch struct {
	tx     *bolt.Tx
	bodies *bodies
	placed []string            // body files moved into place, by SHA-256: undone if the commit fails
	fading map[string]struct{} // body files that lost a reference: removed if none is left
	gone   []string            // paths to remove once the commit has succeeded
	folded map[string]Stats    // changes of the statistics, by bucket
}

// commit hands one change to the committer and waits until it is committed or
// refused. check sees all earlier changes and nothing comes between it and
// write: this is what makes conditional writes atomic. When ctx ends before the
// hand-over nothing has happened.
func (s *Store) commit(ctx context.Context, check func(*bolt.Tx) error, write func(*batch) error) error {
	c := &change{check: check, write: write, done: make(chan error, 1)}
	if err := s.submit(ctx, c); err != nil {
		return err
	}
	// No select on ctx: the change will be carried out, and the caller must know how.
	return <-c.done
}

func (s *Store) submit(ctx context.Context, c *change) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.changes <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitLoop commits whatever is waiting, as one transaction, until the store closes.
func (s *Store) commitLoop() {
	defer close(s.stopped)
	for first := range s.changes {
		waiting := append(make([]*change, 0, 16), first)
	drain:
		for len(waiting) < maxBatch {
			select {
			case c, ok := <-s.changes:
				if !ok {
					break drain
				}
				waiting = append(waiting, c)
			default:
				break drain
			}
		}
		s.commitBatch(waiting)
	}
}

// commitBatch carries out the changes in order and answers each of them.
func (s *Store) commitBatch(waiting []*change) {
	accepted, err := s.tryBatch(waiting)
	for _, c := range accepted {
		c.done <- err
	}
}

// tryBatch answers the refused changes itself and returns the others with the
// fate that they share.
func (s *Store) tryBatch(waiting []*change) ([]*change, error) {
	tx, err := s.db.Begin(true)
	if err != nil {
		return waiting, fmt.Errorf("begin commit: %w", err)
	}
	b := &batch{tx: tx, bodies: &s.bodies, fading: map[string]struct{}{}, folded: map[string]Stats{}}
	accepted := waiting[:0:0]
	var failed error
	for i, c := range waiting {
		if err := c.check(tx); err != nil {
			c.done <- err
			continue
		}
		accepted = append(accepted, c)
		if failed = c.write(b); failed != nil {
			accepted = append(accepted, waiting[i+1:]...)
			break
		}
	}
	if failed == nil {
		failed = b.finish()
	}
	if failed != nil {
		return accepted, errors.Join(fmt.Errorf("commit: %w", failed), tx.Rollback(), s.undoPlaced(b))
	}
	if err := tx.Commit(); err != nil {
		return accepted, errors.Join(fmt.Errorf("commit: %w", err), s.undoPlaced(b))
	}
	s.bodies.remove(b.gone)
	return accepted, nil
}

// finish writes what the changes of the batch share, as the last step before the commit.
func (b *batch) finish() error {
	for bucket, delta := range b.folded {
		if b.tx.Bucket(objectTable(bucket)) == nil {
			continue // deleted in this batch
		}
		table := b.tx.Bucket(tableStats)
		now := decodeStats(table.Get([]byte(bucket)))
		now.Objects += delta.Objects
		now.Bytes += delta.Bytes
		if err := table.Put([]byte(bucket), encodeStats(now)); err != nil {
			return fmt.Errorf("write statistics of %s: %w", bucket, err)
		}
	}
	for sum := range b.fading {
		if b.refs(sum) == 0 {
			b.gone = append(b.gone, b.bodies.path(sum))
		}
	}
	if !b.bodies.sync {
		return nil
	}
	return b.syncFolders()
}

// syncFolders makes the names of new body files durable before the index names them.
func (b *batch) syncFolders() error {
	done := map[string]bool{}
	for _, sum := range b.placed {
		dir := filepath.Dir(b.bodies.path(sum))
		if done[dir] {
			continue
		}
		done[dir] = true
		if err := durable.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// undoPlaced removes the body files that a failed batch had moved into place,
// unless the index, as it was before, names them.
func (s *Store) undoPlaced(b *batch) error {
	return s.db.View(func(tx *bolt.Tx) error {
		for _, sum := range b.placed {
			if refCount(tx, sum) == 0 {
				s.bodies.remove([]string{s.bodies.path(sum)})
			}
		}
		return nil
	})
}

// adopt counts one more object that names the body and moves its file into
// place if it is the first. The temporary file is used up either way.
func (b *batch) adopt(body staged) error {
	if body.temp == "" {
		return nil // a small body lives in the index
	}
	sum := body.sha256
	if b.refs(sum) > 0 {
		b.gone = append(b.gone, body.temp)
		return b.setRefs(sum, b.refs(sum)+1)
	}
	if err := makeFolder(filepath.Dir(b.bodies.path(sum))); err != nil {
		return err
	}
	if err := os.Rename(body.temp, b.bodies.path(sum)); err != nil {
		return fmt.Errorf("move body into place: %w", err)
	}
	b.placed = append(b.placed, sum)
	return b.setRefs(sum, 1)
}

// share counts one more object that names a body file which the index names already.
func (b *batch) share(sum string) error {
	if sum == "" {
		return nil
	}
	return b.setRefs(sum, b.refs(sum)+1)
}

// release counts one object less that names the body file.
func (b *batch) release(sum string) error {
	if sum == "" {
		return nil
	}
	n := b.refs(sum)
	if n == 0 {
		return fmt.Errorf("release body %s: nobody names it", sum)
	}
	b.fading[sum] = struct{}{}
	return b.setRefs(sum, n-1)
}

// count folds a change of a bucket's statistics into the batch.
func (b *batch) count(bucket string, objects, bytes int64) {
	now := b.folded[bucket]
	b.folded[bucket] = Stats{Objects: now.Objects + objects, Bytes: now.Bytes + bytes}
}

func (b *batch) refs(sum string) uint64 { return refCount(b.tx, sum) }

func (b *batch) setRefs(sum string, n uint64) error {
	table := b.tx.Bucket(tableRefs)
	if n == 0 {
		return table.Delete([]byte(sum))
	}
	return table.Put([]byte(sum), binary.BigEndian.AppendUint64(nil, n))
}

// refCount is the number of objects that name the body file.
func refCount(tx *bolt.Tx, sum string) uint64 {
	v := tx.Bucket(tableRefs).Get([]byte(sum))
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

func encodeStats(st Stats) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(st.Objects)), uint64(st.Bytes))
}

// decodeStats reads what encodeStats wrote; nothing means zero.
func decodeStats(v []byte) Stats {
	if len(v) != 16 {
		return Stats{}
	}
	return Stats{Objects: int64(binary.BigEndian.Uint64(v)), Bytes: int64(binary.BigEndian.Uint64(v[8:]))}
}
