package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/invalidation"
	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/readonly"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/ui"
)

// target is an open target: where to publish and through what.
type target struct {
	name          string
	prefix        string // of all keys, "" or "blog/"
	store         remote.Store
	cdn           remote.CDN // nil without a distribution
	record        *release.Record
	distributions []distribution
	limits        invalidation.Limits
	endpoint      string       // of the control API, "" for AWS; what the ledger is kept for
	url           string       // where viewers go, "" where nobody knows
	embedded      bool         // the target is the embedded cloud
	started       *cloud.Cloud // the embedded cloud, if this process started it
	bucket        string
	foreign       bool     // the store is another than Amazon S3
	failed        failures // of access.examine
}

// failures are why a target could be opened in part only.
type failures struct{ bucket, cdn error }

// close stops what open started.
func (t *target) close() error {
	if t.started == nil {
		return nil
	}
	return t.started.Close()
}

// jobs is how many requests run at once.
const jobs = 32

// access is how a command uses the bucket.
type access struct {
	readOnly bool // nothing can be written
	noLock   bool // writes have no conditions: nothing keeps two deploys apart
	examine  bool // what of the target does not answer is told by target.failed
}

// open connects to the target that the flags and the config name.
func (a *app) open(ctx context.Context, p project, access access) (t *target, err error) {
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
		named.CloudFrontEndpoint, named.Distributions, named.URL = info.Control, []string{info.Distribution}, info.Edge
		keys = s3.Credentials{AccessKeyID: info.AccessKeyID, SecretAccessKey: info.SecretAccessKey}
	}
	t.bucket, t.foreign = named.Bucket, named.Endpoint != "" || a.getenv("AWS_ENDPOINT_URL_S3") != "" || a.getenv("AWS_ENDPOINT_URL") != ""
	t.store, err = s3.Open(ctx, s3.Options{
		Bucket: named.Bucket, Prefix: named.Prefix, Region: named.Region, Endpoint: named.Endpoint,
		Credentials: keys, Isolated: t.embedded, MaxConns: 4 * jobs, OnRetry: a.retryNotes(),
	})
	if err != nil {
		return t, err
	}
	if access.readOnly {
		t.store = readonly.Store{Store: t.store}
	}
	t.url = named.URL
	a.event(deploy.Event{Stage: ui.StageConnect})
	if err := a.meet(ctx, t, p, named, keys, access); err != nil {
		return t, err
	}
	a.event(deploy.Event{Stage: ui.StageConnect, Finished: true})
	if t.started != nil {
		t.url = "http://" + localEdge // where it is to be seen when this process is gone
	}
	return t, nil
}

// meet finds the record in the bucket and the distributions in front of it, both
// at once. Of two errors the bucket's is told.
func (a *app) meet(ctx context.Context, t *target, p project, named config.Target, keys s3.Credentials, access access) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var bucket, cdn error
	var both sync.WaitGroup
	both.Go(func() {
		if t.record, bucket = release.Open(ctx, t.store, release.Options{Unconditional: access.noLock}); bucket != nil && !access.examine {
			cancel()
		}
	})
	if named.Invalidates() {
		both.Go(func() { cdn = a.connectCDN(ctx, t, p, named, keys) })
	}
	both.Wait()
	if access.examine {
		t.failed = failures{bucket, cdn}
		return ctx.Err()
	}
	return cmp.Or(bucket, cdn)
}

// retryNotes shows what the SDK repeats by itself.
func (a *app) retryNotes() func(string) {
	tell := a.events()
	if tell == nil {
		return nil
	}
	return func(text string) { tell(deploy.Event{Note: text}) }
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
