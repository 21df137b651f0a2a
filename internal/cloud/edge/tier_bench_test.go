package edge

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// A hit in memory must cost the same with and without a disk tier; a hit on disk is one look-up and two reads more.
func BenchmarkHitTiers(b *testing.B) {
	for _, tt := range []struct {
		name    string
		disk    bool
		memory  int
		objects int
	}{
		{"memory alone", false, 64 << 20, 1},
		{"memory above disk", true, 64 << 20, 1},
		{"mostly disk", true, 1 << 20, 2000},
	} {
		for _, size := range []int{1 << 10, 20 << 10} {
			b.Run(fmt.Sprintf("%s %dKB", tt.name, size>>10), func(b *testing.B) {
				e := newBench(b, always(200, strings.Repeat("x", size), "Cache-Control: max-age=60"), func(_ *Config, o *Options) {
					o.MemoryBytes = tt.memory
					if tt.disk {
						o.Disk = Disk{Dir: b.TempDir(), Bytes: 1 << 30}
					}
				})
				for n := range tt.objects {
					e.get(fmt.Sprintf("/%d", n))
				}
				r := httptest.NewRequest("GET", "/0", nil)
				w := &sink{h: map[string][]string{}}
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					if tt.objects > 1 {
						r.RequestURI = fmt.Sprintf("/%d", n*7919%tt.objects)
					}
					clear(w.h)
					e.ServeHTTP(w, r)
				}
				if dropped := int(e.Stats().Disk.Dropped); e.origin.count() > tt.objects+dropped {
					b.Errorf("%d origin requests", e.origin.count())
				}
			})
		}
	}
}
