package release_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

var began = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// opened is one machine's look at the record.
type opened struct {
	*release.Record
	release.State
}

func open(t testing.TB, store remote.Store, seed byte) opened {
	t.Helper()
	r, err := release.Open(t.Context(), store, release.Options{Random: rand.NewChaCha8([32]byte{seed})})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	s, err := r.Read(t.Context())
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return opened{r, s}
}

func journal(id release.ID, number int) release.Journal {
	return release.Journal{
		Release: id, Number: number, Started: began, Writer: "ben@laptop", Site: sha256.Sum256([]byte(id)),
		Touched:     []site.Key{"a/index.html"},
		Overwritten: []release.Overwritten{{Key: "a/index.html", ETag: "e"}},
		Pending:     []release.PendingURL{{Path: "/a/", Key: "a/index.html"}},
	}
}

func manifest(t testing.TB, id release.ID, number int, keys ...site.Key) release.Manifest {
	t.Helper()
	var objects []site.Object
	for _, k := range keys {
		objects = append(objects, site.Object{Key: k, Size: int64(len(k)), Digest: sha256.Sum256([]byte(k)), Kind: site.KindPage, ETag: "tag"})
	}
	m, err := site.NewManifest(objects)
	if err != nil {
		t.Fatal(err)
	}
	return release.Manifest{Release: id, Number: number, Created: began, Site: m}
}

// publish makes one whole release.
func publish(t testing.TB, o opened, id release.ID, keys ...site.Key) {
	t.Helper()
	n := o.NextNumber()
	s, err := o.Begin(t.Context(), o.State, journal(id, n))
	if err == nil {
		s, err = o.Commit(t.Context(), s, manifest(t, id, n, keys...), time.Minute)
	}
	if err == nil {
		s, err = o.Close(t.Context(), s)
	}
	if err != nil {
		t.Fatalf("publish %s: %v", id, err)
	}
	if s.Journal != nil || s.LiveID() != id {
		t.Fatalf("publish %s: state is %+v", id, s)
	}
}

func stateKeys(s *memory.Store) []site.Key { return slices.Sorted(maps.Keys(s.Objects())) }

// find is the only stored key that ends in suffix.
func find(t testing.TB, s *memory.Store, suffix string) site.Key {
	t.Helper()
	var found []site.Key
	for _, k := range stateKeys(s) {
		if strings.HasSuffix(string(k), suffix) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		t.Fatalf("found %d keys that end in %q: %v", len(found), suffix, found)
	}
	return found[0]
}

func TestLifeOfARelease(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	first := open(t, store, 1)
	if len(store.Objects()) != 0 {
		t.Fatalf("reading wrote %v", stateKeys(store))
	}
	if first.NextNumber() != 1 || first.LiveID() != "" || first.Journal != nil {
		t.Fatalf("an empty bucket reads as %+v", first.State)
	}
	publish(t, first, "r1-a", "a", "b")
	second := open(t, store, 2)
	if got, want := second.State.Live, manifest(t, "r1-a", 1, "a", "b"); !cmp.Equal(got, want, cmp.AllowUnexported(site.Manifest{})) {
		t.Errorf("live manifest (-got +want):\n%s", cmp.Diff(got, want, cmp.AllowUnexported(site.Manifest{})))
	}
	publish(t, second, "r2-b", "b")
	third := open(t, store, 3)
	want := release.Pointer{Version: 1, Release: "r2-b", Number: 2, Previous: "r1-a", Manifest: third.Current.Manifest, Created: began, Objects: 1, Bytes: 1, Seconds: 60, Month: "2026-11"}
	if diff := cmp.Diff(*third.Current, want); diff != "" {
		t.Errorf("pointer (-got +want):\n%s", diff)
	}
}

func TestAnOpenJournalIsReadWhole(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	o := open(t, store, 1)
	if _, err := o.Begin(t.Context(), o.State, journal("r1-a", 1)); err != nil {
		t.Fatal(err)
	}
	want := journal("r1-a", 1)
	want.Version = 1
	next := open(t, store, 2)
	if diff := cmp.Diff(*next.Journal, want); diff != "" {
		t.Errorf("journal (-got +want):\n%s", diff)
	}
	if next.NextNumber() != 1 {
		t.Errorf("the next number is %d, want that of the interrupted run", next.NextNumber())
	}
}

// A run that was killed between moving the pointer and closing the journal has
// done everything.
func TestTheJournalOfTheLiveReleaseIsClosed(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	o := open(t, store, 1)
	s, err := o.Begin(t.Context(), o.State, journal("r1-a", 1))
	if err == nil {
		_, err = o.Commit(t.Context(), s, manifest(t, "r1-a", 1, "a"), time.Minute)
	}
	if err != nil {
		t.Fatal(err)
	}
	next := open(t, store, 2)
	if next.Journal != nil {
		t.Errorf("the journal of release %s counts as open", next.Journal.Release)
	}
	publish(t, next, "r2-b", "a")
}

func TestAnotherRunGotInBetween(t *testing.T) {
	rows := []struct {
		name  string
		other func(t *testing.T, store *memory.Store)
	}{
		{"it is under way", func(t *testing.T, store *memory.Store) {
			o := open(t, store, 9)
			if _, err := o.Begin(t.Context(), o.State, journal("r2-other", 2)); err != nil {
				t.Fatal(err)
			}
		}},
		{"it has published and closed its journal", func(t *testing.T, store *memory.Store) { publish(t, open(t, store, 9), "r2-other", "z") }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store := memory.NewStore(memory.StoreOptions{})
			publish(t, open(t, store, 1), "r1-a", "a")
			mine := open(t, store, 2)
			row.other(t, store)
			before := store.Objects()
			if _, err := mine.Begin(t.Context(), mine.State, journal("r2-mine", 2)); !errors.Is(err, release.ErrMoved) {
				t.Errorf("Begin: %v, want ErrMoved", err)
			}
			if diff := cmp.Diff(store.Objects(), before); diff != "" {
				t.Errorf("the beaten run wrote something (-got +want):\n%s", diff)
			}
		})
	}
}

// A run that is taken over while it works neither moves the pointer over the
// other's release nor closes the other's journal.
func TestTakenOver(t *testing.T) {
	t.Run("commit after the other's commit", func(t *testing.T) {
		store := memory.NewStore(memory.StoreOptions{})
		slow := open(t, store, 1)
		s, err := slow.Begin(t.Context(), slow.State, journal("r1-slow", 1))
		if err != nil {
			t.Fatal(err)
		}
		publish(t, open(t, store, 2), "r1-fast", "a")
		if _, err := slow.Commit(t.Context(), s, manifest(t, "r1-slow", 1, "b"), time.Minute); !errors.Is(err, release.ErrMoved) {
			t.Errorf("Commit: %v, want ErrMoved", err)
		}
		if got := open(t, store, 3).LiveID(); got != "r1-fast" {
			t.Errorf("live is %s", got)
		}
	})
	t.Run("close while the other works", func(t *testing.T) {
		store := memory.NewStore(memory.StoreOptions{})
		slow, fast := open(t, store, 1), opened{}
		s, err := slow.Begin(t.Context(), slow.State, journal("r1-slow", 1))
		if err == nil {
			fast = open(t, store, 2)
			_, err = fast.Begin(t.Context(), fast.State, journal("r1-fast", 1))
		}
		if err == nil {
			s, err = slow.Commit(t.Context(), s, manifest(t, "r1-slow", 1, "b"), time.Minute)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := slow.Close(t.Context(), s); !errors.Is(err, release.ErrMoved) {
			t.Errorf("Close: %v, want ErrMoved", err)
		}
		if got := open(t, store, 3); got.Journal == nil || got.Journal.Release != "r1-fast" {
			t.Errorf("the other run's journal is %+v, want it open", got.Journal)
		}
	})
}

func TestDamage(t *testing.T) {
	packed := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		enc, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer enc.Close()
		return enc.EncodeAll(data, nil)
	}
	// repoint makes the pointer name other bytes as the manifest.
	repoint := func(store *memory.Store, data []byte) {
		key := find(t, store, "/current.json")
		var p release.Pointer
		if err := json.Unmarshal(store.Objects()[key].Data, &p); err != nil {
			t.Fatal(err)
		}
		p.Manifest = sha256.Sum256(data)
		pointer, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		store.Set(key, pointer, site.Headers{})
		old := find(t, store, ".zst")
		store.Remove(old)
		store.Set(site.Key(old.Dir()+"manifest-"+p.Manifest.String()[:16]+".json.zst"), data, site.Headers{})
	}
	rows := []struct {
		name  string
		spoil func(store *memory.Store)
		is    error
		text  string
	}{
		{"a manifest with other bytes", func(s *memory.Store) { s.Set(find(t, s, ".zst"), []byte("x"), site.Headers{}) }, nil, "is damaged"},
		{"a manifest that is gone", func(s *memory.Store) { s.Remove(find(t, s, ".zst")) }, remote.ErrNotFound, "manifest of release r1-a"},
		{"a manifest that is no zstd", func(s *memory.Store) { repoint(s, []byte("x")) }, nil, "unpack"},
		{"a manifest that lists a key twice", func(s *memory.Store) {
			repoint(s, packed(map[string]any{"version": 1, "objects": []map[string]any{{"key": "a"}, {"key": "a"}}}))
		}, nil, "twice"},
		{"a manifest of a newer version, which does not even parse as one", func(s *memory.Store) {
			repoint(s, packed(map[string]any{"version": 2, "objects": "elsewhere"}))
		}, release.ErrVersion, "version 2"},
		{"a pointer of a newer version", func(s *memory.Store) {
			s.Set(find(t, s, "/current.json"), []byte(`{"version":7,"release":[]}`), site.Headers{})
		}, release.ErrVersion, "version 7"},
		{"a journal of a newer version", func(s *memory.Store) {
			s.Set(find(t, s, "/journal.json"), []byte(`{"version":2}`), site.Headers{})
		}, release.ErrVersion, "version 2"},
		{"a pointer cut short", func(s *memory.Store) {
			s.Set(find(t, s, "/current.json"), []byte(`{"version":1,`), site.Headers{})
		}, nil, "read current.json"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store := memory.NewStore(memory.StoreOptions{})
			publish(t, open(t, store, 1), "r1-a", "a")
			row.spoil(store)
			r, err := release.Open(t.Context(), store, release.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Read(t.Context())
			if err == nil || !strings.Contains(err.Error(), row.text) || row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("Read: %v, want %q", err, row.text)
			}
		})
	}
}

// What the record stores can be read by nobody who does not list the bucket,
// and never looks like a part of the site.
func TestKeysAndSecrets(t *testing.T) {
	store := memory.NewStore(memory.StoreOptions{})
	publish(t, open(t, store, 1), "r1-a", "a")
	prefix, _, _ := strings.Cut(string(find(t, store, "/current.json")), "/")
	for key, o := range store.Objects() {
		if !key.IsState() {
			t.Errorf("the record wrote %s, which looks like a part of the site", key)
		}
		if _, err := site.ParseKey(string(key)); err != nil {
			t.Errorf("the record wrote a key that S3 may not carry: %v", err)
		}
		if o.Headers.CacheControl != "private, no-store" {
			t.Errorf("%s may be cached: %q", key, o.Headers.CacheControl)
		}
		if !strings.HasPrefix(string(key), prefix) && bytes.Contains(o.Data, []byte(strings.TrimPrefix(prefix, site.StatePrefix))) {
			t.Errorf("%s, whose name everybody knows, tells the secret prefix", key)
		}
	}
	if random := strings.TrimPrefix(prefix, site.StatePrefix); len(random) != 32 {
		t.Errorf("the prefix %q has not 128 random bits", prefix)
	}
}

// TestManifestRoundTrip stores and reads random manifests.
func TestManifestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[ -~äß日本]{0,12}`)
		object := func(k site.Key) site.Object {
			return site.Object{
				Key: k, Size: rapid.Int64Range(0, 1<<50).Draw(rt, "size"), Digest: sha256.Sum256([]byte(text.Draw(rt, "body"))),
				Kind: rapid.SampledFrom([]site.Kind{site.KindPage, site.KindAsset, site.KindOther}).Draw(rt, "kind"), ETag: text.Draw(rt, "etag"),
				Headers: site.Share(site.Headers{ContentType: text.Draw(rt, "type"), CacheControl: text.Draw(rt, "cache"), ContentDisposition: text.Draw(rt, "disposition")}),
			}
		}
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z日%+~' ]{1,8}(/[a-z]{1,4})?`), 0, 8, rapid.ID).Draw(rt, "keys")
		slices.Sort(keys)
		m := release.Manifest{Release: "r1-a", Number: 1, Created: began}
		var objects []site.Object
		for i, k := range keys {
			if i%3 == 2 {
				m.Retired = append(m.Retired, release.Retired{Object: object(site.Key(k)), Release: "r1-a", Since: began})
			} else {
				objects = append(objects, object(site.Key(k)))
			}
		}
		var err error
		if m.Site, err = site.NewManifest(objects); err != nil {
			rt.Fatal(err)
		}
		store := memory.NewStore(memory.StoreOptions{})
		o := open(t, store, 1)
		s, err := o.Begin(context.Background(), o.State, journal("r1-a", 1))
		if err == nil {
			_, err = o.Commit(context.Background(), s, m, time.Minute)
		}
		if err != nil {
			rt.Fatal(err)
		}
		got := open(t, store, 2).Live
		if diff := cmp.Diff(got, m, cmp.AllowUnexported(site.Manifest{}), cmpopts.EquateEmpty()); diff != "" {
			rt.Errorf("read is not what was stored (-got +want):\n%s", diff)
		}
	})
}

func TestPathsOfTheMonth(t *testing.T) {
	november := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	store := memory.NewStore(memory.StoreOptions{})
	record, err := release.Open(t.Context(), store, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	state, err := record.Begin(t.Context(), release.State{}, release.Journal{Release: "r1-a", Number: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		at    time.Time
		paths int
		want  int
	}{{november, 5, 5}, {november, 7, 12}, {november.Add(time.Hour), 3, 3}} {
		m := release.Manifest{Release: release.ID(fmt.Sprint("r", i+1, "-a")), Number: i + 1, Created: step.at, About: release.Entry{Paths: step.paths}}
		if state, err = record.Commit(t.Context(), state, m, time.Minute); err != nil {
			t.Fatal(err)
		}
		if got := state.Current.PathsIn(step.at); got != step.want {
			t.Errorf("release %d: %d paths this month, want %d", i+1, got, step.want)
		}
	}
	if got := state.Current.PathsIn(november); got != 0 {
		t.Errorf("another month has %d paths, want 0", got)
	}
	if got := (*release.Pointer)(nil).PathsIn(november); got != 0 {
		t.Errorf("no release has %d paths, want 0", got)
	}
}
