package readonly

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/site"
)

// reads are the methods that pass through. A new method of remote.Store fails
// this test until somebody has decided what it is here.
var reads = map[string]bool{"String": true, "Get": true, "Head": true, "List": true, "Dirs": true}

var writes = map[string]func(s remote.Store, t *testing.T) error{
	"Put": func(s remote.Store, t *testing.T) error {
		_, err := s.Put(t.Context(), remote.Put{Key: "a", Digest: site.Digest{1}, Body: strings.NewReader("")})
		return err
	},
	"Copy": func(s remote.Store, t *testing.T) error {
		_, err := s.Copy(t.Context(), remote.Copy{From: "b", To: "a"})
		return err
	},
	"Delete": func(s remote.Store, t *testing.T) error { return s.Delete(t.Context(), []site.Key{"a", "b"}) },
}

func TestEveryMethodIsEitherReadOrWrite(t *testing.T) {
	for m := range reflect.TypeFor[remote.Store]().Methods() {
		if reads[m.Name] == (writes[m.Name] != nil) {
			t.Errorf("remote.Store.%s: say here whether it reads or writes, and let Store refuse it if it writes", m.Name)
		}
	}
}

func TestWritesAreRefused(t *testing.T) {
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			err := write(Store{forbidden{}}, t) // a call that gets through panics
			if !errors.Is(err, remote.ErrUnsupported) || !strings.Contains(err.Error(), " a: ") {
				t.Errorf("got %v, want ErrUnsupported with the key", err)
			}
		})
	}
	if err := (Store{forbidden{}}).Delete(t.Context(), nil); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
}

// forbidden is a store that must not be called.
type forbidden struct{ remote.Store }

func TestReadsPassThrough(t *testing.T) {
	inner := filled(t)
	s := Store{inner}
	if s.String() != inner.String() {
		t.Errorf("String() = %q, want %q", s, inner)
	}
	if data, _, err := s.Get(t.Context(), "a"); err != nil || string(data) != "x" {
		t.Errorf("Get = %q, %v", data, err)
	}
	if head, err := s.Head(t.Context(), "a"); err != nil || head.Size != 1 {
		t.Errorf("Head = %+v, %v", head, err)
	}
	listed := 0
	if err := s.List(t.Context(), "", "", func(page []remote.Info) error { listed += len(page); return nil }); err != nil || listed != 1 {
		t.Errorf("List shows %d, %v", listed, err)
	}
	if _, err := s.Dirs(t.Context(), "", ""); err != nil {
		t.Errorf("Dirs: %v", err)
	}
}

// filled is a store with one object, "a".
func filled(t *testing.T) remote.Store {
	t.Helper()
	inner := memory.NewStore(memory.StoreOptions{})
	put := remote.Put{Key: "a", Size: 1, Digest: site.Digest(sha256.Sum256([]byte("x"))), Body: strings.NewReader("x")}
	if _, err := inner.Put(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	return inner
}
