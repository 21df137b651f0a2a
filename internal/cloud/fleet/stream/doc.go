// Package stream is the engine of a fleet on NATS JetStream: the log, the leases
// and the snapshots of package fleet, on nodes that are embedded in the program.
//
// Node is one JetStream node, alone or one of three. Connect makes a fleet.Engine
// over a connection to one, in the same process or through TLS.
//
// It promises that
//   - an entry that was acknowledged is on the disk of the node (SyncAlways), with
//     three nodes on the disks of two, and is never lost or moved;
//   - Append, Add and Write are exact through lost answers, elections and
//     reconnections: they are sent again until ctx ends, with the same message id,
//     and where the server refuses a repeat for its position (one node tests the
//     expected position before the message id, three nodes test them the other way
//     round) what stands at that position is read and its id compared;
//   - nothing listens beyond loopback without TLS and NKeys, or, between nodes,
//     without mutual TLS;
//   - an edge's key reads the log and the newest snapshot, has control nodes add
//     entries that are marked as an edge's, and writes leases and reports under its
//     own key's name; the server refuses it everything else, and what an edge could
//     slip into the log as an answer to another request is marked as an edge's too.
//
// How followers learn of entries. Consumers of JetStream are state in the server
// that dies with its leader; after such a death they were seen to be quiet for up
// to 30 s, and durable ones that acknowledge cumulatively to leave out messages
// for ever. Here there are none. The stream republishes each entry, once it is
// committed, on a plain subject, which costs the server nothing for each
// follower, and which may lose messages; whoever finds a gap, reconnects, or has
// heard nothing for a second asks for everything from the position that it has
// (direct get, in batches, which any of the nodes answers). So a follower goes
// on with the new leader's first entry, and a lost message costs a second at most.
//
// While a leader that died without a word is replaced, in 4 to 9 seconds (the
// server's election timeout, fixed there), nothing can be added; what is committed
// can be read. Without a majority nothing can be added at all.
//
// An edge's key can do harm still: it can ask more than the nodes can answer, fill
// streams with answers that it has sent there, and join and never apply anything,
// which holds up completion. It cannot say that another edge has ended, or has
// applied what it has not: ids of members are made for a key (Engine.Member), and
// what was not written as a lease or as a snapshot's record counts for nothing.
//
// Left out: leaf nodes and gateways, changing keys or certificates while a node
// runs, more than three nodes, taking over a log whose positions went back (a
// node that lost its disk alone; restore one from a copy of its folder instead).
//
// It follows the NATS documentation, "JetStream API reference", "Subject
// permissions" and "NKeys", and ADR-31 (direct get) and ADR-28 (republish) of
// nats-architecture-and-design, read 2026-11.
package stream
