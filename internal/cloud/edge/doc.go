// Package edge is an HTTP cache with CloudFront's rules: cache key, lifetime, fill, revalidation, error pages and exact invalidation.
//
// One Edge serves one distribution. It is an http.Handler in front of origins that are http.RoundTrippers.
//
// It promises:
//   - When Invalidate has returned, no request that begins later is answered with what the items cover, unless the origin has been asked
//     after that and has proved it to be the same, bytes and headers. A fill that raced the invalidation serves at most the viewers who were already waiting for it.
//   - What no invalidation covers stays cached until it expires or the budgets of memory and disk evict it; with a disk tier, a restart too.
//   - However many viewers wait for one key, the origin gets one request, and the body streams to all of them as it arrives.
//   - A truncated or failed origin body is never stored, and its viewers see an aborted response, never a short 200.
//
// It follows the CloudFront Developer Guide (read 2026-11; comments name the chapter as "spec: cloudfront 3.1", where
// 1 is invalidation, 2 cache tags, 3 expiration and errors, 4 cache key, 5 distribution, 6 viewer headers, 7.8 S3 endpoints) and RFC 9110 for ranges and conditions.
// Where the guide is silent: paths are compared byte for byte; a HEAD that misses fetches with GET and fills the entry;
// a 304 restarts the lifetime but leaves stored headers and tags as they are; malformed max-age and Expires count as already expired;
// the default root object is substituted before behaviours are matched and before the viewer-request rewrite;
// what an invalidation covers is asked for by a condition where a 304 can prove it (evidence.go), and then shows as RefreshHit;
// a single range that begins beyond the body is a 416; 410 is cached as 404 is.
//
// Layers, top down, so that another server or another rule set fits: serve.go (net/http in, bytes out), engine.go and flight.go
// (look-up, collapsing, fill; they know no server), rules.go (pure functions from a response to a verdict), store.go (memory, purge log), tier.go (the disk below memory).
//
// With Config.Rules RFC9111 the same engine is a plain shared cache instead: RFC 9111, RFC 5861 (stale-while-revalidate, stale-if-error), RFC 9213
// (CDN-Cache-Control; Surrogate-Control of the W3C Note "Edge Architecture Specification" comes second) and RFC 9211 (Cache-Status).
// What the two differ in is the value rules of ruleset.go: data and pure functions. Of RFC 9111 it leaves out what is optional in storing
// partial content (3.3, 3.4) and responses to POST (RFC 9110 9.3.3); trailers are dropped. docs/conformance.md has the public judge's findings.
//
// Compression (Behavior.Compress) happens in the fill, once for each object and coding; the store keeps the compressed bytes only. Where CloudFront's
// guide is silent: levels of the encoders; Vary: Accept-Encoding also on what could have been compressed but was not; a Range on a miss gets the whole.
// Under RFC9111 the viewers' own Accept-Encoding selects, no-transform is heeded, and a HEAD that goes to the origin tells of the uncompressed bytes.
//
// It leaves out, for now: TLS, origin groups, functions other than Behavior.Rewrite.
// Paths with a malformed percent escape never arrive: net/http answers them with 400.
// Raw bytes that no URL may hold (such as "|") stay raw in the cache key and on the wire to an HTTP origin, but a RoundTripper that reads URL.EscapedPath sees them escaped.
package edge
