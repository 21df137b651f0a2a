// Package console is the page that shows an edge at work: its requests as they come in, what they were answered with over time, what is cached, the
// invalidations and what each one dropped, and what each release changed.
//
// It is one http.Handler:
//
//	GET /                     the page
//	GET /assets/…             its style sheet, scripts and icon
//	GET /events               what happens, as server-sent events (stream.go has their forms)
//	GET /api/state            everything at a glance (type State)
//	GET /api/series           the last minutes and the last hour (type Series)
//	GET /api/objects          what is cached: ?q= search, ?sort=, ?after= page, ?limit= (type Objects)
//	GET /api/dry              what an invalidation would drop: ?item= for each item (type Trial)
//	GET /api/invalidations    ?before= page (type InvalidationList); /api/invalidations/{id} with all items
//	GET /api/releases         (type ReleaseList); /api/releases/{id} is what it changed (type ReleaseDiff)
//
// It promises that it changes nothing; that everything it needs is inside the program; that it never holds up the edge, whatever its readers do and however
// many requests come; and that it answers only to the names of its own listener and only to itself, so that no page of another origin can read it,
// also not by DNS rebinding.
//
// It leaves out logins and TLS (it is made for a loopback address; a listener on all addresses is answered for under the loopback names only), compressed
// answers, buttons that change something, the objects that only a disk tier holds, and the time at which an invalidation completed, which nobody records.
// A page beside it that has some of these takes its Gate, and the files that Shared has.
// Under a flood of requests it shows a sample (events.go).
//
// It follows the HTML Living Standard for server-sent events, Fetch Metadata Request Headers, Content Security Policy Level 3 and WCAG 2.2 (all read 2026-11).
package console

import (
	"context"
	"net/http"
	"time"

	"github.com/freshet/freshet/internal/cloud/console/releases"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// KeptDrops is for how many invalidations an edge should count what they dropped (edge.Options.Drops).
const KeptDrops = 2000

// Cache is what the console asks of an edge.
type Cache interface {
	// Stats returns totals and what the edge holds now.
	Stats() edge.Stats
	// Inspect visits the cached objects, in any order.
	Inspect(ctx context.Context, wanted func(uri string) bool, visit func(*edge.ObjectInfo) bool) error
	// Preview visits those that an invalidation would drop.
	Preview(ctx context.Context, items []string, visit func(o *edge.ObjectInfo, by []int) bool) error
	// Dropped tells what an invalidation has dropped, by its control.Recent.Sequence.
	Dropped(number uint64) (edge.Dropped, bool)
	// DropsVersion changes whenever an answer of Dropped does.
	DropsVersion() uint64
}

// Invalidations is what the console asks of the control API.
type Invalidations interface {
	// Recent returns the newest n invalidations of a distribution, newest first.
	Recent(distribution string, n int) ([]control.Recent, error)
	// Before returns n that are older than the one with an id; control.ErrUnknown if there is no such one.
	Before(distribution, id string, n int) ([]control.Recent, error)
	// Invalidation returns one; control.ErrUnknown if there is no such one.
	Invalidation(distribution, id string) (control.Recent, error)
	// Mark differs between two moments if an invalidation was accepted or completed in between.
	Mark(distribution string) (control.Mark, error)
}

// Releases is what the console asks of a bucket that freshet publishes to.
type Releases interface {
	// Version changes whenever a deploy begins or ends.
	Version(ctx context.Context) (string, error)
	List(ctx context.Context) (releases.History, error)
	// Diff compares a release with the one before; releases.ErrUnknown or releases.ErrGone.
	Diff(ctx context.Context, id string, limit int) (releases.Difference, error)
}

var (
	_ Cache         = (*edge.Edge)(nil)
	_ Invalidations = (*control.Server)(nil)
	_ Releases      = (*releases.Reader)(nil)
)

// Fact is something about the running program that its user wants to know, such as where it listens.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Link  bool   `json:"link"` // Value is an address to open
}

// Options are what a console shows.
type Options struct {
	Name string // of the command: "local" or "edge"
	// Host is where the console itself listens, as host:port. With its port, localhost and 127.0.0.1 are accepted too.
	Host          string
	Viewers       string // base URL under which viewers reach the edge, without a trailing slash
	Facts         []Fact
	Distribution  string // id; "" without Invalidations
	Cache         Cache
	Invalidations Invalidations // nil where there is no control API
	Releases      Releases      // nil where no bucket can be read
	Events        *Events
	Now           func() time.Time // nil means time.Now
}

// Console is the page as a handler.
type Console struct {
	opts    Options
	started time.Time
	series  series
	handler http.Handler
	walks   chan struct{} // a place for each walk through the cache that may go on at a time
	streams chan struct{} // a place for each stream
}

// Bounds on what readers can have going on at a time. Whoever comes then waits for a walk, and is refused a stream.
const (
	maxWalks   = 1
	maxStreams = 64
)

// New returns the console. It owns no goroutine; a reader of /events stays until the request's context ends or the Events are closed.
func New(opts Options) *Console {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := &Console{opts: opts, started: opts.Now(), walks: make(chan struct{}, maxWalks), streams: make(chan struct{}, maxStreams)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.servePage)
	mux.HandleFunc("GET /assets/{name}", serveAsset)
	mux.HandleFunc("GET /events", c.serveEvents)
	mux.HandleFunc("GET /api/state", c.serveState)
	mux.HandleFunc("GET /api/series", c.serveSeries)
	mux.HandleFunc("GET /api/objects", c.serveObjects)
	mux.HandleFunc("GET /api/dry", c.serveDry)
	mux.HandleFunc("GET /api/invalidations", c.serveInvalidations)
	mux.HandleFunc("GET /api/invalidations/{id}", c.serveInvalidation)
	mux.HandleFunc("GET /api/releases", c.serveReleases)
	mux.HandleFunc("GET /api/releases/{id}", c.serveDiff)
	c.handler = Guard(opts.Host, mux)
	return c
}

// ServeHTTP answers one reader.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Run keeps the record that the charts show, once a second, until ctx ends or the Events are closed.
func (c *Console) Run(ctx context.Context) {
	tick := time.NewTicker(sampleStep)
	defer tick.Stop()
	for {
		c.series.add(sample(c.opts.Now(), c.opts.Cache.Stats()))
		select {
		case <-tick.C:
		case <-c.opts.Events.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// walk lets f walk through the cache, when it is its turn.
func (c *Console) walk(ctx context.Context, f func() error) error {
	select {
	case c.walks <- struct{}{}:
		defer func() { <-c.walks }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}
