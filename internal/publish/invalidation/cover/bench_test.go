package cover

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// blog makes the objects of a blog-like site of n objects, of which changed
// pages spread over the whole site have changed.
func blog(n, changed int) Problem {
	r := rand.New(rand.NewPCG(1, 2))
	pick := map[int]bool{}
	for len(pick) < changed {
		pick[r.IntN(n)] = true
	}
	var p Problem
	for i := range n {
		url := fmt.Sprintf("/posts/%d/%02d/a-title-of-some-words-%d/index.html", 2000+i%27, 1+i%12, i)
		if i%3 == 0 {
			url = fmt.Sprintf("/images/%d/photo-%d.jpg", i%100, i)
		}
		switch {
		case pick[i]:
			p.Changed = append(p.Changed, Changed{Forms: formsOf(url), Class: Class(1 + i%2)})
		default:
			p.Untouched = append(p.Untouched, Untouched{URL: url, Class: Class(1 + i%2), Bytes: 17000})
		}
	}
	slices.SortFunc(p.Untouched, func(a, b Untouched) int {
		if a.URL < b.URL {
			return -1
		}
		return 1
	})
	return p
}

func BenchmarkSolve(b *testing.B) {
	for _, size := range []struct{ live, changed int }{
		{1_000, 31}, {10_000, 100}, {20_000, 175}, {100_000, 1_000}, {1_000_000, 10_000},
	} {
		p := blog(size.live, size.changed)
		for _, v := range []struct {
			name             string
			policy           Policy
			paths, wildcards int
			tags             bool
		}{
			{"balanced", Balanced, 0, 0, false},
			{"balanced,wildcards=30", Balanced, 0, 30, false},
			{"balanced,tags", Balanced, 0, 30, true},
			{"exact", Exact, 0, 0, false},
			{"frugal", Frugal, 0, 0, false},
			{"exact,paths=1000", Exact, 1000, 0, false},
		} {
			b.Run(fmt.Sprintf("live=%d/changed=%d/%s", size.live, size.changed, v.name), func(b *testing.B) {
				b.ReportAllocs()
				q := p
				q.Policy, q.MaxPaths, q.MaxWildcards, q.Tags = v.policy, v.paths, v.wildcards, v.tags
				for b.Loop() {
					s, err := Solve(q)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(s.Paths), "items")
					b.ReportMetric(float64(s.Drops), "dropped")
				}
			})
		}
	}
}
