package control

import (
	"context"
	"errors"
	"fmt"
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
	applied string        // the ETag of the configuration that the edges have
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

// configured returns the ETag that the edges have and a channel that is closed when it changes.
func (w *worker) configured() (string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.applied, w.changed
}

func (w *worker) setConfigured(etag string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applied = etag
	close(w.changed)
	w.changed = make(chan struct{})
}

// run applies until the server is drained or gives up.
func (s *Server) run(w *worker) {
	drain, pause := s.drain, time.Duration(0)
	for {
		left, err := s.apply(s.ctx, w)
		if s.ctx.Err() != nil || drain == nil && !left {
			return
		}
		var retry <-chan time.Time
		if err == nil {
			pause = 0
		} else {
			pause = min(max(2*pause, firstPause), lastPause)
			retry = time.After(pause)
			s.opts.Logger.Warn("edges not reached, will retry", "distribution", w.id, "error", err, "pause_ms", pause.Milliseconds())
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

// apply configures the edges if they need it and hands them every invalidation in progress, oldest first. A
// configuration that fails does not hold up invalidations; left says whether some of those are still in progress.
func (s *Server) apply(ctx context.Context, w *worker) (left bool, err error) {
	failed := s.applyConfig(ctx, w)
	for {
		done, err := s.applyNext(ctx, w)
		if err != nil || done {
			return err != nil, errors.Join(failed, err)
		}
	}
}

// applyConfig gives the edges the stored configuration unless they have it.
func (s *Server) applyConfig(ctx context.Context, w *worker) error {
	d, err := s.load(w.id)
	if err != nil {
		return err
	}
	if etag, _ := w.configured(); etag == d.rec.ETag {
		return nil
	}
	if err := s.edges.Configure(ctx, w.id, d.cfg); err != nil {
		return fmt.Errorf("configure edges of %s: %w", w.id, err)
	}
	w.setConfigured(d.rec.ETag)
	return nil
}

// applyNext hands over the oldest invalidation in progress and marks it completed; done without one.
func (s *Server) applyNext(ctx context.Context, w *worker) (done bool, err error) {
	rec, ok, err := s.nextPending(w.id)
	if err != nil || !ok {
		return true, err
	}
	if items := effective(rec.Items); len(items) > 0 {
		if err := s.edges.Invalidate(ctx, w.id, rec.Sequence, items); err != nil {
			return false, fmt.Errorf("apply invalidation %s: %w", rec.ID, err)
		}
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		h, err := historyOf(tx, w.id)
		if err != nil {
			return err
		}
		return h.pending.Delete(sequenceKey(rec.Sequence))
	})
	if err != nil {
		return false, fmt.Errorf("complete invalidation %s: %w", rec.ID, err)
	}
	return false, nil
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
