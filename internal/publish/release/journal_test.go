package release_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

var manifests = cmp.AllowUnexported(site.Manifest{})

// step is one method of Record that changes the state.
type step struct {
	name string
	do   func(*release.Record, release.State) (release.State, error)
}

// steps are one whole release.
func steps(t testing.TB, id release.ID, number int) []step {
	ctx, m := context.Background(), manifest(t, id, number, "a")
	return []step{
		{"begin", func(r *release.Record, s release.State) (release.State, error) {
			return r.Begin(ctx, s, journal(id, number))
		}},
		{"store", func(r *release.Record, s release.State) (release.State, error) { return r.Store(ctx, s, m) }},
		{"commit", func(r *release.Record, s release.State) (release.State, error) {
			return r.Commit(ctx, s, m, time.Minute)
		}},
		{"note", func(r *release.Record, s release.State) (release.State, error) {
			return r.Note(ctx, s, &release.Revision{Name: "abc", Branch: "main", Time: began})
		}},
		{"close", func(r *release.Record, s release.State) (release.State, error) { return r.Close(ctx, s) }},
	}
}

// Every write of the record may lose its answer, and is then simply repeated.
func TestLostAnswers(t *testing.T) {
	for n := int32(1); ; n++ {
		store := memory.NewStore(memory.StoreOptions{})
		o := open(t, store, 1)
		var puts atomic.Int32
		store.SetHook(func(op, _ string) memory.Fault {
			if op != memory.OpPut && op != memory.OpDelete {
				return memory.Fault{}
			}
			if puts.Add(1) == n {
				return memory.FailAfter(remote.ErrTemporary)
			}
			return memory.Fault{}
		})
		s := o.State
		for _, step := range steps(t, "r1-a", 1) {
			next, err := step.do(o.Record, s)
			if errors.Is(err, remote.ErrTemporary) {
				next, err = step.do(o.Record, s)
			}
			if err != nil {
				t.Fatalf("answer %d lost: %s: %v", n, step.name, err)
			}
			s = next
		}
		store.SetHook(nil)
		got := open(t, store, 2)
		if got.LiveID() != "r1-a" || got.Journal != nil || got.Current.Revision == nil || got.Current.Revision.Name != "abc" {
			t.Errorf("answer %d lost: the record is %+v", n, got.State)
		}
		if puts.Load() < n {
			if n != 11 {
				t.Fatalf("a first release is %d writes, want 10", n-1)
			}
			return
		}
	}
}

// A stored manifest is all that another machine needs.
func TestARunIsFinishedFromItsManifest(t *testing.T) {
	store := established(t)
	first := open(t, store, 2)
	m := manifest(t, "r2-b", 2, "b", "c")
	m.About = release.Entry{Release: "r2-b", Number: 2, Created: began, Writer: "ben@laptop", Paths: 3, Revision: &release.Revision{Name: "abc", Time: began}}
	m.Kept = []release.Kept{{Digest: site.Digest{1}, Size: 1, Since: began}}
	m.History = first.Past(began, time.Hour)
	s, err := first.Begin(t.Context(), first.State, journal("r2-b", 2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Pending(t.Context(), s); err == nil || !strings.Contains(err.Error(), "before it had uploaded everything") {
		t.Errorf("Pending of an unmarked journal: %v", err)
	}
	if s, err = first.Store(t.Context(), s, m); err != nil {
		t.Fatal(err)
	}
	store.ResetCalls()
	if _, err = first.Store(t.Context(), s, m); err != nil || len(store.Calls()) != 0 {
		t.Errorf("the repeat: %v, and it made the calls %v", err, store.Calls())
	}

	second := open(t, store, 3)
	if second.LiveID() != "r1-a" {
		t.Errorf("live is %s before the pointer moved", second.LiveID())
	}
	got, err := second.Pending(t.Context(), second.State)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, m, manifests); diff != "" {
		t.Errorf("the stored manifest (-got +want):\n%s", diff)
	}
	store.ResetCalls()
	if s, err = second.Commit(t.Context(), second.State, got, time.Minute); err != nil {
		t.Fatal(err)
	}
	if n := store.Count(memory.OpPut); n != 1 {
		t.Errorf("the commit made %d writes, want that of the pointer alone", n)
	}
	if s.Current.Revision == nil || s.Current.Revision.Name != "abc" || s.Current.Paths != 3 {
		t.Errorf("the pointer is %+v", s.Current)
	}
	if _, err := second.Close(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := open(t, store, 4); got.LiveID() != "r2-b" || got.Journal != nil || !cmp.Equal(got.Live, m, manifests) {
		t.Errorf("the record is %+v", got.State)
	}
}

// A mark of other bytes than those that are committed is no reason not to store
// them.
func TestCommitOfAnotherManifestThanStored(t *testing.T) {
	store := established(t)
	o := open(t, store, 2)
	s, err := o.Begin(t.Context(), o.State, journal("r2-b", 2))
	if err == nil {
		s, err = o.Store(t.Context(), s, manifest(t, "r2-b", 2, "b"))
	}
	if err == nil {
		_, err = o.Commit(t.Context(), s, manifest(t, "r2-b", 2, "b", "c"), time.Minute)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, store, 3); got.Live.Site.Len() != 2 {
		t.Errorf("live are %d objects", got.Live.Site.Len())
	}
}

func TestStepsWithoutWhatTheyNeed(t *testing.T) {
	o := open(t, established(t), 2)
	if _, err := o.Store(t.Context(), o.State, manifest(t, "r2-b", 2)); err == nil {
		t.Error("Store without a journal is no error")
	}
	if _, err := o.Pending(t.Context(), o.State); err == nil {
		t.Error("Pending without a journal is no error")
	}
	empty := open(t, memory.NewStore(memory.StoreOptions{}), 3)
	if _, err := empty.Note(t.Context(), empty.State, nil); err == nil {
		t.Error("Note without a release is no error")
	}
	if ok, err := empty.Unchanged(t.Context(), empty.State); !ok || err != nil {
		t.Errorf("an empty bucket is unchanged: %t, %v", ok, err)
	}
	if k := empty.ContentKey(site.Digest{1}); k != "" {
		t.Errorf("content without a record lies at %s", k)
	}
	if all, err := empty.Contents(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("contents without a record: %v, %v", all, err)
	}
}

// Another run does one step; whoever looked before it is told.
func TestUnchanged(t *testing.T) {
	store := established(t)
	other := open(t, store, 9)
	s := other.State
	for i, step := range steps(t, "r2-other", 2) {
		mine := open(t, store, byte(10+i))
		if ok, err := mine.Unchanged(t.Context(), mine.State); !ok || err != nil {
			t.Errorf("before %s: %t, %v", step.name, ok, err)
		}
		var err error
		if s, err = step.do(other.Record, s); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if ok, err := mine.Unchanged(t.Context(), mine.State); ok || err != nil {
			t.Errorf("after %s: %t, %v", step.name, ok, err)
		}
	}
	for _, name := range []string{"/current.json", "/journal.json"} {
		mine := open(t, store, 20)
		store.Remove(find(t, store, name))
		if ok, err := mine.Unchanged(t.Context(), mine.State); ok || err != nil {
			t.Errorf("without %s: %t, %v", name, ok, err)
		}
	}
}

// Store and Note of a run that was taken over.
func TestStoreAndNoteAreTooLate(t *testing.T) {
	store := established(t)
	slow := open(t, store, 2)
	noter := open(t, store, 3)
	s, err := slow.Begin(t.Context(), slow.State, journal("r2-slow", 2))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, open(t, store, 4), "r2-fast", "b")
	if _, err := slow.Store(t.Context(), s, manifest(t, "r2-slow", 2, "c")); !errors.Is(err, release.ErrMoved) {
		t.Errorf("Store: %v, want ErrMoved", err)
	}
	if _, err := noter.Note(t.Context(), noter.State, &release.Revision{Name: "abc"}); !errors.Is(err, release.ErrMoved) {
		t.Errorf("Note: %v, want ErrMoved", err)
	}
	if got := open(t, store, 5); got.LiveID() != "r2-fast" || got.Current.Revision != nil || got.Live.Site.Len() != 1 {
		t.Errorf("the record is %+v", got.State)
	}
}

// between is a store whose reads of one file wait for that of another one, and
// then for something else to happen.
type between struct {
	remote.Store
	first, then string // ends of keys
	once        sync.Once
	seen        chan struct{} // closed after the first read of first
	happens     func()
}

func (b *between) Get(ctx context.Context, key site.Key) ([]byte, string, error) {
	if strings.HasSuffix(string(key), b.then) {
		b.once.Do(func() { <-b.seen; b.happens() })
	}
	data, tag, err := b.Store.Get(ctx, key)
	if strings.HasSuffix(string(key), b.first) {
		select {
		case <-b.seen:
		default:
			close(b.seen)
		}
	}
	return data, tag, err
}

// Read reads files at once, and another run changes them in between. What it
// gives is a state that has been.
func TestReadIsNotTorn(t *testing.T) {
	rows := []struct {
		name, first, then string
		happens           func(t *testing.T, store *memory.Store)
		live, open        release.ID
	}{
		{"a whole release after the pointer was read", "/current.json", "/journal.json", func(t *testing.T, store *memory.Store) {
			publish(t, open(t, store, 5), "r2-b", "b")
		}, "r2-b", ""},
		{"a release and the next one's begin after the pointer was read", "/current.json", "/journal.json", func(t *testing.T, store *memory.Store) {
			publish(t, open(t, store, 5), "r2-b", "b")
			o, j := open(t, store, 6), journal("r3-c", 3)
			j.Base = "r2-b"
			if _, err := o.Begin(t.Context(), o.State, j); err != nil {
				t.Error(err)
			}
		}, "r2-b", "r3-c"},
		{"the manifest is trimmed after the pointer was read", "/current.json", ".zst", func(t *testing.T, store *memory.Store) {
			publish(t, open(t, store, 5), "r2-b", "b")
			publish(t, open(t, store, 6), "r3-c", "b")
			o := open(t, store, 7)
			if n, err := o.Trim(t.Context(), o.Live); n != 2 || err != nil {
				t.Errorf("Trim: %d, %v", n, err)
			}
		}, "r3-c", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store := established(t)
			b := &between{Store: store, first: row.first, then: row.then, seen: make(chan struct{}), happens: func() { row.happens(t, store) }}
			o := open(t, b, 8)
			if o.LiveID() != row.live || o.Live.Release != row.live || (o.Journal != nil) != (row.open != "") {
				t.Errorf("read live %s, its manifest %s, journal %+v; want %s and %q", o.LiveID(), o.Live.Release, o.Journal, row.live, row.open)
			}
			if ok, err := o.Unchanged(t.Context(), o.State); !ok || err != nil {
				t.Errorf("what was read is what is there: %t, %v", ok, err)
			}
		})
	}
}

// Reading is four requests, also while a run is open.
func TestRequestsOfARead(t *testing.T) {
	store := established(t)
	o, j := open(t, store, 2), journal("r2-b", 2)
	j.Base = "r1-a"
	for _, what := range []string{"no run is open", "a run is open"} {
		store.ResetCalls()
		if _, err := o.Read(t.Context()); err != nil || len(store.Calls()) != 4 {
			t.Errorf("%s: %v, %v", what, err, store.Calls())
		}
		if _, err := o.Begin(t.Context(), o.State, j); err != nil {
			t.Fatal(err)
		}
	}
}

func TestManifestOfAnEarlierRelease(t *testing.T) {
	store := established(t)
	publish(t, open(t, store, 2), "r2-b", "b")
	r := record(t, store)
	old := release.Entry{Release: "r1-a", Manifest: open(t, store, 3).Past(began, 0)[0].Manifest}
	if _, err := r.Manifest(t.Context(), old); !errors.Is(err, remote.ErrNotFound) {
		t.Errorf("the manifest of r1-a with the digest of r2-b: %v", err)
	}
	keys := map[string]site.Key{}
	for _, k := range stateKeys(store) {
		if strings.HasSuffix(string(k), ".zst") {
			keys[strings.Split(string(k), "/")[2]] = k
		}
	}
	data := store.Objects()[keys["r1-a"]].Data
	old.Manifest = store.Objects()[keys["r1-a"]].Digest
	want := manifest(t, "r1-a", 1, "a")
	read := func(what string) {
		t.Helper()
		if m, err := r.Manifest(t.Context(), old); err != nil || !cmp.Equal(m, want, manifests) {
			t.Errorf("%s: %v, %v", what, m, err)
		}
	}
	read("as it is stored now")
	store.Remove(keys["r1-a"])
	store.Set(site.Key(keys["r1-a"].Dir()+"manifest.json.zst"), data, site.Headers{})
	read("as it was stored once")
	old.Gone = true
	if _, err := r.Manifest(t.Context(), old); !errors.Is(err, remote.ErrNotFound) || !strings.Contains(err.Error(), "not kept any more") {
		t.Errorf("gone: %v, want ErrNotFound", err)
	}
}
