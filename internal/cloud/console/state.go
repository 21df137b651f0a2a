package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/freshet/freshet/internal/cloud/console/releases"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// maxRequests is how many requests are in a State.
const maxRequests = 50

// State is everything at a glance. Lists are never null.
type State struct {
	Name          string            `json:"name"` // local or edge
	Time          time.Time         `json:"time"`
	Started       time.Time         `json:"started"`
	Facts         []Fact            `json:"facts"`
	Viewers       string            `json:"viewers"` // base URL of the edge
	Distribution  string            `json:"distribution"`
	Figures       Figures           `json:"figures"`
	Last          uint64            `json:"last_request"`  // number of the newest request that is kept; 0 for none
	Requests      []RequestState    `json:"requests"`      // newest first, at most 50
	Invalidations *InvalidationList `json:"invalidations"` // the newest; null where there is no control API
	Releases      bool              `json:"releases"`      // whether /api/releases can tell anything
}

// Figures are the edge's totals since it started, and what it holds now.
type Figures struct {
	Requests    int64 `json:"requests"`
	Hits        int64 `json:"hits"`
	RefreshHits int64 `json:"refresh_hits"`
	Misses      int64 `json:"misses"`
	Errors      int64 `json:"errors"`
	Redirects   int64 `json:"redirects"`
	// HitRatio is the share, 0 to 1, of answers from the cache (Hit and RefreshHit) among all that were neither errors nor redirects; null before the first.
	HitRatio       *float64 `json:"hit_ratio"`
	Collapsed      int64    `json:"collapsed"` // requests that shared another's origin request
	OriginRequests int64    `json:"origin_requests"`
	ViewerBytes    int64    `json:"viewer_bytes"`   // of bodies
	Objects        int64    `json:"cached_objects"` // in memory, about; some may be covered by an invalidation and not reclaimed yet
	ObjectBytes    int64    `json:"cached_bytes"`
	BudgetBytes    int64    `json:"budget_bytes"`
	DiskObjects    int64    `json:"disk_objects"` // of the disk tier; 0 without one
	DiskBytes      int64    `json:"disk_bytes"`
	Evicted        int64    `json:"evicted_objects"`
	Purged         int64    `json:"purged_objects"`
}

// RequestState is one viewer's request.
type RequestState struct {
	Number       uint64    `json:"number"` // the first has 1; requests that are not kept have none
	Time         time.Time `json:"time"`
	Method       string    `json:"method"`
	Path         string    `json:"path"` // without query
	Status       int       `json:"status"`
	Cache        string    `json:"cache"` // value of X-Cache
	Bytes        int64     `json:"bytes"`
	DurationMS   float64   `json:"duration_ms"`
	Distribution string    `json:"distribution,omitempty"` // where it is another one
}

func (c *Console) serveState(w http.ResponseWriter, _ *http.Request) {
	s := State{
		Name: c.opts.Name, Time: c.opts.Now(), Started: c.started, Facts: append([]Fact{}, c.opts.Facts...), Viewers: c.opts.Viewers,
		Distribution: c.opts.Distribution, Figures: figures(c.opts.Cache.Stats()), Releases: c.opts.Releases != nil,
	}
	s.Requests, s.Last = c.requests()
	var err error
	if c.opts.Invalidations != nil {
		s.Invalidations, err = c.newest()
	}
	answer(w, s, err)
}

func figures(s edge.Stats) Figures {
	f := Figures{
		Requests: s.Requests, Hits: s.Hits, RefreshHits: s.RefreshHits, Misses: s.Misses, Errors: s.Errors, Redirects: s.Redirects,
		Collapsed: s.Collapsed, OriginRequests: s.OriginRequests, ViewerBytes: s.BytesOut,
		Objects: s.Objects - s.Withdrawn, ObjectBytes: s.ObjectBytes, BudgetBytes: s.MemoryBytes,
		DiskObjects: s.Disk.Objects, DiskBytes: s.Disk.Bytes, Evicted: s.Evicted, Purged: s.Purged,
	}
	if all := s.Hits + s.RefreshHits + s.Misses; all > 0 {
		ratio := float64(s.Hits+s.RefreshHits) / float64(all)
		f.HitRatio = &ratio
	}
	return f
}

// requests are the newest requests, newest first, and the newest one's number.
func (c *Console) requests() (out []RequestState, last uint64) {
	list, _ := c.opts.Events.after(0)
	if len(list) > 0 {
		last = list[len(list)-1].number
	}
	out = []RequestState{}
	for _, one := range slices.Backward(list[max(0, len(list)-maxRequests):]) {
		out = append(out, requestState(one))
	}
	return out, last
}

func requestState(r numbered) RequestState {
	return RequestState{
		Number: r.number, Time: r.Time, Method: r.Method, Path: r.Path, Status: r.Status, Cache: r.Cache, Bytes: r.Bytes,
		DurationMS: float64(r.Duration.Microseconds()) / 1000, Distribution: r.Distribution,
	}
}

// errAsked is the cause of errors that are the reader's own.
var errAsked = errors.New("cannot be answered")

// answer sends v, or says what went wrong, as {"error": "…"}.
func answer(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		status, v = statusOf(err), struct {
			Error string `json:"error"`
		}{err.Error()}
	}
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encode the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // fails when the reader has gone
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, errAsked):
		return http.StatusBadRequest
	case errors.Is(err, control.ErrUnknown), errors.Is(err, releases.ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, releases.ErrGone):
		return http.StatusGone
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// asked is an error of the reader's.
func asked(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errAsked, fmt.Sprintf(format, args...))
}
