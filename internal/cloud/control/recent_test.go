package control

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := &fakeEdges{}
		s, id := quiet(t, edges, Options{})
		began := time.Now()
		put(t, s, id, "first", "/a", "/b*")
		synctest.Wait()
		release := edges.hold()
		time.Sleep(time.Minute)
		put(t, s, id, "second", "#tag")
		synctest.Wait()

		got, err := s.Recent(id, 10)
		if err != nil {
			t.Fatal(err)
		}
		want := []Recent{
			{Sequence: 2, Status: "InProgress", Created: began.Add(time.Minute), Reference: "second", Items: []string{"#tag"}},
			{Sequence: 1, Status: "Completed", Created: began, Reference: "first", Items: []string{"/a", "/b*"}},
		}
		if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(Recent{}, "ID")); diff != "" {
			t.Errorf("(-got +want):\n%s", diff)
		}
		if len(got) != 2 || got[0].ID == "" || got[0].ID == got[1].ID {
			t.Errorf("ids are not distinct: %+v", got)
		}
		release()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRecentPaging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, id := quiet(t, &fakeEdges{}, Options{History: 4})
		defer func() { _ = s.Close() }()
		for i := 1; i <= 6; i++ {
			put(t, s, id, strconv.Itoa(i), "/a")
			synctest.Wait()
		}
		for _, row := range []struct {
			name string
			n    int
			want []string
		}{
			{"below zero", -1, nil},
			{"none", 0, nil},
			{"one", 1, []string{"6"}},
			{"some", 3, []string{"6", "5", "4"}},
			{"exactly all", 4, []string{"6", "5", "4", "3"}},
			{"more than there are: the older ones are forgotten", 100, []string{"6", "5", "4", "3"}},
		} {
			all, err := s.Recent(id, row.n)
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			var got []string
			for _, one := range all {
				got = append(got, one.Reference)
			}
			if diff := cmp.Diff(got, row.want); diff != "" {
				t.Errorf("%s (-got +want):\n%s", row.name, diff)
			}
		}
	})
}

func TestRecentFails(t *testing.T) {
	s, id := quiet(t, &fakeEdges{}, Options{})
	for _, unknown := range []string{"", "ENOSUCH"} {
		var api *apiError
		if _, err := s.Recent(unknown, 1); !errors.As(err, &api) || api.code != "NoSuchDistribution" {
			t.Errorf("distribution %q: error %v, want NoSuchDistribution", unknown, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recent(id, 1); !errors.Is(err, errClosed) {
		t.Errorf("closed: error %v, want that the server is closed", err)
	}
}
