// Package controlnode is a control node of a fleet: the CloudFront control API over the replicated log, a node of the engine, and what watches
// over the edges.
//
// It promises that what its API answered is in the log, on the disk of a majority of the control nodes; that an invalidation is Completed once every edge
// that may still answer from its cache has applied it; that any control node answers for all; and that nothing listens beyond loopback without a signature
// to guard it and TLS. A node that lost its view makes it anew from the newest snapshot and the log.
//
// Beside the API it serves, on the same listener: /healthz; /readyz, which is 503 while the log cannot be reached; /metrics in Prometheus' text format;
// /fleet, the state of the fleet as JSON (type Status), behind the API's signature; and on a listener of its own, on loopback, a page that shows the same.
package controlnode
