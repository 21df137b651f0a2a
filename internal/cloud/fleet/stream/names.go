package stream

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Streams and subjects. An edge's subjects carry its public key, so that the server can tell edges apart.
const (
	logStream, leaseStream, snapshotStream = "LOG", "LEASES", "SNAPSHOTS"

	logSubject   = "freshet.log." // control nodes alone may publish here
	entrySubject = logSubject + "entry"
	joinSubject  = "freshet.join." // + key; a request to a control node to add an entry for an edge
	joinQueue    = "freshet"       // of which one control node answers

	leaseSubject   = "freshet.lease."   // + key or controlOwner + "." + member
	appliedSubject = "freshet.applied." // likewise; not stored
	controlOwner   = "control"          // in place of the key of who may do everything
	edgeOwner      = "edge"             // in place of an edge's key where none are asked for

	snapshotSubject = "freshet.snapshot."
	snapshotHead    = snapshotSubject + "head"
	snapshotPart    = snapshotSubject + "part." // + id

	tailSubject = "freshet.tail." // + the subject of an entry or lease that has just been committed
)

// Subjects of JetStream's API, + stream.
const (
	apiDirectGet = "$JS.API.DIRECT.GET."     // any replica answers; ADR-31
	apiGet       = "$JS.API.STREAM.MSG.GET." // the leader answers
	apiInfo      = "$JS.API.STREAM.INFO."    // the leader answers
	apiPurge     = "$JS.API.STREAM.PURGE."
)

// Headers and error codes of JetStream.
const (
	headerID       = "Nats-Msg-Id"
	headerLast     = "Nats-Expected-Last-Sequence"
	headerLastOf   = "Nats-Expected-Last-Subject-Sequence"
	headerRollup   = "Nats-Rollup"
	headerSequence = "Nats-Sequence"
	headerSubject  = "Nats-Subject"
	headerPending  = "Nats-Num-Pending"
	headerStatus   = "Status"

	headerEdge = "Freshet-Edge" // ours: the key of the edge for which a control node added an entry

	noMessage    = 10037 // no message found
	noStream     = 10059 // stream not found
	wrongLast    = 10071 // expected another last sequence
	idInFlight   = 10158 // a message with this id is on its way
	wrongLastToo = 10164 // wrongLast, without saying which
)

const (
	// remembered is how long the log knows message ids; package fleet asks for 2 minutes at least.
	remembered = 5 * time.Minute
	// leaseKept is how long a lease's record stays after its last change. Leases last seconds.
	leaseKept = 24 * time.Hour

	defaultEntries  = 100_000
	defaultBytes    = 1 << 30
	leaseReserve    = 64 << 20 // bytes of all leases
	snapshotReserve = 1 << 30  // bytes of all snapshots: the newest, the one before, one that is being put
)

// streams are the streams of a fleet, each on so many replicas.
func streams(o Options, replicas int) []jetstream.StreamConfig {
	base := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Replicas: replicas, AllowDirect: true,
		MaxConsumers: -1, MaxMsgSize: payload, Duplicates: remembered,
	}
	entries, leases, snapshots := base, base, base
	entries.Name, entries.Subjects = logStream, []string{logSubject + ">"}
	entries.MaxMsgs, entries.MaxBytes = o.MaxEntries, o.MaxBytes
	entries.RePublish = &jetstream.RePublish{Source: logSubject + ">", Destination: tailSubject + logSubject + ">"}

	leases.Name, leases.Subjects = leaseStream, []string{leaseSubject + ">"}
	leases.MaxMsgsPerSubject, leases.MaxAge, leases.MaxBytes = 1, leaseKept, leaseReserve
	leases.RePublish = &jetstream.RePublish{Source: leaseSubject + ">", Destination: tailSubject + leaseSubject + ">"}

	// A snapshot that does not fit is refused, lest it push out the one that is there.
	snapshots.Name, snapshots.Subjects = snapshotStream, []string{snapshotSubject + ">"}
	snapshots.AllowRollup, snapshots.Discard, snapshots.MaxBytes = true, jetstream.DiscardNew, snapshotReserve
	return []jetstream.StreamConfig{entries, leases, snapshots}
}
