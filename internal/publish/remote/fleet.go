package remote

import (
	"context"
	"net"
	"strings"
)

// Fleet is what a control node of freshet's own edges tells of them.
type Fleet struct {
	Node      string      `json:"node"`    // that answered
	Version   string      `json:"version"` // of its program
	Reached   bool        `json:"reached"` // a majority of the control nodes is there
	Applied   uint64      `json:"applied"` // position in the log that the node has applied
	Completed uint64      `json:"completed"`
	Edges     []FleetEdge `json:"edges"` // by name; never nil
	// Here says that the node was reached on this machine. Elsewhere an edge's
	// loopback address is another machine's.
	Here bool `json:"-"`
}

// FleetEdge is one edge as the fleet knows it.
type FleetEdge struct {
	Name     string  `json:"name"`    // as its operator knows it
	State    string  `json:"state"`   // "serving", "joining", "silent" or "ended"
	Applied  uint64  `json:"applied"` // position in the log
	Lag      uint64  `json:"lag"`     // entries that it has not applied
	Renewed  float64 `json:"renewed"` // seconds since it was heard of
	Lease    float64 `json:"lease"`   // seconds that it may answer from its cache without that
	Version  string  `json:"version"` // of its program
	Address  string  `json:"address"` // base URL for viewers; "" where it names none
	Fenced   int64   `json:"fenced"`  // times that it was without a lease
	Requests int64   `json:"requests"`
	Hits     int64   `json:"hits"`
}

// Serving is the State of an edge that answers from its cache.
const Serving = "serving"

// FleetReader is a CDN that may be a fleet.
type FleetReader interface {
	// Fleet reads the state of the fleet; nil where the service is none.
	Fleet(ctx context.Context) (*Fleet, error)
}

// Loopback reports whether host, without a port, is this machine for whoever asks
// for it: localhost with every name below it (RFC 6761, 6.3), and the addresses of
// the loopback.
func Loopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
