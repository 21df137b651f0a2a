package controlnode

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/listen"
)

// handler is what the API's listener serves.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.reached.Load() {
			say(w, http.StatusOK, "ready\n")
			return
		}
		say(w, http.StatusServiceUnavailable, "the log cannot be reached\n")
	})
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/2020-05-31/"): // not by the mux, which would clean paths that are signed
			s.server().Handler().ServeHTTP(w, r)
		case r.URL.Path == "/fleet":
			s.serveFleet(w, r)
		default:
			mux.ServeHTTP(w, r)
		}
	})
	if s.opts.Credentials == (control.Credentials{}) {
		return listen.Local("control API", all)
	}
	return all
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that is gone is nobody's error
}

// serveFleet answers /fleet to whoever may use the API.
func (s *Server) serveFleet(w http.ResponseWriter, r *http.Request) {
	if err := s.server().Authorize(r); err != nil {
		say(w, http.StatusForbidden, err.Error()+"\n")
		return
	}
	s.showStatus(w)
}

func (s *Server) showStatus(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(s.Status()) // a client that is gone is nobody's error
}

// Status is the state of the fleet as this node knows it.
type Status struct {
	Node    string `json:"node"`    // that answers
	Version string `json:"version"` // of its program
	Reached bool   `json:"reached"` // the log can be reached: a majority of the control nodes is there
	Applied uint64 `json:"applied"` // position in the log that this node has applied
	// Completed is the position through which every edge that may answer from its cache has applied the log.
	Completed uint64 `json:"completed"`
	Edges     []Edge `json:"edges"` // by name; those that ended among them for an hour
}

// Edge is one edge's lease.
type Edge struct {
	Member   string  `json:"member"`            // id of this life of its process
	Name     string  `json:"name"`              // as its operator knows it
	State    string  `json:"state"`             // "serving", "joining", "silent" (its lease may have run out) or "ended"
	Applied  uint64  `json:"applied"`           // position in the log
	Lag      uint64  `json:"lag"`               // entries that it has not applied, as of this node
	Renewed  float64 `json:"renewed"`           // seconds since its lease changed
	Lease    float64 `json:"lease"`             // seconds that it lasts
	Version  string  `json:"version"`           // of its program
	Address  string  `json:"address,omitempty"` // base URL for viewers, as it says itself
	Fenced   int64   `json:"fenced"`            // times that it was without a lease
	Requests int64   `json:"requests"`
	Hits     int64   `json:"hits"`
}

// Status returns the present state.
func (s *Server) Status() Status {
	out := Status{Node: s.opts.Name, Version: s.opts.Version, Reached: s.reached.Load(), Applied: s.server().Applied(), Edges: []Edge{}}
	out.Completed = out.Applied
	if floor, anybody := s.controller.Floor(); anybody {
		out.Completed = min(floor, out.Applied)
	}
	now := s.opts.Now()
	for _, l := range s.controller.Standings() {
		e := Edge{
			Member: l.Member, Name: l.Name, State: "serving", Applied: max(l.Applied, l.Joined), Renewed: now.Sub(l.Seen).Seconds(),
			Lease: float64(l.Term) / 1000, Version: l.Version, Address: l.Address, Fenced: l.Fenced, Requests: l.Requests, Hits: l.Hits,
		}
		if out.Applied > e.Applied {
			e.Lag = out.Applied - e.Applied
		}
		switch {
		case l.Ended:
			e.State, e.Lag = "ended", 0
		case l.Joined == 0:
			e.State = "joining"
		case e.Renewed > e.Lease:
			e.State = "silent"
		}
		out.Edges = append(out.Edges, e)
	}
	return out
}

// serveMetrics answers in Prometheus' text format, version 0.0.4 ("Exposition formats", read 2026-11).
func (s *Server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	st := s.Status()
	states := map[string]int{"serving": 0, "joining": 0, "silent": 0, "ended": 0}
	var lag uint64
	var fenced int64
	for _, e := range st.Edges {
		states[e.State]++
		fenced += e.Fenced
		if e.State == "serving" {
			lag = max(lag, e.Lag)
		}
	}
	metric(w, "freshet_control_log_applied_sequence", "gauge", "Position in the log that this node has applied.", st.Applied)
	metric(w, "freshet_control_completed_sequence", "gauge", "Position through which every edge that may answer from its cache has applied the log.", st.Completed)
	metric(w, "freshet_control_edge_lag_entries", "gauge", "Entries that the furthest serving edge is behind.", lag)
	metric(w, "freshet_control_edge_fenced_total", "counter", "Times that edges which are known were without a lease.", fenced)
	reached := 0
	if st.Reached {
		reached = 1
	}
	metric(w, "freshet_control_log_reached", "gauge", "1 if a majority of the control nodes can be reached.", reached)
	metric(w, "freshet_control_uptime_seconds", "gauge", "Since this node was started.", int64(s.opts.Now().Sub(s.began)/time.Second))
	head(w, "freshet_control_edges", "gauge", "Edges by state.")
	for _, state := range []string{"serving", "joining", "silent", "ended"} {
		fmt.Fprintf(w, "freshet_control_edges{state=%q} %d\n", state, states[state])
	}
	s.took.write(w, "freshet_control_completion_seconds", "Time that the oldest invalidation or configuration under way waited until every edge had applied it, at this node.")
}

func metric(w io.Writer, name, kind, help string, value any) {
	head(w, name, kind, help)
	fmt.Fprintln(w, name, value)
}

func head(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}
