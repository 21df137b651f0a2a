// Package cloudfront is a remote.CDN on Amazon CloudFront and on services that
// speak its API.
//
// It promises that lists are whole, that a repeated batch with the same caller
// reference starts nothing, and that throttling of every kind, which CloudFront
// partly reports as a plain 400 that no SDK retries, comes back as
// remote.ErrTemporary. Passing faults are tried three times within a few
// seconds; pacing and longer waits are the engine's. What cannot be read of a
// distribution's behaviors is reported as the case that needs more care.
//
// A change of a distribution is compared with what CloudFront said, setting by
// setting, before it is sent, and refused where it would lose one.
//
// It leaves out all changes of distributions but those of remote.Change,
// distribution tenants, the code of functions, and everything about paths: what
// may be sent is decided by package invalidation.
//
// It follows the CloudFront API Reference, 2020-05-31, and the fact sheet,
// sections 1.5 to 1.8, 2, 4.2, 5.1 to 5.6 and 5.9.
package cloudfront

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscf "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
)

var _ remote.CDN = (*CDN)(nil)

// attempts is how often one request is tried: enough for a lost connection,
// short enough that the engine sees throttling at once.
const attempts = 3

// Credentials is a fixed pair of keys; it prints as [redacted].
type Credentials = session.Credentials

// Options says how to reach CloudFront.
type Options struct {
	Region      string             // only signed for; "" asks the SDK's chain, then takes us-east-1
	Endpoint    string             // "http://127.0.0.1:9001"; "" asks the SDK's chain, then takes AWS
	Profile     string             // "" asks the SDK's chain
	Credentials Credentials        // zero asks the SDK's chain
	Isolated    bool               // ask nothing of the user's own AWS settings; for a service with keys of its own
	HTTPClient  session.HTTPClient // for tests; nil makes one
	// OnRetry is told in words for people when a failed request is about to be
	// repeated, unless the pause is too short to be noticed: "CloudFront is
	// throttling (400 Throttling); trying again in 1.2s". It is called from several
	// goroutines at once; nil tells nobody. Waits of the engine are not among these.
	OnRetry func(note string)
}

// CDN is the CloudFront account of the credentials. It is safe for concurrent
// use.
type CDN struct {
	client *awscf.Client
	region string
	mu     sync.Mutex        // held for one look-up or store
	arns   map[string]string // by distribution id, as far as they were read; guarded by mu
}

// Open prepares the connection and makes no request of its own.
// remote.ErrCredentials where the profile does not exist.
func Open(ctx context.Context, o Options) (*CDN, error) {
	cfg, err := session.Load(ctx, session.Options{
		Region: o.Region, Profile: o.Profile, Credentials: o.Credentials, Isolated: o.Isolated,
		Attempts: attempts, HTTPClient: o.HTTPClient, OnRetry: session.Notes("CloudFront", o.OnRetry),
	})
	if err != nil {
		return nil, fmt.Errorf("open CloudFront: %w", err)
	}
	client := awscf.NewFromConfig(cfg, func(c *awscf.Options) {
		if o.Endpoint != "" {
			c.BaseEndpoint = &o.Endpoint
		}
	})
	return &CDN{client: client, region: cfg.Region, arns: map[string]string{}}, nil
}

// Distribution reads one distribution, and each cache policy of its behaviors
// that AWS does not manage. A policy that cannot be read is no error; see
// remote.Behavior. remote.ErrNotFound.
func (c *CDN) Distribution(ctx context.Context, id string) (remote.Distribution, error) {
	call := "read distribution " + id
	if id == "" {
		return remote.Distribution{}, fmt.Errorf("%s: %w: the id is empty", call, remote.ErrNotFound)
	}
	out, err := c.client.GetDistribution(ctx, &awscf.GetDistributionInput{Id: &id})
	if err != nil {
		return remote.Distribution{}, c.fail(ctx, call, c.right("cloudfront:GetDistribution", id), err)
	}
	d := out.Distribution
	if d == nil || d.DistributionConfig == nil {
		return remote.Distribution{}, fmt.Errorf("%s: the answer has no configuration", call)
	}
	c.remember(id, aws.ToString(d.ARN))
	cfg := d.DistributionConfig
	behaviors, err := c.behaviors(ctx, cfg)
	if err != nil {
		return remote.Distribution{}, fmt.Errorf("%s: %w", call, err)
	}
	return remote.Distribution{
		ID:                aws.ToString(d.Id),
		Domain:            aws.ToString(d.DomainName),
		Aliases:           aliases(cfg.Aliases),
		Enabled:           aws.ToBool(cfg.Enabled),
		Deployed:          aws.ToString(d.Status) == deployed,
		DefaultRootObject: aws.ToString(cfg.DefaultRootObject),
		Origins:           origins(cfg.Origins),
		TagHeader:         tagHeader(cfg.CacheTagConfig),
		Behaviors:         behaviors,
		ErrorPages:        errorPages(cfg.CustomErrorResponses),
	}, nil
}

// deployed is the other of the two statuses of a distribution; fact 5.9.
const deployed = "Deployed"

// Distributions lists all distributions. CloudFront's list does not tell
// DefaultRootObject and TagHeader, and behaviors would need their policies to be
// read, so these and ErrorPages are empty here; Distribution has them.
func (c *CDN) Distributions(ctx context.Context) ([]remote.Distribution, error) {
	const call = "list distributions"
	var all []remote.Distribution
	in := &awscf.ListDistributionsInput{}
	for {
		out, err := c.client.ListDistributions(ctx, in)
		if err != nil {
			return nil, c.fail(ctx, call, "needs cloudfront:ListDistributions on *", err)
		}
		list := out.DistributionList
		if list == nil {
			return nil, fmt.Errorf("%s: the answer has no list", call)
		}
		for _, d := range list.Items {
			all = append(all, c.summary(d))
		}
		if !aws.ToBool(list.IsTruncated) {
			return all, nil
		}
		if in.Marker, err = following(in.Marker, list.NextMarker); err != nil {
			return nil, fmt.Errorf("%s: %w", call, err)
		}
	}
}

func (c *CDN) summary(d types.DistributionSummary) remote.Distribution {
	c.remember(aws.ToString(d.Id), aws.ToString(d.ARN))
	return remote.Distribution{
		ID:       aws.ToString(d.Id),
		Domain:   aws.ToString(d.DomainName),
		Aliases:  aliases(d.Aliases),
		Enabled:  aws.ToBool(d.Enabled),
		Deployed: aws.ToString(d.Status) == deployed,
		Origins:  origins(d.Origins),
	}
}

func (c *CDN) remember(id, arn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arns[id] = arn
}

// right names what a call needs. The account number is known once the
// distribution has been read; until then a "*", which policies take too.
func (c *CDN) right(action, id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	arn := c.arns[id]
	if arn == "" {
		arn = distributionARN(c.region, id)
	}
	return "needs " + action + " on " + arn
}
