package cloud

import (
	"net/http"
	"strings"

	"github.com/freshet/freshet/internal/cloud/console"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/objects"
	"github.com/freshet/freshet/internal/cloud/tenants"
)

// edges keeps one edge for each distribution in front of the embedded store. It
// is what the control API acts on.
type edges struct {
	*tenants.Tenants
	store  *objects.Store
	opts   Options
	events *console.Events
}

func newEdges(store *objects.Store, opts Options) *edges {
	e := &edges{store: store, opts: opts, events: console.NewEvents()}
	e.Tenants = tenants.New(tenants.Options{
		Origin: e.origin, Domain: domainOf, Edge: e.options, Logger: opts.Logger,
		First: func(cfg control.DistributionConfig) bool { return cfg.CallerReference == defaultReference },
	})
	return e
}

// domainSuffix ends the domain names of distributions. Every name below
// localhost is this machine (RFC 6761, 6.3).
const domainSuffix = ".cloudfront.localhost"

// domainOf is a distribution's own domain name: d111111abcdef8.cloudfront.net
// on AWS.
func domainOf(distribution string) string {
	return "d" + strings.ToLower(strings.TrimPrefix(distribution, "E")) + domainSuffix
}

// origin reads a bucket of the embedded store, or any server by HTTP.
func (e *edges) origin(o control.Origin, next http.RoundTripper) (edge.Origin, error) {
	if o.S3Origin == nil {
		return tenants.HTTP(o, next)
	}
	return edge.Origin{
		Host: o.DomainName, Scheme: "https", S3: true, Dated: true,
		Transport: e.store.Origin(tenants.BucketOf(o.DomainName), objects.OriginOptions{Hide: isState}),
	}, nil
}

// options are those of a distribution's edge. Where there is no console nobody is told of requests and drops.
func (e *edges) options(distribution string, cfg control.DistributionConfig) edge.Options {
	o := edge.Options{Now: e.opts.Now, Logger: e.opts.Logger}
	if e.opts.Addresses.Console == "" {
		return o
	}
	if cfg.CallerReference == defaultReference {
		distribution = "" // the one that the console is about
	}
	o.Drops = console.KeptDrops
	o.OnRequest = func(ev edge.Event) { e.events.Add(shown(ev, distribution)) }
	return o
}

// remove ends a deleted distribution's edge.
func (e *edges) remove(distribution string) {
	if err := e.Remove(distribution); err != nil {
		e.opts.Logger.Error("remove edge", "distribution", distribution, "error", err)
	}
}
