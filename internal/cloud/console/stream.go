package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
)

// Pace of a stream.
const (
	// streamPause is between two deliveries, so that a flood of requests costs the edge's machine a bounded share.
	streamPause = 100 * time.Millisecond
	// streamLook is how often a stream looks for what is no request.
	streamLook = time.Second
	// streamBeat is how long a stream may be silent; a comment then finds out whether the reader is still there.
	streamBeat = 15 * time.Second
	// streamPatience is how long a reader may take for one delivery.
	streamPatience = 10 * time.Second
)

// serveEvents streams what happens as server-sent events:
//
//	hello          {"started": time}: of the process, so that a reader notices another one
//	requests       {"list": [RequestState, oldest first], "others": how many more there were, "last": number of the last}
//	sample         {"sample": Sample, "figures": Figures}, about once a second
//	invalidations  an InvalidationList, the newest, whenever one was accepted, was completed, or dropped more
//	releases       {"version": "…"} whenever a deploy has begun, got on or ended: ask /api/releases
//
// Requests begin with those that are remembered, or with those after the number in ?after= or, as browsers send it after a pause, in Last-Event-ID.
func (c *Console) serveEvents(w http.ResponseWriter, r *http.Request) {
	after, ok := c.begin(r)
	if !ok {
		answer(w, nil, asked("after is not the number of a request"))
		return
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		http.Error(w, "too many readers are following already", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	f := c.opts.Events.follow(after)
	defer f.leave()
	s := stream{console: c, control: http.NewResponseController(w), w: w, followed: f}
	s.run(r.Context())
}

// begin is the number of the last request that a reader has, or does not want.
func (c *Console) begin(r *http.Request) (after uint64, ok bool) {
	for _, given := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if given != "" {
			after, err := strconv.ParseUint(given, 10, 64)
			return after, err == nil
		}
	}
	if list, _ := c.opts.Events.after(0); len(list) > 0 {
		after = list[0].number - 1
	}
	return after, true
}

// stream writes events to one reader. One goroutine uses it.
type stream struct {
	console  *Console
	control  *http.ResponseController
	w        http.ResponseWriter
	followed *follower
	out      bytes.Buffer
	looked   time.Time // when anything was delivered last

	// what the reader knows
	sampled       int64 // time of the last sample
	mark          control.Mark
	drops         uint64
	version       string
	known, marked bool // version and mark count
}

// run delivers until the reader leaves, stops reading, or the Events close.
func (s *stream) run(ctx context.Context) {
	// The deadline outlives the request on a kept-alive connection. An error means that the writer has no deadlines, or no reader any more.
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }()
	look := time.NewTicker(streamLook)
	defer look.Stop()
	s.write("hello", map[string]any{"started": s.console.started})
	s.look(ctx)
	for {
		if s.out.Len() == 0 && time.Since(s.looked) >= streamBeat {
			s.out.WriteString(":\n\n")
		}
		if s.out.Len() > 0 && (s.deliver() != nil || !s.pause(ctx)) {
			return
		}
		select {
		case <-s.followed.news:
			s.requests()
		case <-look.C:
			s.look(ctx)
		case <-s.followed.events.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// requests takes what is new.
func (s *stream) requests() {
	list, others := s.followed.take()
	shown := []RequestState{}
	for _, one := range list {
		shown = append(shown, requestState(one))
	}
	fmt.Fprintf(&s.out, "id: %d\n", s.followed.seen)
	s.write("requests", map[string]any{"list": shown, "others": others, "last": s.followed.seen})
}

// look finds out what else has changed. What fails is asked again the next time.
func (s *stream) look(ctx context.Context) {
	c := s.console
	if one, ok := c.series.newest(); ok && one[0] != s.sampled {
		s.sampled = one[0]
		s.write("sample", map[string]any{"sample": one, "figures": figures(c.opts.Cache.Stats())})
	}
	if c.opts.Invalidations != nil {
		s.lookInvalidations()
	}
	if c.opts.Releases == nil {
		return
	}
	version, err := c.opts.Releases.Version(ctx)
	if err == nil && (!s.known || version != s.version) {
		s.known, s.version = true, version
		s.write("releases", map[string]any{"version": version})
	}
}

func (s *stream) lookInvalidations() {
	c := s.console
	mark, err := c.opts.Invalidations.Mark(c.opts.Distribution)
	drops := c.opts.Cache.DropsVersion() // before the list, which may be newer
	if err != nil || s.marked && mark == s.mark && drops == s.drops {
		return
	}
	list, err := c.newest()
	if err != nil {
		return
	}
	s.marked, s.mark, s.drops = true, mark, drops
	s.write("invalidations", list)
}

// write encodes one event. JSON has no line break, which is what ends a field. HTML Living Standard, 9.2.6
func (s *stream) write(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // a time beyond the year 9999; nothing else can fail
	}
	fmt.Fprintf(&s.out, "event: %s\ndata: %s\n\n", name, data)
}

// pause says whether the stream goes on after it.
func (s *stream) pause(ctx context.Context) bool {
	select {
	case <-time.After(streamPause):
		return true
	case <-s.followed.events.done:
	case <-ctx.Done():
	}
	return false
}

// deliver sends what was written, now.
func (s *stream) deliver() error {
	defer s.out.Reset()
	s.looked = time.Now()
	_ = s.control.SetWriteDeadline(time.Now().Add(streamPatience)) // where there are no deadlines, the reader's leaving ends the write
	if _, err := s.w.Write(s.out.Bytes()); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}
