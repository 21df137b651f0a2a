package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
	"github.com/freshet/freshet/internal/publish/remote/readonly"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/publish/remote/viewer"
	"github.com/freshet/freshet/internal/publish/rules"
)

// target is an open target: where to publish and through what.
type target struct {
	name         string
	prefix       string // of all keys, "" or "blog/"
	store        remote.Store
	cdn          remote.CDN // nil without a distribution
	record       *release.Record
	distribution string      // id, "" for none
	view         *rules.View // nil without a distribution
	viewer       remote.Viewer
	url          string       // where viewers go, "" where nobody knows
	embedded     bool         // the target is the embedded cloud
	started      *cloud.Cloud // the embedded cloud, if this process started it
}

// close stops what open started.
func (t *target) close() error {
	if t.started == nil {
		return nil
	}
	return t.started.Close()
}

// jobs is how many requests run at once.
const jobs = 32

// open connects to the target that the flags and the config name. With
// readOnly nothing can be written to the bucket through it.
func (a *app) open(ctx context.Context, p project, readOnly bool) (t *target, err error) {
	named, err := p.Target(a.targetName)
	if err != nil {
		return nil, err
	}
	t = &target{name: named.Name, prefix: named.Prefix, embedded: named.Embedded()}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	var keys s3.Credentials
	if named.Embedded() {
		info, err := a.embedded(ctx, p, t)
		if err != nil {
			return t, err
		}
		named.Bucket, named.Region, named.Endpoint = info.Bucket, cloud.Region, info.S3
		named.CloudFrontEndpoint, named.Distribution, named.URL = info.Control, info.Distribution, info.Edge
		keys = s3.Credentials{AccessKeyID: info.AccessKeyID, SecretAccessKey: info.SecretAccessKey}
	}
	t.store, err = s3.Open(ctx, s3.Options{
		Bucket: named.Bucket, Prefix: named.Prefix, Region: named.Region, Endpoint: named.Endpoint,
		Credentials: keys, Isolated: t.embedded, MaxConns: 2 * jobs,
	})
	if err != nil {
		return t, err
	}
	if readOnly {
		t.store = readonly.Store{Store: t.store}
	}
	if t.record, err = release.Open(ctx, t.store, rand.Reader); err != nil {
		return t, err
	}
	if named.Invalidates() {
		if err = t.connectCDN(ctx, named, keys); err != nil {
			return t, err
		}
	}
	return t, t.connectViewer(named)
}

// connectCDN finds the distribution and how it shows the bucket.
func (t *target) connectCDN(ctx context.Context, named config.Target, keys cloudfront.Credentials) (err error) {
	if t.cdn, err = cloudfront.Open(ctx, cloudfront.Options{
		Region: named.Region, Endpoint: named.CloudFrontEndpoint, Credentials: keys, Isolated: t.embedded,
	}); err != nil {
		return err
	}
	var d remote.Distribution
	if named.Distribution == config.AutoDistribution {
		d, err = findDistribution(ctx, t.cdn, named.Bucket)
	} else {
		d, err = t.cdn.Distribution(ctx, named.Distribution)
	}
	if err != nil {
		return err
	}
	t.distribution = d.ID
	t.view = &rules.View{Prefix: named.Prefix, RootObject: d.DefaultRootObject}
	if o, ok := originOf(d, named.Bucket); ok {
		t.view.OriginPath = o.Path
	}
	if t.url = named.URL; t.url == "" && d.Domain != "" {
		t.url = schemeFor(d.Domain) + d.Domain
	}
	return nil
}

func (t *target) connectViewer(named config.Target) error {
	if t.url == "" {
		t.url = named.URL
	}
	if t.url == "" {
		return nil
	}
	client, err := viewer.New(t.url, jobs)
	if err != nil {
		return usage("correct `url:` in freshet.yaml", "%w", err)
	}
	t.viewer = client
	if t.started != nil {
		t.url = "http://" + localEdge // where it is to be seen when this process is gone
	}
	return nil
}

// schemeFor is how viewers reach a distribution's own domain: by https on the
// internet, by http on this machine.
func schemeFor(domain string) string {
	host, _, err := net.SplitHostPort(domain)
	if err != nil {
		host = domain
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "http://"
	}
	return "https://"
}

// originOf is the origin of d that reads the bucket; where none names it, the
// only origin there is.
func originOf(d remote.Distribution, bucket string) (remote.Origin, bool) {
	i := slices.IndexFunc(d.Origins, func(o remote.Origin) bool { return readsBucket(o, bucket) })
	if i < 0 && len(d.Origins) == 1 {
		i = 0
	}
	if i < 0 {
		return remote.Origin{}, false
	}
	return d.Origins[i], true
}

// readsBucket knows the domain names of S3 (fact sheet 5.1).
func readsBucket(o remote.Origin, bucket string) bool {
	return strings.HasPrefix(o.Domain, bucket+".s3.") || strings.HasPrefix(o.Domain, bucket+".s3-")
}

// findDistribution is the one distribution in front of the bucket.
func findDistribution(ctx context.Context, cdn remote.CDN, bucket string) (remote.Distribution, error) {
	all, err := cdn.Distributions(ctx)
	if err != nil {
		return remote.Distribution{}, err
	}
	var found []remote.Distribution
	var ids []string
	for _, d := range all {
		if slices.ContainsFunc(d.Origins, func(o remote.Origin) bool { return readsBucket(o, bucket) }) {
			found, ids = append(found, d), append(ids, d.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return remote.Distribution{}, usage("write the distribution's id as `distribution:` in freshet.yaml",
			"no distribution of this account has the bucket %s as its origin", bucket)
	}
	return remote.Distribution{}, usage("write the id of one of them as `distribution:` in freshet.yaml",
		"%d distributions have the bucket %s as their origin: %s", len(ids), bucket, strings.Join(ids, ", "))
}

// patience is how long a command waits for another process that has the
// embedded cloud for the length of one deploy.
const patience = 20 * time.Second

// embedded finds the running embedded cloud, or starts one for as long as this
// command needs it.
func (a *app) embedded(ctx context.Context, p project, t *target) (cloud.Info, error) {
	dir := a.dataFolder(p)
	for deadline := a.now().Add(patience); ; {
		info, running, err := cloud.Find(ctx, dir)
		if err != nil || running {
			return info, err
		}
		t.started, err = cloud.Start(ctx, cloud.Options{
			Dir: dir, Addresses: cloud.Addresses{S3: "127.0.0.1:0", Control: "127.0.0.1:0", Edge: "127.0.0.1:0"}, Now: a.now,
		})
		if err == nil {
			return t.started.Info(), nil
		}
		t.started = nil
		if !errors.Is(err, cloud.ErrInUse) || a.now().After(deadline) {
			return cloud.Info{}, fmt.Errorf("start the embedded cloud: %w", err)
		}
		select {
		case <-ctx.Done():
			return cloud.Info{}, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (a *app) dataFolder(p project) string {
	if a.dataDir != "" {
		return a.dataDir
	}
	return filepath.Join(p.root, ".freshet", "local")
}
