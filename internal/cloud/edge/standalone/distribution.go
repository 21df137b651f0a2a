package standalone

import (
	"net/url"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

const originID = "origin"

// ownReference is the distribution's caller reference, by which a restart finds it.
const ownReference = "freshet-edge"

// Managed cache policies that say what enters the key. spec: cloudfront 4.2
const (
	cachingOptimized   = "658327ea-f89d-4fab-a63d-7e88639e58f6" // nothing but the path
	originCacheQueries = "4cc15a8a-d715-48a4-82b8-cc0b614638fe" // the query too, as under RFC 9111
)

// indexFunction stands for edge.DirectoryIndex where a distribution's configuration is shown; `freshet local` has the same name for it.
const indexFunction = "arn:aws:cloudfront::000000000000:function/freshet-directory-index"

// edgeConfig is what the edge serves.
func edgeConfig(o *Options, from *source, m *meters) edge.Config {
	origin := from.edge
	origin.Transport = m.measured(origin.Transport)
	b := edge.Behavior{
		OriginID: originID, Policy: edge.CachingOptimized(), ViewerProtocol: o.Cache.ViewerProtocol,
		Compress: compresses(o.Cache.Rules),
	}
	if o.Cache.Index {
		b.Rewrite = edge.DirectoryIndex
	}
	return edge.Config{
		Rules: o.Cache.Rules, Domain: origin.Host, DefaultRootObject: o.Cache.RootObject, Default: b, TagHeader: o.Cache.TagHeader,
		Origins: map[string]edge.Origin{originID: origin},
		Hidden:  hidden(origin),
	}
}

// compresses says whether the edge compresses by itself: as a CloudFront distribution for a site does; an RFC 9111 cache sends what the origin sent.
func compresses(rules edge.RuleSet) bool { return rules == edge.CloudFront }

// hidden keeps viewers from freshet's record in a bucket also where the edge has it cached from a time before.
func hidden(origin edge.Origin) []string {
	if origin.S3 {
		return []string{"/" + statePrefix}
	}
	return nil
}

// distribution is the same as the control API shows it.
func distribution(o *Options, from *source) control.DistributionConfig {
	b := control.CacheBehavior{
		TargetOriginID: originID, ViewerProtocolPolicy: protocols[o.Cache.ViewerProtocol],
		AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"}, CachePolicyID: cachingOptimized,
		Compress: compresses(o.Cache.Rules),
	}
	if o.Cache.Rules == edge.RFC9111 {
		b.CachePolicyID = originCacheQueries
		b.AllowedMethods = []string{"HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"}
	}
	if o.Cache.Index {
		b.FunctionAssociations = []control.FunctionAssociation{{FunctionARN: indexFunction, EventType: "viewer-request"}}
	}
	cfg := control.DistributionConfig{
		CallerReference: ownReference, Comment: "freshet edge", Enabled: true, DefaultRootObject: o.Cache.RootObject,
		Origins: []control.Origin{from.shown}, DefaultCacheBehavior: b,
	}
	if o.Cache.TagHeader != "" {
		cfg.CacheTagConfig = &control.CacheTagConfig{HeaderName: o.Cache.TagHeader}
	}
	return cfg
}

var protocols = map[edge.Protocol]string{
	edge.AllowAll: "allow-all", edge.HTTPSOnly: "https-only", edge.RedirectToHTTPS: "redirect-to-https",
}

// hostOf is the host:port of a base URL.
func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Host
}
