package cloudfront

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/freshet/freshet/internal/publish/remote"
)

func aliases(a *types.Aliases) []string {
	if a == nil {
		return nil
	}
	return a.Items
}

func origins(o *types.Origins) []remote.Origin {
	if o == nil {
		return nil
	}
	out := make([]remote.Origin, len(o.Items))
	for i, origin := range o.Items {
		out[i] = remote.Origin{
			ID: aws.ToString(origin.Id), Domain: aws.ToString(origin.DomainName), Path: aws.ToString(origin.OriginPath),
			Website: website(origin),
		}
	}
	return out
}

// restEndpoint is the domain of a bucket's REST endpoint, "bucket.s3.REGION",
// "bucket.s3-REGION" (the older spelling) or "bucket.s3" before
// amazonaws.com, dual-stack ones included; S3 guide, "Virtual hosting of
// general purpose buckets", read 2026-11. Website endpoints begin with
// s3-website; fact 5.1.
var restEndpoint = regexp.MustCompile(`(?i)\.s3(\.dualstack)?([.-][a-z]{2}(-[a-z]+)+-[0-9]+)?\.amazonaws\.com(\.cn)?$`)

// website is whether the origin is no REST endpoint of a bucket. A bucket may
// also be set up as a custom origin; what counts is who answers.
func website(o types.Origin) bool {
	return o.S3OriginConfig == nil && !restEndpoint.MatchString(aws.ToString(o.DomainName))
}

func tagHeader(c *types.CacheTagConfig) string {
	if c == nil {
		return ""
	}
	return aws.ToString(c.HeaderName)
}

// errorPages follows fact 5.4: an entry may have no page and set only the time.
func errorPages(c *types.CustomErrorResponses) []remote.ErrorPage {
	if c == nil {
		return nil
	}
	var out []remote.ErrorPage
	for _, r := range c.Items {
		page := remote.ErrorPage{
			Status: int(aws.ToInt32(r.ErrorCode)), Page: aws.ToString(r.ResponsePagePath), MinTTL: remote.DefaultErrorTTL,
		}
		// The code is a string that is empty without a page; what is no number
		// says as little.
		page.Response, _ = strconv.Atoi(aws.ToString(r.ResponseCode))
		if r.ErrorCachingMinTTL != nil {
			page.MinTTL = time.Duration(*r.ErrorCachingMinTTL) * time.Second
		}
		out = append(out, page)
	}
	return out
}

// rooted makes the slash explicit that CloudFront implies (fact 5.3).
func rooted(pattern string) string {
	if strings.HasPrefix(pattern, "/") {
		return pattern
	}
	return "/" + pattern
}

// targets are the origins that a behavior's target stands for, in the order in
// which they are asked: itself, or the members of an origin group (fact 5.1).
func targets(id string, groups *types.OriginGroups) (first string, rest []string) {
	if groups == nil {
		return id, nil
	}
	for _, g := range groups.Items {
		if aws.ToString(g.Id) != id || g.Members == nil || len(g.Members.Items) == 0 {
			continue
		}
		for _, m := range g.Members.Items[1:] {
			rest = append(rest, aws.ToString(m.OriginId))
		}
		return aws.ToString(g.Members.Items[0].OriginId), rest
	}
	return id, nil
}

// rewrites is whether something may change the path before the origin is asked:
// a function at the viewer's request, or a Lambda there or at the request to
// the origin (facts 1.2 and 5.6). What runs on responses changes no path.
func rewrites(functions *types.FunctionAssociations, lambdas *types.LambdaFunctionAssociations) bool {
	if functions != nil {
		for _, f := range functions.Items {
			if f.EventType == types.EventTypeViewerRequest {
				return true
			}
		}
	}
	if lambdas != nil {
		for _, l := range lambdas.Items {
			if l.EventType == types.EventTypeViewerRequest || l.EventType == types.EventTypeOriginRequest {
				return true
			}
		}
	}
	return false
}
