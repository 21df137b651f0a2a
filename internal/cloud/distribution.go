package cloud

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/objects"
)

// indexFunction is the viewer-request function that gives folders their index
// pages. The edge carries it out itself; on AWS it is a CloudFront Function
// with the code of the fact sheet's section 5.6.
const indexFunction = "arn:aws:cloudfront::000000000000:function/freshet-directory-index"

const cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6" // spec: cloudfront 4.2

// statePrefix begins the keys of freshet's record, which no viewer may read.
const statePrefix = ".freshet-"

// defaultDistribution is a distribution as a careful person would make it for
// a static site: private bucket, index pages, a page for what is missing.
func defaultDistribution() control.DistributionConfig {
	return control.DistributionConfig{
		CallerReference: "freshet-local", Comment: "freshet local", Enabled: true, DefaultRootObject: "index.html",
		Origins: []control.Origin{{
			ID: Bucket, DomainName: Bucket + ".s3." + Region + ".amazonaws.com", S3Origin: &control.S3Origin{},
		}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: Bucket, ViewerProtocolPolicy: "allow-all",
			AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"},
			CachePolicyID:        cachingOptimized,
			FunctionAssociations: []control.FunctionAssociation{{FunctionARN: indexFunction, EventType: "viewer-request"}},
		},
		CustomErrorResponses: []control.CustomErrorResponse{
			{ErrorCode: 404, ResponsePagePath: "/404.html", ResponseCode: 404, ErrorCachingMinTTL: 10},
		},
	}
}

// edgeConfig turns a distribution's configuration into what its edge needs.
func edgeConfig(store *objects.Store, id string, cfg control.DistributionConfig) (edge.Config, error) {
	out := edge.Config{Domain: id, DefaultRootObject: cfg.DefaultRootObject, Origins: map[string]edge.Origin{}}
	for _, o := range cfg.Origins {
		out.Origins[o.ID] = origin(store, o)
	}
	var err error
	if out.Default, err = behavior(cfg.DefaultCacheBehavior); err != nil {
		return edge.Config{}, err
	}
	for _, b := range cfg.CacheBehaviors {
		one, err := behavior(b)
		if err != nil {
			return edge.Config{}, err
		}
		out.Behaviors = append(out.Behaviors, one)
	}
	for _, r := range cfg.CustomErrorResponses {
		out.ErrorResponses = append(out.ErrorResponses, edge.ErrorResponse{
			Status: r.ErrorCode, PagePath: r.ResponsePagePath, ResponseCode: r.ResponseCode,
			MinTTL: time.Duration(r.ErrorCachingMinTTL) * time.Second,
		})
	}
	if cfg.CacheTagConfig != nil {
		out.TagHeader = cfg.CacheTagConfig.HeaderName
	}
	return out, nil
}

// origin reads a bucket of the embedded store, or any server by HTTP.
func origin(store *objects.Store, o control.Origin) edge.Origin {
	out := edge.Origin{Path: o.OriginPath, Host: o.DomainName}
	if o.S3Origin != nil {
		bucket, _, _ := strings.Cut(o.DomainName, ".s3")
		out.S3, out.Scheme = true, "https"
		out.Transport = store.Origin(bucket, objects.OriginOptions{Hide: isState})
		return out
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	out.Transport, out.Scheme = transport, "http"
	if o.CustomOrigin != nil && o.CustomOrigin.ProtocolPolicy == "https-only" {
		out.Scheme = "https"
	}
	return out
}

// isState reports whether a key belongs to freshet's record, under any prefix.
func isState(key string) bool {
	return strings.HasPrefix(key, statePrefix) || strings.Contains(key, "/"+statePrefix)
}

func behavior(b control.CacheBehavior) (edge.Behavior, error) {
	policy, err := b.Policy()
	if err != nil {
		return edge.Behavior{}, err
	}
	out := edge.Behavior{
		PathPattern: b.PathPattern, OriginID: b.TargetOriginID, Policy: cachePolicy(policy), AllowedMethods: b.AllowedMethods,
		ViewerProtocol: map[string]edge.Protocol{"https-only": edge.HTTPSOnly, "redirect-to-https": edge.RedirectToHTTPS}[b.ViewerProtocolPolicy],
	}
	for _, f := range b.FunctionAssociations {
		if f.FunctionARN != indexFunction || f.EventType != "viewer-request" {
			return edge.Behavior{}, fmt.Errorf("it can run only the function %s at viewer-request", indexFunction)
		}
		out.Rewrite = edge.DirectoryIndex
	}
	for _, m := range b.CachedMethods {
		out.CacheOptions = out.CacheOptions || m == http.MethodOptions
	}
	return out, nil
}

func cachePolicy(p control.CachePolicy) edge.CachePolicy {
	return edge.CachePolicy{
		MinTTL: p.MinTTL, DefaultTTL: p.DefaultTTL, MaxTTL: p.MaxTTL,
		Query: selection(p.QueryStrings), Cookies: selection(p.Cookies), Headers: p.Headers.Names,
		EnableGzip: p.EnableGzip, EnableBrotli: p.EnableBrotli,
	}
}

func selection(k control.KeyPart) edge.Selection {
	modes := map[string]edge.Mode{"whitelist": edge.SelectListed, "allExcept": edge.SelectAllExcept, "all": edge.SelectAll}
	return edge.Selection{Mode: modes[k.Behavior], Names: k.Names}
}
