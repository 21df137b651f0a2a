// Package console is the page that shows the embedded cloud: where its parts
// listen, what the edge has done, the last requests as they come in, the
// invalidations, and what is cached.
//
// It is one http.Handler:
//
//	GET /           the page; ?q= keeps the cached objects whose path has the text in it
//	GET /api/state  the same as JSON (type State); ?q= too
//	GET /events     the viewers' requests as server-sent events
//	GET /assets/…   the page's own style sheet, script and icon
//
// It promises that it changes nothing; that everything it needs is inside the
// program; that it never holds up the edge, whatever its readers do; and that
// it answers only to the names of its own listener and only to itself, so that
// no page of another origin can read it, also not by DNS rebinding.
//
// It leaves out logins and TLS (it is made for a loopback address; a listener
// on all addresses is answered for under the loopback names only), compressed
// answers, buttons that change something, and the time at which an invalidation
// completed, which nobody records.
//
// It follows the HTML Living Standard for server-sent events, Fetch Metadata
// Request Headers and Content Security Policy Level 3 (all read 2026-11).
package console

import (
	"html/template"
	"iter"
	"net/http"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// Cache is what the console asks of an edge.
type Cache interface {
	// Stats returns totals and what the edge holds now.
	Stats() edge.Stats
	// Objects yields the cached objects, in any order.
	Objects() iter.Seq[edge.ObjectInfo]
}

// Invalidations is what the console asks of the control API.
type Invalidations interface {
	// Recent returns the newest n invalidations of a distribution, newest
	// first.
	Recent(distribution string, n int) ([]control.Recent, error)
}

var (
	_ Cache         = (*edge.Edge)(nil)
	_ Invalidations = (*control.Server)(nil)
)

// Options are what a console shows. All are needed but Now.
type Options struct {
	S3, Control, Edge string // base URLs, without a trailing slash
	// Host is where the console itself listens, as host:port. With its port,
	// localhost and 127.0.0.1 are accepted too.
	Host          string
	Bucket        string
	Distribution  string // ID
	Cache         Cache
	Invalidations Invalidations
	Events        *Events
	Now           func() time.Time // nil means time.Now; its location is the one that times are shown in
}

// console answers requests that the guard has let through.
type console struct {
	opts Options
	page *template.Template
}

// New returns the console as a handler. It owns no goroutine; a reader of
// /events stays until the request's context ends or the Events are closed.
func New(opts Options) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := &console{opts: opts, page: parsePage()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.servePage)
	mux.HandleFunc("GET /api/state", c.serveState)
	mux.HandleFunc("GET /events", c.serveEvents)
	mux.HandleFunc("GET /assets/{name}", serveAsset)
	return guard(opts.Host, mux)
}
