package edge

import (
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// sweepMark tells one sweep from the next.
type sweepMark struct{ sealed, oldest purge.Sequence }

// wishSweep asks for a background sweep. One wish is enough: its sweep sees all batches up to its start.
func (e *Edge) wishSweep() {
	select {
	case e.sweeps <- struct{}{}:
	default:
	}
}

// sweepWhenAsked reclaims dead objects after invalidations, at most once every SweepInterval.
func (e *Edge) sweepWhenAsked() {
	for {
		select {
		case <-e.sweeps:
		case <-e.ctx.Done():
			return
		}
		done, onDisk := e.sweepAt(e.gently())
		if !done {
			e.wishSweep()
		}
		if !e.rest(e.sweepPause(onDisk)) {
			return
		}
	}
}

// maxSegments is how many segments of the purge log wait for fills that are under way.
const maxSegments = 8

// sweep removes what invalidations cover, and lets the purge log forget what no object needs any more.
//
// Why that is safe: every fill that began before the seal either is among the flights, whose oldest stamp bounds what is forgotten,
// or has stored its object already, so that the walk finds it. Should the walk miss one (the cache's iteration is only weakly consistent),
// or should a fill outlast maxSegments sweeps, its object counts as covered: one fetch too many, never a stale answer.
//
// It says whether the log is empty afterwards, but for batches that came meanwhile.
func (e *Edge) sweep() bool {
	done, _ := e.sweepAt(func() {})
	return done
}

// sweepAt is sweep, which calls pace after each object in memory, and says how long the disk took.
func (e *Edge) sweepAt(pace func()) (done bool, onDisk time.Duration) {
	e.sweeping.Lock()
	defer e.sweeping.Unlock()
	sealed := e.log.Seal()
	oldest := e.flights.oldest(sealed)
	if e.swept == (sweepMark{sealed, oldest}) {
		return oldest == sealed, 0 // the same fill is still waited for: a walk would gain nothing
	}
	for _, o := range e.store.cache.All() {
		if e.ctx.Err() != nil {
			return true, 0
		}
		e.store.clean(o)
		pace()
	}
	if done, onDisk = e.sweepDisk(sealed); !done {
		return e.ctx.Err() != nil, onDisk
	}
	e.swept = sweepMark{sealed, oldest}
	if e.store.drops != nil {
		e.store.drops.done(sealed)
	}
	e.log.Forget(oldest)
	if e.log.Size().Segments > maxSegments {
		e.log.Forget(sealed)
	}
	return oldest == sealed, onDisk
}

// walkShare is the part of the time that a walk through all objects may take of one processor: a hundredth. Traffic that no invalidation concerns
// must not notice that there was one, however many objects there are.
const walkShare = 100

// walkChunk is how many objects a walk visits before it rests: some hundred microseconds' worth.
const walkChunk = 256

// gently returns what a walk calls after each object: it rests as its share demands, unless the purge log fills up.
func (e *Edge) gently() func() {
	n, began := 0, time.Now()
	limit := e.opts.PurgeBytes
	if limit == 0 {
		limit = purge.DefaultLimit
	}
	return func() {
		if n++; n%walkChunk != 0 {
			return
		}
		if e.log.Size().Bytes < limit/4 {
			e.rest((walkShare - 1) * time.Since(began))
		}
		began = time.Now()
	}
}

// rest waits, but not beyond Close, and says whether there is anything left to wait for.
func (e *Edge) rest(d time.Duration) bool {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}
