package console

import (
	"net/http"

	"github.com/freshet/freshet/internal/cloud/console/releases"
)

// maxChanges is how many changes of a release are shown; all are counted.
const maxChanges = 500

// ReleaseList is the history of what freshet published, newest first; empty where it never did.
type ReleaseList struct {
	Live     string             `json:"live"`      // id; "" before the first
	UnderWay *releases.UnderWay `json:"under_way"` // null for none
	Releases []ReleaseState     `json:"releases"`
}

// ReleaseState is one release.
type ReleaseState struct {
	releases.Release
	Manifest *struct{} `json:"manifest,omitempty"` // not shown
}

// ReleaseDiff is what a release changed against the one before.
type ReleaseDiff struct {
	Release   string         `json:"release"`
	Before    string         `json:"before"` // "" for the first one
	Counts    map[string]int `json:"counts"` // added, changed, headers, removed, retired
	Unchanged int            `json:"unchanged"`
	Changes   []ChangeState  `json:"changes"` // in the order of their keys, the first 500
	More      bool           `json:"more"`    // there are more than these
}

// ChangeState is one object that differs.
type ChangeState struct {
	Key     string              `json:"key"`
	What    string              `json:"what"`
	Bytes   int64               `json:"bytes"`
	Was     int64               `json:"was_bytes"`
	Type    string              `json:"type"`
	Headers []HeaderChangeState `json:"headers"`
}

// HeaderChangeState is one response header that differs; "" is not sent.
type HeaderChangeState struct {
	Name string `json:"name"`
	Was  string `json:"was"`
	Is   string `json:"is"`
}

func (c *Console) serveReleases(w http.ResponseWriter, r *http.Request) {
	out := ReleaseList{Releases: []ReleaseState{}}
	if c.opts.Releases == nil {
		answer(w, out, nil)
		return
	}
	h, err := c.opts.Releases.List(r.Context())
	out.Live, out.UnderWay = h.Live, h.UnderWay
	for _, one := range h.Releases {
		out.Releases = append(out.Releases, ReleaseState{Release: one})
	}
	answer(w, out, err)
}

func (c *Console) serveDiff(w http.ResponseWriter, r *http.Request) {
	if c.opts.Releases == nil {
		answer(w, nil, releases.ErrUnknown)
		return
	}
	d, err := c.opts.Releases.Diff(r.Context(), r.PathValue("id"), maxChanges)
	out := ReleaseDiff{Release: d.Release, Before: d.Before, Counts: d.Counts, Unchanged: d.Unchanged, Changes: []ChangeState{}}
	total := 0
	for _, n := range d.Counts {
		total += n
	}
	for _, one := range d.Changes {
		s := ChangeState{Key: one.Key, What: one.What, Bytes: one.Size, Was: one.Was, Type: one.Type, Headers: []HeaderChangeState{}}
		for _, h := range one.Headers {
			s.Headers = append(s.Headers, HeaderChangeState(h))
		}
		out.Changes = append(out.Changes, s)
	}
	out.More = total > len(out.Changes)
	answer(w, out, err)
}
