package disk

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// errTooLarge is the cause of errors about what no slab may hold.
var errTooLarge = errors.New("too large for the disk tier")

// errOff is the cause of errors of a tier that has failed or was closed.
var errOff = errors.New("disk tier is off")

// Options are a store's settings.
type Options struct {
	Dir    string       // made if missing; holds nothing else. One process at a time, one edge
	Bytes  int64        // budget of all slabs together; at least MinBytes. One object takes a quarter of it at most
	Queue  int          // bytes that may wait to be written; default 16 MiB. What does not fit is not stored
	Logger *slog.Logger // failures; default none

	open opener // default openFile
}

// MinBytes is the least budget.
const MinBytes = 64 << 10

// defaultQueue is Options.Queue's default.
const defaultQueue = 16 << 20

// Bounds of a slab's size: a sixteenth of the budget within these.
const (
	slabShare = 16
	maxSlab   = 64 << 20 // so that giving one back, and keeping its best half, is a matter of milliseconds
)

// largestShare is the part of the budget that one object may take: a quarter.
const largestShare = 4

// entry is what memory holds of an object on disk. Its map key is a hash; the head on disk has the key itself.
type entry struct {
	slab    uint32
	place   uint32 // of the head in the index file
	length  uint32 // of the head
	used    bool   // asked for since it was stored
	room    int64  // that head and body take
	fill    uint64
	checked purge.Sequence
}

// Store is the disk tier. All methods are safe for concurrent use.
type Store struct {
	opts    Options
	log     *purge.Log
	journal *journal
	lock    *os.File
	seed    maphash.Seed
	counts  counts

	wake   chan struct{} // holds one wish to write what is waiting
	stop   chan struct{}
	worker sync.WaitGroup
	closed sync.Once

	appending sync.Mutex // held for one write into slabs, or one slab's eviction; guards what follows, and the ends of slabs
	current   *slab      // takes small objects; nil before the first
	nextSlab  uint32
	serial    uint64 // of the newest body

	burying sync.Mutex // held while files are removed, so that bury returns when all are

	mu      sync.Mutex // guards what follows; held for one look-up, and the one byte that marks a head dead
	slabs   map[uint32]*slab
	index   map[uint64]entry
	waiting map[Key]*Item // to be written
	queue   []*Item       // the same, in order; also those that were superseded
	queued  int           // bytes of the queue
	total   int64         // bytes of all slabs
	doomed  []*slab       // whose files are to be removed
	maxFill uint64
	off     bool // nothing is read or stored any more
}

type counts struct {
	hits, stored, evicted, purged, dropped, failed, damaged atomic.Int64
}

// Stats tells what the store holds and has done since Open.
type Stats struct {
	Objects   int64 // on disk, including a few not yet reclaimed
	Bytes     int64 // of slabs
	Waiting   int   // objects to be written
	Hits      int64 // objects and bodies read
	Stored    int64 // objects written
	Evicted   int64 // objects that the budget pushed out
	Purged    int64 // objects that invalidations removed, counted when found
	Dropped   int64 // objects that were not stored because the queue was full or they were too large
	Failed    int64 // objects that were not stored because writing failed
	Damaged   int64 // objects that could not be read back
	PurgeFile int64 // bytes in use of the purge file
	Off       bool  // the tier has failed and does nothing until the next start
}

// Stats returns the present figures.
func (s *Store) Stats() Stats {
	used := s.journal.used()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.counts
	return Stats{
		Objects: int64(len(s.index)), Bytes: s.total, Waiting: len(s.waiting), Hits: c.hits.Load(), Stored: c.stored.Load(),
		Evicted: c.evicted.Load(), Purged: c.purged.Load(), Dropped: c.dropped.Load(), Failed: c.failed.Load(), Damaged: c.damaged.Load(),
		PurgeFile: used, Off: s.off,
	}
}

// MaxFill is the greatest fill number of any object found by Open; later fills must have greater ones.
func (s *Store) MaxFill() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxFill
}

// Largest is the size of the largest body that is stored, in bytes.
func (s *Store) Largest() int64 { return s.opts.Bytes / largestShare }

func (s *Store) slabSize() int64 { return min(s.opts.Bytes/slabShare, maxSlab) }

func (s *Store) hash(k Key) uint64 { return maphash.Comparable(s.seed, k) }

// Item is an object on its way to the disk.
type Item struct {
	Key    Key
	Fill   uint64
	Size   int                     // of memory that it holds until it is written, in bytes
	Value  any                     // what Get returns until then
	Encode func() (Record, []byte) // called once, from another goroutine: what to keep, and the body
}

// Add has the item written soon, in place of any older object under its key. It never waits for the disk:
// where the queue is full the item is not stored, and the older object is gone all the same.
func (s *Store) Add(it *Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest(it.Key) >= it.Fill {
		return // it is there already, or something newer is
	}
	s.dropLocked(it.Key, it.Fill-1)
	switch {
	case s.off:
	case s.queued+it.Size > s.opts.Queue && len(s.queue) > 0:
		s.counts.dropped.Add(1)
	default:
		s.waiting[it.Key] = it
		s.queue = append(s.queue, it)
		s.queued += it.Size
		s.nudge()
	}
}

// nudge asks the writer to look at the queue.
func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// newest is the fill number of what is stored or waiting under key; 0 for nothing. The caller holds mu.
func (s *Store) newest(key Key) uint64 {
	if it := s.waiting[key]; it != nil {
		return it.Fill
	}
	return s.index[s.hash(key)].fill
}

// Newest is the fill number of the object under key; 0 for none.
func (s *Store) Newest(key Key) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest(key)
}

// Drop removes the object under key unless it is newer than upTo, and says whether there was one. What another slab's file has of it is marked.
func (s *Store) Drop(key Key, upTo uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropLocked(key, upTo)
}

// dropLocked is Drop for a caller that holds mu.
func (s *Store) dropLocked(key Key, upTo uint64) bool {
	found := false
	if it := s.waiting[key]; it != nil && it.Fill <= upTo {
		delete(s.waiting, key)
		found = true
	}
	hash := s.hash(key)
	if e, ok := s.index[hash]; ok && e.fill <= upTo {
		s.forget(hash, e)
		found = true
	}
	return found
}

// forget removes an entry and marks its head. The caller holds mu.
// The mark is one byte into the page cache; where it fails the slab must go, or a restart would bring the object back.
func (s *Store) forget(hash uint64, e entry) {
	delete(s.index, hash)
	b := s.slabs[e.slab]
	if b == nil {
		return
	}
	b.liveBytes -= e.room
	b.objects--
	b.dirty = true
	if err := b.kill(int64(e.place), int64(e.length)); err != nil {
		s.opts.Logger.Warn("disk tier gives up a slab", "error", err)
		s.abandon(b)
	}
}

// abandon takes a slab with all its objects off the disk. The caller holds mu.
func (s *Store) abandon(b *slab) {
	if s.slabs[b.id] != b {
		return
	}
	s.unlink(b)
	delete(s.slabs, b.id)
	if b.objects > 0 {
		for hash, e := range s.index {
			if e.slab == b.id {
				delete(s.index, hash)
			}
		}
	}
	s.release(b)
}

// unlink has b's files removed soon; they stay open. The caller holds mu.
func (s *Store) unlink(b *slab) {
	if b.leaving {
		return
	}
	b.leaving = true
	s.total -= b.bytes
	s.doomed = append(s.doomed, b)
	s.nudge()
}

// bury removes the files of slabs that were given up. It is not done where they are given up, because file systems make callers wait.
func (s *Store) bury() error {
	s.burying.Lock()
	defer s.burying.Unlock()
	s.mu.Lock()
	doomed := s.doomed
	s.doomed = nil
	s.mu.Unlock()
	var failed []error
	for _, b := range doomed {
		if err := b.remove(); err != nil {
			s.opts.Logger.Warn("disk tier cannot remove a slab", "error", err)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// release ends one use of b. The caller holds mu.
func (s *Store) release(b *slab) {
	b.refs--
	if b.refs == 0 {
		_ = b.close() // it was only read, or is gone
	}
}

// pin finds the object under key and keeps its slab's files open until release.
func (s *Store) pin(key Key) (waiting *Item, b *slab, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.waiting[key]; it != nil {
		return it, nil, entry{}
	}
	hash := s.hash(key)
	e, ok := s.index[hash]
	if !ok || s.off {
		return nil, nil, entry{}
	}
	if b = s.slabs[e.slab]; b == nil {
		return nil, nil, entry{}
	}
	if !e.used {
		used := e
		used.used = true
		s.index[hash] = used
	}
	b.refs++
	return nil, b, e
}

// fail empties the tier and switches it off: the purge file cannot be trusted any more.
func (s *Store) fail(cause error) {
	s.opts.Logger.Error("disk tier is off until the next start", "error", cause)
	s.mu.Lock()
	s.off = true
	clear(s.index)
	clear(s.waiting)
	for _, b := range s.slabs {
		b.objects = 0
		s.abandon(b)
	}
	s.mu.Unlock()
	_ = s.bury() // it has told the log
}

// Close writes what is waiting, syncs everything and ends the writer. Bodies that are still being read fail. Closing twice is closing once.
func (s *Store) Close() (err error) {
	s.closed.Do(func() { err = s.shut() })
	return err
}

func (s *Store) shut() error {
	close(s.stop)
	s.worker.Wait()
	s.writeWaiting()
	failed := []error{s.bury(), s.journal.close()} // before the lock, which a failing journal takes
	s.appending.Lock()
	defer s.appending.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off = true
	for id, b := range s.slabs {
		failed = append(failed, b.data.Sync(), b.idx.Sync(), b.close())
		b.refs = -1 << 30 // closed already
		delete(s.slabs, id)
	}
	if err := errors.Join(append(failed, s.lock.Close())...); err != nil {
		return fmt.Errorf("close disk tier: %w", err)
	}
	return nil
}
