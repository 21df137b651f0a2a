package tenants

import (
	"context"
	"fmt"
	"testing"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// What the way to a distribution costs a plain hit, beside that hit at its edge alone.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1, 100} {
		r := newRig(b, Options{})
		for i := range n {
			if err := r.Configure(context.Background(), fmt.Sprint("E", i), config(fmt.Sprint("o", i), fmt.Sprintf("site%d.example", i))); err != nil {
				b.Fatal(err)
			}
		}
		r.want("site0.example", "/", 200, "")
		rq, resp := &front.Request{Target: []byte("/"), Host: []byte("site0.example")}, &front.Response{}
		for _, by := range []struct {
			name string
			hit  func(*front.Request, *front.Response) bool
		}{{"edge", r.Edge("E0").Hit}, {"tenants", r.Hit}} {
			b.Run(fmt.Sprintf("%d/%s", n, by.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					resp.Head = resp.Head[:0]
					if !by.hit(rq, resp) {
						b.Fatal("no hit")
					}
				}
			})
		}
	}
}
