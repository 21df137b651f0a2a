// Package control is the server side of the CloudFront control API, version 2020-05-31, for the embedded cloud.
//
// What it is: an http.Handler that speaks REST-XML to the unmodified AWS CLI and SDKs, on a bbolt file, for
//   - invalidations: Create, Get, List;
//   - distributions: Create (also with tags), Get, GetConfig, Update, Delete, List, and their tags;
//   - cache policies, origin request policies and response headers policies, managed and custom: Create, Get,
//     GetConfig, Update, Delete, List, and the distributions that use one.
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
//   - A configuration that changed, itself or by a policy that it names, reads InProgress until Edges.Configure
//     returned nil for it, then Deployed. The answer to the change itself always says InProgress.
//   - A policy that a distribution names is not deleted, and a distribution names no policy that does not exist.
//
// One Server alone is the state. With Options.Log it is one view of several of the same state, and each of them takes every request:
//   - A change is decided on a view that has the whole log, entered in the log, and only then in the file and answered: an entry
//     is appended right after the last one that was decided on, or the change is decided again. Requests that wait at the
//     same time share an entry. Entries hold decided operations, so that every view makes the same of them.
//   - The position in the log is in the same transaction as its effect: a killed view goes on where it is.
//   - Nothing is refused because of what is stored, and nothing shown as Deployed, before the view has caught up with the log. If
//     the log cannot be reached, the answer is 503, or InProgress; what was accepted and is known is shown all the same.
//   - A change of unknown fate is answered 503; the same request can be sent again.
//   - What is forgotten is an operation too: a caller reference finds the same everywhere. What is in progress is each
//     view's own: it asks the edges itself how far they have come.
//
// A Replica is the view of an edge: it says of each entry what the edge has to do.
//
// Decisions where the documents are silent:
//   - The newest 10,000 invalidations of a distribution are kept; older completed ones are forgotten together
//     with their caller references. The ones in progress are never forgotten.
//   - A page of a list has 100 items unless MaxItems says otherwise, and never more than 1,000.
//   - A tag item on a distribution without CacheTagConfig is accepted and has no effect, unless
//     Options.RefuseTags is set. A malformed tag is refused like a bad path.
//   - A path with %7E is accepted, recorded and not handed to Edges. A percent sign that does not begin an escape
//     is refused as a raw unsafe character.
//   - A request body has at most 1 MiB and 50,000 elements, whatever it holds.
//   - Limits per second are counted over all distributions, and a batch of more than one second's worth is refused
//     as BatchTooLarge; it could never be accepted.
//   - A distribution that was disabled is deleted only once it is Deployed again; the caller reference of a deleted
//     one may be used again. What EnsureDistribution made is not deleted: ResourceInUse.
//   - Deleting a distribution forgets its invalidations, also those in progress.
//
// What it leaves out: copying distributions, staging, tenants, origin groups as a behavior's target, origin access
// controls, functions, signed query strings (presigned URLs), and every operation not named above, which is answered
// with an XML error that names it. Fields without a meaning for a local edge (certificates, geographic restrictions,
// logging, web ACLs, functions' existence) are kept and not checked. With a log: limits per second are counted by each node for itself,
// a distribution of EnsureDistribution is protected from deletion only at the nodes that called it, and GetInvalidation may show an
// invalidation as InProgress for a while after another node has shown it as Completed. Nothing here reads the log: package fleet
// brings the entries.
//
// Specification: AWS API Reference and Developer Guide of Amazon CloudFront, service model 2020-05-31, and the
// project's fact sheet, cited below as "spec: cloudfront 1.5", read 2026-11.
package control
