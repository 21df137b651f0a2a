// Package control is the server side of the CloudFront control API, version 2020-05-31, for the embedded cloud.
//
// What it is: an http.Handler that speaks REST-XML to the unmodified AWS CLI and SDKs for CreateInvalidation,
// GetInvalidation, ListInvalidations, GetDistribution, GetDistributionConfig, ListDistributions,
// UpdateDistribution, GetCachePolicy, GetCachePolicyConfig and ListCachePolicies, on a bbolt file.
//
// What it promises:
//   - An invalidation is on disk before it is answered, and turns Completed only after Edges.Invalidate returned
//     nil for it. One that was accepted and not completed is applied again at the next Open.
//   - Invalidations of one distribution reach Edges one at a time, in the order of their sequence numbers; one
//     that fails is retried until it succeeds, and those after it wait.
//   - A caller reference names one invalidation per distribution, also under races. The same reference with the
//     same items in any order answers the earlier invalidation, with status 201; other items are refused.
//   - A distribution's configuration survives GetDistributionConfig and UpdateDistribution element by element,
//     those that this package does not know included. Attributes and comments are not kept.
//   - A configuration that changed reads InProgress until Edges.Configure returned nil for it, then Deployed.
//
// Decisions where the documents are silent:
//   - The newest 10,000 invalidations of a distribution are kept; older completed ones are forgotten together
//     with their caller references. The ones in progress are never forgotten.
//   - A page of a list has 100 items unless MaxItems says otherwise, and never more than 1,000.
//   - A tag item on a distribution without CacheTagConfig is accepted and has no effect, unless
//     Options.RefuseTags is set. A malformed tag is refused like a bad path.
//   - A path with %7E is accepted, recorded and not handed to Edges. A percent sign that does not begin an escape
//     is refused as a raw unsafe character.
//   - A request body has at most 1 MiB, whatever it holds.
//
// What it leaves out: creating, copying and deleting distributions, origin groups as a behavior's target, custom
// cache policies, rate limits, signed query strings (presigned URLs), and every operation not named above, which
// is answered with an XML error that names it. Fields without a meaning for a local edge (certificates, geographic
// restrictions, logging, web ACLs, functions' existence) are kept and not checked.
//
// Specification: AWS API Reference and Developer Guide of Amazon CloudFront, service model 2020-05-31, and the
// project's fact sheet, cited below as "spec: cloudfront 1.5", read 2026-11.
package control
