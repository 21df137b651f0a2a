package cloud

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/freshet/freshet/internal/cloud/console"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
	"github.com/freshet/freshet/internal/cloud/objects"
)

// edges keeps one edge for each distribution, and hands viewers to the one
// whose domain name or alias they ask for. It is what the control API acts on.
type edges struct {
	store  *objects.Store
	opts   Options
	events *console.Events

	// mu guards what follows; held for map access, and while an edge is made.
	mu    sync.RWMutex
	byID  map[string]*served
	hosts map[string]*served // by domain name and alias, in lower case
	first *served            // the default distribution: what viewers reach by any other name
}

// served is one distribution at work.
type served struct {
	edge    *edge.Edge
	hosts   []string
	enabled bool
	idle    func() // closes the connections to origins that nobody uses
}

var (
	_ control.Edges = (*edges)(nil)
	_ front.Engine  = (*edges)(nil)
)

func newEdges(store *objects.Store, opts Options) *edges {
	return &edges{
		store: store, opts: opts, events: console.NewEvents(),
		byID: map[string]*served{}, hosts: map[string]*served{},
	}
}

// domainSuffix ends the domain names of distributions. Every name below
// localhost is this machine (RFC 6761, 6.3).
const domainSuffix = ".cloudfront.localhost"

// domainOf is a distribution's own domain name: d111111abcdef8.cloudfront.net
// on AWS.
func domainOf(distribution string) string {
	return "d" + strings.ToLower(strings.TrimPrefix(distribution, "E")) + domainSuffix
}

// Configure gives a distribution's edge its configuration.
func (e *edges) Configure(_ context.Context, distribution string, cfg control.DistributionConfig) error {
	want, idle := edgeConfig(e.store, distribution, cfg)
	e.warn(distribution, cfg)
	e.mu.Lock()
	defer e.mu.Unlock()
	one := e.byID[distribution]
	if one == nil {
		cache, err := edge.New(want, edge.Options{Now: e.opts.Now, Logger: e.opts.Logger, OnRequest: e.request})
		if err != nil {
			return err
		}
		one = &served{edge: cache, idle: func() {}}
		e.byID[distribution] = one
	} else if err := one.edge.SetConfig(want); err != nil {
		return err
	}
	one.idle() // of the origins before
	one.idle, one.enabled = idle, cfg.Enabled
	e.name(one, append([]string{domainOf(distribution)}, cfg.Aliases...))
	if cfg.CallerReference == defaultReference {
		e.first = one
	}
	return nil
}

// name lets viewers reach one by these names only. The control API gives a name
// to one distribution; while a name moves between two, the later one has it.
func (e *edges) name(one *served, hosts []string) {
	for _, host := range one.hosts {
		if e.hosts[host] == one {
			delete(e.hosts, host)
		}
	}
	one.hosts = nil
	for _, host := range hosts {
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		one.hosts = append(one.hosts, host)
		e.hosts[host] = one
	}
}

// warn says what of a configuration the edge does not carry out.
func (e *edges) warn(distribution string, cfg control.DistributionConfig) {
	for _, b := range append([]control.CacheBehavior{cfg.DefaultCacheBehavior}, cfg.CacheBehaviors...) {
		for _, f := range b.FunctionAssociations {
			if !isIndex(f) {
				e.opts.Logger.Warn("function is kept and not run", "distribution", distribution, "function", f.FunctionARN, "event", f.EventType)
			}
		}
	}
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

// remove ends a deleted distribution's edge.
func (e *edges) remove(distribution string) {
	e.mu.Lock()
	one := e.byID[distribution]
	if one != nil {
		e.name(one, nil)
		delete(e.byID, distribution)
	}
	e.mu.Unlock()
	if one != nil {
		one.edge.Close() // waits for fills under way, so not under the lock
		one.idle()
	}
}

func (e *edges) one(distribution string) *edge.Edge {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if one := e.byID[distribution]; one != nil {
		return one.edge
	}
	return nil
}

// request passes a viewer's request on to the console.
func (e *edges) request(ev edge.Event) {
	e.events.Add(console.Request{
		Time: ev.Time, Duration: ev.Duration, Method: ev.Method, Path: ev.Path, Status: ev.Status, Cache: ev.Result.String(), Bytes: ev.Bytes,
	})
}

// check refuses a configuration that no edge could carry out.
func (e *edges) check(cfg control.DistributionConfig) error {
	want, _ := edgeConfig(e.store, "", cfg)
	return edge.Check(want)
}

// Hit answers a plain hit.
func (e *edges) Hit(rq *front.Request, resp *front.Response) bool {
	cache, enabled := e.reached(string(rq.Host))
	return cache != nil && enabled && cache.Hit(rq, resp)
}

// serveViewer answers what else comes in on the edge's port.
func (e *edges) serveViewer(w http.ResponseWriter, r *http.Request) {
	cache, enabled := e.reached(r.Host)
	switch {
	case cache == nil:
		http.Error(w, "the edge is starting", http.StatusServiceUnavailable)
	case !enabled:
		w.Header().Set("X-Cache", edge.Error.String())
		http.Error(w, "the distribution is disabled", http.StatusForbidden)
	default:
		cache.ServeHTTP(w, r)
	}
}

// reached finds the edge of the distribution that a Host header names: by its
// domain name or an alias, then by an alias like *.example.org, of which the
// longest counts, then the default one; nil before there is one.
func (e *edges) reached(host string) (cache *edge.Edge, enabled bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	one := e.first
	if len(e.byID) > 1 { // every name of the only distribution leads to it
		if found := e.named(host); found != nil {
			one = found
		}
	}
	if one == nil {
		return nil, false
	}
	return one.edge, one.enabled
}

func (e *edges) named(host string) *served {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if one := e.hosts[host]; one != nil {
		return one
	}
	for {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return nil
		}
		if one := e.hosts["*."+rest]; one != nil {
			return one
		}
		host = rest
	}
}

func (e *edges) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.byID {
		one.edge.Close()
		one.idle()
	}
}
