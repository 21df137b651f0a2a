// Package release is freshet's record in the bucket: which release is live,
// what each release published, and what a run that is under way has begun.
//
// The record lies beside the site under a prefix that nobody can guess
// (DESIGN section 4, "In the bucket"):
//
//	.freshet-claim                        which prefix is the record's
//	.freshet-<128 random bits>/
//	    current.json                      the pointer, moved by compare-and-swap
//	    journal.json                      what a run has begun; closed when it has finished
//	    releases/<id>/manifest.json.zst   what a release published
//
// The claim holds only a hash of the prefix, since a CDN in front of the
// bucket serves every key that it is asked for.
//
// It promises that the pointer never moves over somebody else's release, that
// no run begins on top of a journal that it has not read, that two first
// publishers agree on one prefix, and that a record of an unknown version is
// refused, not guessed. Nothing in it is ever deleted without a condition: a
// journal is closed by a conditional write, so that a slow run cannot close
// the journal of the one that took over. Retention, lock and rollback are not
// here yet.
package release

import (
	"crypto/rand"
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

func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// Retired is an asset that the site no longer has. It stays reachable, since
// open tabs and cached pages still name it.
type Retired struct {
	site.Object
	Release ID        `json:"release"` // the first release without it
	Since   time.Time `json:"since"`
}

// Manifest is everything that a release left in the bucket.
type Manifest struct {
	Release ID
	Number  int
	Created time.Time
	Site    site.Manifest // what the site is
	Retired []Retired     // what it was and is still kept, in key order
	Paths   int           // invalidation paths that the release took; kept in the pointer only
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

// State is the record as it was read.
type State struct {
	Current    *Pointer // nil before the first release
	Live       Manifest // what Current names; empty before the first release
	Journal    *Journal // nil when no run is open
	pointerTag string   // ETag of current.json, "" when there is none
	journalTag string   // ETag of journal.json, open or closed
}

// finished reports whether nothing of j is left to do: it was closed, or its
// release is live already and only the closing was interrupted.
func (s State) finished(j *Journal) bool {
	return j.Closed || s.Current != nil && j.Release == s.Current.Release
}

// NextNumber is the number of the release that comes after s.
func (s State) NextNumber() int {
	n := 0
	if s.Current != nil {
		n = s.Current.Number
	}
	if s.Journal != nil {
		n = max(n, s.Journal.Number-1)
	}
	return n + 1
}

// LiveID is the release that is live, "" for none.
func (s State) LiveID() ID {
	if s.Current == nil {
		return ""
	}
	return s.Current.Release
}

// randomPrefix makes ".freshet-<128 random bits>/".
func randomPrefix(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make a state prefix: %w", err)
	}
	return site.StatePrefix + hex.EncodeToString(b[:]) + "/", nil
}
