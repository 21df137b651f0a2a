package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
)

// Storing and reading back in slabs, beside a file an object in 256 folders.
func BenchmarkLayout(b *testing.B) {
	for _, size := range []int{1 << 10, 20 << 10, 200 << 10} {
		data := body(1, size)
		b.Run(fmt.Sprintf("slabs put %dKB", size>>10), func(b *testing.B) {
			r := newRig(b, func(o *Options) { o.Bytes = 1 << 30 })
			for n := 0; b.Loop(); n++ {
				it := r.item(fmt.Sprintf("/%d", n%2000), size)
				it.Encode = func() (Record, []byte) { return Record{Key: it.Key, Fill: it.Fill, Meta: make([]byte, 300)}, data }
				r.Put(it)
			}
		})
		b.Run(fmt.Sprintf("files put %dKB", size>>10), func(b *testing.B) {
			dir := folders(b)
			for n := 0; b.Loop(); n++ {
				path := filePath(dir, n%2000)
				if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
					b.Fatal(err)
				}
				if err := os.Rename(path+".tmp", path); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("slabs get %dKB", size>>10), func(b *testing.B) {
			r := newRig(b, func(o *Options) { o.Bytes = 1 << 30 })
			for n := range 2000 {
				r.store(fmt.Sprintf("/%d", n), size)
			}
			for n := 0; b.Loop(); n++ {
				if r.Get(Key{fmt.Sprintf("/%d", n%2000), "v"}, 1<<20) == nil {
					b.Fatal("gone")
				}
			}
		})
		b.Run(fmt.Sprintf("files get %dKB", size>>10), func(b *testing.B) {
			dir := folders(b)
			for n := range 2000 {
				if err := os.WriteFile(filePath(dir, n), data, 0o600); err != nil {
					b.Fatal(err)
				}
			}
			for n := 0; b.Loop(); n++ {
				if _, err := os.ReadFile(filePath(dir, n%2000)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func folders(b *testing.B) string {
	dir := b.TempDir()
	for n := range 256 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("%02x", n)), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func filePath(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("%02x", n%256), fmt.Sprintf("%016x", n))
}

// What an accepted batch costs when it has to be on the disk, alone and with others.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			r := newRig(b)
			var n atomic.Int64
			b.SetParallelism(callers / runtime.GOMAXPROCS(0))
			if callers == 1 {
				for b.Loop() {
					r.accept(fmt.Sprintf("/%d", n.Add(1)))
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := r.log.Accept("", []string{fmt.Sprintf("/%d", n.Add(1))}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// A restart and a sweep over many small objects, and the memory that each takes.
func BenchmarkManyObjects(b *testing.B) {
	const objects = 200_000
	r := newRig(b, func(o *Options) { o.Bytes = 1 << 30 })
	meta := make([]byte, 300)
	for n := range objects {
		it := r.item(fmt.Sprintf("/posts/2026/some-page-of-usual-length/%d/index.html", n), 1000)
		it.Encode = func() (Record, []byte) { return Record{Key: it.Key, Fill: it.Fill, Meta: meta}, meta }
		r.Put(it)
	}
	b.Run("restart", func(b *testing.B) {
		for b.Loop() {
			r.stop()
			r.log = nil // it knows the old store
			before := heap()
			r.open()
			b.ReportMetric(float64(heap()-before)/objects, "heap-B/object")
		}
		if s := r.Stats(); s.Objects != objects {
			b.Errorf("%+v", s)
		}
	})
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			r.accept("/nothing/here/*")
			r.log.Seal()
			upTo := r.log.Current()
			if err := r.Sweep(b.Context(), upTo); err != nil {
				b.Fatal(err)
			}
			r.log.Forget(upTo)
		}
	})
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
