package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// joining bounds how many edges' entries a control node adds at once; further ones wait in its queue.
const joining = 8

// joins answers the requests of edges to add an entry. One goroutine takes them, others add; Close ends them all.
type joins struct {
	sub  *nats.Subscription
	end  context.CancelFunc
	work sync.WaitGroup
}

// answerJoins begins to answer, in turn with the other control nodes.
func (e *Engine) answerJoins() error {
	ctx, end := context.WithCancel(context.Background()) // ends with Close
	in := make(chan *nats.Msg, queued)
	sub, err := e.nc.ChanQueueSubscribe(joinSubject+"*", joinQueue, in)
	if err != nil {
		end()
		return fmt.Errorf("hear edges: %w", err)
	}
	e.joins = &joins{sub: sub, end: end}
	for range joining {
		e.joins.work.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case m := <-in:
					e.answerJoin(ctx, m)
				}
			}
		})
	}
	return nil
}

// answerJoin adds an edge's entry under its key and answers as the log would. It tries once: the edge asks again.
func (e *Engine) answerJoin(ctx context.Context, m *nats.Msg) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id, key := m.Header.Get(headerID), strings.TrimPrefix(m.Subject, joinSubject)
	answer := acknowledgement{}
	at, err := e.add(ctx, message(entrySubject, m.Data, headerID, key+"."+id, headerEdge, key))
	var r *refusal
	switch {
	case errors.As(err, &r) && !transient(err):
		answer.Error = r
	case err != nil:
		answer.Error = &refusal{Code: 503, Description: err.Error()}
	}
	answer.Sequence = at
	data, err := json.Marshal(answer)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		e.log.Debug("answer to an edge failed", "edge", key, "error", err)
	}
}

// close stops answering and waits for what is being answered.
func (j *joins) close() {
	j.end()
	j.work.Wait()
}
