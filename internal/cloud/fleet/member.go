package fleet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// reportPause is the least time between two quick reports of one member: under load a report speaks for many entries.
const reportPause = time.Millisecond

// Replica is what a member makes of the log. Its methods are called one at a time, but for Position.
type Replica interface {
	// Load takes a snapshot in place of what the replica has, and says through which entry; an empty state is the log's beginning, 0.
	Load(ctx context.Context, state io.Reader) (sequence uint64, err error)
	// Apply takes in the next entry. When it returns nil, no request that begins later is answered against it.
	Apply(ctx context.Context, e Entry) error
	// Replay applies what an entry that the snapshot contains did to caches: its invalidations, and nothing else.
	Replay(ctx context.Context, e Entry) error
	// Position is the sequence through which what is cached has been invalidated; false if nothing is cached, or nothing is known of it:
	// then Load leaves nothing in the cache that is used unasked.
	Position() (uint64, bool)
	// Revalidate lets nothing that is cached be used before its origin has been asked, in a later life of the process neither. It is repeated after an error.
	Revalidate() error
}

// MemberOptions are what a Member takes.
type MemberOptions struct {
	Terms  Terms
	Lease  func() Lease         // what its lease says besides what the Member knows itself: name, version, address, counters; nil says nothing
	Join   func(l Lease) []byte // the log entry by which it joins; must be given
	Caught func()               // called when the log is applied through the member's joining; nil is nobody
	Now    func() time.Time     // a clock with a monotonic part; nil is time.Now
	Rand   io.Reader            // source of ids; nil is crypto/rand
	Logger *slog.Logger         // nil discards
}

// Member is one process that answers viewers: it follows the log, and holds a lease as long as it does.
type Member struct {
	engine  Engine
	replica Replica
	opts    MemberOptions

	granted atomic.Pointer[grant]
	lapsed  atomic.Int64 // times that the lease ran out
	ready   atomic.Bool  // it had a grant
	follow  *Follower

	// mu guards what follows; held for field access only.
	mu     sync.Mutex
	lease  Lease     // as last written
	loaded bool      // the replica has a state
	since  time.Time // when it was first tried to load the state, or to apply the entry, that is next; the zero time while there is none
	last   []applied // at most 2*remembered
}

// applied is an entry that was.
type applied struct {
	sequence uint64
	sum      [sha256.Size]byte // of its data
}

// remembered is how many of the entries that were applied last are compared with the log when a member joins anew.
const remembered = 64

// grant is the right to answer from the cache, for one lease from its start on.
type grant struct {
	start time.Time
	wall  int64 // start by the wall clock, in nanoseconds
}

// NewMember returns one that Run sets to work. Until then, and until it has joined, it is fenced.
func NewMember(engine Engine, replica Replica, opts MemberOptions) *Member {
	opts.Terms = opts.Terms.WithDefaults()
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Caught == nil {
		opts.Caught = func() {}
	}
	if opts.Lease == nil {
		opts.Lease = func() Lease { return Lease{} }
	}
	m := &Member{engine: engine, replica: replica, opts: opts}
	m.follow = NewFollower(engine, 0, m.apply)
	return m
}

// Valid says whether the member may answer from its cache at a time of its clock. The lease is measured by the monotonic clock and by the
// wall clock, and ends with the first of them: the one stands still while a machine is suspended, the other may be set back.
func (m *Member) Valid(now time.Time) bool {
	g := m.granted.Load()
	return g != nil && now.Sub(g.start) < m.opts.Terms.Lease && now.UnixNano()-g.wall < int64(m.opts.Terms.Lease)
}

// Run joins the fleet and stays in it, through failures of the engine and the replica, until ctx ends; then it leaves. The caller has stopped to
// answer viewers by then. The error is ctx's, or ErrOtherLog, or that there is no randomness to make an id of: then the member stays fenced.
func (m *Member) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	work.Go(func() { cancel(m.keepUp(ctx)) })
	work.Go(func() { cancel(m.keepLease(ctx)) })
	work.Go(func() { cancel(m.report(ctx)) })
	work.Wait()
	m.leave(context.WithoutCancel(ctx))
	return context.Cause(ctx)
}

// keepUp applies the log. Where the log no longer has what comes next, nobody can tell what of the cache is still good.
func (m *Member) keepUp(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := m.catchUp(ctx)
		if err == nil {
			pause = firstPause
			err = m.follow.Run(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrDropped):
			m.opts.Logger.Warn("the log no longer has what this edge missed; everything cached is revalidated", "applied", m.follow.Applied())
			if err := m.unload(); err != nil {
				m.opts.Logger.Error("what is cached could not be marked for revalidation, will retry", "error", err)
			}
		default:
			m.opts.Logger.Error("the log could not be applied, will retry", "applied", m.follow.Applied(), "error", err)
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// catchUp gives the replica a state, if it has none: the newest snapshot, and what the cache missed before it.
func (m *Member) catchUp(ctx context.Context) error {
	if m.isLoaded() {
		return nil
	}
	m.trying()
	_, state, err := m.engine.Get(ctx)
	if err != nil {
		return fmt.Errorf("read the newest snapshot: %w", err)
	}
	position, cached := m.replica.Position()
	sequence, err := m.replica.Load(ctx, state)
	if err = errors.Join(err, state.Close()); err != nil {
		return fmt.Errorf("load the newest snapshot: %w", err)
	}
	if cached {
		if err := m.replay(ctx, position+1, sequence); err != nil {
			return err
		}
	}
	m.follow.Skip(sequence)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded, m.since = true, time.Time{}
	return nil
}

// replay applies to the cache what was invalidated while it was not followed. If that is no longer known, everything is revalidated.
func (m *Member) replay(ctx context.Context, from, through uint64) error {
	for s := from; s <= through; s++ {
		e, err := m.follow.read(ctx, s)
		if errors.Is(err, ErrDropped) {
			m.opts.Logger.Warn("the log no longer reaches back to what is cached; everything is revalidated", "position", from-1)
			return m.replica.Revalidate()
		}
		if err == nil {
			err = m.replica.Replay(ctx, e)
		}
		if err != nil {
			return fmt.Errorf("replay entry %d: %w", s, err)
		}
	}
	return nil
}

// unload forgets the state, so that the next one comes from a snapshot.
func (m *Member) unload() error {
	m.trying()
	if err := m.replica.Revalidate(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded = false
	return nil
}

// Ready says whether the member can answer viewers: it has joined, and once has had the whole log through its joining. The newest
// snapshot alone may lack distributions, or be the log's beginning. From then on it stays ready: without the fleet it asks the origin.
func (m *Member) Ready() bool { return m.ready.Load() }

// Lapsed is how often the member's lease ran out.
func (m *Member) Lapsed() int64 { return m.lapsed.Load() }

func (m *Member) isLoaded() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loaded
}

func (m *Member) apply(ctx context.Context, e Entry) error {
	m.trying()
	if err := m.replica.Apply(ctx, e); err != nil {
		return err
	}
	one := applied{e.Sequence, sha256.Sum256(e.Data)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since = time.Time{}
	if len(m.last) == 2*remembered {
		m.last = append(m.last[:0], m.last[remembered:]...)
	}
	m.last = append(m.last, one)
	return nil
}

// lately are the entries that were applied last, oldest first.
func (m *Member) lately() []applied {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.last[max(0, len(m.last)-remembered):])
}

// trying notes that what is next is tried, for the first time or again.
func (m *Member) trying() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since.IsZero() {
		m.since = m.opts.Now()
	}
}

// stuck says whether what is next has been tried for longer than a lease: its state cannot be read, or an entry hangs or fails at the caches. The fleet would
// wait for a member that renews its lease and never comes further.
func (m *Member) stuck() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.since.IsZero() && m.opts.Now().Sub(m.since) > m.opts.Terms.Lease
}

// report tells quickly how far the log is applied.
func (m *Member) report(ctx context.Context) error {
	for told := uint64(0); ; {
		if err := m.follow.Wait(ctx, told+1); err != nil {
			return err
		}
		if l := m.Lease(); l.Joined > 0 {
			told = m.follow.Applied()
			_ = m.engine.Report(l.Member, told) // the next renewal says it too
		}
		if err := Sleep(ctx, reportPause); err != nil {
			return err
		}
	}
}

// Lease is the member's lease as it wrote it last.
func (m *Member) Lease() Lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lease
}

func (m *Member) setLease(l Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lease = l
}

// Applied is the sequence through which the log is applied.
func (m *Member) Applied() uint64 { return m.follow.Applied() }

// newID names one life of one process, so that two that were given the same name by mistake, or a process and its
// successor, never take each other's lease for their own.
func (m *Member) newID() (string, error) {
	var b [10]byte
	if _, err := io.ReadFull(m.opts.Rand, b[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	if n, ok := m.engine.(Namer); ok {
		return n.Member(b[:]), nil
	}
	return hex.EncodeToString(b[:]), nil
}
