package invalidation

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestLimitsNamed(t *testing.T) {
	want := map[string]Limits{
		"cloudfront":        {Name: "cloudfront", PathsPerSecond: 150, WildcardsPerSecond: 1, Patience: 15},
		"cloudfront-legacy": {Name: "cloudfront-legacy", Paths: 3000, Wildcards: 15, Patience: 15},
		"none":              {Name: "none"},
	}
	for name, w := range want {
		if got, err := LimitsNamed(name); err != nil || got != w {
			t.Errorf("LimitsNamed(%q) = %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "aws", "None"} {
		if got, err := LimitsNamed(name); err == nil || got != (Limits{}) || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("LimitsNamed(%q) = %+v, %v", name, got, err)
		}
	}
}

// items are n paths, then w wildcards, then g tags.
func items(n, w, g int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("/p%d", i))
	}
	for i := range w {
		out = append(out, fmt.Sprintf("/w%d*", i))
	}
	for i := range g {
		out = append(out, fmt.Sprintf("#t%d*", i)) // a "*" in a tag means nothing
	}
	return out
}

func TestRequests(t *testing.T) {
	for _, tt := range []struct {
		name, limits string
		items        []string
		want         []string // for each request: how many items, then the pause in seconds, and a ! where it waits for all before
		seconds      float64
	}{
		{"nothing", "cloudfront", nil, nil, 0},
		{"one path", "cloudfront", items(1, 0, 0), []string{"1 0.007"}, 0},
		{"a second's worth", "cloudfront", items(150, 0, 0), []string{"150 1.000"}, 0},
		{"one more", "cloudfront", items(151, 0, 0), []string{"150 1.000", "1 0.007"}, 1},
		{"tags count as paths", "cloudfront", items(149, 0, 2), []string{"150 1.000", "1 0.007"}, 1},
		{"paths and a wildcard go together", "cloudfront", items(10, 1, 0), []string{"11 1.000"}, 0},
		{"one wildcard a request", "cloudfront", items(0, 3, 0), []string{"1 1.000", "1 1.000", "1 1.000"}, 2},
		{"what follows a wildcard goes with it", "cloudfront", items(2, 2, 2), []string{"3 1.000", "3 1.000"}, 1},
		{"1,000 paths", "cloudfront", items(1000, 0, 0), []string{"150 1.000", "150 1.000", "150 1.000", "150 1.000", "150 1.000", "150 1.000", "100 0.667"}, 6},
		{"legacy: all that may be in progress", "cloudfront-legacy", items(2985, 15, 0), []string{"3000 0.000"}, 0},
		{"legacy: a path too many", "cloudfront-legacy", items(3001, 0, 0), []string{"3000 0.000", "1 0.000!"}, 25},
		{"legacy: a wildcard too many", "cloudfront-legacy", items(5, 16, 0), []string{"20 0.000", "1 0.000!"}, 25},
		{"legacy: thrice", "cloudfront-legacy", items(0, 40, 0), []string{"15 0.000", "15 0.000!", "10 0.000!"}, 50},
		{"none: as large as a request may be", "none", items(2999, 1, 0), []string{"3000 0.000"}, 0},
		{"none: no pause in between", "none", items(3000, 4000, 0), []string{"3000 0.000", "3000 0.000", "1000 0.000"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := LimitsNamed(tt.limits)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range l.Requests(tt.items) {
				mark := ""
				if r.Drain {
					mark = "!"
				}
				got = append(got, fmt.Sprintf("%d %.3f%s", len(r.Items), r.Wait, mark))
			}
			if diff := cmp.Diff(got, tt.want, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("requests (-got +want):\n%s", diff)
			}
			if s := l.Seconds(tt.items); math.Abs(s-tt.seconds) > 1e-9 {
				t.Errorf("Seconds = %v, want %v", s, tt.seconds)
			}
		})
	}
}

// Whatever the limits, everything is sent once and in order, and nothing is
// sent that breaks them.
func TestRequestsKeepToTheLimits(t *testing.T) {
	item := rapid.SampledFrom([]string{"/a", "/b", "/c*", "#t", "#t*"})
	bound := rapid.SampledFrom([]int{0, 0, 1, 2, 3, 7})
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{
			PathsPerSecond: bound.Draw(t, "paths a second"), WildcardsPerSecond: bound.Draw(t, "wildcards a second"),
			Paths: bound.Draw(t, "paths"), Wildcards: bound.Draw(t, "wildcards"),
		}
		items := rapid.SliceOfN(item, 0, 40).Draw(t, "items")
		var all []string
		clock, paths, wild := 0.0, 0, 0 // in progress
		for i, r := range l.Requests(items) {
			if len(r.Items) == 0 || r.Drain && i == 0 {
				t.Fatalf("request %d is %+v", i, r)
			}
			if r.Drain {
				paths, wild = 0, 0
			}
			w := len(slices.DeleteFunc(slices.Clone(r.Items), func(s string) bool { return s != "/c*" }))
			paths, wild = paths+len(r.Items), wild+w
			if l.Paths > 0 && paths > l.Paths || l.Wildcards > 0 && wild > l.Wildcards {
				t.Fatalf("%d paths and %d wildcards are in progress under %+v", paths, wild, l)
			}
			if l.PathsPerSecond > 0 && (len(r.Items) > l.PathsPerSecond || r.Wait < float64(len(r.Items))/float64(l.PathsPerSecond)) {
				t.Fatalf("%d items and a pause of %v s under %+v", len(r.Items), r.Wait, l)
			}
			if l.WildcardsPerSecond > 0 && (w > l.WildcardsPerSecond || r.Wait < float64(w)/float64(l.WildcardsPerSecond)) {
				t.Fatalf("%d wildcards and a pause of %v s under %+v", w, r.Wait, l)
			}
			if clock += r.Wait; r.Wait > 1 {
				t.Fatalf("a pause of %v s", r.Wait)
			}
			all = append(all, r.Items...)
		}
		if !slices.Equal(all, items) {
			t.Fatalf("%v became %v", items, all)
		}
		if s := l.Seconds(items); l.Paths+l.Wildcards == 0 && (s > clock || s < 0) {
			t.Fatalf("Seconds = %v of %v", s, clock)
		}
	})
}
