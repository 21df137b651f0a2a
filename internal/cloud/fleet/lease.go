package fleet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// keepLease joins, renews, and joins anew under another id when the fleet has given this one up, or it has left because it was stuck.
func (m *Member) keepLease(ctx context.Context) error {
	for {
		for m.stuck() {
			if err := Sleep(ctx, firstPause); err != nil {
				return err
			}
		}
		if err := m.join(ctx); err != nil {
			return err
		}
		if err := m.renew(ctx); err != nil {
			return err
		}
		m.granted.Store(nil)
		m.opts.Logger.Warn("this edge left the fleet, or was given up; it joins anew", "member", m.Lease().Member)
	}
}

// join makes a lease, enters it in the log, and waits until the log is applied through that entry: from then on every entry that this
// member has not applied is one that the fleet waits for it with.
func (m *Member) join(ctx context.Context) error {
	id, err := m.newID()
	if err != nil {
		return err
	}
	l := m.opts.Lease()
	l.Member, l.Joined, l.Applied, l.Ended, l.Revision, l.Term = id, 0, m.Applied(), false, 0, m.opts.Terms.Lease.Milliseconds()
	if l, _, err = m.insist(ctx, l); err != nil {
		return err
	}
	if l.Ended {
		return nil // renew finds it so
	}
	data, behind := m.opts.Join(l), m.followed()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if l.Joined, err = m.engine.Add(ctx, "join/"+id, data); err == nil {
			break
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
	if l.Joined <= behind {
		return fmt.Errorf("join at entry %d, after entry %d was followed: %w", l.Joined, behind, ErrOtherLog)
	}
	if err := m.sameLog(ctx); err != nil {
		return err
	}
	m.setLease(l)
	m.opts.Logger.Info("joined the fleet", "member", id, "sequence", l.Joined)
	return nil
}

// sameLog fails if one of the entries that were applied last is another one in the log. A log that was restored from an older copy may have grown beyond them since,
// and what came after them may have been applied.
func (m *Member) sameLog(ctx context.Context) error {
	for _, one := range m.lately() {
		e, err := m.follow.read(ctx, one.sequence)
		switch {
		case errors.Is(err, ErrDropped): // nobody can tell any more
		case err != nil:
			return err
		case sha256.Sum256(e.Data) != one.sum:
			return fmt.Errorf("read entry %d, which was applied as another one: %w", one.sequence, ErrOtherLog)
		}
	}
	return nil
}

// followed is how far this member, or what it has cached, has followed the log.
func (m *Member) followed() uint64 {
	position, cached := m.replica.Position()
	if !cached {
		position = 0
	}
	return max(m.Applied(), position)
}

// renew keeps the lease until somebody else has changed it, and grants what it allows.
func (m *Member) renew(ctx context.Context) error {
	for {
		l := m.Lease()
		if l.Ended {
			return nil
		}
		if m.stuck() {
			m.opts.Logger.Error("what comes next in the log cannot be applied; this edge leaves the fleet until it can", "applied", m.Applied())
			m.leave(ctx)
			return nil
		}
		now := m.opts.Lease()
		now.Member, now.Revision, now.Joined, now.Applied, now.Term, now.Fenced = l.Member, l.Revision, l.Joined, m.Applied(), l.Term, m.lapsed.Load()
		next, start, err := m.insist(ctx, now)
		if err != nil {
			return err
		}
		m.setLease(next)
		if next.Ended {
			return nil
		}
		if m.Applied() >= next.Joined && m.isLoaded() {
			m.grant(start)
		}
		pause := m.opts.Terms.Renew
		if m.granted.Load() == nil {
			pause = firstPause // it only waits for the log
			if err := m.await(ctx, next.Joined); err != nil {
				return err
			}
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// await waits for the log, for as long as the lease may go without a renewal.
func (m *Member) await(ctx context.Context, sequence uint64) error {
	bounded, cancel := context.WithTimeout(ctx, m.opts.Terms.Renew)
	defer cancel()
	_ = m.follow.Wait(bounded, sequence) // it is looked at again
	return ctx.Err()
}

func (m *Member) grant(start time.Time) {
	switch {
	case m.granted.Load() == nil:
		m.opts.Caught()
	case !m.Valid(m.opts.Now()):
		m.lapsed.Add(1)
	}
	m.granted.Store(&grant{start: start, wall: start.UnixNano()})
	m.ready.Store(true)
}

// insist writes l, at its revision, until that is known to have succeeded or another has changed the record, and returns the record with the time
// at which the write that succeeded began. A write whose outcome is unknown is looked up: nobody but this member writes this record, except to end it.
func (m *Member) insist(ctx context.Context, l Lease) (Lease, time.Time, error) {
	began := m.opts.Now()
	for pause := firstPause; ; pause = min(2*pause, m.opts.Terms.Renew) {
		start := m.opts.Now()
		revision, err := m.write(ctx, l)
		if err == nil {
			l.Revision = revision
			return l, start, nil
		}
		if errors.Is(err, ErrTaken) {
			found, err := m.engine.Lease(ctx, l.Member)
			switch {
			case err == nil && (found.Ended || found.Revision == 0):
				found.Member, found.Ended = l.Member, true
				return found, start, nil
			case err == nil && found.Revision < l.Revision:
				// Who answered is behind, which passes, or the log was restored from an older copy. To join anew tells: see sameLog.
				if start.Sub(began) > m.opts.Terms.Lease {
					found.Ended = true
					return found, start, nil
				}
			case err == nil:
				l.Revision = found.Revision // an earlier attempt of ours arrived: renew it
				continue
			}
		}
		if err := Sleep(ctx, pause); err != nil {
			return l, start, err
		}
	}
}

// write gives an attempt a part of the lease, so that one that hangs leaves time for another.
func (m *Member) write(ctx context.Context, l Lease) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.Terms.Lease/2)
	defer cancel()
	return m.engine.Write(ctx, l, l.Revision)
}

// leave ends the lease, so that nobody waits for it. Requests under way must be over: the caller stops answering first.
func (m *Member) leave(ctx context.Context) {
	m.granted.Store(nil)
	l := m.Lease()
	if l.Revision == 0 || l.Ended {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, m.opts.Terms.Lease/2)
	defer cancel()
	l.Ended = true
	if _, _, err := m.insist(ctx, l); err != nil { // a renewal that was under way may have changed the record
		m.opts.Logger.Warn("the fleet could not be told that this edge leaves; it waits for its lease", "error", err)
	}
	m.setLease(l)
}
