// Package fleet keeps edges on several machines in step with one control API:
// what the API accepted is entered in one ordered, replicated log; every member
// applies the log in that order; an invalidation is Completed once every member
// that may still answer from its cache has applied it.
//
// It promises that
//   - no member answers with what a completed invalidation covers, through
//     lost messages, dead nodes, stopped processes, cut links and clocks that
//     jump: a member that cannot be sure of its lease asks the origin each time;
//   - entries are applied in the order of the log, each once, none left out,
//     whatever the engine below delivers: twice, late, or not at all;
//   - a dead member holds up completion for one lease, not for ever; so does one that lives and cannot apply what comes next: it leaves until it can;
//   - no two clocks are compared: each side measures its own time, and a member's
//     lease ends before the fleet takes it as ended (Lease.Margin).
//
// The engine, NATS JetStream, lies behind Log, Leases and Snapshots (package
// fleet/stream); package fleet/memory has the same for tests, with faults. What an entry
// means is the control API's affair; here it is bytes.
package fleet

import (
	"context"
	"errors"
	"io"
	"time"
)

// Entry is one entry of the log.
type Entry struct {
	Sequence uint64 // position in the log, from 1, without gaps
	Data     []byte // at most MaxEntry bytes; not to be changed
	FromEdge bool   // it was added with an edge's key, which may say that the edge joins, and no more: whatever else is in it counts for nothing
}

// MaxEntry bounds an entry, in bytes: room for several requests of the control API, which are bounded by 1 MiB each.
const MaxEntry = 4 << 20

// ErrBehind: the log has entries after the one that the caller named. Nothing was added.
var ErrBehind = errors.New("the log has newer entries")

// ErrDropped: the log no longer reaches back to that entry.
var ErrDropped = errors.New("the log no longer has that entry")

// ErrOtherLog: the log ends before what was followed of it. It was begun anew, or restored from an older copy, and what this process knows of its positions
// is of no use any more.
var ErrOtherLog = errors.New("the log is not the one that was followed before: it ends earlier")

// Log is one ordered, replicated log. Every method may be called at any time and from any goroutine. An error that is
// none of the named ones says nothing about whether the effect took place.
type Log interface {
	// Append adds an entry right after the entry `after` (0: the log is empty) and returns its position, after+1. ErrBehind if another
	// entry is there. A call that is repeated with the same id, after an error, adds the entry once and returns the
	// position that it has, also where newer entries follow. An id is unique to its entry; it is remembered for 2 minutes at least.
	Append(ctx context.Context, after uint64, id string, data []byte) (uint64, error)
	// Add is Append after whatever is there.
	Add(ctx context.Context, id string, data []byte) (uint64, error)
	// Read returns one entry; ErrDropped if the log begins after it. An entry that is not there yet is an error of another kind.
	Read(ctx context.Context, sequence uint64) (Entry, error)
	// Bounds are the first and the last position that the log has; last is first-1 where it is empty.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Follow calls f with entries from a position on, until ctx ends or f fails, and returns that error. It keeps trying through failures of
	// the engine. Entries may be missing, repeated or out of order: it is Follower that makes a sequence of them.
	Follow(ctx context.Context, from uint64, f func(Entry) error) error
}

// Lease is one member's entry among the leases.
type Lease struct {
	Member   string `json:"member"`            // the member's id, unique to one life of one process
	Revision uint64 `json:"-"`                 // the engine's; grows with each change
	Term     int64  `json:"term"`              // milliseconds that it may answer from its cache after it began to renew
	Name     string `json:"name"`              // the edge's own name, as its operator knows it
	Joined   uint64 `json:"joined,omitempty"`  // position of its entry in the log; 0 while it is joining
	Applied  uint64 `json:"applied,omitempty"` // it has applied the log up to here
	Ended    bool   `json:"ended,omitempty"`   // it left, or was given up: it answers nothing from its cache under this id any more
	Version  string `json:"version,omitempty"` // of its program
	Address  string `json:"address,omitempty"` // base URL at which viewers reach it, as it knows it
	Fenced   int64  `json:"fenced,omitempty"`  // times that it has been without a lease
	Requests int64  `json:"requests,omitempty"`
	Hits     int64  `json:"hits,omitempty"`
}

// ErrTaken: the lease is not at the revision that the caller named. Nothing was written.
var ErrTaken = errors.New("the lease was changed by another")

// Leases are small replicated records, one a member, each changed by compare-and-swap.
type Leases interface {
	// Write puts l in place of the record at the revision (0: there is none) and returns the new revision. ErrTaken if the
	// record is at another one.
	Write(ctx context.Context, l Lease, revision uint64) (uint64, error)
	// Lease returns a member's record as it is now; the zero Lease, at revision 0, where there is none.
	Lease(ctx context.Context, member string) (Lease, error)
	// Watch calls f with the newest record of every member, then with each change, until ctx ends; it keeps trying through failures of
	// the engine, and may leave out or repeat records that newer ones have replaced.
	Watch(ctx context.Context, f func(Lease)) error
	// Report says quickly, and without a promise that anybody hears it, that a member has applied the log up to a position.
	Report(member string, applied uint64) error
	// Reports calls f with what Report said anywhere in the fleet, until ctx ends.
	Reports(ctx context.Context, f func(member string, applied uint64)) error
}

// Snapshots keep the newest snapshot of what the log amounts to, for who begins after the log's beginning was dropped.
type Snapshots interface {
	// Put stores a state that holds every entry through sequence, at least. A snapshot of an earlier sequence may be put in place of a later one.
	Put(ctx context.Context, sequence uint64, state io.Reader) error
	// Get returns the newest one that it finds; sequence 0 and an empty state where there is none. The caller closes the state.
	Get(ctx context.Context) (sequence uint64, state io.ReadCloser, err error)
}

// Engine is the replicated store below a fleet.
type Engine interface {
	Log
	Leases
	Snapshots
	// Close ends the connection.
	Close() error
}

// Namer is an Engine that makes the ids of members, so that no other client can write leases and reports in a member's name. The id has the random bytes in it, and
// letters, digits and dashes only.
type Namer interface {
	Member(random []byte) string
}

// Terms are how long a member's leases last. Each lease says it, so members may differ; a control node's Terms are for a member
// whose lease it has not seen, and say how often it looks.
type Terms struct {
	Lease  time.Duration // that a member may answer from its cache after it began to renew; default 5 s, at most 1 h
	Renew  time.Duration // pause between renewals; default a quarter of Lease
	Margin time.Duration // that the fleet waits beyond Lease, at least, for clocks that run at different speeds; default, and least, a tenth of the lease
}

// maxLease bounds a lease: a record says how long it lasts, and whatever it says is not waited for for ever. Records are kept for longer.
const maxLease = time.Hour

// WithDefaults fills what is zero, and bounds the lease.
func (t Terms) WithDefaults() Terms {
	if t.Lease <= 0 {
		t.Lease = 5 * time.Second
	}
	t.Lease = min(t.Lease, maxLease)
	if t.Renew <= 0 {
		t.Renew = t.Lease / 4
	}
	if t.Margin <= 0 {
		t.Margin = t.Lease / 10
	}
	return t
}
