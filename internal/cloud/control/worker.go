package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// The pause before something that failed at the edges is tried again doubles from firstPause to lastPause.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// worker hands one distribution's configuration and invalidations to the edges. Its queue is the file itself.
type worker struct {
	id   string
	kick chan struct{} // capacity 1: something may have changed

	// mu guards what follows; held for field access only.
	mu      sync.Mutex
	applied string        // the version of the configuration that the edges have
	changed chan struct{} // closed and replaced when applied changes
}

// worker returns the distribution's worker, started if it is new.
func (s *Server) worker(id string) *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.workers[id]
	if w == nil {
		w = &worker{id: id, kick: make(chan struct{}, 1), changed: make(chan struct{})}
		s.workers[id] = w
		s.work.Go(func() { s.run(w) })
	}
	return w
}

// wake makes the worker look at the file again.
func (w *worker) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// configured returns the version that the edges have and a channel that is closed when it changes.
func (w *worker) configured() (string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.applied, w.changed
}

func (w *worker) setConfigured(version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applied = version
	close(w.changed)
	w.changed = make(chan struct{})
}

// wakeAll makes every worker look at the file again.
func (s *Server) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		w.wake()
	}
}

// run applies until the distribution is gone, the server is drained, or it gives up.
func (s *Server) run(w *worker) {
	drain, pause := s.drain, time.Duration(0)
	for {
		now, err := s.apply(s.ctx, w)
		if now.gone {
			s.retire(w)
			return
		}
		if s.ctx.Err() != nil || drain == nil && !now.left {
			return
		}
		var retry <-chan time.Time
		if err != nil {
			pause = min(max(2*pause, firstPause), lastPause)
			retry = time.After(pause)
			s.opts.Logger.Warn("edges not reached, will retry", "distribution", w.id, "error", err, "pause_ms", pause.Milliseconds())
		} else if pause = 0; now.wait > 0 {
			retry = time.After(now.wait)
		}
		select {
		case <-w.kick:
		case <-retry:
		case <-drain:
			drain = nil
		case <-s.ctx.Done():
			return
		}
	}
}

// retire ends the worker of a distribution that was deleted.
func (s *Server) retire(w *worker) {
	s.opts.Removed(w.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.workers, w.id)
}

// progress is how far a worker has come.
type progress struct {
	gone bool          // there is no such distribution any more
	left bool          // invalidations are still in progress
	wait time.Duration // until the next of them is due; 0 without one
}

// apply configures the edges if they need it and hands them every invalidation in progress, oldest first. A
// configuration that fails does not hold up invalidations.
func (s *Server) apply(ctx context.Context, w *worker) (progress, error) {
	d, err := s.load(w.id)
	if hasCode(err, http.StatusNotFound) {
		return progress{gone: true}, nil
	}
	if err != nil {
		return progress{left: true}, err
	}
	failed := s.applyConfig(ctx, w, d)
	next := s.applyNext
	if s.opts.Completed != nil {
		next = s.completeNext
	}
	for {
		done, wait, err := next(ctx, w)
		if hasCode(err, http.StatusNotFound) {
			return progress{gone: true}, nil
		}
		if err != nil || done || wait > 0 {
			return progress{left: err != nil || wait > 0, wait: wait}, errors.Join(failed, err)
		}
	}
}

// applyConfig gives the edges the stored configuration unless they have it.
func (s *Server) applyConfig(ctx context.Context, w *worker, d stored) error {
	if version, _ := w.configured(); version == d.version {
		return nil
	}
	if err := s.configure(ctx, w.id, d); err != nil {
		return fmt.Errorf("configure edges of %s: %w", w.id, err)
	}
	w.setConfigured(d.version)
	return nil
}

// configure returns once the edges have the configuration: given to them, or found by them in the log.
func (s *Server) configure(ctx context.Context, id string, d stored) error {
	if s.opts.Completed == nil {
		return s.edges.Configure(ctx, id, d.cfg)
	}
	_, err := s.past(ctx, d.log)
	return err
}

// applyNext hands over the oldest invalidation in progress and marks it completed; done without one, and wait if
// it is not due yet.
func (s *Server) applyNext(ctx context.Context, w *worker) (done bool, wait time.Duration, err error) {
	rec, ok, err := s.nextPending(w.id)
	if err != nil || !ok {
		return true, 0, err
	}
	if wait := s.untilDue(rec); wait > 0 {
		return false, wait, nil
	}
	if items := effective(rec.Items); len(items) > 0 {
		if err := s.edges.Invalidate(ctx, w.id, rec.Sequence, items); err != nil {
			return false, 0, fmt.Errorf("apply invalidation %s: %w", rec.ID, err)
		}
	}
	err = s.mark(ctx, func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, w.id)
		if err != nil {
			return err
		}
		return h.pending.Delete(sequenceKey(rec.Sequence))
	})
	if err != nil {
		return false, 0, fmt.Errorf("complete invalidation %s: %w", rec.ID, err)
	}
	return false, 0, nil
}

// untilDue is how long an invalidation is held back; not at all once the server is closing.
func (s *Server) untilDue(rec invalidationRecord) time.Duration {
	if s.opts.Delay == 0 {
		return 0
	}
	select {
	case <-s.closing:
		return 0
	default:
		return min(rec.Created.Add(s.opts.Delay).Sub(s.opts.Now()), s.opts.Delay) // a clock that went back delays no more
	}
}

func (s *Server) nextPending(distribution string) (rec invalidationRecord, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, distribution)
		if err != nil {
			return err
		}
		rec, ok, err = h.nextPending()
		return err
	})
	return rec, ok, err
}
