package edge

import (
	"context"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/freshet/freshet/internal/cloud/edge/disk"
	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// Disk says where the disk tier is; the zero value is none.
type Disk struct {
	Dir   string // of this edge alone; made if missing. "" is no disk tier
	Bytes int64  // budget for cached objects, at least disk.MinBytes; default 1 GiB. One object takes a quarter of it at most
}

// DefaultDiskBytes is Disk.Bytes' default.
const DefaultDiskBytes = 1 << 30

// The two tiers. Memory is asked first. What memory evicts goes to the disk, as does what is too large for memory; what is found on the disk
// and fits goes back into memory, and stays on the disk, so that the next eviction costs nothing.
//
// A key's changes in both tiers happen under the memory cache's lock for that key (in the functions given to Compute, and in the eviction's
// callback), so that an older object never comes back over a newer one. The disk tier never calls the memory cache.

// readWhole is the largest body that the first hit on disk brings into memory, in bytes. A larger one streams; if it fits memory, its second hit brings it.
const readWhole = 256 << 10

// openDisk opens the disk tier, if there is one, and brings the purge log to where the last run left it.
func (s *store) openDisk(o *Options) (maxFill uint64, err error) {
	if o.Disk.Dir == "" {
		return 0, nil
	}
	if o.Disk.Bytes == 0 {
		o.Disk.Bytes = DefaultDiskBytes
	}
	d, err := disk.Open(disk.Options{Dir: o.Disk.Dir, Bytes: o.Disk.Bytes, Logger: o.Logger}, s.log)
	if err != nil {
		return 0, fmt.Errorf("open disk: %w", err)
	}
	s.disk = d
	return d.MaxFill(), nil
}

// closeDisk puts what only memory has on the disk, the least used first, and closes it.
func (s *store) closeDisk() error {
	if s.disk == nil {
		return nil
	}
	for e := range s.cache.Coldest() {
		if e.Value.withdrawn.Load() == 0 {
			s.disk.Put(item(e.Value))
		}
	}
	return s.disk.Close()
}

// seen is the purge sequence up to which no invalidation covers o.
func (o *object) seen() purge.Sequence { return purge.Sequence(o.checked.Load()) }

// item is an object on its way to the disk.
func item(o *object) *disk.Item {
	return &disk.Item{
		Key: o.key.disk(), Fill: o.fill, Size: o.weight(), Value: o,
		Encode: func() (disk.Record, []byte) { return o.record(), o.body },
	}
}

// lower returns the object under key from the disk, or nil if there is none that no invalidation covers.
func (s *store) lower(key cacheKey) *object {
	if s.disk == nil {
		return nil
	}
	f := s.disk.Get(key.disk(), min(readWhole, int64(s.largest)))
	if f == nil {
		return nil
	}
	o, waiting := f.Waiting.(*object)
	if !waiting {
		var ok bool
		if o, ok = decodeObject(&f.Record); !ok {
			s.disk.Drop(key.disk(), f.Record.Fill)
			return nil
		}
		o.body, o.below = f.Whole, f.Body
	}
	before := o.seen()
	if !s.clean(o) {
		return nil
	}
	if now := o.seen(); now > before {
		s.disk.Confirm(key.disk(), o.fill, now)
	}
	return s.lift(o, f.Again)
}

// lift brings o into memory, if that is where it belongs, and returns the object to serve.
func (s *store) lift(o *object, again bool) *object {
	if o.below != nil {
		if !again || o.below.Size() > int64(s.largest)/2 {
			return o
		}
		body, err := o.below.ReadAll()
		if err != nil {
			return nil
		}
		o.body, o.below = body, nil
	}
	if o.weight() > s.largest {
		return o
	}
	best := o
	s.cache.Compute(o.key, func(old *object, found bool) (*object, otter.ComputeOp) {
		switch {
		case found && old.fill >= o.fill:
			best = old
			return nil, otter.CancelOp
		case found || s.disk.Newest(o.key.disk()) != o.fill:
			return nil, otter.CancelOp // it was replaced or dropped meanwhile
		}
		return o, otter.WriteOp
	})
	if best != o && !s.clean(best) {
		return nil
	}
	return best
}

// lowered says whether the disk has something newer than o. It runs in Compute, for an object that memory does not have.
func (s *store) lowered(o *object) bool {
	return s.disk != nil && s.disk.Newest(o.key.disk()) > o.fill
}

// supersede removes what the disk has of o's key that is not newer than o, or puts o there in its place if it fits the disk only. It runs in Compute.
func (s *store) supersede(o *object, toDisk bool) {
	switch {
	case s.disk == nil:
	case toDisk:
		s.disk.Drop(o.key.disk(), o.fill)
		s.disk.Add(item(o))
	default:
		s.disk.Drop(o.key.disk(), o.fill)
	}
}

// putBelow stores o, whose body is on the disk alone: the one of an older object that o confirms, or with w a new one.
func (s *store) putBelow(o *object, w *disk.Writer) error {
	o.checked.Store(uint64(o.stamp))
	newer := false
	s.cache.Compute(o.key, func(old *object, found bool) (*object, otter.ComputeOp) {
		if newer = found && old.fill > o.fill || s.lowered(o); newer || !found {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
	switch {
	case newer && w != nil:
		w.Abort()
		return nil
	case newer:
		return nil
	case w != nil:
		return w.Commit(o.record())
	}
	return s.disk.Renew(o.below, o.record())
}

// spill has the body of f, which is too large for memory, written to the disk as it passes.
func (e *Edge) spill(f *flight) {
	d := e.store.disk
	if d == nil || !f.head.verdict.store || f.head.length > d.Largest() {
		return
	}
	w, err := d.Create()
	if err != nil {
		e.opts.Logger.Warn("cannot store a large object", "path", f.target.path, "error", err)
		return
	}
	f.spilled = w
	f.tee(f.body.whole(0))
}

// tee writes bytes that have come from the origin to the disk, if they go there. A failure is the Commit's business.
func (f *flight) tee(p []byte) {
	if f.spilled != nil {
		_, _ = f.spilled.Write(p)
	}
}

// keepBelow stores the object whose body f has spilled, and says whether there is one.
func (e *Edge) keepBelow(f *flight, o *object) bool {
	w := f.spilled
	if w == nil {
		return false
	}
	f.spilled = nil
	if err := e.store.putBelow(o, w); err != nil { // the disk tier warns of its failures itself
		e.opts.Logger.Debug("cannot store a large object", "path", f.target.path, "error", err)
	}
	return true
}

// unspill removes what a fill has spilled that came to nothing.
func (f *flight) unspill() {
	if f.spilled != nil {
		f.spilled.Abort()
		f.spilled = nil
	}
}

// size of the body, wherever it is.
func (o *object) size() int64 {
	if o.below != nil {
		return o.below.Size()
	}
	return int64(len(o.body))
}

// source is the body's if it has to be read from the disk; nil if it is in memory.
func (o *object) source() source {
	if o.below == nil {
		return nil
	}
	return &diskSource{o.below.Reader(0), o.below}
}

// diskSource reads a body from the disk.
type diskSource struct {
	r *disk.Reader
	b *disk.Body
}

var _ seeker = (*diskSource)(nil)

func (s *diskSource) next(context.Context) ([]byte, error) { return s.r.Next() }

func (s *diskSource) ready() bool { return true }

func (s *diskSource) seek(at int64) { s.r = s.b.Reader(at) }

// seeker is a source that can begin elsewhere than at the start.
type seeker interface {
	source
	// seek makes next go on at byte at of the body.
	seek(at int64)
}

// sweepPause is how long to wait after a sweep whose part on the disk took so long: that reads every head, so it gets a twentieth of the time.
func (e *Edge) sweepPause(onDisk time.Duration) time.Duration {
	return max(e.opts.SweepInterval, 19*onDisk)
}

// sweepDisk removes what invalidations up to sealed cover on the disk, and says whether all of it is gone, and how long that took.
func (e *Edge) sweepDisk(sealed purge.Sequence) (done bool, took time.Duration) {
	if e.store.disk == nil {
		return true, 0
	}
	began := time.Now()
	err := e.store.disk.Sweep(e.ctx, sealed)
	if err != nil && e.ctx.Err() == nil {
		e.opts.Logger.Warn("sweep of the disk failed", "error", err)
	}
	return err == nil, time.Since(began)
}
