package cloud

import (
	"strings"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/tenants"
)

const cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6" // spec: cloudfront 4.2

// statePrefix begins the keys of freshet's record, which no viewer may read.
const statePrefix = ".freshet-"

// defaultReference is the default distribution's caller reference, by which a
// restart finds it.
const defaultReference = "freshet-local"

// defaultDistribution is a distribution as a careful person would make it for
// a static site: private bucket, index pages, a page for what is missing.
func defaultDistribution() control.DistributionConfig {
	return control.DistributionConfig{
		CallerReference: defaultReference, Comment: "freshet local", Enabled: true, DefaultRootObject: "index.html",
		Origins: []control.Origin{{
			ID: Bucket, DomainName: Bucket + ".s3." + Region + ".amazonaws.com", S3Origin: &control.S3Origin{},
		}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: Bucket, ViewerProtocolPolicy: "allow-all",
			AllowedMethods: []string{"HEAD", "GET"}, CachedMethods: []string{"HEAD", "GET"},
			CachePolicyID: cachingOptimized, Compress: true,
			FunctionAssociations: []control.FunctionAssociation{{FunctionARN: tenants.IndexFunction, EventType: "viewer-request"}},
		},
		CustomErrorResponses: []control.CustomErrorResponse{
			{ErrorCode: 404, ResponsePagePath: "/404.html", ResponseCode: 404, ErrorCachingMinTTL: 10},
		},
	}
}

// isState reports whether a key belongs to freshet's record, under any prefix.
func isState(key string) bool {
	return strings.HasPrefix(key, statePrefix) || strings.Contains(key, "/"+statePrefix)
}
