package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Pace of a stream.
const (
	// streamPause is between two deliveries, so that a flood of requests costs
	// the edge's machine a bounded share: at most kept requests each pause.
	streamPause = 100 * time.Millisecond
	// streamBeat is how long a stream may be silent; a comment then finds out
	// whether the reader is still there.
	streamBeat = 15 * time.Second
	// streamPatience is how long a reader may take for one delivery.
	streamPatience = 10 * time.Second
)

// serveEvents streams the viewers' requests as server-sent events, oldest
// first: "request" with a RequestState, and "lost" with {"count": n} where
// requests came faster than the reader took them. It begins with the requests
// that are remembered, or with those after the number in ?after=.
func (c *console) serveEvents(w http.ResponseWriter, r *http.Request) {
	after := uint64(0)
	if given := r.URL.Query().Get("after"); given != "" {
		var err error
		if after, err = strconv.ParseUint(given, 10, 64); err != nil {
			http.Error(w, "after is not the number of a request", http.StatusBadRequest)
			return
		}
	} else if list, _ := c.opts.Events.after(0); len(list) > 0 {
		after = list[0].number - 1 // what is older was not lost on this reader
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	f := c.opts.Events.follow(after)
	defer f.leave()
	stream{http.NewResponseController(w), w}.run(r.Context(), f)
}

// stream writes events to one reader.
type stream struct {
	control *http.ResponseController
	w       http.ResponseWriter
}

// run delivers until the reader leaves, stops reading, or the Events close.
func (s stream) run(ctx context.Context, f *follower) {
	// The deadline outlives the request on a kept-alive connection. An error
	// means that the writer has no deadlines, or no reader any more.
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }()
	var out bytes.Buffer
	out.WriteString(": the requests of viewers\n\n")
	for {
		if s.deliver(out.Bytes()) != nil || !s.pause(ctx, f) {
			return
		}
		out.Reset()
		select {
		case <-f.news:
			list, lost := f.take()
			writeEvents(&out, list, lost)
		case <-time.After(streamBeat):
			out.WriteString(":\n\n")
		case <-f.events.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// pause says whether the stream goes on after it.
func (s stream) pause(ctx context.Context, f *follower) bool {
	select {
	case <-time.After(streamPause):
		return true
	case <-f.events.done:
	case <-ctx.Done():
	}
	return false
}

// deliver sends data now.
func (s stream) deliver(data []byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamPatience)) // where there are no deadlines, the reader's leaving ends the write
	if _, err := s.w.Write(data); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// writeEvents encodes one delivery. JSON has no line break, which is what ends
// a field. HTML Living Standard, 9.2.6
func writeEvents(out *bytes.Buffer, list []numbered, lost uint64) {
	if lost > 0 {
		fmt.Fprintf(out, "event: lost\ndata: {\"count\":%d}\n\n", lost)
	}
	for _, one := range list {
		data, err := json.Marshal(requestState(one))
		if err != nil {
			continue // a time beyond the year 9999; nothing else can fail
		}
		fmt.Fprintf(out, "event: request\ndata: %s\n\n", data)
	}
}
