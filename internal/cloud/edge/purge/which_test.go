package purge

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestWhich(t *testing.T) {
	l := New(0)
	for _, batch := range [][]string{{"/a/b", "#red"}, {"/a*"}, {"/c"}, {"/c"}} {
		if _, err := l.Accept("Tags", batch); err != nil {
			t.Fatal(err)
		}
	}
	red := Tags("Tags", []string{"red"})
	for _, row := range []struct {
		name, uri string
		tags      []string
		since     Sequence
		want      Sequence
	}{
		{"nothing", "/x", nil, 0, 0},
		{"a prefix of later swallows the path", "/a/b", nil, 0, 2},
		{"the prefix", "/a/c", nil, 0, 2},
		{"a tag", "/x", red, 0, 1},
		{"a tag is older", "/a/c", red, 0, 1},
		{"a tag of before", "/a/c", red, 1, 2},
		{"again in one segment", "/c", nil, 0, 4},
		{"after the last", "/c", nil, 4, 0},
	} {
		if got := l.Which(row.uri, row.tags, row.since); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// Which names a batch exactly where Covered says yes, and it is one that covers the object.
func TestWhichAgreesWithCovered(t *testing.T) {
	item := rapid.SampledFrom([]string{"/a", "/a*", "/ab", "/abc*", "/b", "/*", "#t", "#u"})
	rapid.Check(t, func(t *rapid.T) {
		l := New(0)
		batches := rapid.SliceOfN(rapid.SliceOfN(item, 1, 3), 1, 8).Draw(t, "batches")
		sealed := rapid.SliceOfN(rapid.Bool(), len(batches), len(batches)).Draw(t, "sealed")
		for i, items := range batches {
			if _, err := l.Accept("Tags", items); err != nil {
				t.Fatal(err)
			}
			if sealed[i] {
				l.Seal()
			}
		}
		uri := rapid.SampledFrom([]string{"/a", "/ab", "/abc", "/abcd", "/b", "/c"}).Draw(t, "uri")
		tags := Tags("Tags", []string{rapid.SampledFrom([]string{"", "t", "u", "t,u"}).Draw(t, "tags")})
		since := Sequence(rapid.IntRange(0, len(batches)).Draw(t, "since"))
		covered, _ := l.Covered(uri, tags, since)
		which := l.Which(uri, tags, since)
		if covered != (which != 0) || which != 0 && which <= since {
			t.Fatalf("covered %v, by %d", covered, which)
		}
		if which == 0 {
			return
		}
		one := New(0)
		if _, err := one.Accept("Tags", batches[which-1]); err != nil {
			t.Fatal(err)
		}
		if alone, _ := one.Covered(uri, tags, 0); !alone {
			t.Fatalf("batch %d of %v does not cover %s", which, slices.Collect(slices.Values(batches)), uri)
		}
	})
}
