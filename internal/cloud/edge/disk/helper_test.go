package disk

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a store in a folder of the test's own, with its purge log.
type rig struct {
	*Store
	t    testing.TB
	opts Options
	log  *purge.Log
	fill uint64
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	r := &rig{t: t, opts: Options{Dir: t.TempDir(), Bytes: 1 << 20}}
	for _, c := range change {
		c(&r.opts)
	}
	r.open()
	t.Cleanup(r.stop)
	return r
}

func (r *rig) open() {
	r.t.Helper()
	r.log = purge.New(0)
	s, err := Open(r.opts, r.log)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s
	r.fill = max(r.fill, s.MaxFill())
}

func (r *rig) stop() {
	if r.Store == nil {
		return
	}
	if err := r.Close(); err != nil && !r.off {
		r.t.Error(err)
	}
	r.Store = nil
}

func (r *rig) reopen() {
	r.t.Helper()
	r.stop()
	r.open()
}

// kill goes on from a copy of the folder as it is now, as after kill -9: what is not in a file is gone. Damage may alter the copy first.
func (r *rig) kill(damage func(dir string)) {
	r.t.Helper()
	to := r.t.TempDir()
	_ = r.bury() // or a file might go while it is copied
	if err := os.CopyFS(to, os.DirFS(r.opts.Dir)); err != nil {
		r.t.Fatal(err)
	}
	r.stop()
	if damage != nil {
		damage(to)
	}
	r.opts.Dir = to
	r.open()
}

// body is a body that no other fill has.
func body(fill uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(fill), byte(fill >> 8), byte(fill >> 16)}).Read(b)
	return b
}

func (r *rig) item(uri string, size int, tags ...string) *Item {
	r.fill++
	fill, now := r.fill, r.log.Current()
	return &Item{Key: Key{uri, "v"}, Fill: fill, Size: size, Value: fill, Encode: func() (Record, []byte) {
		return Record{Key: Key{uri, "v"}, Tags: tags, Fill: fill, Checked: now, Meta: fmt.Appendf(nil, "%d %d", fill, size)}, body(fill, size)
	}}
}

// store puts one object and returns its fill number.
func (r *rig) store(uri string, size int, tags ...string) uint64 {
	r.Put(r.item(uri, size, tags...))
	return r.fill
}

// has checks that the object under uri is the one with this fill number, byte for byte; 0 for none. What the purge log covers counts as none.
func (r *rig) has(uri string, fill uint64) {
	r.t.Helper()
	if got := r.get(uri, 100<<10); got != fill {
		r.t.Errorf("%s: found fill %d, want %d", uri, got, fill)
	}
}

// get returns the fill number of the object under uri; 0 for none. It fails on wrong bytes.
func (r *rig) get(uri string, whole int64) uint64 {
	r.t.Helper()
	f := r.Get(Key{uri, "v"}, whole)
	if f == nil {
		return 0
	}
	if f.Waiting != nil {
		return f.Waiting.(uint64)
	}
	rec := f.Record
	if covered, _ := r.log.Covered(uri, rec.Tags, rec.Checked); covered {
		return 0
	}
	var fill uint64
	var size int
	if _, err := fmt.Sscan(string(rec.Meta), &fill, &size); err != nil || fill != rec.Fill || rec.Key != (Key{uri, "v"}) {
		r.t.Errorf("%s: record %+v, %v", uri, rec, err)
	}
	got := f.Whole
	if f.Body != nil {
		var err error
		if got, err = drain(f.Body.Reader(0)); err != nil {
			return 0
		}
	}
	if !bytes.Equal(got, body(fill, size)) {
		r.t.Errorf("%s: wrong bytes: %d, want %d", uri, len(got), size)
	}
	return fill
}

func drain(from *Reader) ([]byte, error) {
	var all []byte
	for {
		p, err := from.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, p...)
	}
}

func (r *rig) accept(items ...string) {
	r.t.Helper()
	if _, err := r.log.Accept("tag", items); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) sweep() {
	r.t.Helper()
	r.log.Seal()
	upTo := r.log.Current()
	if err := r.Sweep(r.t.Context(), upTo); err != nil {
		r.t.Fatal(err)
	}
	r.log.Forget(upTo)
}

// files returns the paths in the folder that match a pattern, sorted.
func (r *rig) files(pattern string) []string {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(r.opts.Dir, pattern))
	if err != nil {
		r.t.Fatal(err)
	}
	return names
}

// diskBytes is what the slabs take on the disk.
func (r *rig) diskBytes() int64 {
	total := int64(0)
	for _, pattern := range []string{"*.dat", "*.idx", tempPrefix + "*"} {
		for _, name := range r.files(pattern) {
			info, err := os.Stat(name)
			if err != nil {
				r.t.Fatal(err)
			}
			total += info.Size()
		}
	}
	return total
}
