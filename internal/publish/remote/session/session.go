// Package session holds what the two AWS adapters of package remote share: how
// a connection to AWS is configured, and how its failures are read.
//
// It promises that credentials, profiles, SSO, OIDC, regions and endpoints come
// from the AWS SDK's own chain, that secrets print as [redacted], that the
// SDK's log lines never reach the terminal, that whoever asks is told of each
// retry, and that every failure keeps its cause and request id and carries the
// sentinels of package remote that hold for all of AWS. What only S3 or only
// CloudFront says is read by its adapter.
//
// It makes no request itself; loading a configuration asks the network only
// where the chain needs to. It follows the AWS SDKs and Tools Reference Guide
// and the fact sheet, sections 1.6 and 7.
package session

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// DefaultRegion is what a session signs for when nothing names a region. S3
// answers a wrong one with the right one, and CloudFront has no other.
const DefaultRegion = "us-east-1"

// DefaultConns is how many connections to one host a session keeps when
// Options does not say.
const DefaultConns = 64

// Credentials is a fixed pair of keys, for stores that have their own. The
// zero value means that the SDK's chain is asked.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" for keys that do not expire
}

// IsZero reports whether c holds no keys.
func (c Credentials) IsZero() bool { return c == Credentials{} }

// Format prints [redacted] for every verb, so that no message can carry a
// secret.
func (c Credentials) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[redacted]") }

// MarshalText writes [redacted], for JSON and for structured logs.
func (c Credentials) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// HTTPClient sends one request; *http.Client is one.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// Options says what differs from the SDK's own chain.
type Options struct {
	Region      string      // "" asks the chain, then takes DefaultRegion
	Profile     string      // a name in ~/.aws/config; "" asks AWS_PROFILE
	Credentials Credentials // zero asks the chain
	// Isolated leaves the user's own AWS settings alone, so that a mistake in
	// them cannot matter: for a service with keys of its own. Region, profile
	// and keys are then those given here.
	Isolated   bool
	MaxConns   int        // connections to one host; 0 means DefaultConns
	Attempts   int        // tries of one request, unless AWS_MAX_ATTEMPTS or the profile says
	HTTPClient HTTPClient // for S3 or CloudFront itself, not for the chain; nil makes one with sensible time limits
	OnRetry    OnRetry    // told of each retry; nil tells nobody
}

// Load reads the configuration. remote.ErrCredentials where the named profile
// does not exist; missing keys show only when the first request is signed.
func Load(ctx context.Context, o Options) (aws.Config, error) {
	cfg := aws.Config{Region: o.Region, Logger: logging.Nop{}, HTTPClient: o.client()}
	if !o.Isolated {
		var err error
		if cfg, err = config.LoadDefaultConfig(ctx, o.loaders()...); err != nil {
			return aws.Config{}, loadError(err)
		}
	} else {
		cfg.Credentials = o.Credentials.provider()
	}
	if o.HTTPClient != nil {
		// Not a loader: AWS_CA_BUNDLE can only be added to a client of the SDK's.
		cfg.HTTPClient = o.HTTPClient
	}
	if cfg.Region == "" {
		cfg.Region = DefaultRegion
	}
	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = o.Attempts
	}
	cfg.Retryer = o.OnRetry.watch(retryer(cfg.RetryMode, cfg.RetryMaxAttempts))
	if cfg.Credentials != nil {
		cfg.Credentials = provider{cfg.Credentials}
	}
	return cfg, nil
}

func (o Options) loaders() []func(*config.LoadOptions) error {
	fns := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithHTTPClient(o.client()),
	}
	if o.Region != "" {
		fns = append(fns, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		fns = append(fns, config.WithSharedConfigProfile(o.Profile))
	}
	if !o.Credentials.IsZero() {
		fns = append(fns, config.WithCredentialsProvider(o.Credentials.provider()))
	}
	return fns
}

func (c Credentials) provider() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

// client is the one HTTP client of a session. S3 speaks HTTP/1.1, where
// concurrency is connections, so the pool is as large as the concurrency.
func (o Options) client() *awshttp.BuildableClient {
	conns := o.MaxConns
	if conns <= 0 {
		conns = DefaultConns
	}
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 10 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxConnsPerHost = conns
			t.MaxIdleConnsPerHost = conns
			t.MaxIdleConns = 2 * conns
			t.IdleConnTimeout = 60 * time.Second
			t.TLSHandshakeTimeout = 10 * time.Second
			t.ResponseHeaderTimeout = time.Minute // counts once the body has been sent
			t.DisableCompression = true           // bodies must arrive as they are stored
		})
}
