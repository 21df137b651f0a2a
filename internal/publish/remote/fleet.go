package remote

import "context"

// Fleet is what a control node of freshet's own edges tells of them.
type Fleet struct {
	Node      string      `json:"node"`    // that answered
	Version   string      `json:"version"` // of its program
	Reached   bool        `json:"reached"` // a majority of the control nodes is there
	Applied   uint64      `json:"applied"` // position in the log that the node has applied
	Completed uint64      `json:"completed"`
	Edges     []FleetEdge `json:"edges"` // by name; never nil
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

// FleetReader is a CDN that may be a fleet.
type FleetReader interface {
	// Fleet reads the state of the fleet; nil where the service is none.
	Fleet(ctx context.Context) (*Fleet, error)
}
