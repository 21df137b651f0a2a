package cloudfront

import (
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
)

// Rights are the least that a CDN needs for the distributions with these ids.
// find is whether they have yet to be found among all of the account; without
// ids every distribution may then turn out to be meant. Without ids and find
// there is nothing to be allowed, and the result is nil. region only decides
// which part of AWS the ARNs name; "" is the public one.
//
// The account's number is not known here, and a "*" in its place is no wider: a
// policy allows nothing beyond its own account. Which action takes which
// resource follows the Service Authorization Reference, "Actions, resources,
// and condition keys for Amazon CloudFront", read 2026-11.
func Rights(distributions []string, find bool, region string) []remote.Right {
	if find && len(distributions) == 0 {
		distributions = []string{"*"}
	}
	if len(distributions) == 0 {
		return nil
	}
	arns := make([]string, len(distributions))
	for i, id := range distributions {
		arns[i] = distributionARN(region, id)
	}
	rights := []remote.Right{
		{
			Sid: "Invalidate",
			Actions: []string{
				"cloudfront:GetDistribution", "cloudfront:CreateInvalidation",
				"cloudfront:GetInvalidation", "cloudfront:ListInvalidations",
			},
			Resources: arns,
		},
		{
			Sid:       "ReadCachePolicies",
			Actions:   []string{"cloudfront:GetCachePolicy"},
			Resources: []string{arnPrefix(region) + "cache-policy/*"},
		},
	}
	if find {
		rights = append(rights, remote.Right{
			Sid: "FindDistribution", Actions: []string{"cloudfront:ListDistributions"}, Resources: []string{"*"},
		})
	}
	return rights
}

// DoctorRights are what Settings asks for beyond Rights: access controls and
// response headers policies. Without them less is found out. Where mend is true,
// they allow Apply to change the distributions as well. The rest is as in Rights.
func DoctorRights(distributions []string, find, mend bool, region string) []remote.Right {
	rights := []remote.Right{{
		Sid: "ReadSettings", Actions: []string{"cloudfront:GetOriginAccessControl", "cloudfront:GetResponseHeadersPolicy"},
		Resources: []string{arnPrefix(region) + "origin-access-control/*", arnPrefix(region) + "response-headers-policy/*"},
	}}
	if mend {
		publishing := Rights(distributions, find, region)
		rights = append(rights, remote.Right{
			Sid: "MendDistribution", Actions: []string{"cloudfront:UpdateDistribution"}, Resources: publishing[0].Resources,
		})
	}
	return rights
}

func distributionARN(region, id string) string { return arnPrefix(region) + "distribution/" + id }

// arnPrefix begins an ARN of any account. CloudFront of the American government
// regions is that of the public part.
func arnPrefix(region string) string {
	partition := session.Partition(region)
	if partition == session.PartitionGov {
		partition = session.PartitionPublic
	}
	return "arn:" + partition + ":cloudfront::*:"
}
