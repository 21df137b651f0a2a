package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
)

// How much is shown at most.
const (
	maxRequests      = 50
	maxInvalidations = 20
	maxObjects       = 200
)

// State is what the console shows, and the answer of /api/state. Lists are
// never null.
type State struct {
	Time          time.Time           `json:"time"`
	Addresses     Addresses           `json:"addresses"`
	Bucket        string              `json:"bucket"`
	Distribution  string              `json:"distribution"`
	Figures       Figures             `json:"figures"`
	Last          uint64              `json:"last_request"` // number of the newest request; 0 for none
	Requests      []RequestState      `json:"requests"`     // newest first, at most 50
	Invalidations []InvalidationState `json:"invalidations"`
	Objects       ObjectsState        `json:"objects"`
}

// Addresses are base URLs.
type Addresses struct {
	Edge    string `json:"edge"`
	S3      string `json:"s3"`
	Control string `json:"control"`
}

// Figures are the edge's totals since it started, and what it holds now.
type Figures struct {
	Requests    int64 `json:"requests"`
	Hits        int64 `json:"hits"`
	RefreshHits int64 `json:"refresh_hits"`
	Misses      int64 `json:"misses"`
	Errors      int64 `json:"errors"`
	Redirects   int64 `json:"redirects"`
	// HitRatio is the share, 0 to 1, of answers from the cache (Hit and
	// RefreshHit) among all that were neither errors nor redirects; null
	// before the first.
	HitRatio       *float64 `json:"hit_ratio"`
	Collapsed      int64    `json:"collapsed"` // requests that shared another's origin request
	OriginRequests int64    `json:"origin_requests"`
	ViewerBytes    int64    `json:"viewer_bytes"`   // of bodies
	Objects        int64    `json:"cached_objects"` // about; some may be covered by an invalidation and not reclaimed yet
	ObjectBytes    int64    `json:"cached_bytes"`
	BudgetBytes    int64    `json:"budget_bytes"`
	Evicted        int64    `json:"evicted_objects"`
	Purged         int64    `json:"purged_objects"`
}

// RequestState is one viewer's request.
type RequestState struct {
	Number     uint64    `json:"number"` // the first has 1
	Time       time.Time `json:"time"`
	Method     string    `json:"method"`
	Path       string    `json:"path"` // without query
	Status     int       `json:"status"`
	Cache      string    `json:"cache"` // value of X-Cache
	Bytes      int64     `json:"bytes"`
	DurationMS float64   `json:"duration_ms"`
}

// InvalidationState is one invalidation.
type InvalidationState struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"` // InProgress or Completed
	Created   time.Time `json:"created"`
	Reference string    `json:"caller_reference"`
	Items     []string  `json:"items"`
}

// ObjectsState are the cached objects, in the order of their URIs.
type ObjectsState struct {
	Query string        `json:"query"`
	Found int           `json:"found"` // that match the query
	Items []ObjectState `json:"items"` // the first 200 of them
}

// ObjectState is one cached object.
type ObjectState struct {
	URI     string    `json:"uri"`     // path and query of the cache key
	Variant string    `json:"variant"` // the rest of the cache key, lines of "Name: value"
	Status  int       `json:"status"`
	Bytes   int       `json:"bytes"` // of the body
	Type    string    `json:"type"`
	ETag    string    `json:"etag"`
	Stored  time.Time `json:"stored"` // or last confirmed
	Expires time.Time `json:"expires"`
	Hits    int64     `json:"hits"`
}

// serveState answers the state as JSON.
func (c *console) serveState(w http.ResponseWriter, r *http.Request) {
	state, err := c.state(r.URL.Query().Get("q"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		http.Error(w, "encode the state: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(data, '\n')) // fails when the reader has gone
}

// state gathers what is shown; query selects cached objects.
func (c *console) state(query string) (State, error) {
	s := State{
		Time:      c.opts.Now(),
		Addresses: Addresses{Edge: c.opts.Edge, S3: c.opts.S3, Control: c.opts.Control},
		Bucket:    c.opts.Bucket, Distribution: c.opts.Distribution,
		Figures: figures(c.opts.Cache.Stats()),
		Objects: objects(c.opts.Cache, query),
	}
	s.Requests, s.Last = c.requests()
	var err error
	s.Invalidations, err = c.invalidations()
	return s, err
}

func figures(s edge.Stats) Figures {
	f := Figures{
		Requests: s.Requests, Hits: s.Hits, RefreshHits: s.RefreshHits, Misses: s.Misses, Errors: s.Errors, Redirects: s.Redirects,
		Collapsed: s.Collapsed, OriginRequests: s.OriginRequests, ViewerBytes: s.BytesOut,
		Objects: s.Objects, ObjectBytes: s.ObjectBytes, BudgetBytes: s.MemoryBytes, Evicted: s.Evicted, Purged: s.Purged,
	}
	if all := s.Hits + s.RefreshHits + s.Misses; all > 0 {
		ratio := float64(s.Hits+s.RefreshHits) / float64(all)
		f.HitRatio = &ratio
	}
	return f
}

// requests are the newest requests, newest first, and the newest one's number.
func (c *console) requests() (out []RequestState, last uint64) {
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
		DurationMS: float64(r.Duration.Microseconds()) / 1000,
	}
}

func (c *console) invalidations() ([]InvalidationState, error) {
	recent, err := c.opts.Invalidations.Recent(c.opts.Distribution, maxInvalidations)
	if err != nil {
		return nil, fmt.Errorf("show invalidations: %w", err)
	}
	out := []InvalidationState{}
	for _, one := range recent {
		out = append(out, InvalidationState(one))
	}
	return out, nil
}

// objects finds the cached objects whose URI contains query, as it stands or
// without its percent escapes, in any case. It keeps few of them at a time,
// because a cache may hold a million.
func objects(cache Cache, query string) ObjectsState {
	out := ObjectsState{Query: query, Items: []ObjectState{}}
	for o := range cache.Objects() {
		if !matches(o.URI, query) {
			continue
		}
		out.Found++
		out.Items = append(out.Items, ObjectState{
			URI: o.URI, Variant: o.Variant, Status: o.Status, Bytes: o.Size, Type: o.Type, ETag: o.ETag,
			Stored: o.Stored, Expires: o.Expires, Hits: o.Hits,
		})
		if len(out.Items) == 4*maxObjects {
			out.Items = first(out.Items)
		}
	}
	out.Items = first(out.Items)
	return out
}

// first sorts list and cuts it to what is shown.
func first(list []ObjectState) []ObjectState {
	slices.SortFunc(list, func(a, b ObjectState) int {
		if n := strings.Compare(a.URI, b.URI); n != 0 {
			return n
		}
		return strings.Compare(a.Variant, b.Variant)
	})
	return list[:min(len(list), maxObjects)]
}

func matches(uri, query string) bool {
	if query == "" {
		return true
	}
	query = strings.ToLower(query)
	return strings.Contains(strings.ToLower(uri), query) || strings.Contains(strings.ToLower(readable(uri)), query)
}

// readable is uri without its percent escapes, or uri itself if one is broken.
func readable(uri string) string {
	if plain, err := url.PathUnescape(uri); err == nil {
		return plain
	}
	return uri
}
