package scan

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkFolder scans a site of 20,000 files of 4 KB in 2,000 folders: as a
// first scan with nothing remembered, again when nothing has been touched, and
// after a rebuild that made every file anew with the bytes that it had.
func BenchmarkFolder(b *testing.B) {
	dir := b.TempDir()
	site := filepath.Join(dir, "site")
	for i := range 20_000 {
		path := filepath.Join(site, fmt.Sprintf("posts/%d/%d/%d.html", i/1000, i/10, i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(fmt.Sprintf("%04096d", i)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	later := func() time.Time { return time.Now().Add(time.Minute) } // nothing is young
	cache := filepath.Join(dir, "cache", "hashes")
	scan := func(b *testing.B, opts Options) {
		opts.Now = later
		if _, err := listed(b.Context(), site, opts); err != nil {
			b.Fatal(err)
		}
	}
	touch := func(b *testing.B) {
		now := time.Now()
		if err := filepath.WalkDir(site, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				err = os.Chtimes(path, now, now)
			}
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		opts   Options
		before func(*testing.B)
	}{
		{"no cache", Options{}, nil},
		{"cold", Options{Cache: cache, Rehash: true}, nil},
		{"warm", Options{Cache: cache}, nil},
		{"new times", Options{Cache: cache}, touch},
	} {
		b.Run(tt.name, func(b *testing.B) {
			scan(b, Options{Cache: cache})
			b.ReportAllocs()
			var cpu time.Duration
			for b.Loop() {
				if tt.before != nil {
					b.StopTimer()
					tt.before(b)
					b.StartTimer()
				}
				began := cpuTime(b)
				scan(b, tt.opts)
				cpu += cpuTime(b) - began
			}
			b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpuTime is what the process has used so far: on a machine with other work, a
// better measure than the time on the wall.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
