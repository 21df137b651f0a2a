package cloud

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/freshet/freshet/internal/cloud/console"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
	"github.com/freshet/freshet/internal/cloud/objects"
)

// edges keeps one edge for each distribution, and hands viewers to the only
// one there is. It is what the control API acts on.
type edges struct {
	store  *objects.Store
	opts   Options
	events *console.Events

	// mu guards byID and first; held for map access, and while an edge is made.
	mu    sync.RWMutex
	byID  map[string]*edge.Edge
	first string // the distribution that viewers reach
}

var (
	_ control.Edges = (*edges)(nil)
	_ front.Engine  = (*edges)(nil)
)

func newEdges(store *objects.Store, opts Options) *edges {
	return &edges{store: store, opts: opts, events: console.NewEvents(), byID: map[string]*edge.Edge{}}
}

// Configure gives a distribution's edge its configuration.
func (e *edges) Configure(_ context.Context, distribution string, cfg control.DistributionConfig) error {
	want, err := edgeConfig(e.store, distribution, cfg)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if one := e.byID[distribution]; one != nil {
		return one.SetConfig(want)
	}
	one, err := edge.New(want, edge.Options{Now: e.opts.Now, Logger: e.opts.Logger, OnRequest: e.request})
	if err != nil {
		return err
	}
	e.byID[distribution] = one
	if e.first == "" {
		e.first = distribution
	}
	return nil
}

// Invalidate applies items; the next request of any viewer sees it.
func (e *edges) Invalidate(_ context.Context, distribution string, _ uint64, items []string) error {
	one := e.one(distribution)
	if one == nil {
		return fmt.Errorf("invalidate: distribution %s has no edge yet", distribution)
	}
	_, err := one.Invalidate(items)
	return err
}

func (e *edges) one(distribution string) *edge.Edge {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.byID[distribution]
}

// request passes a viewer's request on to the console.
func (e *edges) request(ev edge.Event) {
	e.events.Add(console.Request{
		Time: ev.Time, Duration: ev.Duration, Method: ev.Method, Path: ev.Path, Status: ev.Status, Cache: ev.Result.String(), Bytes: ev.Bytes,
	})
}

// check refuses a configuration that no edge could carry out.
func (e *edges) check(cfg control.DistributionConfig) error {
	want, err := edgeConfig(e.store, "", cfg)
	if err != nil {
		return err
	}
	return edge.Check(want)
}

// viewers returns the edge that viewers reach; nil before there is one.
func (e *edges) viewers() *edge.Edge {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.byID[e.first]
}

// Hit answers a plain hit.
func (e *edges) Hit(rq *front.Request, resp *front.Response) bool {
	one := e.viewers()
	return one != nil && one.Hit(rq, resp)
}

// serveViewer answers what else comes in on the edge's port.
func (e *edges) serveViewer(w http.ResponseWriter, r *http.Request) {
	one := e.viewers()
	if one == nil {
		http.Error(w, "the edge is starting", http.StatusServiceUnavailable)
		return
	}
	one.ServeHTTP(w, r)
}

func (e *edges) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.byID {
		one.Close()
	}
}
