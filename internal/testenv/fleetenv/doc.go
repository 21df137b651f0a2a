// Package fleetenv runs a fleet for tests and measurements: control nodes and edges as processes of the real program on this machine, links
// between them that can be cut, an origin whose pages have versions, publishers that invalidate what they change, and viewers who
// compare every answer with what the origin held.
//
// It promises to find any answer that is older than a page's newest version whose invalidation was Completed before the request began
// (Prober), any acknowledged invalidation that a control node does not know or does not complete, and any edge that has not come to the
// log's end (Fleet.Check). Everything that it starts ends with Fleet.Stop, and what a process said is kept for the report.
//
// It leaves out clocks that jump, which no process of this machine can be given alone (package edgenode tests them), lost and
// reordered packets (a link is cut, resumed with what was under way, or reset), and machines that fail together with their disks.
package fleetenv
