package console

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/cloud/edge"
)

func uris(list []ObjectState) (out []string) {
	for _, o := range list {
		out = append(out, o.URI)
	}
	return out
}

func TestSearch(t *testing.T) {
	f := newFixture()
	for i, uri := range []string{"/b.css", "/A/x?q=1", "/a", "/%E6%97%A5.html", "/100%", "/a%20b"} {
		f.cache.objects = append(f.cache.objects, edge.ObjectInfo{
			URI: uri, Status: 200 + 204*(i/5), Size: i * 1000, Type: "text/html", Tags: []string{"page", fmt.Sprint("n", i)}, Hits: int64(10 - i),
			Stored: noon.Add(-time.Duration(i) * time.Minute), Expires: noon.Add(time.Duration(i-3) * time.Minute),
		})
	}
	f.cache.objects[0].Type = "Text/CSS; charset=utf-8"
	for _, row := range []struct {
		query, sort string
		want        []string
	}{
		{"", "", []string{"/%E6%97%A5.html", "/100%", "/A/x?q=1", "/a", "/a%20b", "/b.css"}},
		{"/A", "", []string{"/A/x?q=1", "/a", "/a%20b"}},
		{"a q=", "", []string{"/A/x?q=1"}},
		{"日", "", []string{"/%E6%97%A5.html"}},
		{"%e6%97", "", []string{"/%E6%97%A5.html"}},
		{"100%", "", []string{"/100%"}},
		{`"a b"`, "", []string{"/a%20b"}},
		{"nothing", "", nil},
		{"tag:N2", "", []string{"/a"}},
		{"tag:page tag:n3", "", []string{"/%E6%97%A5.html"}},
		{"type:text/css", "", []string{"/b.css"}},
		{"status:404", "", []string{"/a%20b"}},
		{"status:4xx", "", []string{"/a%20b"}},
		{"size>3.5KB", "", []string{"/100%", "/a%20b"}},
		{"SIZE<1kib", "", []string{"/A/x?q=1", "/b.css"}},
		{"age>3m", "", []string{"/100%", "/a%20b"}},
		{"ttl<61", "-ttl", []string{"/100%", "/%E6%97%A5.html", "/a", "/A/x?q=1", "/b.css"}},
		{"is:expired", "path", []string{"/%E6%97%A5.html", "/A/x?q=1", "/a", "/b.css"}},
		{"is:fresh", "", []string{"/100%", "/a%20b"}},
		{"hits<7 hits>5", "", []string{"/100%"}},
		{"http://x", "", nil},
		{"", "-size", []string{"/a%20b", "/100%", "/%E6%97%A5.html", "/a", "/A/x?q=1", "/b.css"}},
		{"", "age", []string{"/b.css", "/A/x?q=1", "/a", "/%E6%97%A5.html", "/100%", "/a%20b"}},
		{"", "hits", []string{"/a%20b", "/100%", "/%E6%97%A5.html", "/a", "/A/x?q=1", "/b.css"}},
		{"", "-status", []string{"/a%20b", "/b.css", "/a", "/A/x?q=1", "/100%", "/%E6%97%A5.html"}},
	} {
		page, status := fetch[Objects](t, f, "/api/objects?"+url.Values{"q": {row.query}, "sort": {row.sort}}.Encode())
		if diff := cmp.Diff(uris(page.Items), row.want); diff != "" || page.Found != len(row.want) || status != 200 || page.Next != "" {
			t.Errorf("%q by %q: status %d, found %d (-got +want):\n%s", row.query, row.sort, status, page.Found, diff)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	for _, row := range []struct{ values, want string }{
		{"q=status:x", "status:404"}, {"q=status:4", "status:404"}, {"q=is:odd", "is:fresh"}, {"q=size%3Ebig", "size>10KB"}, {"q=age%3C5y", "age<5m"},
		{"q=hits%3E", "hits>3"}, {"q=size%3E9999999999999999999gb", "size>10KB"}, {"sort=colour", "sorted by"}, {"after=!", "after"}, {"after=e30x", "after"},
		{"limit=0", "limit"}, {"limit=501", "limit"}, {"limit=x", "limit"},
	} {
		if v, status := fetch[refusal](t, newFixture(), "/api/objects?"+row.values); status != 400 || !strings.Contains(v.Error, row.want) {
			t.Errorf("%s answered %d %q", row.values, status, v.Error)
		}
	}
}

// Page by page everything is seen once and in order, whatever the order of the cache, the sort and the size of a page.
func TestPagesMeet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture()
		n := rapid.IntRange(0, 60).Draw(rt, "objects")
		for _, i := range rand.New(rand.NewPCG(1, rapid.Uint64().Draw(rt, "seed"))).Perm(n) {
			f.cache.objects = append(f.cache.objects, edge.ObjectInfo{
				URI: fmt.Sprintf("/%02d", i/2), Variant: fmt.Sprint(i % 2), Size: i % 5, Hits: int64(i % 3), Status: 200, Stored: noon.Add(-time.Duration(i%7) * time.Second),
			})
		}
		sort := rapid.SampledFrom([]string{"", "-path", "size", "-size", "hits", "-hits", "age", "-age", "ttl"}).Draw(rt, "sort")
		limit := rapid.IntRange(1, 70).Draw(rt, "limit")
		o, err := parseOrder(sort)
		if err != nil {
			rt.Fatal(err)
		}
		seen, after := 0, ""
		var last *place
		for {
			page, _ := fetch[Objects](t, f, "/api/objects?"+url.Values{"sort": {sort}, "limit": {fmt.Sprint(limit)}, "after": {after}}.Encode())
			if page.Before != seen || page.Found != n || len(page.Items) > limit {
				rt.Fatalf("after %d of %d: before %d, found %d, %d items of %d", seen, n, page.Before, page.Found, len(page.Items), limit)
			}
			for _, one := range page.Items {
				at := place{o.measure(&edge.ObjectInfo{Size: one.Bytes, Hits: one.Hits, Status: one.Status, Stored: one.Stored, Expires: one.Expires}), one.URI, one.Variant}
				if last != nil && o.compare(*last, at) >= 0 {
					rt.Fatalf("%+v comes after %+v", at, *last)
				}
				last = &at
				seen++
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if seen != n {
			rt.Fatalf("saw %d of %d", seen, n)
		}
	})
}

// One walk goes on at a time; who gives up does not wait for it.
func TestOneWalkAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		var walking, together atomic.Int32
		f.cache.walking = func() {
			if walking.Add(1) > 1 {
				together.Add(1)
			}
			time.Sleep(time.Second)
			walking.Add(-1)
		}
		for range 3 {
			go f.send(t, "GET", "/api/objects")
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		began := time.Now()
		if err := f.console.walk(ctx, func() error { return nil }); err == nil || time.Since(began) != time.Second/2 {
			t.Errorf("waited %v: %v", time.Since(began), err)
		}
		time.Sleep(5 * time.Second)
		if together.Load() != 0 || walking.Load() != 0 {
			t.Errorf("%d walks began while another went on, %d are left", together.Load(), walking.Load())
		}
	})
}

func TestDry(t *testing.T) {
	f := newFixture()
	for i := range 120 {
		f.cache.objects = append(f.cache.objects, edge.ObjectInfo{URI: fmt.Sprintf("/%03d", 119-i), Size: 10})
	}
	try := func(items ...string) (Trial, int) {
		t.Helper()
		return fetch[Trial](t, f, "/api/dry?"+url.Values{"item": items}.Encode())
	}
	got, status := try("/007", " ", "/*", "/007", "/%7Ebob")
	want := []TrialItem{{"/007", 1, 10, true}, {"/*", 120, 1200, true}, {"/%7Ebob", 0, 0, false}}
	if diff := cmp.Diff(got.Items, want); diff != "" || status != 200 || got.Objects != 120 || got.Bytes != 1200 || got.Disk {
		t.Errorf("%d %d objects (-got +want):\n%s", status, got.Objects, diff)
	}
	if len(got.First) != maxTrialShown || got.First[0].URI != "/000" || got.First[49].URI != "/049" {
		t.Errorf("shows %v", uris(got.First))
	}
	if got, status := try("/%7Ebob"); status != 200 || got.Objects != 0 || got.First == nil {
		t.Errorf("what never matches: %d %+v", status, got)
	}
	f.cache.stats.Disk.Objects = 1
	if got, _ := try("/007"); !got.Disk {
		t.Error("does not say that there is a disk")
	}
	many := make([]string, maxTrialItems+1)
	for i := range many {
		many[i] = fmt.Sprint("/", i)
	}
	for _, row := range []struct {
		items []string
		want  string
	}{{nil, "give at least one"}, {[]string{" "}, "give at least one"}, {[]string{"/a", "b"}, `"b" cannot be invalidated`}, {[]string{"/~bob"}, "percent-encoded"}, {many, "51 items"}} {
		v, status := fetch[refusal](t, f, "/api/dry?"+url.Values{"item": row.items}.Encode())
		if status != 400 || !strings.Contains(v.Error, row.want) {
			t.Errorf("%.40v answered %d %q", row.items, status, v.Error)
		}
	}
}

// Whatever somebody types is a search or a mistake that is told, and never a panic.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "blog .css", "tag:page size>1.5KB", `"a b" status:4xx`, "age<5m ttl>1d", "is:fresh", "size>", `"`, "日本", "a:b", "<", "size>1e309"} {
		f.Add(seed, "/A%20b?c=日")
	}
	f.Fuzz(func(t *testing.T, text, uri string) {
		q, err := parseQuery(text, noon)
		if err != nil {
			if !strings.HasPrefix(err.Error(), errAsked.Error()) {
				t.Errorf("the error is nobody's: %v", err)
			}
			return
		}
		if q.wants(uri) {
			q.takes(&edge.ObjectInfo{URI: uri, Type: uri, Tags: []string{uri}})
		}
		if p, err := parsePlace(text); err == nil {
			if again, err := parsePlace(p.text()); err != nil || again != p {
				t.Errorf("%+v comes back as %+v, %v", p, again, err)
			}
		}
	})
}
