// Package tenants serves many distributions behind one port: an edge.Edge for each, configured by what the control API says of it, and reached by the
// names in viewers' Host headers.
//
// It promises:
//   - When Configure, Remove, Invalidate or InvalidateAt has returned nil, every request that begins later is answered accordingly.
//   - One distribution's invalidations, eviction and failures do not touch another's, but for memory: all share one budget, which goes where it is
//     needed (share.go).
//   - With a disk tier each distribution has a folder of its own, which goes with the distribution.
//
// How an origin is reached is the caller's: OriginFunc. HTTP is the one for servers that are no buckets, package tenants/buckets has one for real buckets.
//
// It leaves out: TLS and certificates, functions other than the index rewrite, and one budget for the disk: Options.DiskBytes is each distribution's.
//
// It follows the CloudFront Developer Guide, "Alternate domain names" (read 2026-11), for which distribution a name leads to.
package tenants
