package standalone

import (
	"net/http"

	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// OpenFunc makes an Engine.
type OpenFunc func(Hooks) (Engine, error)

// Hooks are what an Engine tells the server.
type Hooks struct {
	OnRequest func(edge.Event)                          // after each request; nil if nobody wants to know, which is the fastest
	Measured  func(http.RoundTripper) http.RoundTripper // put around the way to origins, it measures them
}

// Engine is what answers viewers.
type Engine interface {
	front.Engine
	http.Handler
	// Ready says whether viewers may be sent here; /readyz answers it.
	Ready() bool
	// Stats are the sums over everything that it serves.
	Stats() edge.Stats
	// Figures are what it shows beside those.
	Figures() []Figure
	// Close ends it. The last request is over by then.
	Close() error
}

// Figure is one value among the metrics, under the prefix freshet_edge_.
type Figure struct {
	Name, Help string
	Counter    bool // it only grows; otherwise it is a gauge
	Value      float64
}

// single is one edge as an Engine.
type single struct{ *edge.Edge }

var _ Engine = single{}

// Ready is true: it has been configured when it was made.
func (single) Ready() bool { return true }

// Figures are none beside Stats.
func (single) Figures() []Figure { return nil }

// Close closes the edge.
func (s single) Close() error {
	s.Edge.Close()
	return nil
}
