package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// patience is how long one attempt waits for its answer. An answer that is lost costs this much; an entry of 4 MiB needs some of it.
const patience = 2 * time.Second

// errAgain: the answer is no answer yet; ask again.
var errAgain = errors.New("not settled yet")

// refusal is an error that JetStream answered with.
type refusal struct {
	Code        int    `json:"code"` // as in HTTP
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s (%d)", r.Description, r.ErrCode)
}

// try repeats f, with growing pauses, until it succeeds, fails for good, or ctx ends.
func (e *Engine) try(ctx context.Context, what string, f func(context.Context) error) error {
	pause := 2 * time.Millisecond
	for {
		attempt, cancel := context.WithTimeout(ctx, patience)
		err := f(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if !transient(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if fleet.Sleep(ctx, pause) != nil {
			return fmt.Errorf("%s: %w (last attempt: %w)", what, context.Cause(ctx), err)
		}
		pause = min(2*pause, 250*time.Millisecond)
	}
}

// transient says whether a further attempt may succeed: nobody leads, nobody is connected, the answer is late or lost.
func transient(err error) bool {
	for _, passing := range []error{
		errAgain, context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, jetstream.ErrNoStreamResponse,
		nats.ErrReconnectBufExceeded, nats.ErrConnectionReconnecting, nats.ErrDisconnected,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var r *refusal
	if errors.As(err, &r) {
		return r.Code >= 500 || r.ErrCode == idInFlight || r.ErrCode == noStream
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.Code >= 500 || api.ErrorCode == noPeers)
}

// noPeers: a stream cannot be placed, since not all nodes have been heard of yet: as three of them start, one may lead before it knows the third
// (JSClusterNoPeersErrF in nats-server's errors.json, read 2026-11).
const noPeers = 10005

// request asks once. Where the server refuses the subject, that is the error: it answers nothing else to it.
func (e *Engine) request(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	before := e.denied.Load()
	answer, err := e.nc.RequestMsgWithContext(ctx, msg)
	if err != nil && e.denied.Load() != before {
		return nil, fmt.Errorf("%w: %v", nats.ErrPermissionViolation, e.why.Load())
	}
	return answer, err
}

// call asks the API of JetStream once, in JSON, and reads the answer into out.
func (e *Engine) call(ctx context.Context, subject string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := e.request(ctx, &nats.Msg{Subject: subject, Data: body})
	if err != nil {
		return err
	}
	var failed struct {
		Error *refusal `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &failed); err != nil {
		return fmt.Errorf("parse the answer of %s: %w", subject, err)
	}
	if failed.Error != nil {
		return failed.Error
	}
	return json.Unmarshal(answer.Data, out)
}

// acknowledgement is the answer to a message that is to be stored.
type acknowledgement struct {
	Error    *refusal `json:"error,omitempty"`
	Sequence uint64   `json:"seq,omitempty"`
}

// publish stores a message once and returns its sequence.
func (e *Engine) publish(ctx context.Context, msg *nats.Msg) (uint64, error) {
	answer, err := e.request(ctx, msg)
	if err != nil {
		return 0, err
	}
	var ack acknowledgement
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("parse the acknowledgement: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Sequence == 0 {
		return 0, errors.New("the acknowledgement has no sequence")
	}
	return ack.Sequence, nil
}

// outdated says that a message was refused because another stands where it was to be the last.
func outdated(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (r.ErrCode == wrongLast || r.ErrCode == wrongLastToo)
}

// absent says that there is no such message.
func absent(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.ErrCode == noMessage
}

// message makes a message with headers, given as name, value, name, value.
func message(subject string, data []byte, headers ...string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		m.Header[headers[i]] = []string{headers[i+1]}
	}
	return m
}
