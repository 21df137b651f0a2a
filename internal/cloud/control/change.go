package control

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"go.etcd.io/bbolt"
)

const (
	// groupBytes is the size at which an entry takes no further request in. It stays well below fleet.MaxEntry, because the
	// last request that it takes in may have a mebibyte.
	groupBytes = 1 << 20
	// firstTry is how long the write transaction stays open while the log is asked. What takes longer goes on without it, so
	// that other nodes' entries can be applied meanwhile.
	firstTry = 250 * time.Millisecond
	// laterTry is how long each further attempt may take, and laterPause the longest pause between two; the first is firstPause.
	laterTry   = 2 * time.Second
	laterPause = time.Second
)

// txn is a write transaction. Replicated state changes through do only.
type txn struct {
	*bbolt.Tx
	sequence uint64 // position in the log that the operations will have; 0 without a log
	ops      []op   // those done, with a log
	size     int    // of the operations, encoded, in bytes
	local    int    // marks written, which are not replicated
}

// do carries out an operation, and notes it for the log.
func (t *txn) do(o op) error {
	if t.sequence > 0 {
		var e encoder
		o.encode(&e)
		t.ops, t.size = append(t.ops, o), t.size+1+len(e)
	}
	return o.apply(t.Tx, t.sequence)
}

// change runs decide in a write transaction and commits what it did, unless it fails: then nothing was done. With a log it
// returns once the log has it too; decide may then run several times, each time on newer state, and must be the same to repeat.
// An error that is not decide's own is errUncertain, or the server's.
func (s *Server) change(ctx context.Context, decide func(t *txn) error) error {
	if s.commits == nil {
		return s.db.Update(func(tx *bbolt.Tx) error { return decide(&txn{Tx: tx}) })
	}
	return s.commits.submit(ctx, &submission{decide: decide})
}

// mark writes what is not replicated, such as the completion of an invalidation.
func (s *Server) mark(ctx context.Context, write func(tx *bbolt.Tx) error) error {
	decide := func(t *txn) error {
		t.local++
		return write(t.Tx)
	}
	if s.commits == nil {
		return s.change(ctx, decide)
	}
	return s.commits.submit(ctx, &submission{decide: decide, local: true})
}

// submission is a change that waits for its transaction.
type submission struct {
	ctx    context.Context
	decide func(t *txn) error
	local  bool       // it is a mark
	done   chan error // capacity 1
}

// run decides. A panic is this request's failure and no other's, as it is without a log, where net/http stops it.
func (sub *submission) run(t *txn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.local++ // whatever it wrote is to be taken back
			err = fmt.Errorf("decide change: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return sub.decide(t)
}

// committer makes the changes of a server with a log: those that wait at the same time share one transaction of
// the file and one entry of the log.
type committer struct {
	s    *Server
	kick chan struct{} // capacity 1: something waits
	stop chan struct{}
	done chan struct{}

	// mu guards waiting; held for slice access only.
	mu      sync.Mutex
	waiting []*submission
}

func startCommitter(s *Server) *committer {
	c := &committer{s: s, kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

// close ends the committer; nobody submits any more.
func (c *committer) close() {
	close(c.stop)
	<-c.done
}

// submit waits for the change, for Options.CommitWait at most.
func (c *committer) submit(ctx context.Context, sub *submission) error {
	ctx, cancel := context.WithTimeout(ctx, c.s.opts.CommitWait)
	defer cancel()
	sub.ctx, sub.done = ctx, make(chan error, 1)
	c.mu.Lock()
	c.waiting = append(c.waiting, sub)
	c.mu.Unlock()
	select {
	case c.kick <- struct{}{}:
	default:
	}
	select {
	case err := <-sub.done:
		return err
	case <-ctx.Done():
		return errUncertain(ctx.Err())
	}
}

func (c *committer) run() {
	defer close(c.done)
	var group []*submission
	for {
		c.mu.Lock()
		group = append(group, c.waiting...)
		c.waiting = nil
		c.mu.Unlock()
		if len(group) > 0 {
			group = c.round(group)
			continue
		}
		select {
		case <-c.kick:
		case <-c.stop:
			return
		}
	}
}

// round makes one entry of as many submissions as go together, and returns those whose turn is still to come.
func (c *committer) round(group []*submission) (left []*submission) {
	group = waited(group)
	if len(group) == 0 {
		return nil
	}
	tx, err := c.s.db.Begin(true)
	if err != nil {
		tell(group, fmt.Errorf("begin change: %w", err))
		return nil
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	pace := c.s.pace
	t := &txn{Tx: tx, sequence: appliedIn(tx) + 1}
	decided, errs, spoilt := decideAll(t, group)
	if spoilt == nil {
		return append(c.commit(t, decided, errs, pace), group[len(decided):]...)
	}
	// What it wrote before it failed can be taken back only together with all the rest: the others decide again, without it.
	_ = tx.Rollback()
	c.s.pace = pace
	if len(decided) > 0 {
		return append(c.round(decided), group[len(decided):]...)
	}
	tell(group[:1], spoilt)
	return group[1:]
}

// waited leaves out what nobody waits for any more; of it nothing was done.
func waited(group []*submission) (live []*submission) {
	for _, sub := range group {
		if sub.ctx.Err() == nil {
			live = append(live, sub)
		}
	}
	return live
}

func tell(group []*submission, err error) {
	for _, sub := range group {
		sub.done <- err
	}
}

// decideAll runs submissions in one transaction until the entry is large enough. decided are the first of the group, each with its
// error, of those that wrote nothing. spoilt is the error of the next one, if it failed after it had written, or is too large.
func decideAll(t *txn, group []*submission) (decided []*submission, errs []error, spoilt error) {
	for i, sub := range group {
		if t.size >= groupBytes {
			return group[:i], errs, nil
		}
		ops, local := len(t.ops), t.local
		err := sub.run(t)
		if t.size > fleet.MaxEntry-1 {
			err = errTooLarge()
		}
		if err != nil && (len(t.ops) > ops || t.local != local) {
			return group[:i], errs, err
		}
		errs = append(errs, err)
	}
	return group, errs, nil
}

// commit enters what was decided in log and file and answers those who wait for it. It returns those that have to decide again.
func (c *committer) commit(t *txn, decided []*submission, errs []error, before pace) (left []*submission) {
	lost, err := c.enter(t)
	if errors.Is(err, fleet.ErrBehind) {
		c.s.pace = before
		ctx, cancel := context.WithTimeout(c.s.ctx, c.s.opts.CommitWait)
		defer cancel()
		if err = c.s.AwaitApplied(ctx, t.sequence); err == nil {
			return slices.Clone(decided)
		}
		err = errUnchanged(err)
	}
	for i, sub := range decided {
		switch {
		case err != nil:
			sub.done <- err
		case lost && sub.local:
			left = append(left, sub)
		default:
			sub.done <- errs[i]
		}
	}
	return left
}

// enter appends the entry and commits the transaction with it. If lost, the entry was carried out in another transaction, which has
// none of the marks.
func (c *committer) enter(t *txn) (lost bool, err error) {
	if len(t.ops) == 0 {
		if t.local == 0 {
			return false, nil
		}
		return false, t.Commit()
	}
	data := encodeEntry(t.ops)
	id, err := c.s.newUUID()
	if err != nil {
		return false, err
	}
	if err := c.append(c.s.ctx, firstTry, t.sequence, id, data); err != nil {
		_ = t.Rollback()
		if errors.Is(err, fleet.ErrBehind) {
			return false, err
		}
		return true, c.again(t, id, data, err)
	}
	err = setApplied(t.Tx, t.sequence)
	if err == nil {
		err = t.Commit()
	}
	if err != nil {
		// The log has it, so it happened. The follower brings it once more, if this fails too.
		_ = t.Rollback()
		return true, c.s.applyOps(t.sequence, t.ops)
	}
	return false, c.s.advance(t.ops)
}

// append asks the log once.
func (c *committer) append(ctx context.Context, wait time.Duration, sequence uint64, id string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	at, err := c.s.opts.Log.Append(ctx, sequence-1, id, data)
	if err == nil && at != sequence {
		return fmt.Errorf("append entry %d: the log says that it is entry %d", sequence, at)
	}
	return err
}

// again repeats the entry of a transaction that was rolled back, under its id, until the log says whether it has it. What was decided
// holds if it has: it was decided on all entries before.
func (c *committer) again(t *txn, id string, data []byte, err error) error {
	ctx, cancel := context.WithTimeout(c.s.ctx, c.s.opts.CommitWait)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, laterPause) {
		c.s.opts.Logger.Warn("log not reached, will retry", "entry", t.sequence, "error", err, "pause_ms", pause.Milliseconds())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errUncertain(err)
		}
		err = c.append(ctx, laterTry, t.sequence, id, data)
		if err == nil {
			return c.s.applyOps(t.sequence, t.ops)
		}
		if errors.Is(err, fleet.ErrBehind) {
			return err
		}
	}
}

// errUncertain answers a change of which it is not known whether it was made. A repeat under the same caller reference or
// version does no harm.
func errUncertain(cause error) error {
	return &unavailable{"The fleet's log did not answer in time. It is not known whether the change was made; the same request can be sent again.", cause}
}

// errUnchanged answers what this node could not decide.
func errUnchanged(cause error) error {
	return &unavailable{"This node has not caught up with the fleet's log, and cannot answer. Nothing was changed; the same request can be sent again.", cause}
}
