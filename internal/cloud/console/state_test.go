package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// The JSON is a promise: names, types, units and order.
func TestStateJSON(t *testing.T) {
	f := newFixture()
	f.cache.stats = edge.Stats{
		Requests: 10, Hits: 5, RefreshHits: 1, Misses: 2, Errors: 1, Redirects: 1, Collapsed: 3, OriginRequests: 4, BytesOut: 5000,
		Objects: 2, ObjectBytes: 700, MemoryBytes: 1000, Evicted: 6, Purged: 7,
	}
	f.cache.objects = []edge.ObjectInfo{{
		URI: "/a?b=1", Variant: "Accept-Encoding: gzip\n", Status: 200, Size: 12, Type: "text/html; charset=utf-8", ETag: `"e"`,
		Stored: noon.Add(-time.Minute), Expires: noon.Add(time.Hour), Hits: 3,
	}}
	f.invalidations.list = []control.Recent{{ID: "I1", Status: "Completed", Created: noon, Reference: "ref", Items: []string{"/a", "/b*"}}}
	f.events.Add(request(1))
	f.events.Add(request(2))
	w := f.send(t, "GET", "/api/state")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("answered %d %v", w.Code, w.Header())
	}
	const want = `{
  "time": "2026-11-22T12:00:00Z",
  "addresses": {"edge": "http://127.0.0.1:8080", "s3": "http://127.0.0.1:9000", "control": "http://127.0.0.1:9001"},
  "bucket": "site",
  "distribution": "EDIST",
  "figures": {
    "requests": 10, "hits": 5, "refresh_hits": 1, "misses": 2, "errors": 1, "redirects": 1, "hit_ratio": 0.75, "collapsed": 3,
    "origin_requests": 4, "viewer_bytes": 5000, "cached_objects": 2, "cached_bytes": 700, "budget_bytes": 1000,
    "evicted_objects": 6, "purged_objects": 7
  },
  "last_request": 2,
  "requests": [
    {"number": 2, "time": "2026-11-22T12:00:02Z", "method": "GET", "path": "/c", "status": 200,
     "cache": "Hit from cloudfront", "bytes": 2, "duration_ms": 1.234},
    {"number": 1, "time": "2026-11-22T12:00:01Z", "method": "GET", "path": "/b", "status": 200,
     "cache": "Hit from cloudfront", "bytes": 1, "duration_ms": 1.234}
  ],
  "invalidations": [
    {"id": "I1", "status": "Completed", "created": "2026-11-22T12:00:00Z", "caller_reference": "ref", "items": ["/a", "/b*"]}
  ],
  "objects": {"query": "", "found": 1, "items": [
    {"uri": "/a?b=1", "variant": "Accept-Encoding: gzip\n", "status": 200, "bytes": 12, "type": "text/html; charset=utf-8",
     "etag": "\"e\"", "stored": "2026-11-22T11:59:00Z", "expires": "2026-11-22T13:00:00Z", "hits": 3}
  ]}
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
	for _, want := range []string{`"requests": []`, `"invalidations": []`, `"items": []`, `"hit_ratio": null`, `"last_request": 0`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestStateFails(t *testing.T) {
	f := newFixture()
	f.invalidations.err = errors.New("disk on fire")
	for _, target := range []string{"/api/state", "/"} {
		w := f.send(t, "GET", target)
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "show invalidations: disk on fire") {
			t.Errorf("%s answered %d %s", target, w.Code, w.Body)
		}
	}
}

func TestFilter(t *testing.T) {
	cache := &fakeCache{}
	for _, uri := range []string{"/b", "/A/x?q=1", "/a", "/%E6%97%A5.html", "/100%", "/a b"} {
		cache.objects = append(cache.objects, edge.ObjectInfo{URI: uri})
	}
	for _, row := range []struct {
		name, query string
		want        []string
	}{
		{"everything, in order", "", []string{"/%E6%97%A5.html", "/100%", "/A/x?q=1", "/a", "/a b", "/b"}},
		{"any case", "/A", []string{"/A/x?q=1", "/a", "/a b"}},
		{"in the query", "Q=1", []string{"/A/x?q=1"}},
		{"as people read it", "日", []string{"/%E6%97%A5.html"}},
		{"as it stands", "%e6%97", []string{"/%E6%97%A5.html"}},
		{"a broken escape", "100%", []string{"/100%"}},
		{"nothing", "nothing", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := objects(cache, row.query)
			var got []string
			for _, o := range found.Items {
				got = append(got, o.URI)
			}
			if diff := cmp.Diff(got, row.want); diff != "" || found.Found != len(row.want) {
				t.Errorf("found %d (-got +want):\n%s", found.Found, diff)
			}
		})
	}
}

// Of many objects the first 200 are shown, whatever the cache's order.
func TestManyObjects(t *testing.T) {
	cache := &fakeCache{}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(5000) {
		cache.objects = append(cache.objects, edge.ObjectInfo{URI: fmt.Sprintf("/%04d", i/2), Variant: fmt.Sprint(i % 2)})
	}
	got := objects(cache, "")
	if got.Found != 5000 || len(got.Items) != maxObjects {
		t.Fatalf("found %d, shows %d", got.Found, len(got.Items))
	}
	for i, o := range got.Items {
		if want := fmt.Sprintf("/%04d %d", i/2, i%2); o.URI+" "+o.Variant != want {
			t.Fatalf("item %d is %s %s, want %s", i, o.URI, o.Variant, want)
		}
	}
}

func TestRequestsShown(t *testing.T) {
	f := newFixture()
	for i := range 70 {
		f.events.Add(request(i))
	}
	var s State
	if err := json.Unmarshal(f.send(t, "GET", "/api/state").Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Requests) != maxRequests || s.Requests[0].Number != 70 || s.Requests[49].Number != 21 || s.Last != 70 {
		t.Errorf("shows %d requests from %d, the last is %d", len(s.Requests), s.Requests[0].Number, s.Last)
	}
}
