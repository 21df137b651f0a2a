package stream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// Write implements fleet.Leases. A repeat, after an answer that was lost, finds its own record by the message id.
func (e *Engine) Write(ctx context.Context, l fleet.Lease, revision uint64) (uint64, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return 0, fmt.Errorf("write the lease of %s: %w", l.Member, err)
	}
	owner, err := e.ownerOf(ctx, l.Member)
	if err != nil {
		return 0, err
	}
	subject, id := leaseSubject+owner+"."+l.Member, rand.Text()
	var at uint64
	err = e.try(ctx, "write the lease of "+l.Member, func(ctx context.Context) (err error) {
		at, err = e.publish(ctx, message(subject, data, headerID, id, headerLastOf, strconv.FormatUint(revision, 10)))
		if outdated(err) {
			at, err = e.taken(ctx, subject, id, revision, err)
		}
		return err
	})
	return at, err
}

// taken tells whose record stands where the one with an id was refused. If it is still the one at the revision, another
// is on its way, which may yet come to nothing: that settles nothing.
func (e *Engine) taken(ctx context.Context, subject, id string, revision uint64, cause error) (uint64, error) {
	m, err := e.newest(ctx, leaseStream, subject)
	switch {
	case absent(err) && revision != 0:
		return 0, fleet.ErrTaken
	case absent(err), err == nil && m.Sequence == revision:
		return 0, fmt.Errorf("%w: %w", errAgain, cause)
	case err != nil:
		return 0, err
	case m.id() == id:
		return m.Sequence, nil
	}
	return 0, fleet.ErrTaken
}

// Lease implements fleet.Leases; the leader answers.
func (e *Engine) Lease(ctx context.Context, member string) (l fleet.Lease, err error) {
	m, err := e.leaseOf(ctx, member)
	if m == nil || err != nil {
		return fleet.Lease{}, err
	}
	_, l, err = parseLease(m.Subject, m.Sequence, m.Data)
	return l, err
}

// leaseOf reads the message of a member's lease; nil where there is none.
func (e *Engine) leaseOf(ctx context.Context, member string) (m *stored, err error) {
	if err := validMember(member); err != nil {
		return nil, err
	}
	owner := "*"
	if e.opts.Edge {
		owner = e.owner
	}
	err = e.try(ctx, "read the lease of "+member, func(ctx context.Context) (err error) {
		m, err = e.newest(ctx, leaseStream, leaseSubject+owner+"."+member)
		if absent(err) {
			m, err = nil, nil
		}
		return err
	})
	return m, err
}

// ownerOf is whose key a member's lease is written with. An edge writes with its own; a control node, which ends the
// leases of others, looks for it.
func (e *Engine) ownerOf(ctx context.Context, member string) (string, error) {
	if err := validMember(member); err != nil {
		return "", err
	}
	if e.opts.Edge {
		return e.owner, nil
	}
	if owner, ok := e.owners.Load(member); ok {
		return owner.(string), nil
	}
	m, err := e.leaseOf(ctx, member)
	if err != nil || m == nil {
		return e.owner, err
	}
	owner, _, err := parseLease(m.Subject, m.Sequence, m.Data)
	return owner, err
}

// validMember refuses ids that are no single token of a subject.
func validMember(member string) error {
	if member == "" || strings.ContainsAny(member, ".*> \t\r\n") {
		return fmt.Errorf("name a member: %q is empty or has one of . * > or a space", member)
	}
	return nil
}

// Watch implements fleet.Leases.
func (e *Engine) Watch(ctx context.Context, f func(fleet.Lease)) error {
	t := tail{e: e, stream: leaseStream, subject: leaseSubject, next: 1, f: func(sequence uint64, m *nats.Msg) error {
		owner, l, err := parseLease(subjectOf(m), sequence, m.Data)
		if m.Header.Get(headerID) == "" { // an answer that an edge had sent to another's lease
			err = errors.Join(err, errors.New("it was not written as a lease"))
		}
		if err != nil || !e.owns(owner, l.Member) {
			e.log.Warn("lease left out", "subject", subjectOf(m), "error", err)
			return nil
		}
		f(l)
		return nil
	}}
	return t.run(ctx)
}

// owns says whether a key may speak for a member: the first one that did may.
func (e *Engine) owns(owner, member string) bool {
	first, _ := e.owners.LoadOrStore(member, owner)
	return first == owner
}

// parseLease reads a record; the subject says whose it is.
func parseLease(subject string, sequence uint64, data []byte) (owner string, l fleet.Lease, err error) {
	owner, member, ok := speaker(subject, leaseSubject)
	if !ok {
		return "", l, errors.New("parse a lease: its subject names no member")
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return "", l, fmt.Errorf("parse the lease of %s: %w", member, err)
	}
	l.Member, l.Revision = member, sequence
	return owner, l, nil
}

// speaker splits a subject into the key and the member that it ends with.
func speaker(subject, prefix string) (owner, member string, ok bool) {
	rest, ok := strings.CutPrefix(subject, prefix)
	owner, member, cut := strings.Cut(rest, ".")
	return owner, member, ok && cut && owner != "" && validMember(member) == nil
}

// Report implements fleet.Leases.
func (e *Engine) Report(member string, applied uint64) error {
	if err := validMember(member); err != nil {
		return err
	}
	if err := e.nc.Publish(appliedSubject+e.owner+"."+member, strconv.AppendUint(nil, applied, 10)); err != nil {
		return fmt.Errorf("report position %d: %w", applied, err)
	}
	return nil
}

// Reports implements fleet.Leases. Reports of a member by another's key are left out.
func (e *Engine) Reports(ctx context.Context, f func(member string, applied uint64)) error {
	live := make(chan *nats.Msg, queued)
	sub, err := e.nc.ChanSubscribe(appliedSubject+">", live)
	if err != nil {
		return fmt.Errorf("hear reports: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // fails only where the connection is gone, and the subscription with it
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-live:
			owner, member, ok := speaker(m.Subject, appliedSubject)
			applied, err := strconv.ParseUint(string(m.Data), 10, 64)
			if first, known := e.owners.Load(member); ok && err == nil && (!known || first == owner) {
				f(member, applied)
			}
		}
	}
}

// stored is a message as the leader gives it.
type stored struct {
	Subject  string `json:"subject"`
	Sequence uint64 `json:"seq"`
	Headers  []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// id is the message id; "" where there is none.
func (m *stored) id() string {
	h, err := nats.DecodeHeadersMsg(m.Headers)
	if err != nil {
		return ""
	}
	return h.Get(headerID)
}

// newest asks a stream's leader for the last message of a subject, once.
func (e *Engine) newest(ctx context.Context, stream, subject string) (*stored, error) {
	var out struct {
		Message stored `json:"message"`
	}
	err := e.call(ctx, apiGet+stream, map[string]string{"last_by_subj": subject}, &out)
	return &out.Message, err
}
