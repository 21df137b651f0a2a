// Package disk is the disk tier of an edge: cached objects in a folder, found again after a restart, and the durable half of the purge log.
//
// Objects lie in slabs, append-only pairs of files: NNN.dat has the bodies, NNN.idx one head an object. A slab is written once, never appended
// to after a restart, and given back whole. An object larger than a slab has a slab of its own. Memory holds a small entry an object
// (about 80 bytes); everything else is read when asked for. Slabs beat a file an object (see docs/edge-storage.md for the measurement):
// a store is two writes instead of an open, a write, a close and a rename, a restart reads heads only and in sequence, and eviction unlinks two files
// for thousands of objects. The price: the room of a dead object comes back only with its slab's.
//
// It promises:
//   - An object comes back with the bytes, tags and metadata that were put, or not at all: heads and every 64 KiB of body carry a checksum (CRC-32C),
//     which is compared before a byte is handed out. That holds after kill -9, power loss, and damage that a checksum can see.
//   - When the purge log's Accept has returned, the batch is on the disk (fsync; batches that come at once share one). After a restart at any instant,
//     what it covers is covered. If the purge file is missing or damaged, everything in the folder counts as covered, and is removed.
//   - The folder's slabs take at most the budget, and the room of what is being written. Over it, the slab with the most dead bytes goes, or else the oldest;
//     objects in it that were asked for since they were stored are kept, up to half of the slab.
//   - After Close, the next Open finds every object that was in the folder or on its way there.
//   - A disk that is full or failing costs the objects that could not be stored, never an answer. If the purge file itself cannot be written, the tier
//     removes it, empties itself and stays off until the next start.
//
// What a kill may cost: objects that were still on their way from memory. What a power loss may cost: any object stored since the last sync of its slab.
// An object that was replaced or dropped shortly before a power loss may come back, if no invalidation covers it and its own lifetime allows it.
//
// It leaves out: encryption, folders shared by two processes (a lock refuses that where the system has file locks), and knowledge of HTTP: metadata is bytes.
// A slab that has been evicted while one of its bodies is being read gives its room back when the reader is gone and the garbage collector has seen it.
package disk
