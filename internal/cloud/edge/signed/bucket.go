package signed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// ErrRegion: AWS needs to know the bucket's region, and neither Options nor the SDK's chain name it, or it is another one.
var ErrRegion = errors.New("the bucket's region")

// ErrCredentials: the SDK's chain has no credentials.
var ErrCredentials = errors.New("no AWS credentials")

// anyRegion is signed for where a store of one's own has no region.
const anyRegion = "us-east-1"

// Options say which bucket, and how it is reached.
type Options struct {
	Bucket   string // name, without "s3://"
	Prefix   string // put before every key; ends with a slash, or ""
	Endpoint string // base URL of a store that is not AWS; "" asks the SDK's chain, then means AWS
	Region   string // "" asks the SDK's chain; with an endpoint, us-east-1 after that

	Next http.RoundTripper     // sends the signed requests; must be given
	Now  func() time.Time      // the clock of signatures; must be given
	Hide func(key string) bool // keys, with the prefix, that are answered with 403; nil hides none
}

// Bucket is an http.RoundTripper for requests whose path is a key below the prefix. It is safe for concurrent use.
type Bucket struct {
	opts        Options
	base        *url.URL // scheme, host and, in path style, the bucket; no trailing slash
	credentials aws.CredentialsProvider
	signer      *v4.Signer
}

var _ http.RoundTripper = (*Bucket)(nil)

// Open reads the SDK's configuration and finds the bucket's endpoint. It asks the network only where the chain of credentials needs to.
// The error wraps ErrRegion or ErrCredentials.
func Open(ctx context.Context, o Options) (*Bucket, error) {
	var own []func(*config.LoadOptions) error
	if o.Region != "" {
		own = append(own, config.WithRegion(o.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, own...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	client := s3.NewFromConfig(cfg).Options() // it reads AWS_ENDPOINT_URL_S3 and its like
	endpoint := o.Endpoint
	if endpoint == "" && client.BaseEndpoint != nil {
		endpoint = *client.BaseEndpoint
	}
	o.Region = client.Region
	if endpoint != "" {
		o.Region = cmp.Or(o.Region, anyRegion)
	}
	if o.Region == "" {
		return nil, fmt.Errorf("open bucket %s: %w is not known", o.Bucket, ErrRegion)
	}
	b := &Bucket{opts: o, credentials: cfg.Credentials, signer: v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true })}
	if b.base, err = baseURL(ctx, o, endpoint); err != nil {
		return nil, err
	}
	if _, err := b.keys(ctx); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, err)
	}
	return b, nil
}

// baseURL is where the bucket's keys begin: in path style below an endpoint of one's own, else where AWS has it.
func baseURL(ctx context.Context, o Options, endpoint string) (*url.URL, error) {
	p := s3.EndpointParameters{Bucket: &o.Bucket, Region: &o.Region}
	if endpoint != "" {
		p.Endpoint, p.ForcePathStyle = &endpoint, aws.Bool(true)
	}
	found, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("find the endpoint of bucket %s: %w", o.Bucket, err)
	}
	base := found.URI
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), ""
	return &base, nil
}

func (b *Bucket) keys(ctx context.Context) (aws.Credentials, error) {
	c, err := b.credentials.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		return c, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	return c, err
}

// Scheme is "http" or "https".
func (b *Bucket) Scheme() string { return b.base.Scheme }

// Host is the Host header of requests.
func (b *Bucket) Host() string { return b.base.Host }

// Region is the one that is signed for.
func (b *Bucket) Region() string { return b.opts.Region }
