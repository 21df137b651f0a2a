package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
	"github.com/freshet/freshet/internal/durable"
)

// The purge file: a header, then frames, then zeros up to a multiple of purgeChunk. The zeros tell a sound end from a cut one,
// and let most syncs do without a new file size.
const (
	purgeName   = "purge.log"
	purgeMagic  = "FRESHPL2"
	purgeMagic1 = "FRESHPL1"                      // the same without positions; read, and written anew as the later form
	purgeHeader = len(purgeMagic) + frameHead + 8 // the floor, framed
	purgeChunk  = 64 << 10
	purgeSalt   = 0x7075726765 // "purge"

	rewriteFrom = 256 << 10 // bytes in use; below, a rewrite would gain nothing
)

// Kinds of frames.
const (
	kindBatch = 1 // an accepted batch
	kindSwept = 2 // no object is covered by a batch up to this number any more

	// Since form 2. Positions grow from frame to frame.
	kindBatchAt = 3 // an accepted batch with its position in another log
	kindReached = 4 // everything up to this position of the other log is in the frames before, or was and is swept
)

// journal is the purge file, and what is on its way there.
type journal struct {
	path   string
	open   opener
	broken func(error) // called once, when the file cannot be relied on any more; holds no lock of the journal

	mu      sync.Mutex // guards what follows; held for no file access
	changed *sync.Cond
	pending []byte         // frames to be written
	newest  purge.Sequence // of the batches in pending and in the file
	durable purge.Sequence // of the batches in the file that are synced
	reached uint64         // position of the other log; 0 for none
	writing bool           // somebody writes; the fields below are theirs
	err     error          // sticks: the file is given up
	stuck   error          // with err: it could not be removed either

	file  file
	kept  uint64         // position in the file
	floor purge.Sequence // everything older counts as swept
	end   int64          // of the frames
	size  int64          // of the file
}

var _ purge.Journal = (*journal)(nil)

// Record takes an accepted batch. The purge log calls it in the order of sequence numbers, under its lock.
func (j *journal) Record(b purge.Batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.newest = b.Sequence
	j.reached = max(j.reached, b.Position)
	if j.err == nil {
		j.pending = appendFrame(j.pending, purgeSalt, encodeBatch(b))
	}
}

// Reached takes a position without a batch. It goes to the disk with the next batch, sweep or Close.
func (j *journal) Reached(position uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reached = max(j.reached, position)
}

// Wait returns when the batch is on the disk, or the file has been removed so that the next start takes everything for covered.
// The error is that of a disk that refuses both.
func (j *journal) Wait(seq purge.Sequence) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.durable < seq && j.err == nil {
		if j.writing {
			j.changed.Wait()
			continue
		}
		j.exclusively(j.flush)
	}
	if j.durable < seq {
		return j.stuck
	}
	return nil
}

// exclusively calls write without the lock while nobody else writes. The caller holds mu, and j.writing is false.
func (j *journal) exclusively(write func(frames []byte) error) {
	j.writing = true
	frames, newest, reached := j.pending, j.newest, j.reached
	if reached > j.kept {
		frames = appendFrame(frames, purgeSalt, encodeReached(reached))
	}
	j.pending = nil
	j.mu.Unlock()
	err := write(frames)
	var stuck error
	if err != nil {
		stuck = j.destroy()
		j.broken(errors.Join(err, stuck))
	}
	j.mu.Lock()
	j.writing = false
	if err == nil {
		j.durable, j.kept = max(j.durable, newest), reached
	} else {
		j.err, j.stuck = err, stuck
	}
	j.changed.Broadcast()
}

// flush appends frames and syncs them.
func (j *journal) flush(frames []byte) error {
	if grown := roundUp(j.end + int64(len(frames))); grown > j.size {
		if err := os.Truncate(j.path, grown); err != nil {
			return fmt.Errorf("grow purge file: %w", err)
		}
		j.size = grown
	}
	if _, err := j.file.WriteAt(frames, j.end); err != nil {
		return fmt.Errorf("write purge file: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync purge file: %w", err)
	}
	j.end += int64(len(frames))
	return nil
}

func roundUp(n int64) int64 {
	return (n + purgeChunk - 1) / purgeChunk * purgeChunk
}

// synced is the newest batch that is on the disk.
func (j *journal) synced() purge.Sequence {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

func (j *journal) used() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.writing {
		return 0 // not worth waiting for
	}
	return j.end
}

// swept notes that every object on the disk has been compared with all batches up to upTo, durably. They can go.
func (j *journal) swept(upTo purge.Sequence) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.writing {
		j.changed.Wait()
	}
	if j.err != nil || upTo <= j.floor {
		return
	}
	if j.end < rewriteFrom {
		var e Encoder
		e.Uint(kindSwept)
		e.Uint(uint64(upTo))
		j.pending = appendFrame(j.pending, purgeSalt, e.B)
		j.exclusively(j.flush)
		if j.err == nil {
			j.floor = upTo
		}
		return
	}
	j.exclusively(func(frames []byte) error { return j.rewrite(upTo, frames) })
}

// rewrite replaces the file by one without the batches up to floor, and with more frames at its end.
func (j *journal) rewrite(floor purge.Sequence, more []byte) error {
	old := make([]byte, j.end)
	if _, err := j.file.ReadAt(old, 0); err != nil {
		return fmt.Errorf("read purge file: %w", err)
	}
	kept, err := later(nil, old[purgeHeader:], floor)
	if err != nil {
		return err
	}
	if j.kept > 0 {
		kept = appendFrame(kept, purgeSalt, encodeReached(j.kept))
	}
	if kept, err = later(kept, more, floor, kindReached); err != nil {
		return err
	}
	return j.replace(floor, kept)
}

// later appends those of frames to kept that are batches later than floor, or of other kinds that are asked for.
func later(kept, frames []byte, floor purge.Sequence, kinds ...uint64) ([]byte, error) {
	for len(frames) > 0 {
		payload, rest, err := cutFrame(frames, purgeSalt)
		if err != nil {
			return nil, fmt.Errorf("read purge file: %w", err)
		}
		d := NewDecoder(payload)
		kind := d.Uint()
		isBatch := kind == kindBatch || kind == kindBatchAt
		if isBatch && purge.Sequence(d.Uint()) > floor || slices.Contains(kinds, kind) {
			kept = append(kept, frames[:len(frames)-len(rest)]...)
		}
		frames = rest
	}
	return kept, nil
}

// replace makes a new purge file of frames, and opens it.
func (j *journal) replace(floor purge.Sequence, frames []byte) error {
	b := appendFrame([]byte(purgeMagic), purgeSalt, binary.LittleEndian.AppendUint64(nil, uint64(floor)))
	b = append(b, frames...)
	end := int64(len(b))
	b = append(b, make([]byte, roundUp(end+1)-end)...)
	if err := durable.WriteFile(j.path, b, 0o600); err != nil {
		return fmt.Errorf("rewrite purge file: %w", err)
	}
	f, err := j.open(j.path, false)
	if err != nil {
		return fmt.Errorf("rewrite purge file: %w", err)
	}
	if j.file != nil {
		_ = j.file.Close() // its name is gone, and with it everything in it
	}
	j.file, j.floor, j.end, j.size = f, floor, end, int64(len(b))
	return nil
}

// destroy removes the file, so that the next start takes everything in the folder for covered.
func (j *journal) destroy() error {
	err := os.Remove(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, durable.SyncDir(filepath.Dir(j.path)))
}

// close writes what is pending and closes the file.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.writing {
		j.changed.Wait()
	}
	if j.err == nil && (j.durable < j.newest || j.kept < j.reached) {
		j.exclusively(j.flush)
	}
	err := j.err
	if j.err == nil {
		j.err = errOff
	}
	return errors.Join(err, j.file.Close())
}

func encodeBatch(b purge.Batch) []byte {
	var e Encoder
	if b.Position == 0 {
		e.Uint(kindBatch)
		e.Uint(uint64(b.Sequence))
	} else {
		e.Uint(kindBatchAt)
		e.Uint(uint64(b.Sequence))
		e.Uint(b.Position)
	}
	e.String(b.Scope)
	e.Bool(b.Exact)
	e.Strings(b.Items)
	return e.B
}

func encodeReached(position uint64) []byte {
	var e Encoder
	e.Uint(kindReached)
	e.Uint(position)
	return e.B
}

// purges is what a purge file says.
type purges struct {
	floor   purge.Sequence // up to here everything that counts has been compared
	newest  purge.Sequence
	batches []purge.Batch // later than floor, in order
	end     int64         // of the frames
	reached uint64        // position of the other log; 0 for none
	old     bool          // it is of form 1
}

// decodePurges reads a whole purge file. The error is errDamaged if it may have lost a batch.
func decodePurges(b []byte) (purges, error) {
	rest, ok := bytes.CutPrefix(b, []byte(purgeMagic))
	old := false
	if !ok {
		rest, old = bytes.CutPrefix(b, []byte(purgeMagic1))
	}
	if !ok && !old || len(b)%purgeChunk != 0 {
		return purges{}, errDamaged
	}
	floor, rest, err := cutFrame(rest, purgeSalt)
	if err != nil || len(floor) != 8 {
		return purges{}, errDamaged
	}
	p := purges{old: old, floor: purge.Sequence(binary.LittleEndian.Uint64(floor))}
	p.newest = p.floor
	for {
		payload, after, err := cutFrame(rest, purgeSalt)
		if err != nil {
			break
		}
		if !p.take(payload) {
			return purges{}, errDamaged
		}
		rest = after
	}
	if len(bytes.Trim(rest, "\x00")) > 0 {
		return purges{}, errDamaged // something was written here, and it may have been a batch that was answered
	}
	p.end = int64(len(b) - len(rest))
	return p, nil
}

// take adds one frame; false if no writer of this package wrote it here.
func (p *purges) take(payload []byte) bool {
	d := NewDecoder(payload)
	kind := d.Uint()
	if p.old && kind > kindSwept {
		return false
	}
	switch kind {
	case kindSwept:
		return p.sweep(purge.Sequence(d.Uint())) && d.Done()
	case kindReached:
		return p.reach(d.Uint()) && d.Done()
	case kindBatch, kindBatchAt:
		b := purge.Batch{Sequence: purge.Sequence(d.Uint())}
		if kind == kindBatchAt {
			b.Position = d.Uint()
		}
		b.Scope, b.Exact, b.Items = d.String(), d.Bool(), d.Strings()
		if !d.Done() || b.Sequence <= p.newest || kind == kindBatchAt && !p.reach(b.Position) {
			return false
		}
		p.newest = b.Sequence
		p.batches = append(p.batches, b)
		return true
	}
	return false
}

// sweep takes the number up to which everything has been swept; false if that cannot be.
func (p *purges) sweep(upTo purge.Sequence) bool {
	if upTo > p.newest || upTo < p.floor {
		return false
	}
	p.floor = upTo
	n := 0
	for n < len(p.batches) && p.batches[n].Sequence <= upTo {
		n++
	}
	p.batches = p.batches[n:]
	return true
}

// reach takes a position of the other log; false if an earlier frame has a later one.
func (p *purges) reach(position uint64) bool {
	if position < p.reached {
		return false
	}
	p.reached = position
	return true
}

// startJournal opens the purge file at path, or makes one. Ok is false if there was none, or a damaged one: then a new one begins at floor 0.
func startJournal(path string, open opener, broken func(error)) (j *journal, p purges, ok bool, err error) {
	j = &journal{path: path, open: open, broken: broken}
	j.changed = sync.NewCond(&j.mu)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, purges{}, false, fmt.Errorf("read purge file: %w", err)
	}
	if err == nil {
		p, err = decodePurges(b)
	}
	if err != nil {
		return j, purges{}, false, nil
	}
	if j.file, err = open(path, false); err != nil {
		return nil, purges{}, false, err
	}
	j.floor, j.newest, j.durable, j.end, j.size = p.floor, p.newest, p.newest, p.end, int64(len(b))
	j.reached, j.kept = p.reached, p.reached
	if p.old {
		if err := j.rewrite(p.floor, nil); err != nil {
			return nil, purges{}, false, errors.Join(err, j.file.Close())
		}
	}
	return j, p, true, nil
}

// Is says whether a folder is a disk tier's: whether it has a purge file. One that lost it is nobody's, as far as can be told.
func Is(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, purgeName))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // an edge's own would be readable
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read purge file: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	magic := make([]byte, len(purgeMagic))
	_, err = io.ReadFull(f, magic)
	return err == nil && (string(magic) == purgeMagic || string(magic) == purgeMagic1), nil
}

// Position is the position of another log that the purge file in a folder has, as Open would find it; 0 where there is none, or it is damaged.
// The folder need not be there.
func Position(dir string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, purgeName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read purge file: %w", err)
	}
	p, err := decodePurges(b)
	if err != nil {
		return 0, nil
	}
	return p.reached, nil
}
