package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

// batch is what one fetch asks for at most, lest one follower far behind fill its connection's queue in the server.
const (
	batchMessages = 1000
	batchBytes    = 8 << 20
)

// page asks for stored messages from a sequence on.
type page struct {
	Sequence uint64 `json:"seq"`
	Subject  string `json:"next_by_subj,omitempty"`
	Messages int    `json:"batch"`
	Bytes    int    `json:"max_bytes"`
}

// fetch calls f with what a stream holds from a position on, in order, until there is no more, and returns the position
// after the last. Any of the nodes answers each batch; one that is behind the leader may end early.
func (e *Engine) fetch(ctx context.Context, stream, subject string, next uint64, f func(uint64, *nats.Msg) error) (uint64, error) {
	for {
		after, more, err := e.fetchPage(ctx, stream, page{Sequence: next, Subject: subject, Messages: batchMessages, Bytes: batchBytes}, f)
		if err != nil || !more || after == next {
			return after, err
		}
		next = after
	}
}

// fetchPage fetches one batch. more says that the stream held more than fitted.
func (e *Engine) fetchPage(ctx context.Context, stream string, p page, f func(uint64, *nats.Msg) error) (next uint64, more bool, err error) {
	next = p.Sequence
	body, err := json.Marshal(p)
	if err != nil {
		return next, false, err
	}
	to := e.nc.NewInbox()
	sub, err := e.nc.SubscribeSync(to)
	if err != nil {
		return next, false, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // fails only where the connection is gone, and the subscription with it
	if err := e.nc.PublishRequest(apiDirectGet+stream, to, body); err != nil {
		return next, false, err
	}
	for {
		m, err := nextMessage(ctx, sub)
		if err != nil {
			return next, false, fmt.Errorf("fetch from %s: %w", stream, err)
		}
		switch status := own(m, headerStatus); status {
		case "":
		case "204": // end of the batch
			return next, own(m, headerPending) != "0", nil
		case "404":
			return next, false, nil
		case "503":
			return next, false, nats.ErrNoResponders
		default:
			return next, false, fmt.Errorf("fetch from %s: status %s %s", stream, status, m.Header.Get("Description"))
		}
		sequence, err := sequenceOf(m)
		if err != nil {
			continue // its headers were made not to be read; whatever it is, it is none of the fleet's
		}
		if err := f(sequence, m); err != nil {
			return next, false, &stopped{err}
		}
		next = sequence + 1
	}
}

// nextMessage waits for a message, not longer than patience. The wait begins anew with each: a batch on a slow line takes its time.
func nextMessage(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// own is the value of a header that the server adds as it hands out a stored message: the last one. The message may have come with others of that name, if it was handed
// out before, from elsewhere, and an edge had it sent to the stream.
func own(m *nats.Msg, header string) string {
	all := m.Header[header]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// sequenceOf is the position of a message in its stream.
func sequenceOf(m *nats.Msg) (uint64, error) {
	n, err := strconv.ParseUint(own(m, headerSequence), 10, 64)
	if err != nil || n == 0 {
		return 0, errors.New("a stored message came without its sequence")
	}
	return n, nil
}

// stopped wraps the error of who was called, to tell it from the engine's own.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }
func (s *stopped) Unwrap() error { return s.err }
