// Package buckets reads the origins of distributions that are real buckets, with signed requests: S3's, or those of a store of one's own.
//
// It promises that the configuration of a distribution never waits for credentials, metadata services or DNS: a bucket is opened with the first request for it.
// One that cannot be opened costs its viewers an error and is tried again, at most once in a second; other distributions notice nothing.
// freshet's own record in a bucket is shown to no viewer.
//
// It follows the CloudFront Developer Guide, "Use Amazon S3 origins" (read 2026-11), for domain names, and leaves out origin access identities: the credentials are
// those of the edge (package signed).
package buckets

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/signed"
	"github.com/freshet/freshet/internal/cloud/tenants"
)

// ErrEndpoint: the AWS configuration names an endpoint that Options do not.
var ErrEndpoint = errors.New("an endpoint of the environment or the AWS configuration is not used: name it to the edge itself")

// Options say how buckets are reached.
type Options struct {
	Endpoint string           // base URL of a store that is not AWS; "" is AWS
	Region   string           // "": the one in the origin's domain name, else the AWS SDK's chain
	Now      func() time.Time // the clock of signatures; nil is time.Now
}

// Origins returns the OriginFunc: buckets by signed requests, other servers by tenants.HTTP.
func Origins(opts Options) tenants.OriginFunc {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return func(o control.Origin, next http.RoundTripper) (edge.Origin, error) {
		if o.S3Origin == nil {
			return tenants.HTTP(o, next)
		}
		region := opts.Region
		if region == "" {
			region = regionOf(o.DomainName)
		}
		b := &bucket{now: opts.Now, endpoint: opts.Endpoint, opts: signed.Options{
			Bucket: tenants.BucketOf(o.DomainName), Endpoint: opts.Endpoint, Region: region, Next: next, Now: opts.Now, Hide: isState,
		}}
		// The scheme and the host are the signer's to replace.
		return edge.Origin{Scheme: "https", Host: o.DomainName, Transport: b, S3: true, Dated: opts.Endpoint == ""}, nil
	}
}

// statePrefix begins the keys of freshet's record, which no viewer may read.
const statePrefix = ".freshet-"

func isState(key string) bool {
	return strings.HasPrefix(key, statePrefix) || strings.Contains(key, "/"+statePrefix)
}

// regionOf is the region in a domain name of S3, as in site.s3.eu-west-1.amazonaws.com; "" for none.
// Amazon Simple Storage Service endpoints and quotas, read 2026-11
func regionOf(domain string) string {
	name, ok := strings.CutSuffix(strings.TrimSuffix(domain, ".cn"), ".amazonaws.com")
	if !ok {
		return ""
	}
	i := strings.LastIndex(name, ".s3")
	if i < 0 {
		return ""
	}
	region := strings.TrimLeft(name[i+len(".s3"):], ".-")
	return strings.TrimPrefix(region, "dualstack.")
}

// openPause is the least time between two attempts to open a bucket.
const openPause = time.Second

// bucket is one that is opened by its first request.
type bucket struct {
	opts     signed.Options
	endpoint string
	now      func() time.Time

	mu     sync.Mutex // guards what follows; held while the bucket is being opened, for which all wait
	opened *signed.Bucket
	failed error
	tried  time.Time
}

var _ http.RoundTripper = (*bucket)(nil)

// RoundTrip signs and sends r. The error wraps ErrEndpoint, signed.ErrCredentials or signed.ErrRegion, or is that of the transport.
func (b *bucket) RoundTrip(r *http.Request) (*http.Response, error) {
	opened, err := b.open(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of http.RoundTripper
		}
		return nil, err
	}
	return opened.RoundTrip(r)
}

func (b *bucket) open(ctx context.Context) (*signed.Bucket, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.opened != nil || b.failed != nil && now.Sub(b.tried).Abs() < openPause {
		return b.opened, b.failed
	}
	opened, err := signed.Open(ctx, b.opts)
	if err == nil && b.endpoint == "" && !strings.HasSuffix(strings.TrimSuffix(opened.Host(), ".cn"), ".amazonaws.com") {
		err = fmt.Errorf("open bucket %s at %s: %w", b.opts.Bucket, opened.Host(), ErrEndpoint) // its Last-Modified may not tell of every write
	}
	if ctx.Err() != nil && err != nil {
		return nil, err // says nothing about the bucket
	}
	b.tried, b.failed = now, err
	if err == nil {
		b.opened = opened
	}
	return b.opened, err
}
