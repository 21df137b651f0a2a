package edge

import (
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// What the engine itself costs on a hit, beside reading the request and writing the answer.
func BenchmarkFrontHit(b *testing.B) {
	for _, fields := range [][]front.Field{
		{{Name: []byte("User-Agent"), Value: []byte("bench")}},
		{{Name: []byte("User-Agent"), Value: []byte("bench")}, {Name: []byte("Accept-Encoding"), Value: []byte("gzip, deflate, br")}},
	} {
		b.Run(string(fields[len(fields)-1].Name), func(b *testing.B) {
			e := newBench(b, always(200, strings.Repeat("x", 1<<10), `Etag: "1"`, "Cache-Control: max-age=60"), policy(CachingOptimized()))
			e.get("/posts/index.html")
			e.get("/posts/index.html", "Accept-Encoding: gzip, br")
			rq := front.Request{Target: []byte("/posts/index.html"), Host: []byte("example"), Fields: fields}
			var resp front.Response
			b.ReportAllocs()
			for b.Loop() {
				resp.Head = resp.Head[:0]
				if !e.Hit(&rq, &resp) {
					b.Fatal("no hit")
				}
				resp.Receipt.Sent(&rq, &resp, int64(len(resp.Body)), nil)
			}
		})
	}
}
