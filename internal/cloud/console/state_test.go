package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/console/releases"
	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/disk"
)

// The JSON is a promise: names, types, units and order.
func TestStateJSON(t *testing.T) {
	f := newFixture()
	f.cache.stats = edge.Stats{
		Requests: 10, Hits: 5, RefreshHits: 1, Misses: 2, Errors: 1, Redirects: 1, Collapsed: 3, OriginRequests: 4, BytesOut: 5000,
		Objects: 3, Withdrawn: 1, ObjectBytes: 700, MemoryBytes: 1000, Evicted: 6, Purged: 7, Disk: disk.Stats{Objects: 8, Bytes: 9},
	}
	f.cache.dropped = map[uint64]edge.Dropped{41: {Objects: 12, Bytes: 345, Done: true}}
	f.invalidations.list = []control.Recent{{ID: "I1", Sequence: 41, Status: "Completed", Created: noon, Reference: "ref", Items: []string{"/a", "/b*"}}}
	f.events.Add(request(1))
	other := request(2)
	other.Distribution = "EOTHER"
	f.events.Add(other)
	w := f.send(t, "GET", "/api/state")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("answered %d %v", w.Code, w.Header())
	}
	const want = `{
  "name": "local", "time": "2026-11-22T12:00:00Z", "started": "2026-11-22T12:00:00Z",
  "facts": [{"name": "Bucket", "value": "site", "link": false}],
  "viewers": "http://127.0.0.1:8080", "distribution": "EDIST",
  "figures": {
    "requests": 10, "hits": 5, "refresh_hits": 1, "misses": 2, "errors": 1, "redirects": 1, "hit_ratio": 0.75, "collapsed": 3,
    "origin_requests": 4, "viewer_bytes": 5000, "cached_objects": 2, "cached_bytes": 700, "budget_bytes": 1000,
    "disk_objects": 8, "disk_bytes": 9, "evicted_objects": 6, "purged_objects": 7
  },
  "last_request": 2,
  "requests": [
    {"number": 2, "time": "2026-11-22T12:00:02Z", "method": "GET", "path": "/c", "status": 200,
     "cache": "Hit from cloudfront", "bytes": 2, "duration_ms": 1.234, "distribution": "EOTHER"},
    {"number": 1, "time": "2026-11-22T12:00:01Z", "method": "GET", "path": "/b", "status": 200,
     "cache": "Hit from cloudfront", "bytes": 1, "duration_ms": 1.234}
  ],
  "invalidations": {"list": [
    {"id": "I1", "status": "Completed", "created": "2026-11-22T12:00:00Z", "caller_reference": "ref", "count": 2, "items": ["/a", "/b*"],
     "dropped": {"objects": 12, "bytes": 345, "done": true}}
  ], "more": false},
  "releases": true
}`
	if diff := cmp.Diff(tree(t, w.Body.String()), tree(t, want)); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func tree(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// Lists are empty, never null, and the ratio of nothing is null.
func TestEmptyState(t *testing.T) {
	got := newFixture().send(t, "GET", "/api/state").Body.String()
	for _, want := range []string{`"requests":[]`, `"list":[]`, `"hit_ratio":null`, `"last_request":0`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	got = newFixture(alone, func(o *Options) { o.Facts = nil }).send(t, "GET", "/api/state").Body.String()
	for _, want := range []string{`"name":"edge"`, `"facts":[]`, `"invalidations":null`, `"releases":false`} {
		if !strings.Contains(got, want) {
			t.Errorf("alone: %s is not in %s", want, got)
		}
	}
}

func TestFailures(t *testing.T) {
	broken := errors.New("disk on fire")
	f := newFixture()
	f.invalidations.err, f.releases.err, f.cache.err = broken, broken, broken
	for _, target := range []string{
		"/api/state", "/api/objects", "/api/dry?item=/a", "/api/invalidations", "/api/releases", "/api/releases/r1-00000000",
	} {
		if v, status := fetch[refusal](t, f, target); status != http.StatusInternalServerError || !strings.Contains(v.Error, "disk on fire") {
			t.Errorf("%s answered %d %q", target, status, v.Error)
		}
	}
	for _, row := range []struct {
		err  error
		want int
	}{{releases.ErrGone, http.StatusGone}, {releases.ErrUnknown, http.StatusNotFound}} {
		f.releases.err = row.err
		if v, status := fetch[refusal](t, f, "/api/releases/r1-00000000"); status != row.want || v.Error == "" {
			t.Errorf("%v answered %d %q", row.err, status, v.Error)
		}
	}
	for target, want := range map[string]int{"/api/invalidations": 400, "/api/invalidations/I1": 404, "/api/releases/r1-00000000": 404} {
		if v, status := fetch[refusal](t, newFixture(alone), target); status != want || v.Error == "" {
			t.Errorf("alone, %s answered %d %q", target, status, v.Error)
		}
	}
}

func TestRequestsShown(t *testing.T) {
	f := newFixture()
	for i := range 70 {
		f.events.Add(request(i))
	}
	s, _ := fetch[State](t, f, "/api/state")
	if len(s.Requests) != maxRequests || s.Requests[0].Number != 70 || s.Requests[49].Number != 21 || s.Last != 70 {
		t.Errorf("shows %d requests from %d, the last is %d", len(s.Requests), s.Requests[0].Number, s.Last)
	}
}

func TestInvalidationPages(t *testing.T) {
	f := newFixture()
	for i := range 120 {
		one := control.Recent{ID: "I" + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)), Sequence: uint64(200 - i), Status: "Completed"}
		for len(one.Items) < 8 {
			one.Items = append(one.Items, "/x")
		}
		f.invalidations.list = append(f.invalidations.list, one)
	}
	f.invalidations.list[0].Status = "InProgress"
	f.cache.dropped = map[uint64]edge.Dropped{200: {Objects: 1, Done: true}, 199: {Objects: 2}}
	var got []string
	for target := "/api/invalidations"; target != ""; {
		page, status := fetch[InvalidationList](t, f, target)
		if status != 200 || len(page.List) == 0 {
			t.Fatalf("%s answered %d with %d", target, status, len(page.List))
		}
		for _, one := range page.List {
			if got = append(got, one.ID); one.Count != 8 || len(one.Items) != maxItems {
				t.Errorf("%s has %d items and shows %d", one.ID, one.Count, len(one.Items))
			}
		}
		if target = ""; page.More {
			target = "/api/invalidations?before=" + got[len(got)-1]
		}
	}
	if len(got) != 120 || got[0] != "I000" || got[119] != "I119" {
		t.Errorf("%d invalidations: %v", len(got), got)
	}
	one, status := fetch[InvalidationState](t, f, "/api/invalidations/I000")
	if status != 200 || len(one.Items) != 8 || one.Dropped == nil || one.Dropped.Done {
		t.Errorf("one that is in progress: %d %+v %+v", status, one, one.Dropped)
	}
	if none, _ := fetch[InvalidationState](t, f, "/api/invalidations/I005"); none.Dropped != nil {
		t.Errorf("nobody counted, and yet %+v", none.Dropped)
	}
	for _, target := range []string{"/api/invalidations?before=INONE", "/api/invalidations/INONE"} {
		if _, status := fetch[refusal](t, f, target); status != http.StatusNotFound {
			t.Errorf("%s answered %d", target, status)
		}
	}
}

func TestReleasesJSON(t *testing.T) {
	f := newFixture()
	f.releases.history = releases.History{
		Live: "r2-0000000b", UnderWay: &releases.UnderWay{Release: "r3-0000000c", Number: 3, Writer: "amy", Started: noon, Pending: 4},
		Releases: []releases.Release{{ID: "r2-0000000b", Number: 2, Created: noon, Manifest: "a digest", Uploaded: 3, Seconds: 1.5}},
	}
	f.releases.diff = releases.Difference{
		Release: "r2-0000000b", Before: "r1-0000000a", Counts: map[string]int{"added": 1, "headers": 7}, Unchanged: 9,
		Changes: []releases.Change{{Key: "a", What: "headers", Size: 1, Was: 1, Type: "text/html", Headers: []releases.HeaderChange{{Name: "cache-control", Was: "x", Is: "y"}}}},
	}
	got := f.send(t, "GET", "/api/releases").Body.String()
	const want = `{"live": "r2-0000000b",
	"under_way": {"release": "r3-0000000c", "number": 3, "writer": "amy", "started": "2026-11-22T12:00:00Z", "pending": 4},
	"releases": [{"release": "r2-0000000b", "number": 2, "created": "2026-11-22T12:00:00Z", "writer": "", "revision": null, "restores": "",
	  "objects": 0, "bytes": 0, "uploaded": 3, "uploaded_bytes": 0, "updated_headers": 0, "removed": 0, "retired": 0, "swept": 0, "paths": 0,
	  "dropped_untouched": 0, "seconds": 1.5, "gone": false}]}`
	if diff := cmp.Diff(tree(t, got), tree(t, want)); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	const changed = `{"release": "r2-0000000b", "before": "r1-0000000a", "counts": {"added": 1, "headers": 7}, "unchanged": 9, "more": true,
	"changes": [{"key": "a", "what": "headers", "bytes": 1, "was_bytes": 1, "type": "text/html", "headers": [{"name": "cache-control", "was": "x", "is": "y"}]}]}`
	if diff := cmp.Diff(tree(t, f.send(t, "GET", "/api/releases/r2-0000000b").Body.String()), tree(t, changed)); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if list, status := fetch[ReleaseList](t, newFixture(alone), "/api/releases"); status != 200 || list.Releases == nil || len(list.Releases) != 0 {
		t.Errorf("alone: %d %+v", status, list)
	}
}

// Of many samples the last five minutes are kept, and the last hour by quarters of a minute.
func TestSeries(t *testing.T) {
	var s series
	if _, ok := s.newest(); ok {
		t.Error("a sample before the first")
	}
	for i := range 5000 {
		s.add(sample(noon.Add(time.Duration(i)*time.Second), edge.Stats{Requests: int64(i), BytesOut: int64(2 * i)}))
	}
	all := s.all()
	if len(all.Fine) != fineKept || len(all.Coarse) != coarseKept {
		t.Fatalf("keeps %d and %d", len(all.Fine), len(all.Coarse))
	}
	last, _ := s.newest()
	want := Sample{noon.UnixMilli() + 4999_000, 4999, 0, 0, 0, 0, 0, 9998, 0}
	if last != want || all.Fine[fineKept-1] != want || all.Fine[0][1] != 4999-300 {
		t.Errorf("ends with %v, begins with %v", last, all.Fine[0])
	}
	for i := 1; i < coarseKept; i++ {
		if all.Coarse[i][0]-all.Coarse[i-1][0] != 15_000 {
			t.Fatalf("coarse sample %d is %v after %v", i, all.Coarse[i], all.Coarse[i-1])
		}
	}
}
