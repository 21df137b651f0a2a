package cloudfront

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscf "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/freshet/freshet/internal/publish/remote"
)

var _ remote.Configurator = (*CDN)(nil)

// managedCaching are the cache policies that AWS manages, which need not be
// asked for; CloudFront guide, "Use managed cache policies", read 2026-11, fact
// 4.2.
var managedCaching = map[string]remote.Caching{
	"658327ea-f89d-4fab-a63d-7e88639e58f6": caching("CachingOptimized", 1, day, year, true, true),
	"b2884449-e4de-46a7-ac36-70bc7f1ddd6d": caching("CachingOptimizedForUncompressedObjects", 1, day, year, false, false),
	"4135ea2d-6df8-44a3-9df3-4b5a84be39ad": caching("CachingDisabled", 0, 0, 0, false, false),
	"83da9c7e-98b4-4e11-a168-04f0df8e2c65": caching("UseOriginCacheControlHeaders", 0, 0, year, true, true),
	"4cc15a8a-d715-48a4-82b8-cc0b614638fe": caching("UseOriginCacheControlHeaders-QueryStrings", 0, 0, year, true, true),
	"08627262-05a9-4f76-9ded-b50ca2e3a84f": caching("Elemental-MediaPackage", 0, day, year, true, false),
	"2e54312d-136d-493c-8eb9-b001f22f67d2": caching("Amplify", 2, 2, 600, true, true),
}

// managedHeaders are the response headers policies that AWS manages; none of
// them says anything of Cache-Control (fact 5.5).
var managedHeaders = map[string]bool{
	"67f7725c-6f97-4210-82d7-5512b31e9d03": true, // SecurityHeadersPolicy
	"60669652-455b-4ae9-85a4-c4c02393f86c": true, // SimpleCORS
	"5cc3b908-e619-4b99-88e5-2cf7f45965bd": true, // CORS-With-Preflight
	"e61eb60c-9c35-4d20-a928-2b84e02af89c": true, // CORS-and-SecurityHeadersPolicy
	"eaab4381-ed33-4a86-88ca-d9558dc6cd63": true, // CORS-with-preflight-and-SecurityHeadersPolicy
}

const day, year = 86400, 31536000 // seconds

func caching(name string, lower, def, upper int64, gzip, brotli bool) remote.Caching {
	return remote.Caching{
		Name: name, Min: time.Duration(lower) * time.Second, Default: time.Duration(def) * time.Second, Max: time.Duration(upper) * time.Second,
		Gzip: gzip, Brotli: brotli,
	}
}

// Settings reads one distribution, and the policies and access controls that it
// names. remote.ErrNotFound.
func (c *CDN) Settings(ctx context.Context, id string) (remote.Settings, error) {
	call := "read the settings of distribution " + id
	if id == "" {
		return remote.Settings{}, fmt.Errorf("%s: %w: the id is empty", call, remote.ErrNotFound)
	}
	out, err := c.client.GetDistribution(ctx, &awscf.GetDistributionInput{Id: &id})
	if err != nil {
		return remote.Settings{}, c.fail(ctx, call, c.right("cloudfront:GetDistribution", id), err)
	}
	if out.Distribution == nil || out.Distribution.DistributionConfig == nil {
		return remote.Settings{}, fmt.Errorf("%s: the answer has no configuration", call)
	}
	s := settings{client: c.client, caching: map[string]*remote.Caching{}, headers: map[string]headers{}}
	all := s.read(ctx, out.Distribution.DistributionConfig)
	all.Version = aws.ToString(out.ETag)
	if err := ctx.Err(); err != nil {
		return remote.Settings{}, fmt.Errorf("%s: %w", call, err)
	}
	return all, nil
}

// settings reads what one distribution names, each thing once.
type settings struct {
	client  *awscf.Client
	caching map[string]*remote.Caching
	headers map[string]headers
}

func (s settings) read(ctx context.Context, cfg *types.DistributionConfig) remote.Settings {
	var out remote.Settings
	if cfg.Origins != nil {
		for _, o := range cfg.Origins.Items {
			out.Origins = append(out.Origins, remote.OriginSettings{ID: aws.ToString(o.Id), Signing: s.signing(ctx, o)})
		}
	}
	if cfg.CacheBehaviors != nil {
		for _, b := range cfg.CacheBehaviors.Items {
			out.Behaviors = append(out.Behaviors, s.behavior(ctx, rooted(aws.ToString(b.PathPattern)), wholeDefault(b)))
		}
	}
	if cfg.DefaultCacheBehavior != nil {
		out.Behaviors = append(out.Behaviors, s.behavior(ctx, "*", *cfg.DefaultCacheBehavior))
	}
	return out
}

// wholeDefault is what Settings reads of a behavior, as a default one.
func wholeDefault(b types.CacheBehavior) types.DefaultCacheBehavior {
	d := asDefault(b)
	d.Compress, d.ViewerProtocolPolicy, d.ResponseHeadersPolicyId = b.Compress, b.ViewerProtocolPolicy, b.ResponseHeadersPolicyId
	//lint:ignore SA1019 see behaviors
	d.MinTTL, d.DefaultTTL, d.MaxTTL = b.MinTTL, b.DefaultTTL, b.MaxTTL
	return d
}

// signing follows CloudFront guide, "Restrict access to an Amazon S3 origin",
// read 2026-11.
func (s settings) signing(ctx context.Context, o types.Origin) remote.Signing {
	id := aws.ToString(o.OriginAccessControlId)
	if id == "" {
		if o.S3OriginConfig != nil && aws.ToString(o.S3OriginConfig.OriginAccessIdentity) != "" {
			return remote.SigningIdentity
		}
		return remote.SigningNone
	}
	out, err := s.client.GetOriginAccessControl(ctx, &awscf.GetOriginAccessControlInput{Id: &id})
	if err != nil || out.OriginAccessControl == nil || out.OriginAccessControl.OriginAccessControlConfig == nil {
		return remote.SigningUnread
	}
	switch out.OriginAccessControl.OriginAccessControlConfig.SigningBehavior {
	case types.OriginAccessControlSigningBehaviorsAlways:
		return remote.SigningAlways
	case types.OriginAccessControlSigningBehaviorsNoOverride:
		return remote.SigningViewer
	case types.OriginAccessControlSigningBehaviorsNever:
		return remote.SigningOff
	}
	return remote.SigningUnread
}

func (s settings) behavior(ctx context.Context, pattern string, b types.DefaultCacheBehavior) remote.BehaviorSettings {
	h := s.responseHeaders(ctx, aws.ToString(b.ResponseHeadersPolicyId))
	return remote.BehaviorSettings{
		Pattern: pattern, Compress: aws.ToBool(b.Compress), HTTP: b.ViewerProtocolPolicy == types.ViewerProtocolPolicyAllowAll,
		Caching: s.policy(ctx, b), CacheControl: h.cacheControl, HeadersUnread: h.unread,
	}
}

// policy is nil for one that cannot be read, most often for the lack of
// cloudfront:GetCachePolicy.
func (s settings) policy(ctx context.Context, b types.DefaultCacheBehavior) *remote.Caching {
	id := aws.ToString(b.CachePolicyId)
	if id == "" {
		return legacyCaching(b)
	}
	if known, ok := managedCaching[id]; ok {
		return &known
	}
	if _, ok := s.caching[id]; !ok {
		s.caching[id] = s.askPolicy(ctx, id)
	}
	return s.caching[id]
}

func (s settings) askPolicy(ctx context.Context, id string) *remote.Caching {
	out, err := s.client.GetCachePolicy(ctx, &awscf.GetCachePolicyInput{Id: &id})
	if err != nil || out.CachePolicy == nil || out.CachePolicy.CachePolicyConfig == nil {
		return nil
	}
	cfg := out.CachePolicy.CachePolicyConfig
	lower := aws.ToInt64(cfg.MinTTL)
	one := caching(aws.ToString(cfg.Name), lower, orElse(cfg.DefaultTTL, max(day, lower)), orElse(cfg.MaxTTL, max(year, lower)), false, false)
	if key := cfg.ParametersInCacheKeyAndForwardedToOrigin; key != nil {
		one.Gzip, one.Brotli = aws.ToBool(key.EnableAcceptEncodingGzip), aws.ToBool(key.EnableAcceptEncodingBrotli)
	}
	return &one
}

// legacyCaching are a behavior's own settings, with CloudFront's defaults (fact
// 3.1). Brotli needs a cache policy (fact 4.4).
func legacyCaching(b types.DefaultCacheBehavior) *remote.Caching {
	//lint:ignore SA1019 see behaviors
	minTTL, defaultTTL, maxTTL := b.MinTTL, b.DefaultTTL, b.MaxTTL
	lower := aws.ToInt64(minTTL)
	one := caching("", lower, orElse(defaultTTL, max(day, lower)), orElse(maxTTL, max(year, lower)), aws.ToBool(b.Compress), false)
	return &one
}

func orElse(value *int64, otherwise int64) int64 {
	if value == nil {
		return otherwise
	}
	return *value
}

// headers is what a response headers policy says of Cache-Control.
type headers struct {
	cacheControl string
	unread       bool
}

func (s settings) responseHeaders(ctx context.Context, id string) headers {
	if id == "" || managedHeaders[id] {
		return headers{}
	}
	if _, ok := s.headers[id]; !ok {
		s.headers[id] = s.askHeaders(ctx, id)
	}
	return s.headers[id]
}

// askHeaders looks for a header that stands in for the object's own. Every
// object of freshet's has a Cache-Control, so that one that is only added where
// there is none changes nothing.
func (s settings) askHeaders(ctx context.Context, id string) headers {
	out, err := s.client.GetResponseHeadersPolicy(ctx, &awscf.GetResponseHeadersPolicyInput{Id: &id})
	if err != nil || out.ResponseHeadersPolicy == nil || out.ResponseHeadersPolicy.ResponseHeadersPolicyConfig == nil {
		return headers{unread: true}
	}
	custom := out.ResponseHeadersPolicy.ResponseHeadersPolicyConfig.CustomHeadersConfig
	if custom == nil {
		return headers{}
	}
	for _, h := range custom.Items {
		if strings.EqualFold(aws.ToString(h.Header), "Cache-Control") && aws.ToBool(h.Override) {
			return headers{cacheControl: aws.ToString(h.Value)}
		}
	}
	return headers{}
}
