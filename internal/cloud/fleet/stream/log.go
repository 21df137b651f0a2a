package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// errNotYet: the log ends before that position.
var errNotYet = errors.New("the log has no such entry yet")

// Append implements fleet.Log. Its exactness rests on the expected position alone: an entry that names `after` can only
// ever stand at after+1, so whatever became of earlier attempts, it is that position which tells.
func (e *Engine) Append(ctx context.Context, after uint64, id string, data []byte) (uint64, error) {
	if err := fits(data); err != nil {
		return 0, err
	}
	var at uint64
	err := e.try(ctx, "append to the log", func(ctx context.Context) (err error) {
		at, err = e.publish(ctx, message(entrySubject, data, headerID, id, headerLast, strconv.FormatUint(after, 10)))
		if outdated(err) {
			at, err = e.settle(ctx, after+1, id, err)
		}
		return err
	})
	return at, err
}

// settle tells whose entry stands at a position that the log would not give to the entry with an id. With one node, that
// tests the position before the id, it may be this very entry, of an attempt whose answer was lost. An entry that is not
// readable yet, or never will be, since its leader died, settles nothing.
func (e *Engine) settle(ctx context.Context, at uint64, id string, cause error) (uint64, error) {
	m, err := e.read(ctx, at)
	switch {
	case errors.Is(err, fleet.ErrDropped):
		return 0, fleet.ErrBehind
	case errors.Is(err, errNotYet):
		return 0, fmt.Errorf("%w: %w", errAgain, cause)
	case err != nil:
		return 0, err
	case m.Header.Get(headerID) == id:
		return at, nil
	}
	return 0, fleet.ErrBehind
}

// Add implements fleet.Log. A control node appends after what it finds to be the last; the message id makes a repeat
// harmless, since at the last position it is tested on one node too. An edge has a control node do it.
func (e *Engine) Add(ctx context.Context, id string, data []byte) (uint64, error) {
	if err := fits(data); err != nil {
		return 0, err
	}
	var at uint64
	err := e.try(ctx, "add to the log", func(ctx context.Context) (err error) {
		if e.opts.Edge {
			at, err = e.publish(ctx, message(joinSubject+e.owner, data, headerID, id))
		} else {
			at, err = e.add(ctx, message(entrySubject, data, headerID, id))
		}
		return err
	})
	return at, err
}

// add appends a message after the last one, once.
func (e *Engine) add(ctx context.Context, m *nats.Msg) (uint64, error) {
	_, last, err := e.bounds(ctx)
	if err != nil {
		return 0, err
	}
	m.Header[headerLast] = []string{strconv.FormatUint(last, 10)}
	at, err := e.publish(ctx, m)
	if outdated(err) {
		return 0, fmt.Errorf("%w: %w", errAgain, err)
	}
	return at, err
}

func fits(data []byte) error {
	if len(data) > fleet.MaxEntry {
		return fmt.Errorf("append to the log: an entry of %d bytes, more than %d", len(data), fleet.MaxEntry)
	}
	return nil
}

// Read implements fleet.Log. It tries until ctx ends where no node can answer.
func (e *Engine) Read(ctx context.Context, sequence uint64) (entry fleet.Entry, err error) {
	err = e.try(ctx, fmt.Sprintf("read entry %d", sequence), func(ctx context.Context) error {
		m, err := e.read(ctx, sequence)
		if err == nil {
			entry = entryOf(sequence, m)
		}
		return err
	})
	return entry, err
}

// read reads one entry, once. Any node may be asked; if that one has none, the leader's bounds tell why.
func (e *Engine) read(ctx context.Context, sequence uint64) (*nats.Msg, error) {
	m, err := e.request(ctx, &nats.Msg{Subject: apiDirectGet + logStream, Data: fmt.Appendf(nil, `{"seq":%d}`, sequence)})
	if err != nil {
		return nil, err
	}
	if m.Header.Get(headerStatus) == "" {
		return m, nil
	}
	first, last, err := e.bounds(ctx)
	switch {
	case err != nil:
		return nil, err
	case sequence < first:
		return nil, fleet.ErrDropped
	case sequence > last:
		return nil, fmt.Errorf("%w (it ends at %d)", errNotYet, last)
	}
	return nil, fmt.Errorf("%w: a node is behind its leader", errAgain)
}

// Bounds implements fleet.Log.
func (e *Engine) Bounds(ctx context.Context) (first, last uint64, err error) {
	err = e.try(ctx, "read the bounds of the log", func(ctx context.Context) (err error) {
		first, last, err = e.bounds(ctx)
		return err
	})
	return first, last, err
}

// streamInfo is what is read of the answer of apiInfo.
type streamInfo struct {
	State struct {
		First uint64 `json:"first_seq"`
		Last  uint64 `json:"last_seq"`
		Count uint64 `json:"messages"`
	} `json:"state"`
	Cluster struct {
		Leader   string     `json:"leader"` // its name; "" where the node that answers knows none
		Replicas []struct { // the nodes but for the one that answers; all of them where it knows no leader
			Name   string        `json:"name"`
			Active time.Duration `json:"active"` // since the node that answers heard from it; 0 if it has not since it leads, or at all
		} `json:"replicas"`
	} `json:"cluster"`
}

// contact is how recently a leader must have heard from a majority to be believed. Nodes answer its heartbeats every second, and elect another no
// sooner than 4 s after the last one (server.hbInterval and minElectionTimeout, nats-server 2.15, read 2026-11).
const contact = 2500 * time.Millisecond

// errAlone: it may be that another node leads by now, and has newer entries.
var errAlone = fmt.Errorf("%w: the leader has not heard from a majority of the nodes", errAgain)

// led says whether a leader answered, and leads beyond doubt. One that was stopped, or is cut off, goes on answering until it knows better, and a node
// that knows of no leader answers by itself (server.jsStreamInfoRequest, nats-server 2.15, read 2026-11): what was acknowledged by the leader of the others
// would seem not to exist. A leader that was just elected has heard from those who voted for it.
func (i streamInfo) led() bool {
	others := i.Cluster.Replicas
	if len(others) == 0 {
		return true
	}
	heard := 1 // itself
	for _, r := range others {
		if r.Name == i.Cluster.Leader {
			return false // it is not the leader that answered
		}
		if 0 < r.Active && r.Active < contact {
			heard++
		}
	}
	return i.Cluster.Leader != "" && 2*heard > len(others)+1
}

// bounds asks the leader once.
func (e *Engine) bounds(ctx context.Context) (first, last uint64, err error) {
	var info streamInfo
	if err := e.call(ctx, apiInfo+logStream, struct{}{}, &info); err != nil {
		return 0, 0, err
	}
	if !info.led() {
		return 0, 0, errAlone
	}
	if info.State.Count == 0 {
		return info.State.Last + 1, info.State.Last, nil
	}
	return info.State.First, info.State.Last, nil
}

// Follow implements fleet.Log.
func (e *Engine) Follow(ctx context.Context, from uint64, f func(fleet.Entry) error) error {
	t := tail{e: e, stream: logStream, subject: logSubject, next: max(from, 1), f: func(sequence uint64, m *nats.Msg) error {
		return f(entryOf(sequence, m))
	}}
	return t.run(ctx)
}

// entryOf is a message of the log as an entry.
func entryOf(sequence uint64, m *nats.Msg) fleet.Entry {
	return fleet.Entry{Sequence: sequence, Data: m.Data, FromEdge: !fromControl(sequence, m)}
}

// fromControl says whether an entry is a control node's own. Each entry that a control node adds names the position
// before its own, which the server tests as it stores it. So neither a copy of an entry passes, that an edge had sent to
// the log as an answer (the server refuses it: that position is taken), nor any other answer (it names none).
func fromControl(sequence uint64, m *nats.Msg) bool {
	return m.Header.Get(headerLast) == strconv.FormatUint(sequence-1, 10) && m.Header.Get(headerEdge) == ""
}

// subjectOf is the subject at which a message was stored.
func subjectOf(m *nats.Msg) string { return own(m, headerSubject) }
