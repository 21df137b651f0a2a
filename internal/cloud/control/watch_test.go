package control

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{}
		s, id := quiet(t, edges, Options{})
		defer func() { _ = s.Close() }()
		expect := func(name string, want Mark) {
			t.Helper()
			synctest.Wait()
			if got, err := s.Mark(id); err != nil || got != want {
				t.Errorf("%s: %+v %v, want %+v", name, got, err, want)
			}
		}
		expect("nothing yet", Mark{})
		put(t, s, id, "1", "/a")
		expect("one is complete", Mark{Newest: 1})
		release := edges.hold()
		put(t, s, id, "2", "/a")
		put(t, s, id, "3", "/a")
		expect("two are in progress", Mark{Newest: 3, Pending: 2})
		release()
		expect("all are complete", Mark{Newest: 3})
	})
}

func TestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, id := quiet(t, &fakeEdges{}, Options{History: 4})
		defer func() { _ = s.Close() }()
		for i := 1; i <= 6; i++ {
			put(t, s, id, strconv.Itoa(i), "/"+strconv.Itoa(i), "/x")
			synctest.Wait()
		}
		all, err := s.Recent(id, 10)
		if err != nil || len(all) != 4 {
			t.Fatalf("%d invalidations, %v", len(all), err)
		}
		for i, one := range all {
			older, err := s.Before(id, one.ID, 2)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(older, all[i+1:min(i+3, 4)]); diff != "" && len(older)+len(all[i+1:]) > 0 {
				t.Errorf("before number %d (-got +want):\n%s", i, diff)
			}
			if same, err := s.Invalidation(id, one.ID); err != nil || cmp.Diff(same, one) != "" {
				t.Errorf("number %d by its id: %+v %v", i, same, err)
			}
		}
		if _, err := s.Before(id, "INONE", 1); !errors.Is(err, ErrUnknown) {
			t.Errorf("before an unknown one: %v", err)
		}
		if _, err := s.Invalidation(id, "INONE"); !errors.Is(err, ErrUnknown) {
			t.Errorf("an unknown one: %v", err)
		}
	})
}

func TestEffective(t *testing.T) {
	got, err := Effective([]string{"/a", "/b%7Ec", "#t", "/d*"})
	if diff := cmp.Diff(got, []string{"/a", "#t", "/d*"}); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	for _, bad := range []string{"", "a", "/a b", "/~", "#", "#a,b", "/%zz"} {
		if _, err := Effective([]string{"/a", bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
