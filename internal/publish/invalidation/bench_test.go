package invalidation

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/freshet/freshet/internal/site"
)

// blog makes the URLs of a site of n objects, of which changed pages spread
// over the whole site have changed; all carry tags.
func blog(n, changed int) Problem {
	r := rand.New(rand.NewPCG(1, 2))
	pick := map[int]bool{}
	for len(pick) < changed {
		if i := r.IntN(n); i%3 != 0 {
			pick[i] = true
		}
	}
	var p Problem
	for i := range n {
		folder := fmt.Sprintf("/posts/%d/%02d/a-title-of-some-words-%d", 2000+i%27, 1+i%12, i)
		forms, kind := []string{folder, folder + "/", folder + "/index.html"}, site.KindPage
		if i%3 == 0 {
			forms, kind = []string{fmt.Sprintf("/images/%d/photo-%d.jpg", i%100, i)}, site.KindAsset
		}
		key := site.Key(forms[len(forms)-1][1:])
		if !pick[i] {
			forms = forms[len(forms)-1:]
		}
		for _, f := range forms {
			u := URL{Path: site.URLPath(f), Object: key, Size: 17000, Why: "index.html", Kind: kind}
			if pick[i] {
				p.Changed = append(p.Changed, u)
			} else {
				p.Untouched = append(p.Untouched, u)
			}
		}
	}
	p.Untouched = inOrder(p.Untouched) // as a plan lists them
	return p
}

// BenchmarkChoose is held to 20 ms for 20,000 live objects with 175 changed,
// and to 2 s and 1 GB for 1,000,000 with 10,000.
func BenchmarkChoose(b *testing.B) {
	for _, size := range []struct{ live, changed int }{{1_000, 31}, {20_000, 175}, {1_000_000, 10_000}} {
		p := blog(size.live, size.changed)
		for _, v := range []struct {
			name   string
			policy Policy
			share  int
			limits string
			tags   bool
		}{
			{"exact", PolicyExact, -1, "cloudfront", false},
			{"balanced", PolicyBalanced, -1, "cloudfront", false},
			{"balanced,share=100", PolicyBalanced, 100, "cloudfront", false},
			{"balanced,share=500", PolicyBalanced, 500, "cloudfront", false},
			{"balanced,share=500,none", PolicyBalanced, 500, "none", false},
			{"balanced,share=500,tags", PolicyBalanced, 500, "cloudfront", true},
			{"frugal", PolicyFrugal, -1, "cloudfront", false},
		} {
			b.Run(fmt.Sprintf("live=%d/changed=%d/%s", size.live, size.changed, v.name), func(b *testing.B) {
				q := p
				q.Policy, q.Share = v.policy, v.share
				q.Limits, _ = LimitsNamed(v.limits)
				if !v.tags {
					q.Changed, q.Untouched = untagged(p.Changed), untagged(p.Untouched)
				}
				b.ReportAllocs()
				for b.Loop() {
					c, err := Choose(q)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(len(c.Items)), "items")
					b.ReportMetric(float64(c.Drops), "dropped")
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapSys)/1e6, "heapMB")
			})
		}
	}
}

func untagged(urls []URL) []URL {
	out := slices.Clone(urls)
	for i := range out {
		out[i].Kind = ""
	}
	return out
}
