package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/durable"
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
	recordFile    string       // where it is remembered where the record is, "" for nowhere
	started       *cloud.Cloud // the embedded cloud, if this process started it
	bucket        string
	foreign       bool     // the store is another than Amazon S3
	failed        failures // of access.examine
}

// failures are why a target could be opened in part only.
type failures struct{ bucket, cdn error }

// hint is where the record was the last time that this machine looked, "" where
// it never did.
func (t *target) hint() string {
	if t.recordFile == "" {
		return ""
	}
	data, err := os.ReadFile(t.recordFile)
	if err != nil {
		return ""
	}
	return string(data)
}

// remember notes for the next command where the record is. Where that fails, it
// waits for one answer more.
func (t *target) remember() {
	if t.recordFile == "" || t.record == nil || t.record.Prefix() == "" || t.record.Prefix() == t.hint() {
		return
	}
	if durable.MkdirAll(filepath.Dir(t.recordFile), 0o700) == nil {
		_ = durable.WriteFile(t.recordFile, []byte(t.record.Prefix()), 0o600)
	}
}

// recordFile is in the user's cache folder, apart for each service, bucket and
// prefix, since who knows what it says can read the record.
func recordFile(endpoint, bucket, prefix string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(endpoint + "\x00" + bucket + "\x00" + prefix))
	return filepath.Join(dir, "freshet", fmt.Sprintf("record-%x", sum[:8]))
}

// close stops what open started.
func (t *target) close() error {
	t.remember()
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
	if !t.embedded {
		t.recordFile = recordFile(cmp.Or(named.Endpoint, a.getenv("AWS_ENDPOINT_URL_S3"), a.getenv("AWS_ENDPOINT_URL")), named.Bucket, named.Prefix)
	}
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
		bucket = crash.Guard(func() (err error) {
			o := release.Options{Unconditional: access.noLock, Hint: t.hint()}
			t.record, err = release.Open(ctx, t.store, o)
			return err
		})()
		if bucket != nil && !access.examine {
			cancel()
		}
	})
	if named.Invalidates() {
		both.Go(func() {
			cdn = crash.Guard(func() error { return a.findCDN(ctx, t, p, named, keys, access) })()
		})
	}
	both.Wait()
	if access.examine {
		t.failed = failures{bucket, cdn}
		return ctx.Err()
	}
	return cmp.Or(bucket, cdn)
}

// findCDN is connectCDN, and for a command that publishes as patient as the rest of
// its run: a fleet whose leading control node has died takes seconds to choose another.
func (a *app) findCDN(ctx context.Context, t *target, p project, named config.Target, keys s3.Credentials, access access) error {
	connect := func() error { return a.connectCDN(ctx, t, p, named, keys) }
	if access.readOnly || access.examine {
		return connect()
	}
	return deploy.Patient(ctx, a.retryNotes(), connect)
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
			return info, embeddedFailure(err)
		}
		t.started, err = cloud.Start(ctx, cloud.Options{
			Dir: dir, Addresses: cloud.Addresses{S3: "127.0.0.1:0", Control: "127.0.0.1:0", Edge: "127.0.0.1:0"}, Now: a.now,
		})
		if err == nil {
			return t.started.Info(), nil
		}
		t.started = nil
		if !errors.Is(err, cloud.ErrInUse) || a.now().After(deadline) {
			return cloud.Info{}, embeddedFailure(err)
		}
		select {
		case <-ctx.Done():
			return cloud.Info{}, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// embeddedFailure says what could not be done; nil for nil.
func embeddedFailure(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errEmbedded, err)
}

func (a *app) dataFolder(p project) string {
	if a.dataDir != "" {
		return a.dataDir
	}
	return filepath.Join(p.root, ".freshet", "local")
}
