package cloud

import (
	"context"
	"io"
	"net"

	"github.com/freshet/freshet/internal/cloud/console"
	"github.com/freshet/freshet/internal/cloud/console/releases"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/objects"
)

// serveConsole shows the default distribution, and the releases in the bucket.
func (c *Cloud) serveConsole(l net.Listener) {
	page := console.New(console.Options{
		Name: "local", Host: hostOf(c.info.Console), Viewers: c.info.Edge,
		Facts: []console.Fact{
			{Name: "Site at the edge", Value: c.info.Edge + "/", Link: true}, {Name: "S3", Value: c.info.S3}, {Name: "CloudFront API", Value: c.info.Control},
			{Name: "Bucket", Value: Bucket}, {Name: "Distribution", Value: c.info.Distribution},
		},
		Distribution: c.info.Distribution, Cache: c.edges.Edge(c.info.Distribution), Invalidations: c.control,
		Releases: releases.New(bucket{c.store}), Events: c.edges.events, Now: c.opts.Now,
	})
	c.servers.start(l, page)
	c.servers.wait.Go(func() { page.Run(c.servers.base) })
}

// shown is a viewer's request for the console. Distribution is "" for the one that it is about.
func shown(ev edge.Event, distribution string) console.Request {
	return console.Request{
		Time: ev.Time, Duration: ev.Duration, Method: ev.Method, Path: ev.Path, Status: ev.Status, Cache: ev.Result.String(), Bytes: ev.Bytes,
		Distribution: distribution,
	}
}

// bucket is the embedded bucket for whoever reads releases.
type bucket struct{ store *objects.Store }

var _ releases.Bucket = bucket{}

// Folders returns what keys that begin with prefix have up to the next slash.
func (b bucket) Folders(ctx context.Context, prefix string, limit int) ([]string, error) {
	return b.store.Folders(ctx, Bucket, prefix, limit)
}

// ETag tells one version of an object from another.
func (b bucket) ETag(ctx context.Context, key string) (string, error) {
	return b.store.ETag(ctx, Bucket, key)
}

// Read opens an object.
func (b bucket) Read(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.store.Read(ctx, Bucket, key)
}
