package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// tagging gives each object the tag "Odd" or "even", and a body as long as its number.
func tagging(r *http.Request) (*http.Response, error) {
	n := 0
	_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
	tag := "even, all"
	if n%2 == 1 {
		tag = "Odd, all"
	}
	return reply(200, strings.Repeat("x", n), "Tags: "+tag, `Etag: "`+fmt.Sprint(n)+`"`, "Cache-Control: max-age=60"), nil
}

func tagged(c *Config, o *Options) { c.TagHeader, o.Drops = "Tags", 3 }

func TestInspect(t *testing.T) {
	b := newBench(t, tagging, tagged)
	for n := range 4 {
		b.get(fmt.Sprintf("/%d", n))
	}
	b.invalidate("/2")
	var got []ObjectInfo
	err := b.Inspect(t.Context(), func(uri string) bool { return uri != "/0" }, func(o *ObjectInfo) bool {
		one := *o
		one.Tags = slices.Clone(o.Tags)
		got = append(got, one)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b ObjectInfo) int { return strings.Compare(a.URI, b.URI) })
	want := ObjectInfo{
		URI: "/3", Status: 200, Size: 3, Type: "text/plain", ETag: `"3"`, Tags: []string{"odd", "all"},
		Stored: b.clock(), Expires: b.clock().Add(time.Minute),
	}
	if len(got) != 2 {
		t.Fatalf("saw %v", got)
	}
	if diff := cmp.Diff(got[1], want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Inspect(ended, nil, func(*ObjectInfo) bool { return false }); err != nil {
		t.Errorf("a visit that ends: %v", err)
	}
	if err := b.Inspect(ended, nil, func(*ObjectInfo) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// What a preview tells is what the invalidation does.
func TestPreview(t *testing.T) {
	for _, row := range []struct {
		name  string
		items []string
		want  []string // "URI by which items"
	}{
		{"one path", []string{"/2"}, []string{"/2 [0]"}},
		{"a wildcard and a path in it", []string{"/1*", "/10", "/nothing"}, []string{"/1 [0]", "/10 [0 1]", "/11 [0]"}},
		{"a tag", []string{"#ODD"}, []string{"/1 [0]", "/11 [0]", "/3 [0]", "/5 [0]", "/7 [0]", "/9 [0]"}},
		{"nothing", []string{"/nothing", "#nothing"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, tagging, tagged)
			for n := range 12 {
				b.get(fmt.Sprintf("/%d", n))
			}
			var got, uris []string
			err := b.Preview(t.Context(), row.items, func(o *ObjectInfo, by []int) bool {
				got = append(got, fmt.Sprint(o.URI, " ", by))
				uris = append(uris, o.URI)
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			if diff := cmp.Diff(got, row.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
			if stats := b.Stats(); stats.Invalidations != 0 || stats.Purged != 0 {
				t.Errorf("the preview has changed something: %+v", stats)
			}
			if err := b.Apply(7, row.items); err != nil {
				t.Fatal(err)
			}
			b.sweep()
			if dropped, ok := b.Dropped(7); !ok || dropped.Objects != int64(len(uris)) || !dropped.Done {
				t.Errorf("dropped %+v %v, the preview said %d", dropped, ok, len(uris))
			}
		})
	}
	b := newBench(t, tagging, tagged)
	if err := b.Preview(t.Context(), []string{"/a", "b"}, nil); !errors.Is(err, purge.ErrItem) {
		t.Errorf("an item that is none: %v", err)
	}
}

func TestDropped(t *testing.T) {
	b := newBench(t, tagging, tagged)
	for n := range 30 {
		b.get(fmt.Sprintf("/%d", n))
	}
	apply := func(number uint64, items ...string) {
		t.Helper()
		if err := b.Apply(number, items); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(name string, number uint64, want Dropped, known bool) {
		t.Helper()
		if got, ok := b.Dropped(number); ok != known || got != want {
			t.Errorf("%s: %+v %v, want %+v %v", name, got, ok, want, known)
		}
	}
	// The sweeper in the background has its turn now, and then rests for the bench's hour.
	b.invalidate("/elsewhere")
	for deadline := time.Now().Add(time.Minute); b.store.drops.swept.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	expect("not applied", 1, Dropped{}, false)
	apply(1, "/1*")
	expect("not swept", 1, Dropped{}, true)
	before := b.DropsVersion()
	b.get("/11") // finds it covered
	expect("found by a viewer", 1, Dropped{Objects: 1, Bytes: 11}, true)
	if b.DropsVersion() == before {
		t.Error("the version stands still")
	}
	apply(2, "/1*", "/2")
	b.sweep()
	expect("the rest came before the first sweep, and counts for the later one", 1, Dropped{Objects: 1, Bytes: 11, Done: true}, true)
	expect("the later one", 2, Dropped{Objects: 12, Bytes: 1 + 10 + 11 + 12 + 13 + 14 + 15 + 16 + 17 + 18 + 19 + 2, Done: true}, true)
	apply(2, "/3")
	b.sweep()
	expect("applied again", 2, Dropped{Objects: 13, Bytes: 151, Done: true}, true)
	apply(3, "/nothing")
	expect("the oldest is forgotten", 1, Dropped{}, false)
	b.get("/1")
	b.sweep()
	expect("nothing to drop", 3, Dropped{Done: true}, true)
}

// Nobody asked for it: nothing is counted.
func TestNobodyCountsDrops(t *testing.T) {
	b := newBench(t, tagging)
	b.get("/1")
	if err := b.Apply(1, []string{"/*"}); err != nil {
		t.Fatal(err)
	}
	b.sweep()
	if _, ok := b.Dropped(1); ok || b.DropsVersion() != 0 || b.Stats().Purged != 1 {
		t.Errorf("counted: %v, version %d, purged %d", ok, b.DropsVersion(), b.Stats().Purged)
	}
}

// A walk over 100,000 objects, most of which are not looked for.
func BenchmarkInspect(b *testing.B) {
	e := newBench(b, always(200, "x", `Etag: "1"`), tagged)
	for i := range 100_000 {
		e.get(fmt.Sprintf("/posts/%d/index.html", i))
	}
	for b.Loop() {
		n := 0
		err := e.Inspect(b.Context(), func(uri string) bool { return strings.Contains(uri, "/777/") }, func(*ObjectInfo) bool {
			n++
			return true
		})
		if err != nil || n != 1 {
			b.Fatal(n, err)
		}
	}
}
