package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Random fills, look-ups, drops, invalidations, sweeps, restarts and kills against a model.
// Nothing that a completed invalidation covers may come back, nothing older than what was put last, no wrong bytes;
// nothing may be lost as long as the budget suffices and no file was damaged.
func TestModel(t *testing.T) {
	uris := []string{"/a", "/a/b", "/b", "/c"}
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, func(o *Options) { o.Bytes = 4 << 20 })
		defer r.stop()
		want := map[string]uint64{}
		lossy := false // a file was damaged: objects may be gone, and stay so
		check := func(uri string) {
			got := r.get(uri, int64(rapid.SampledFrom([]int{0, 1 << 20}).Draw(rt, "whole")))
			if got != want[uri] && !(lossy && got == 0) {
				rt.Fatalf("%s: found fill %d, want %d (lossy: %v)", uri, got, want[uri], lossy)
			}
			want[uri] = got
		}
		for range rapid.IntRange(3, 25).Draw(rt, "steps") {
			uri := rapid.SampledFrom(uris).Draw(rt, "uri")
			switch step := rapid.SampledFrom([]string{"put", "put", "get", "drop", "purge", "sweep", "restart", "kill", "cut"}).Draw(rt, "step"); step {
			case "put":
				want[uri] = r.store(uri, rapid.SampledFrom([]int{0, 9, 500, 70_000}).Draw(rt, "size"))
			case "get":
				check(uri)
			case "drop":
				r.Drop(Key{uri, "v"}, r.fill)
				delete(want, uri)
			case "purge":
				item := rapid.SampledFrom([]string{"/a", "/a*", "/b", "/*", "/no"}).Draw(rt, "item")
				r.accept(item)
				for uri := range want {
					if p, isPrefix := strings.CutSuffix(item, "*"); uri == item || isPrefix && strings.HasPrefix(uri, p) {
						delete(want, uri)
					}
				}
			case "sweep":
				r.sweep()
			case "restart":
				r.reopen()
			default:
				r.kill(func(dir string) {
					if step == "cut" {
						lossy = true
						cutTail(rt, dir)
					}
				})
			}
		}
		for _, uri := range uris {
			check(uri)
		}
	})
}

// cutTail cuts or garbles the end of one file.
func cutTail(rt *rapid.T, dir string) {
	var names []string
	for _, pattern := range []string{"*.dat", "*.idx", purgeName} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		names = append(names, found...)
	}
	name := rapid.SampledFrom(names).Draw(rt, "file")
	b, err := os.ReadFile(name)
	if err != nil {
		rt.Fatal(err)
	}
	n := min(len(b), 1<<rapid.IntRange(0, 17).Draw(rt, "tail"))
	if rapid.Bool().Draw(rt, "garble") {
		for i := range n {
			b[len(b)-1-i] ^= byte(i*7 + 1)
		}
	} else {
		b = b[:len(b)-n]
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		rt.Fatal(fmt.Errorf("damage %s: %w", name, err))
	}
}
