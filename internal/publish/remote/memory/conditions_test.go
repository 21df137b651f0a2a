package memory_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/site"
)

// TestConditions writes with conditions that do and do not hold to services
// that make different things of them.
func TestConditions(t *testing.T) {
	put := func(c remote.Condition) func(*testing.T, *memory.Store) error {
		return func(t *testing.T, s *memory.Store) error {
			p := remotetest.NewPut("a", []byte("new"), html)
			p.If = c
			_, err := s.Put(t.Context(), p)
			return err
		}
	}
	clone := func(etag string) func(*testing.T, *memory.Store) error {
		return func(t *testing.T, s *memory.Store) error {
			_, err := s.Copy(t.Context(), remote.Copy{From: "b", To: "a", IfETag: etag})
			return err
		}
	}
	etagA, etagB := newStore(t, "a").Objects()["a"].ETag, newStore(t, "b").Objects()["b"].ETag
	writes := []struct {
		name                   string
		write                  func(*testing.T, *memory.Store) error
		honor, ignore, refuses error
	}{
		{"put", put(remote.Condition{}), nil, nil, nil},
		{"put, there", put(remote.Condition{Absent: true}), remote.ErrPrecondition, nil, remote.ErrUnsupported},
		{"put, same", put(remote.Condition{ETag: etagA}), nil, nil, remote.ErrUnsupported},
		{"put, other", put(remote.Condition{ETag: etagB}), remote.ErrPrecondition, nil, remote.ErrUnsupported},
		{"copy", clone(""), nil, nil, nil},
		{"copy, same", clone(etagB), nil, nil, remote.ErrUnsupported},
		{"copy, other", clone(etagA), remote.ErrPrecondition, nil, remote.ErrUnsupported},
	}
	for _, w := range writes {
		for mode, want := range map[memory.Conditions]error{
			memory.HonorConditions: w.honor, memory.IgnoreConditions: w.ignore, memory.RefuseConditions: w.refuses,
		} {
			t.Run(fmt.Sprint(w.name, " ", mode), func(t *testing.T) {
				s := newStore(t, "a", "b")
				s.SetConditions(mode)
				err := w.write(t, s)
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
				if got := string(s.Objects()["a"].Data); (got == "a") != (want != nil) {
					t.Errorf("afterwards the object is %q", got)
				}
			})
		}
	}
}

func TestShortPages(t *testing.T) {
	s := memory.NewStore(memory.StoreOptions{ShortPages: true, Conditions: memory.IgnoreConditions})
	var want []site.Key
	for i := range 9 {
		want = append(want, site.Key(fmt.Sprint(i)))
		s.Set(want[i], nil, html)
	}
	var sizes []int
	var keys []site.Key
	err := s.List(t.Context(), "", "", func(page []remote.Info) error {
		sizes = append(sizes, len(page))
		for _, info := range page {
			keys = append(keys, info.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sizes, []int{1, 2, 3, 1, 2}); diff != "" {
		t.Errorf("page sizes (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(keys, want); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}
