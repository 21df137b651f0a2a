package release

import "github.com/freshet/freshet/internal/site"

// State is the record as it was read.
type State struct {
	Current    *Pointer // nil before the first release
	Live       Manifest // what Current names; empty before the first release
	Journal    *Journal // nil when no run is open
	Lock       *Lock    // who holds the lock; nil when it is free
	pointerTag string   // ETag of current.json, "" when there is none
	journalTag string   // ETag of journal.json, open or closed
	lockTag    string   // ETag of lock.json, held or free; "" when there is none
	// file is the SHA-256 of the manifest that this run has stored; zero for none.
	file site.Digest
}

// finished reports whether nothing of j is left to do: it was closed, or its
// release is live already and only the closing was interrupted.
func (s State) finished(j *Journal) bool {
	return j.Closed || s.Current != nil && j.Release == s.Current.Release
}

// Same reports whether pointer and journal are the same in both.
func (s State) Same(other State) bool {
	return s.pointerTag == other.pointerTag && s.journalTag == other.journalTag
}

// presumes is the release that is live while j is as it is.
func (j *Journal) presumes() ID {
	if j.Closed {
		return j.Release
	}
	return j.Base
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
