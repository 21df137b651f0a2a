package remotetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

var listCases = []storeCase{
	{"List of an empty store shows no page", func(t *testing.T, s remote.Store) {
		wantKeys(t, listKeys(t, s, "", ""), nil)
		wantKeys(t, listKeys(t, s, "none/", "none/a"), nil)
	}},
	{"List shows key, size and ETag, and every write before it", func(t *testing.T, s remote.Store) {
		want := []remote.Info{
			{Key: "a", Size: 1, ETag: put(t, s, NewPut("a", []byte("1"), html))},
			{Key: "b/c", Size: 3, ETag: put(t, s, NewPut("b/c", []byte("123"), allHeaders))},
		}
		got := list(t, s, "", "")
		for i := range got {
			want[i].LastModified = got[i].LastModified
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("List (-got +want):\n%s", diff)
		}
	}},
	{"List is in byte order", func(t *testing.T, s remote.Store) {
		// In UTF-16 the last two would change places.
		keys := []site.Key{"A", "Z/a", "a b", "a+b", "a-b", "a.b", "a/b", "a0", "a~", "z", "é", "\uff5e", "😀"}
		for i := range keys {
			put(t, s, NewPut(keys[len(keys)-1-i], []byte("x"), html))
		}
		wantKeys(t, listKeys(t, s, "", ""), keys)
		wantKeys(t, listKeys(t, s, "", "a/b"), keys[7:])
	}},
	{"List begins behind after, which need not exist", func(t *testing.T, s remote.Store) {
		for _, key := range []site.Key{"a", "b/1", "b/2", "b0", "c"} {
			put(t, s, NewPut(key, []byte("x"), html))
		}
		rows := []struct {
			prefix, after string
			want          []site.Key
		}{
			{"", "a", []site.Key{"b/1", "b/2", "b0", "c"}},
			{"", "aa", []site.Key{"b/1", "b/2", "b0", "c"}},
			{"", "b/", []site.Key{"b/1", "b/2", "b0", "c"}},
			{"", "c", nil},
			{"b", "", []site.Key{"b/1", "b/2", "b0"}},
			{"b/", "a", []site.Key{"b/1", "b/2"}},
			{"b/", "b/1", []site.Key{"b/2"}},
			{"b/", "c", nil},
		}
		for _, r := range rows {
			if diff := cmp.Diff(listKeys(t, s, r.prefix, r.after), r.want); diff != "" {
				t.Errorf("List(%q, %q) (-got +want):\n%s", r.prefix, r.after, diff)
			}
		}
	}},
	{"Dirs lists the folders right below a prefix", func(t *testing.T, s remote.Store) {
		for _, key := range []site.Key{".freshet-1/current.json", ".freshet-1/releases/2/m", ".freshet-1/releases/10/m", ".freshet-2/lock", ".freshet", "a b/+%/c", "a b/c", "x"} {
			put(t, s, NewPut(key, []byte("x"), html))
		}
		rows := []struct {
			prefix, start string
			want          []string
		}{
			{"", "", []string{".freshet-1/", ".freshet-2/", "a b/"}},
			{"", ".freshet-", []string{".freshet-1/", ".freshet-2/"}},
			{"", ".freshet-2", []string{".freshet-2/"}},
			{"", "x", nil},
			{".freshet-1/", "", []string{".freshet-1/releases/"}},
			{".freshet-1/releases/", "1", []string{".freshet-1/releases/10/"}},
			{"a b/", "", []string{"a b/+%/"}},
		}
		for _, r := range rows {
			got, err := s.Dirs(t.Context(), r.prefix, r.start)
			if err != nil {
				t.Fatalf("Dirs(%q, %q): %v", r.prefix, r.start, err)
			}
			if diff := cmp.Diff(got, r.want); diff != "" {
				t.Errorf("Dirs(%q, %q) (-got +want):\n%s", r.prefix, r.start, diff)
			}
		}
	}},
}
