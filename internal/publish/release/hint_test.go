package release_test

import (
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// A hint is believed where the claim confirms it, and changes nothing else.
func TestHint(t *testing.T) {
	other := site.StatePrefix + strings.Repeat("0f", 16) + "/"
	rows := []struct {
		name string
		hint func(right string) string
		harm func(store *memory.Store, prefix string)
		dirs int    // listings of prefixes
		err  string // of Open
	}{
		{name: "none", hint: func(string) string { return "" }, dirs: 1},
		{name: "right", hint: func(right string) string { return right }},
		{name: "another prefix", hint: func(string) string { return other }, dirs: 1},
		{name: "no prefix", hint: func(string) string { return "posts/" }, dirs: 1},
		{name: "cut off", hint: func(right string) string { return right[:20] + "/" }, dirs: 1},
		{name: "more than a prefix", hint: func(right string) string { return right + "releases/" }, dirs: 1},
		{name: "the record is gone, its claim is not", hint: func(right string) string { return right }, dirs: 2, err: "names a prefix that is gone",
			harm: func(store *memory.Store, prefix string) {
				for _, k := range stateKeys(store) {
					if strings.HasPrefix(string(k), prefix) {
						store.Remove(k)
					}
				}
				store.Set(site.Key(other+"README.txt"), nil, site.Headers{})
			}},
		{name: "a file cannot be read", hint: func(right string) string { return right }, dirs: 1,
			harm: func(store *memory.Store, prefix string) {
				failed := false
				store.SetHook(func(op, key string) memory.Fault {
					if op == memory.OpGet && strings.HasSuffix(key, "/journal.json") && !failed {
						failed = true
						return memory.FailBefore(remote.ErrTemporary)
					}
					return memory.Fault{}
				})
			}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store := established(t)
			prefix := record(t, store).Prefix()
			if row.harm != nil {
				row.harm(store, prefix)
			}
			store.ResetCalls()
			r, err := release.Open(t.Context(), store, release.Options{Hint: row.hint(prefix)})
			if n := store.Count(memory.OpDirs); n != row.dirs {
				t.Errorf("%d listings of prefixes, want %d", n, row.dirs)
			}
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Errorf("Open: %v, want %q", err, row.err)
				}
				return
			}
			if err != nil || r.Prefix() != prefix {
				t.Fatalf("Open: %v; the prefix is %q, want %q", err, r.Prefix(), prefix)
			}
			if s, err := r.Read(t.Context()); err != nil || s.LiveID() != "r1-a" || s.Live.Release != "r1-a" {
				t.Errorf("Read: live %s, %v", s.LiveID(), err)
			}
		})
	}
}

// What Open has read by the way is given once, and what follows is read anew.
func TestHintedRecordIsReadAnew(t *testing.T) {
	store := established(t)
	r, err := release.Open(t.Context(), store, release.Options{Hint: record(t, store).Prefix()})
	if err != nil {
		t.Fatal(err)
	}
	before := open(t, store, 2)
	for i, want := range []release.ID{"r1-a", "r2-b"} {
		s, err := r.Read(t.Context())
		if err != nil || s.LiveID() != want {
			t.Errorf("read %d: live %s, %v; want %s", i, s.LiveID(), err, want)
		}
		if i == 0 {
			publish(t, before, "r2-b", "b")
		}
	}
}
