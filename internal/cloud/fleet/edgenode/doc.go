// Package edgenode is an edge of a fleet: a member that follows the log, and the caches of all its distributions.
//
// It promises what package fleet promises of a member: it answers from its caches only while it holds a lease, entries take effect in the order of
// the log, an invalidation is reported as applied when no request that begins later is answered against it, and what its disk tier kept from an
// earlier life is used only after the invalidations that it missed. Until it has a first state it answers 503; without the fleet it
// goes on, and asks the origin for each request.
//
// Server answers viewers through package standalone, which has its listeners, access log and metrics.
package edgenode
