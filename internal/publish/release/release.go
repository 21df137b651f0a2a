// Package release is freshet's record in the bucket: which release is live,
// what each release published, and what a run that is under way has begun.
//
// The record lies beside the site under a prefix that nobody can guess
// (DESIGN section 4, "In the bucket"):
//
//	.freshet-claim                        which prefix is the record's
//	.freshet-<128 random bits>/
//	    README.txt                        for whoever finds it
//	    current.json                      the pointer, moved by compare-and-swap
//	    journal.json                      what a run has begun; closed when it has finished
//	    lock.json                         who may write; never deleted
//	    releases/<id>/manifest-<16 hex>.json.zst   what a release published
//	    content/<SHA-256>                 superseded bytes that a rollback needs
//
// The claim holds only a hash of the prefix, since a CDN in front of the
// bucket serves every key that it is asked for. A manifest's key carries its
// digest, so that a late write of a dead run never damages another's.
//
// It promises that the pointer never moves over somebody else's release, that
// no run begins on top of a journal that it has not read, that two first
// publishers agree on one prefix, that at most one run at a time passes the
// checks of the lock, whatever clocks do, and that a record of an unknown
// version is refused, not guessed. A journal is closed by a conditional write,
// so that a slow run cannot close the journal of the one that took over.
// Nothing is deleted but what Trim finds unnamed, and a first publisher's own
// prefix when another was faster.
//
// All of this rests on conditional writes. A store that ignores or refuses them
// is found out when the record is made and whenever the lock is taken; with
// Options.Unconditional nothing is promised about two runs at once.
//
// It leaves out what goes into a release (package plan), the copying of bytes to
// content/ and the order of the steps (package deploy). Requests that fail for
// the moment are repeated here only for the lock and for making the record.
package release

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/freshet/freshet/internal/site"
)

// Version is the format that this program writes and the newest that it reads.
const Version = 1

var (
	// ErrMoved: another run published since this one looked.
	ErrMoved = errors.New("another deploy has published since this one looked")
	// ErrUnprotected: the store has no conditional writes, on which lock, journal
	// and pointer stand. Such an error is remote.ErrUnsupported as well.
	ErrUnprotected = errors.New("nothing keeps two deploys apart, and a slow one can overwrite the record of a newer one")
	// ErrVersion: the record was written by a newer freshet.
	ErrVersion = errors.New("the record in the bucket was written by a newer freshet")
)

// ID names a release: "r12-3f2a9c1b", its number and 32 random bits, so that
// two runs that start from the same release never share a name.
type ID string

// NewID makes the name of the release with the given number, from 1 up.
func NewID(number int, random io.Reader) (ID, error) {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make a release id: %w", err)
	}
	return ID(fmt.Sprintf("r%d-%s", number, hex.EncodeToString(b[:]))), nil
}

// Pointer says which release is live.
type Pointer struct {
	Version  int         `json:"version"`
	Release  ID          `json:"release"`
	Number   int         `json:"number"` // 1 for the first release, then one more each
	Previous ID          `json:"previous,omitempty"`
	Manifest site.Digest `json:"manifest"` // SHA-256 of the stored manifest file
	Created  time.Time   `json:"created"`
	Objects  int         `json:"objects"`
	Bytes    int64       `json:"bytes"`
	// Revision is what the site was built from; nil where nobody said. A
	// rollback keeps that of the release that it replaces.
	Revision *Revision `json:"revision,omitempty"`
	// Seconds is how long the run took, from the journal to the proof; the
	// manifest is stored before that is known.
	Seconds float64 `json:"seconds,omitempty"`
	// Month is the calendar month of Created in UTC, "2026-11", and Paths how
	// many invalidation paths the releases of that month have taken so far.
	Month string `json:"month,omitempty"`
	Paths int    `json:"paths,omitempty"`
}

// PathsIn is how many invalidation paths releases have taken in the month of
// now, as far as the record tells. p may be nil.
func (p *Pointer) PathsIn(now time.Time) int {
	if p == nil || p.Month != monthOf(now) {
		return 0
	}
	return p.Paths
}

// Rev is the revision that is live; nil where nobody said. p may be nil.
func (p *Pointer) Rev() *Revision {
	if p == nil {
		return nil
	}
	return p.Revision
}

func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// Retired is an asset that the site no longer has. It stays reachable, since
// open tabs and cached pages still name it.
type Retired struct {
	site.Object
	Release ID        `json:"release"` // the first release without it
	Since   time.Time `json:"since"`
}

// Kept is bytes that no object of the site has any more and that a rollback to
// a kept release needs. They lie under content/<SHA-256>.
type Kept struct {
	Digest site.Digest `json:"sha256"`
	Size   int64       `json:"size"`  // bytes
	Since  time.Time   `json:"since"` // when the last release that names them was superseded
}

// Revision says what a release was built from, so that an older build does not
// overwrite a newer one.
type Revision struct {
	Name   string    `json:"name"`             // a commit, or whatever the user calls it
	Branch string    `json:"branch,omitempty"` // "" where there is none
	Time   time.Time `json:"time"`             // orders the revisions of one branch
}

// Newer reports whether r is to win over other: both are known, of the same
// branch, and r is later. Two revisions of the same time are equals.
func (r *Revision) Newer(other *Revision) bool {
	return r != nil && other != nil && r.Branch == other.Branch && r.Name != other.Name && r.Time.After(other.Time)
}

// Entry is what history tells of one release.
type Entry struct {
	Release  ID          `json:"release"`
	Number   int         `json:"number"`
	Created  time.Time   `json:"created"`
	Manifest site.Digest `json:"manifest,omitzero"` // of its stored manifest; zero in the release's own
	Site     site.Digest `json:"site"`              // plan.Fingerprint of what it published
	Writer   string      `json:"writer"`
	Revision *Revision   `json:"revision,omitempty"`
	Restores ID          `json:"restores,omitempty"` // of a rollback: the release that it made live again
	Objects  int         `json:"objects"`
	Bytes    int64       `json:"bytes"`
	Uploaded int         `json:"uploaded"`       // objects
	Sent     int64       `json:"uploaded_bytes"` // bytes
	Headers  int         `json:"updated_headers"`
	Removed  int         `json:"removed"`
	Retired  int         `json:"retired"`
	Swept    int         `json:"swept"`
	Paths    int         `json:"paths"`             // invalidation paths
	Drops    int         `json:"dropped_untouched"` // cached objects
	Seconds  float64     `json:"seconds"`           // from the journal to the proof
	// Gone says that its bytes are not kept any more: no rollback to it.
	Gone bool `json:"gone,omitempty"`
}

// Manifest is everything that a release left in the bucket.
type Manifest struct {
	Release ID
	Number  int
	Created time.Time
	Site    site.Manifest // what the site is
	Retired []Retired     // assets that it was and that are still served, in key order
	Kept    []Kept        // superseded bytes for rollback, in digest order
	About   Entry         // the release itself
	History []Entry       // the releases before it, newest first
}

// Journal is the intent of a run, written before its first effect and closed
// after its last. While it is open, the URLs in it still need invalidating.
type Journal struct {
	Version int       `json:"version"`
	Release ID        `json:"release"` // what the run is making
	Number  int       `json:"number"`
	Base    ID        `json:"base,omitempty"` // what was live when it began
	Started time.Time `json:"started"`
	Writer  string    `json:"writer"` // user and machine, for people
	// Site is plan.Fingerprint of what the run is publishing: a later run with
	// the same site does the same work again.
	Site site.Digest `json:"site"`
	// Touched are the keys that the run may have written or deleted: their
	// state is unknown until somebody looks.
	Touched []site.Key `json:"touched,omitempty"`
	// Overwritten are those of the touched keys under which somebody else's
	// object lay: as long as it is there unchanged, the run did not get to it.
	Overwritten []Overwritten `json:"overwritten,omitempty"`
	// Pending are the viewer URLs whose answer the run changes.
	Pending []PendingURL `json:"pending,omitempty"`
	// Revision is what the run publishes; nil where nobody said.
	Revision *Revision `json:"revision,omitempty"`
	// Restores is the release that a rollback makes live again, "" for none.
	Restores ID `json:"restores,omitempty"`
	// Manifest is the SHA-256 of the stored manifest of what the run makes; zero
	// until everything is uploaded and removed, so that only invalidating,
	// verifying and moving the pointer are left.
	Manifest site.Digest `json:"manifest,omitzero"`
	// Stale says that all of Pending was invalidated and an edge went on with
	// an old answer: a repeat of the same caller references would do nothing.
	Stale bool `json:"stale,omitempty"`
	// Closed says that everything in the journal has happened.
	Closed bool `json:"closed,omitempty"`
}

// Overwritten is a foreign object that a run replaces.
type Overwritten struct {
	Key  site.Key `json:"key"`
	ETag string   `json:"etag"` // of the foreign object
}

// PendingURL is a URL whose answer changes, with the key that answers it.
type PendingURL struct {
	Distribution string       `json:"distribution"`
	Path         site.URLPath `json:"path"`
	Key          site.Key     `json:"key"`
	// Variants says that the URL is cached under query strings too.
	Variants bool `json:"variants,omitempty"`
}
