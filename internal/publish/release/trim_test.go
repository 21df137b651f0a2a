package release_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// Digests of bytes in content/.
var (
	keptBytes, liveBytes   = site.Digest{1}, site.Digest(sha256.Sum256([]byte("a")))
	retiredBytes, oldBytes = site.Digest{3}, site.Digest{4}
)

// trimmable is a record of four releases with something of everything. The
// manifest is that of the live one, r4; r3 and r2 can be rolled back to.
func trimmable(t testing.TB) (*memory.Store, release.Manifest) {
	t.Helper()
	store := established(t)
	var m release.Manifest
	for n := 2; n <= 4; n++ {
		o := open(t, store, byte(n))
		id := release.ID(fmt.Sprintf("r%d-%c", n, 'a'+n))
		now := began.Add(time.Duration(n) * day)
		m = manifest(t, id, n, "a")
		m.Created, m.About = now, release.Entry{Release: id, Number: n, Created: now}
		m.History = o.Past(now, 2*day)
		m.Kept = []release.Kept{{Digest: keptBytes, Since: began}}
		m.Retired = []release.Retired{{Object: site.Object{Key: "old.css", Digest: retiredBytes}, Release: id, Since: now}}
		s, err := o.Begin(t.Context(), o.State, journal(id, n))
		if err == nil {
			s, err = o.Commit(t.Context(), s, m, time.Minute)
		}
		if err == nil {
			_, err = o.Close(t.Context(), s)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := record(t, store)
	for _, d := range []site.Digest{keptBytes, liveBytes, retiredBytes, oldBytes} {
		store.Set(r.ContentKey(d), []byte("bytes"), site.Headers{})
	}
	prefix := find(t, store, "/current.json").Dir()
	for _, name := range []string{
		"content/notes.txt", "content/" + strings.Repeat("AB", 32), "content/" + strings.Repeat("ab", 32) + "/x", "contents",
		"releases/readme", "releases/r1-a/notes.json.zst", "releases/manifest.json.zst", "releases/a/b/manifest.json.zst", "elsewhere/manifest.json.zst",
		"releases/r2-c/manifest.json.zst", "releases/r1-a/manifest.json.zst", "releases/r9-z/manifest-0123456789abcdef.json.zst",
	} {
		store.Set(site.Key(prefix+name), []byte("somebody's"), site.Headers{})
	}
	store.Set("index.html", []byte("a page"), site.Headers{})
	return store, m
}

// names are the stored keys, without the record's prefix.
func names(t testing.TB, store *memory.Store) map[string]bool {
	t.Helper()
	prefix := find(t, store, "/current.json").Dir()
	out := map[string]bool{}
	for k := range store.Objects() {
		out[strings.TrimPrefix(string(k), prefix)] = true
	}
	return out
}

// manifestName is where the release id lies in store.
func manifestName(t testing.TB, store *memory.Store, id release.ID) string {
	t.Helper()
	for name := range names(t, store) {
		if strings.HasPrefix(name, "releases/"+string(id)+"/manifest-") {
			return name
		}
	}
	t.Fatalf("no manifest of %s", id)
	return ""
}

func TestTrim(t *testing.T) {
	content := func(d site.Digest) string { return "content/" + d.String() }
	base := func(j release.Journal, id release.ID) release.Journal { j.Base = id; return j }
	rows := []struct {
		name string
		open *release.Journal // nil: none
		gone []string         // beside the manifest of r1
		none bool             // nothing goes at all
	}{
		{"no run is open", nil, []string{content(liveBytes), content(retiredBytes), content(oldBytes), "releases/r1-a/manifest.json.zst", "releases/r9-z/manifest-0123456789abcdef.json.zst"}, false},
		{"a run is open", new(base(journal("r9-z", 5), "r4-e")), []string{content(oldBytes), "releases/r1-a/manifest.json.zst"}, false},
		{"a run is open on another release", new(base(journal("r9-z", 5), "r3-d")), nil, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store, m := trimmable(t)
			o := open(t, store, 7)
			if row.open != nil {
				if _, err := o.Begin(t.Context(), o.State, *row.open); err != nil {
					t.Fatal(err)
				}
			}
			want := names(t, store)
			gone := row.gone
			if !row.none {
				gone = append(gone, manifestName(t, store, "r1-a"))
			}
			for _, name := range gone {
				if !want[name] {
					t.Fatalf("%s is not there", name)
				}
				delete(want, name)
			}
			n, err := o.Trim(t.Context(), m)
			if err != nil || n != len(gone) {
				t.Errorf("Trim: %d, %v; want %d", n, err, len(gone))
			}
			if diff := cmp.Diff(names(t, store), want); diff != "" {
				t.Errorf("what is left (-got +want):\n%s", diff)
			}
			store.ResetCalls()
			if n, err := o.Trim(t.Context(), m); n != 0 || err != nil || store.Count(memory.OpDelete) != 0 {
				t.Errorf("the repeat: %d, %v, %d deletes", n, err, store.Count(memory.OpDelete))
			}
			for _, e := range o.Past(m.Created, 2*day)[1:] {
				if _, err := o.Manifest(t.Context(), e); err != nil && !e.Gone {
					t.Errorf("the manifest of %s: %v", e.Release, err)
				}
			}
		})
	}
}

func TestTrimOfWhatIsNotLive(t *testing.T) {
	store, m := trimmable(t)
	publish(t, open(t, store, 8), "r5-f", "a")
	before := store.Objects()
	if n, err := record(t, store).Trim(t.Context(), m); n != 0 || !errors.Is(err, release.ErrMoved) {
		t.Errorf("Trim: %d, %v, want ErrMoved", n, err)
	}
	if diff := cmp.Diff(store.Objects(), before); diff != "" {
		t.Errorf("something went (-got +want):\n%s", diff)
	}
	empty := record(t, memory.NewStore(memory.StoreOptions{}))
	if n, err := empty.Trim(t.Context(), release.Manifest{}); n != 0 || err != nil {
		t.Errorf("Trim without a record: %d, %v", n, err)
	}
}

// Listings and deletes fail: nothing is deleted by half a listing, and what
// could not be deleted does not count.
func TestTrimFails(t *testing.T) {
	rows := []struct {
		name  string
		fault func(op, key string) memory.Fault
		n     int
	}{
		{"a listing is cut short", func(op, key string) memory.Fault {
			if op == memory.OpList && strings.HasSuffix(key, "/content/") {
				return memory.FailMidway(1, errCut)
			}
			return memory.Fault{}
		}, 0},
		{"the delete fails", func(op, key string) memory.Fault {
			if op == memory.OpDelete {
				return memory.FailBefore(errCut)
			}
			return memory.Fault{}
		}, 0},
		{"one of six keys cannot be deleted", func(op, key string) memory.Fault {
			if op == memory.OpDeleteKey && strings.HasSuffix(key, oldBytes.String()) {
				return memory.FailBefore(errCut)
			}
			return memory.Fault{}
		}, 5},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store, m := trimmable(t)
			before := len(store.Objects())
			store.SetHook(row.fault)
			n, err := record(t, store).Trim(t.Context(), m)
			store.SetHook(nil)
			if n != row.n || !errors.Is(err, remote.ErrTemporary) {
				t.Errorf("Trim: %d, %v; want %d and ErrTemporary", n, err, row.n)
			}
			if went := before - len(store.Objects()); went != row.n {
				t.Errorf("%d files went, want %d", went, row.n)
			}
			if n, err := record(t, store).Trim(t.Context(), m); n != 6-row.n || err != nil {
				t.Errorf("the repeat: %d, %v", n, err)
			}
		})
	}
}

func TestContents(t *testing.T) {
	store, _ := trimmable(t)
	got, err := record(t, store).Contents(t.Context())
	want := map[site.Digest]int64{keptBytes: 5, liveBytes: 5, retiredBytes: 5, oldBytes: 5}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
}

// After any history of releases that each keep some bytes, Trim leaves what the
// live release and those that can be rolled back to name, and nothing else.
func TestTrimKeepsWhatIsNamed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := memory.NewStore(memory.StoreOptions{PageSize: 2})
		now, retain := began, time.Duration(rapid.IntRange(0, 5).Draw(rt, "retain"))*day
		releases := rapid.IntRange(1, 8).Draw(rt, "releases")
		for n := 1; n <= releases; n++ {
			now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "days")) * day)
			o := open(t, store, byte(n))
			id := release.ID(fmt.Sprintf("r%d-x", n))
			m := manifest(t, id, n, "a")
			m.Created, m.About = now, release.Entry{Release: id, Number: n, Created: now}
			m.History = o.Past(now, retain)
			kept := map[site.Digest]int64{}
			for _, b := range slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(rt, "kept")))) {
				m.Kept = append(m.Kept, release.Kept{Digest: site.Digest{b}, Since: now})
				kept[site.Digest{b}] = 1
			}
			s, err := o.Begin(t.Context(), o.State, journal(id, n))
			if err == nil && rapid.Bool().Draw(rt, "marked") {
				s, err = o.Store(t.Context(), s, m)
			}
			for d := range kept {
				store.Set(o.ContentKey(d), []byte("x"), site.Headers{})
			}
			if err == nil {
				s, err = o.Commit(t.Context(), s, m, time.Minute)
			}
			if err == nil {
				_, err = o.Close(t.Context(), s)
			}
			if err == nil {
				_, err = o.Trim(t.Context(), m)
			}
			if err != nil {
				rt.Fatal(err)
			}
			contents, err := o.Contents(t.Context())
			if err != nil || !maps.Equal(contents, kept) {
				rt.Fatalf("release %d: contents are %v, %v; want %v", n, contents, err, kept)
			}
			files := 0
			for name := range names(t, store) {
				if strings.HasPrefix(name, "releases/") {
					files++
				}
			}
			for _, e := range m.History {
				if _, err := o.Manifest(t.Context(), e); (err == nil) == e.Gone {
					rt.Fatalf("release %d: the manifest of %s, gone: %t: %v", n, e.Release, e.Gone, err)
				}
				if !e.Gone {
					files--
				}
			}
			if files != 1 {
				rt.Fatalf("release %d: %d manifests too many", n, files-1)
			}
		}
	})
}
