// Package fleetenv runs a fleet for tests and measurements: control nodes and edges as processes of the real program on this machine, with certificates and keys
// if asked for, and links between them that can be cut, or be slow. In front of an origin whose pages have versions, publishers invalidate what they
// change; in front of a bucket, `freshet deploy` publishes a folder that changes. Clients change the distribution's configuration. Viewers
// compare every answer with what the origin, the deploys or the configurations had.
//
// It promises to find any answer that is older than a page's newest version whose invalidation was Completed before the request began, or of an edge that cannot
// have a lease, than what the origin had (Prober); than the newest deploy that had exited 0, and any page whose asset is not there (SiteProber); than the newest
// configuration that was Deployed, and any mixture of two (Configurer). Further any acknowledged invalidation that a control node does not know or does not complete,
// and any edge that has not come to the log's end (Fleet.Check), or does not have what the folder has (Fleet.CheckSite), and any acknowledged
// configuration that is lost, or was made of one that had been replaced (Configurer). Everything that it starts ends with Fleet.Stop, and what a process
// said is kept for the report.
//
// An edge that was given up keeps the configuration that it has, so that is held against what was Deployed only where the edge was seen to have a lease.
//
// It leaves out clocks that jump, which no process of this machine can be given alone (packages edgenode and controlnode test them), lost and
// reordered packets (a link is cut, resumed with what was under way, slow, or reset), a bucket that fails, and machines that fail together with their disks.
package fleetenv
