package edge

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// Dropped says what one invalidation has taken out of memory so far.
type Dropped struct {
	Objects int64
	Bytes   int64 // of their bodies
	Done    bool  // every object was looked at: there is no more to come
}

// Apply is Invalidate for an invalidation that its owner knows by a number, by which Dropped tells later what became of it. The same number may be applied again.
func (e *Edge) Apply(number uint64, items []string) error {
	seq, err := e.Invalidate(items)
	if err == nil && e.store.drops != nil {
		e.store.drops.name(seq, number)
	}
	return err
}

// Dropped tells what the invalidation with a number given to Apply has dropped; false where nobody counts (Options.Drops), or no longer remembers.
// An object that two invalidations cover counts for the earlier one, unless they came so close together that nobody can tell.
// What only the disk tier held does not count.
func (e *Edge) Dropped(number uint64) (Dropped, bool) {
	if e.store.drops == nil {
		return Dropped{}, false
	}
	return e.store.drops.of(number)
}

// DropsVersion changes whenever an answer of Dropped does.
func (e *Edge) DropsVersion() uint64 {
	if e.store.drops == nil {
		return 0
	}
	return e.store.drops.version.Load()
}

// drops counts what the newest batches of the purge log took out of memory. It is asked when an object is dropped, never when one is served.
type drops struct {
	keep    int // batches to remember
	version atomic.Uint64
	swept   atomic.Uint64 // batches up to this number have nothing left to drop

	// mu guards list; held for a search of it.
	mu   sync.Mutex
	list []drop // in the order of their sequence numbers
}

type drop struct {
	seq            purge.Sequence
	number         uint64 // 0 until it has been named
	objects, bytes int64
}

// count adds o, which was found covered and is gone.
func (d *drops) count(o *object, log *purge.Log) {
	seq := log.Which(o.key.uri, o.tags, o.seen())
	if seq == 0 || o.selecting != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if one := d.at(seq); one != nil {
		one.objects++
		one.bytes += o.size()
		d.version.Add(1)
	}
}

// name gives a batch the number that its owner knows it by. Objects may have been counted for it already.
func (d *drops) name(seq purge.Sequence, number uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if one := d.at(seq); one != nil {
		one.number = number
		d.version.Add(1)
	}
}

// at is the entry of a batch, new if need be; nil for one that is older than all that are remembered. The caller holds mu.
func (d *drops) at(seq purge.Sequence) *drop {
	i, found := slices.BinarySearchFunc(d.list, seq, func(one drop, seq purge.Sequence) int { return int(one.seq) - int(seq) })
	if found {
		return &d.list[i]
	}
	if len(d.list) == d.keep {
		if i == 0 {
			return nil
		}
		d.list = slices.Delete(d.list, 0, 1)
		i--
	}
	d.list = slices.Insert(d.list, i, drop{seq: seq})
	return &d.list[i]
}

// done says that a sweep has looked at all objects for batches up to seq.
func (d *drops) done(seq purge.Sequence) {
	if d.swept.Swap(uint64(seq)) != uint64(seq) {
		d.version.Add(1)
	}
}

func (d *drops) of(number uint64) (sum Dropped, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum.Done = true
	for _, one := range d.list {
		if one.number == number && number != 0 {
			known = true
			sum.Objects += one.objects
			sum.Bytes += one.bytes
			sum.Done = sum.Done && uint64(one.seq) <= d.swept.Load()
		}
	}
	if !known {
		return Dropped{}, false
	}
	return sum, true
}

// dropped counts o, which an invalidation covers and which is gone.
func (s *store) dropped(o *object) {
	s.purged.Add(1)
	if s.drops != nil {
		s.drops.count(o, s.log)
	}
}
