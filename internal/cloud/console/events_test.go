package console

import (
	"sync"
	"testing"
	"time"

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

// Whatever the pace, a follower gets every request that is kept, in order, and is told how many others there were.
func TestFollowerMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, total, others, got := NewEvents(), 0, uint64(0), uint64(0)
		f := e.follow(0)
		defer f.leave()
		last := uint64(0)
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 2*kept), 1, 8).Draw(t, "added between") {
			apart := rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second}).Draw(t, "apart")
			at := noon.Add(time.Duration(total) * time.Second)
			for range n {
				total++
				at = at.Add(apart)
				e.Add(Request{Time: at, Bytes: int64(total)})
			}
			list, unseen := f.take()
			others += unseen
			for _, one := range list {
				if one.number <= last {
					t.Fatalf("got number %d after %d", one.number, last)
				}
				last = one.number
				got++
			}
			if got+others != uint64(total) {
				t.Fatalf("of %d requests %d came and %d did not", total, got, others)
			}
		}
	})
}

// Of a flood so many are kept at once, and then so many a second; errors beside them.
func TestSampling(t *testing.T) {
	e := NewEvents()
	f := e.follow(0)
	defer f.leave()
	add := func(n int, from time.Time, over time.Duration, status int) {
		for i := range n {
			e.Add(Request{Time: from.Add(time.Duration(i) * over / time.Duration(n)), Status: status})
		}
	}
	take := func(name string, want, slack int) {
		t.Helper()
		list, others := f.take()
		if len(list) < want-slack || len(list) > want+slack || others == 0 {
			t.Errorf("%s: kept %d, want %d, %d others", name, len(list), want, others)
		}
	}
	add(1000, noon, 0, 200)
	take("at once", sampleBurst, 0)
	add(10_000, noon, time.Second, 200)
	take("within a second", sampleRate, 1)
	add(500, noon, 0, 500)
	take("errors at once", errorBurst, 0)
	add(10_000, noon.Add(time.Hour), time.Second, 200)
	take("an hour later", sampleBurst+sampleRate, 1)
	add(10_000, noon.Add(-24*time.Hour), time.Second, 200)
	take("a clock that went back", sampleBurst+sampleRate, 1)
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
	list, others := f.take()
	if len(list) == 0 || len(list) > kept || others != 4000-uint64(len(list)) {
		t.Errorf("took %d, %d others", len(list), others)
	}
	if list, others := f.take(); len(list) != 0 || others != 0 {
		t.Errorf("took %v and %d others again", numbers(list), others)
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

// What a request of a flood costs, and what one costs that is kept.
func BenchmarkAdd(b *testing.B) {
	for name, apart := range map[string]time.Duration{"flood": 0, "kept": time.Second} {
		b.Run(name, func(b *testing.B) {
			e := NewEvents()
			defer e.follow(0).leave()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					e.Add(Request{Time: noon.Add(time.Duration(i) * apart), Method: "GET", Path: "/posts/", Status: 200})
				}
			})
		})
	}
}
