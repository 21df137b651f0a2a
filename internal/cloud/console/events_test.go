package console

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func numbers(list []numbered) (out []uint64) {
	for _, one := range list {
		out = append(out, one.number)
	}
	return out
}

func TestAfter(t *testing.T) {
	for _, row := range []struct {
		name  string
		added int
		after uint64
		first uint64 // 0 for none
		count int
		lost  uint64
	}{
		{"nothing yet", 0, 0, 0, 0, 0},
		{"all", 3, 0, 1, 3, 0},
		{"the new ones", 3, 1, 2, 2, 0},
		{"none is new", 3, 3, 0, 0, 0},
		{"from the future", 3, 9, 0, 0, 0},
		{"a full ring", kept, 0, 1, kept, 0},
		{"one fell out", kept + 1, 0, 2, kept, 1},
		{"many fell out", 3*kept + 5, 7, 2*kept + 6, kept, 2*kept - 2},
		{"just in time", kept + 9, 9, 10, kept, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := NewEvents()
			for i := 1; i <= row.added; i++ {
				e.Add(request(i))
			}
			list, lost := e.after(row.after)
			if len(list) != row.count || lost != row.lost || row.count > 0 && list[0].number != row.first {
				t.Errorf("got %v and %d lost", numbers(list), lost)
			}
			for i, one := range list {
				if one.number != row.first+uint64(i) || one.Bytes != int64(one.number) {
					t.Errorf("place %d has number %d with the request %d", i, one.number, one.Bytes)
				}
			}
		})
	}
}

// Whatever the pace, a follower gets every request once and in order, or is
// told that it was lost.
func TestFollowerMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, total := NewEvents(), uint64(0)
		f := e.follow(0)
		defer f.leave()
		next := uint64(1)
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 2*kept), 1, 8).Draw(t, "added between") {
			for range n {
				total++
				e.Add(request(int(total)))
			}
			list, lost := f.take()
			next += lost
			for _, one := range list {
				if one.number != next {
					t.Fatalf("got number %d, want %d", one.number, next)
				}
				next++
			}
			if next != total+1 {
				t.Fatalf("after %d requests, the next is %d", total, next)
			}
		}
	})
}

// Nobody reads, and Add returns all the same.
func TestAddNeverWaits(t *testing.T) {
	e := NewEvents()
	f := e.follow(0)
	defer f.leave()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				e.Add(request(i))
			}
		})
	}
	all.Wait()
	list, lost := f.take()
	if len(list) != kept || lost != 4000-kept {
		t.Errorf("took %d and lost %d", len(list), lost)
	}
	if list, lost := f.take(); len(list) != 0 || lost != 0 {
		t.Errorf("took %v and lost %d again", numbers(list), lost)
	}
}

// A number from before a restart does not hide the requests after it.
func TestFollowFromTheFuture(t *testing.T) {
	e := NewEvents()
	e.Add(request(1))
	f := e.follow(1000)
	defer f.leave()
	e.Add(request(2))
	list, lost := f.take()
	if diff := cmp.Diff(numbers(list), []uint64{2}); diff != "" || lost != 0 {
		t.Errorf("lost %d (-got +want):\n%s", lost, diff)
	}
}

func TestLeave(t *testing.T) {
	e := NewEvents()
	f, g := e.follow(0), e.follow(0)
	f.leave()
	e.Add(request(1))
	if len(f.news) != 0 || len(g.news) != 1 {
		t.Errorf("news for who left: %d, for who stayed: %d", len(f.news), len(g.news))
	}
	g.leave()
	if len(e.followers) != 0 {
		t.Errorf("%d followers are left", len(e.followers))
	}
}

func BenchmarkAdd(b *testing.B) {
	e := NewEvents()
	defer e.follow(0).leave()
	r := request(1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e.Add(r)
		}
	})
}
