package release_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/site"
)

const day = 24 * time.Hour

// entry is the release with that number, made so many days after began.
func entry(number, days int, gone bool) release.Entry {
	return release.Entry{
		Release: release.ID(fmt.Sprintf("r%d-%08x", number, number)), Number: number, Created: began.Add(time.Duration(days) * day),
		Manifest: site.Digest{byte(number)}, Gone: gone,
	}
}

// state is a record with these releases, the live one first.
func state(entries ...release.Entry) release.State {
	live := entries[0]
	s := release.State{Current: &release.Pointer{
		Release: live.Release, Number: live.Number, Created: live.Created, Manifest: live.Manifest, Revision: live.Revision, Objects: live.Objects, Bytes: live.Bytes,
	}}
	live.Manifest = site.Digest{}
	s.Live = release.Manifest{Release: live.Release, Number: live.Number, Created: live.Created, About: live, History: entries[1:]}
	return s
}

func TestPast(t *testing.T) {
	// Releases 1 to 4 of the days 0, 10, 20 and 30.
	before := state(entry(4, 30, false), entry(3, 20, false), entry(2, 10, false), entry(1, 0, false))
	rows := []struct {
		name   string
		state  release.State
		day    int
		retain time.Duration
		gone   map[int]bool // by number; the rest is kept
		want   int          // entries
	}{
		{"nothing published", release.State{}, 40, day, nil, 0},
		{"the first release", state(entry(1, 0, false)), 40, 0, nil, 1},
		{"all are kept", before, 40, 365 * day, nil, 4},
		{"superseded a moment before", before, 40, 20*day + 1, map[int]bool{1: true}, 4},
		{"superseded exactly so long ago", before, 40, 20 * day, map[int]bool{1: true, 2: true}, 4},
		{"no retention: only what is being superseded", before, 40, 0, map[int]bool{1: true, 2: true, 3: true}, 4},
		{"the live one is old, but superseded only now", before, 4000, 30 * day, map[int]bool{1: true, 2: true, 3: true}, 4},
		{"the clock was set back", before, 15, 0, map[int]bool{1: true}, 4},
		{"what is gone stays gone", state(entry(3, 20, false), entry(2, 10, true), entry(1, 0, false)), 20, 365 * day, map[int]bool{2: true}, 3},
		{"a retention longer than time", before, 40, 1<<63 - 1, nil, 4},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			past := row.state.Past(began.Add(time.Duration(row.day)*day), row.retain)
			if len(past) != row.want {
				t.Fatalf("%d entries, want %d: %+v", len(past), row.want, past)
			}
			for i, e := range past {
				want := entry(row.want-i, int(e.Created.Sub(began)/day), row.gone[e.Number])
				if diff := cmp.Diff(e, want); diff != "" {
					t.Errorf("entry %d (-got +want):\n%s", i, diff)
				}
			}
		})
	}
}

func TestPastOfAnOlderRecord(t *testing.T) {
	s := state(entry(7, 3, false))
	s.Live.About = release.Entry{}
	s.Current.Objects, s.Current.Bytes = 5, 50
	want := entry(7, 3, false)
	want.Objects, want.Bytes = 5, 50
	if diff := cmp.Diff(s.Past(began.Add(9*day), day), []release.Entry{want}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// The pointer knows better than the manifest, which was stored before it.
func TestPastTellsWhatThePointerSays(t *testing.T) {
	s := state(entry(7, 3, false))
	s.Current.Revision, s.Current.Seconds = &release.Revision{Name: "abc"}, 1.5
	if got := s.Past(began, day)[0]; got.Revision == nil || got.Revision.Name != "abc" || got.Seconds != 1.5 {
		t.Errorf("the revision is %+v, it took %g s", got.Revision, got.Seconds)
	}
	if s.Current.Rev().Name != "abc" || (*release.Pointer)(nil).Rev() != nil {
		t.Error("Rev is not the pointer's revision")
	}
}

// Past over many releases: newest first, no more than 100 are gone, and those
// that were superseded within retain are all there with their bytes.
func TestPastOverManyReleases(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now, retain := began, time.Duration(rapid.IntRange(0, 40).Draw(rt, "retain"))*day
		var s release.State
		superseded := map[int]time.Time{} // by number
		releases := rapid.IntRange(1, 160).Draw(rt, "releases")
		for n := 1; n <= releases; n++ {
			now = now.Add(time.Duration(rapid.IntRange(0, 48).Draw(rt, "hours")) * time.Hour)
			past := s.Past(now, retain)
			if n > 1 {
				superseded[n-1] = now
			}
			kept, gone := 0, 0
			for i, e := range past {
				if e.Number != n-1-i && i < len(past)-1 {
					rt.Fatalf("entry %d of release %d is %d", i, n, e.Number)
				}
				if due := e.Number < n-1 && !superseded[e.Number].Add(retain).After(now); e.Gone != due {
					rt.Fatalf("release %d: %d was superseded %s ago, gone is %t", n, e.Number, now.Sub(superseded[e.Number]), e.Gone)
				}
				if e.Gone {
					gone++
				} else {
					kept++
				}
			}
			if gone > 100 || gone < min(100, n-1-kept) {
				rt.Fatalf("release %d remembers %d gone releases and %d kept ones", n, gone, kept)
			}
			e := entry(n, 0, false)
			e.Created = now
			s = state(append([]release.Entry{e}, past...)...)
		}
	})
}

func TestFind(t *testing.T) {
	s := state(entry(12, 3, false), entry(10, 2, false), entry(3, 1, true))
	twice := state(entry(12, 3, false), release.Entry{Release: "r4-aaaaaaaa", Number: 4}, release.Entry{Release: "r4-bbbbbbbb", Number: 4})
	rows := []struct {
		name  string
		state release.State
		find  string
		want  release.ID
		text  string // of the error
	}{
		{"the whole name", s, "r10-0000000a", "r10-0000000a", ""},
		{"in capitals", s, "R10-0000000A", "r10-0000000a", ""},
		{"the number with r", s, "r10", "r10-0000000a", ""},
		{"the number", s, "10", "r10-0000000a", ""},
		{"the live one", s, "12", "r12-0000000c", ""},
		{"one whose bytes are gone", s, "r3", "r3-00000003", ""},
		{"a number between", s, "r9", "", "there is no release r9; the nearest is r10-0000000a"},
		{"in the middle, the newer one", s, "11", "", "the nearest is r12-0000000c"},
		{"too high", s, "99", "", "the nearest is r12-0000000c"},
		{"too low", s, "0", "", "the nearest is r3-00000003"},
		{"another's random part", s, "r10-0000000b", "", "the nearest is r10-0000000a"},
		{"no number", s, "yesterday", "", `"yesterday" is no name of a release: those are like r12-0000000c, r12 or 12`},
		{"nothing", s, "", "", "is no name of a release"},
		{"a sign", s, "-10", "", "is no name of a release"},
		{"a number beyond all bounds", s, "r99999999999999999999", "", "is no name of a release"},
		{"nothing published", release.State{}, "r1", "", "nothing has been published"},
		{"a number that two releases have", twice, "4", "", "r4-aaaaaaaa or r4-bbbbbbbb"},
		{"one of the two", twice, "r4-bbbbbbbb", "r4-bbbbbbbb", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := row.state.Find(row.find)
			if got.Release != row.want {
				t.Errorf("found %q, want %q", got.Release, row.want)
			}
			if row.text == "" && err != nil || row.text != "" && (err == nil || !strings.Contains(err.Error(), row.text)) {
				t.Errorf("error %v, want %q", err, row.text)
			}
		})
	}
	if e, err := s.Find("12"); err != nil || e.Manifest != (site.Digest{12}) {
		t.Errorf("the live one's manifest is %s, %v; want that of the pointer", e.Manifest.Short(), err)
	}
	if diff := cmp.Diff(s.Past(began, day)[1:], s.Live.History, cmpopts.IgnoreFields(release.Entry{}, "Gone")); diff != "" {
		t.Errorf("Past changed what it was made of (-got +want):\n%s", diff)
	}
}
