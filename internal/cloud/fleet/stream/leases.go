package stream

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
	_, l, err = e.parseLease(m.Subject, m.Sequence, m.header(), m.Data)
	return l, err
}

// leaseOf reads the message of a member's lease; nil where there is none, or where another's key wrote it.
func (e *Engine) leaseOf(ctx context.Context, member string) (m *stored, err error) {
	if err := validMember(member); err != nil {
		return nil, err
	}
	owner := "*"
	if e.opts.Edge {
		owner = e.owner
	} else if known, ok := e.owners.Load(member); ok {
		owner = known.(string)
	}
	err = e.try(ctx, "read the lease of "+member, func(ctx context.Context) (err error) {
		m, err = e.newest(ctx, leaseStream, leaseSubject+owner+"."+member)
		if absent(err) {
			m, err = nil, nil
		}
		return err
	})
	if err == nil && m != nil {
		if owner, _, _ := speaker(m.Subject, leaseSubject); !speaksFor(owner, member) {
			return nil, nil // its own comes with Watch
		}
	}
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
	owner, _, _ := speaker(m.Subject, leaseSubject)
	return owner, nil
}

// Member makes the id of a member that nobody but this client's key, or a control node, can speak for: random bytes, and a sum of them and of the key.
func (e *Engine) Member(random []byte) string { return memberOf(e.owner, hex.EncodeToString(random)) }

func memberOf(owner, random string) string {
	sum := sha256.Sum256([]byte(owner + " " + random))
	return random + "-" + hex.EncodeToString(sum[:10])
}

// speaksFor says whether a member's id was made for a key. Ids are in the log, where every edge reads them. Where no keys are asked for anybody speaks for all.
func speaksFor(owner, member string) bool {
	if owner == controlOwner || owner == edgeOwner {
		return true
	}
	random, _, _ := strings.Cut(member, "-")
	return member == memberOf(owner, random)
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
		owner, l, err := e.parseLease(subjectOf(m), sequence, m.Header, m.Data)
		if err != nil {
			e.log.Warn("lease left out", "subject", subjectOf(m), "error", err)
			return nil
		}
		if l.Ended {
			e.owners.Delete(l.Member) // who asks again looks for it
		} else {
			e.owners.Store(l.Member, owner)
		}
		f(l)
		return nil
	}}
	return t.run(ctx)
}

// parseLease reads a record; the subject says whose it is. Of one that was not written as a lease, or that this program cannot read, member and revision alone
// count: so it can be ended.
func (e *Engine) parseLease(subject string, sequence uint64, header nats.Header, data []byte) (owner string, l fleet.Lease, err error) {
	owner, member, ok := speaker(subject, leaseSubject)
	if !ok || !speaksFor(owner, member) {
		return "", l, errors.New("parse a lease: its subject names no member, or one that is another key's")
	}
	err = json.Unmarshal(data, &l)
	if err != nil || !isLease(header) {
		e.log.Warn("lease cannot be read", "subject", subject, "error", err)
		l = fleet.Lease{}
	}
	l.Member, l.Revision = member, sequence
	return owner, l, nil
}

// isLease says whether a record was written by Write, which names the revision before. An edge may have an answer sent to another's subject, where the server stores it:
// such a one has no headers, or those of an entry of the log.
func isLease(h nats.Header) bool {
	return h.Get(headerID) != "" && h.Get(headerLastOf) != "" && h.Get(headerEdge) == ""
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
			if ok && err == nil && speaksFor(owner, member) {
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

// header is the message's; nil where there is none.
func (m *stored) header() nats.Header {
	h, err := nats.DecodeHeadersMsg(m.Headers)
	if err != nil {
		return nil
	}
	return h
}

// id is the message id; "" where there is none.
func (m *stored) id() string { return m.header().Get(headerID) }

// newest asks a stream's leader for the last message of a subject, once.
func (e *Engine) newest(ctx context.Context, stream, subject string) (*stored, error) {
	var out struct {
		Message stored `json:"message"`
	}
	err := e.call(ctx, apiGet+stream, map[string]string{"last_by_subj": subject}, &out)
	return &out.Message, err
}
