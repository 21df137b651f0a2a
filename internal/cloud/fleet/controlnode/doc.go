// Package controlnode is a control node of a fleet: the CloudFront control API over the replicated log, a node of the engine, and what watches
// over the edges.
//
// It promises that what its API answered is in the log, on the disk of a majority of the control nodes; that an invalidation is Completed once every edge
// that may still answer from its cache has applied it; that any control node answers for all; and that nothing listens beyond loopback without a signature
// to guard it and TLS. A node that lost its view makes it anew from the newest snapshot and the log.
//
// Beside the API it serves, on the same listener: /healthz; /readyz, which is 503 while the log cannot be reached; /metrics in Prometheus' text format;
// and /fleet, the state of the fleet as JSON (type Status), behind the API's signature.
//
// On a listener of its own is a page that shows edges, distributions and invalidations. It changes something for those alone who have signed in with
// the API's keys: then it invalidates, by the API's own rules. On loopback everybody sees it; beyond, it takes keys and a certificate, and shows nothing at all before
// somebody has signed in. Its addresses:
//
//	GET /                                      the page; /assets/… its files
//	GET /api/session                           what this browser may do (type Session)
//	GET /api/fleet                             the edges (type Status)
//	GET /api/distributions                     (type Distributions)
//	GET /api/distributions/{id}/invalidations  the newest (type Invalidations); …/{id} is one with all items
//	POST /api/sign-in                          {"access_key_id", "secret_access_key"}; sets the cookie
//	POST /api/invalidate                       {"distribution", "paths"}, signed in; 201 and the invalidation
//	POST /api/sign-out                         signed in
//
// A session is of this node and this life of its process. Left out: users of their own with rights of their own, and telling ports of one host apart: browsers send a
// host's cookies to all its ports, so who runs another server on this host, and has people visit it, sees their session.
//
// Fetch Metadata Request Headers, RFC 6265bis (cookies) and OWASP's Session Management Cheat Sheet are followed for it (all read 2026-11).
package controlnode
