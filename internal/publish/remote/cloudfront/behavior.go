package cloudfront

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscf "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/freshet/freshet/internal/publish/remote"
)

// managedPolicies tells of the cache policies that AWS manages whether the
// query string is part of the key; CloudFront guide, "Use managed cache
// policies", read 2026-11, fact 4.2. A policy that AWS adds later is read like
// any other.
var managedPolicies = map[string]bool{
	"658327ea-f89d-4fab-a63d-7e88639e58f6": false, // CachingOptimized
	"b2884449-e4de-46a7-ac36-70bc7f1ddd6d": false, // CachingOptimizedForUncompressedObjects
	"4135ea2d-6df8-44a3-9df3-4b5a84be39ad": false, // CachingDisabled
	"83da9c7e-98b4-4e11-a168-04f0df8e2c65": false, // UseOriginCacheControlHeaders
	"4cc15a8a-d715-48a4-82b8-cc0b614638fe": true,  // UseOriginCacheControlHeaders-QueryStrings
	"08627262-05a9-4f76-9ded-b50ca2e3a84f": true,  // Elemental-MediaPackage
	"2e54312d-136d-493c-8eb9-b001f22f67d2": true,  // Amplify
}

// behaviors are those of a configuration, the default one last. It fails only
// when ctx ends.
func (c *CDN) behaviors(ctx context.Context, cfg *types.DistributionConfig) ([]remote.Behavior, error) {
	p := policies{client: c.client, read: map[string]bool{}}
	var out []remote.Behavior
	add := func(pattern string, b types.DefaultCacheBehavior) {
		//lint:ignore SA1019 distributions made before cache policies still have it, and the AWS CLI still makes it (fact 1.8)
		legacy := b.ForwardedValues
		one := remote.Behavior{
			Pattern:    pattern,
			QueryInKey: p.queryInKey(ctx, aws.ToString(b.CachePolicyId), legacy),
			Rewrites:   rewrites(b.FunctionAssociations, b.LambdaFunctionAssociations),
		}
		one.OriginID, one.FailoverIDs = targets(aws.ToString(b.TargetOriginId), cfg.OriginGroups)
		out = append(out, one)
	}
	if cfg.CacheBehaviors != nil {
		for _, b := range cfg.CacheBehaviors.Items {
			add(rooted(aws.ToString(b.PathPattern)), asDefault(b))
		}
	}
	if cfg.DefaultCacheBehavior != nil {
		add("*", *cfg.DefaultCacheBehavior)
	}
	return out, ctx.Err()
}

// asDefault is what a behavior has in common with the default one.
func asDefault(b types.CacheBehavior) types.DefaultCacheBehavior {
	return types.DefaultCacheBehavior{
		TargetOriginId: b.TargetOriginId, CachePolicyId: b.CachePolicyId,
		FunctionAssociations: b.FunctionAssociations, LambdaFunctionAssociations: b.LambdaFunctionAssociations,
		//lint:ignore SA1019 see behaviors
		ForwardedValues: b.ForwardedValues,
	}
}

// policies reads each custom cache policy of one distribution once.
type policies struct {
	client *awscf.Client
	read   map[string]bool // whether the query string is in the key, by id
}

// queryInKey is whether a behavior's answers are cached by query string, by its
// policy or by its legacy settings; fact 5.3 says that it has one of them, but
// not every service that speaks this API does.
func (p policies) queryInKey(ctx context.Context, id string, legacy *types.ForwardedValues) bool {
	if id == "" {
		return legacy != nil && aws.ToBool(legacy.QueryString) // with neither, CloudFront's own default: not in the key
	}
	if known, ok := managedPolicies[id]; ok {
		return known
	}
	if known, ok := p.read[id]; ok {
		return known
	}
	p.read[id] = p.ask(ctx, id)
	return p.read[id]
}

// ask reads a custom policy. When that fails, most often for the lack of
// cloudfront:GetCachePolicy, the answer is true: a path too many costs little,
// a variant forgotten stays old.
func (p policies) ask(ctx context.Context, id string) bool {
	out, err := p.client.GetCachePolicy(ctx, &awscf.GetCachePolicyInput{Id: &id})
	if err != nil || out.CachePolicy == nil || out.CachePolicy.CachePolicyConfig == nil {
		return true
	}
	key := out.CachePolicy.CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin
	return key == nil || key.QueryStringsConfig == nil ||
		key.QueryStringsConfig.QueryStringBehavior != types.CachePolicyQueryStringBehaviorNone
}
