package disk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

func TestRoundTrip(t *testing.T) {
	r := newRig(t)
	fills := map[string]uint64{}
	for i, size := range []int{0, 1, 1000, blockSize - 1, blockSize, blockSize + 1, 3*blockSize + 7} {
		uri := fmt.Sprintf("/%d", i)
		fills[uri] = r.store(uri, size, "a", "b")
	}
	check := func(when string) {
		for uri, fill := range fills {
			for _, whole := range []int64{0, 1 << 20} { // as a stream, and at once
				if got := r.get(uri, whole); got != fill {
					t.Errorf("%s: %s: fill %d, want %d", when, uri, got, fill)
				}
			}
		}
	}
	check("at once")
	r.reopen()
	check("after a restart")
	r.kill(nil)
	check("after a kill")
	fills["/2"] = r.store("/2", 5)
	check("with one replaced")
	r.kill(nil)
	check("with one replaced, after a kill")
	r.Drop(Key{"/2", "v"}, r.fill)
	fills["/2"] = 0
	check("with one dropped")
	r.kill(nil)
	check("with one dropped, after a kill")
	if r.MaxFill() == 0 {
		t.Error("fill numbers begin anew")
	}
}

// Newer objects win, in whatever order they come.
func TestOrder(t *testing.T) {
	r := newRig(t)
	older, newer := r.item("/a", 10), r.item("/a", 20)
	r.Put(newer)
	r.Put(older)
	r.has("/a", newer.Fill)
	r.Add(older)
	r.has("/a", newer.Fill)
	if r.Drop(older.Key, older.Fill) {
		t.Error("dropped something newer")
	}
	r.has("/a", newer.Fill)
}

func TestQueue(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Queue = 1000 })
	r.appending.Lock() // the writer cannot write
	for i := range 5 {
		r.Add(r.item(fmt.Sprintf("/%d", i), 300))
	}
	for i, want := range []uint64{1, 2, 3, 0, 0} {
		r.has(fmt.Sprintf("/%d", i), want)
	}
	r.Add(r.item("/0", 100)) // has to wait, and goes: its queue is full, but the older one must not come back
	r.has("/0", 6)
	r.Drop(Key{"/1", "v"}, 2)
	r.has("/1", 0)
	r.appending.Unlock()
	r.reopen()
	for i, want := range []uint64{6, 0, 3, 0, 0} {
		r.has(fmt.Sprintf("/%d", i), want)
	}
}

func TestBudget(t *testing.T) {
	r := newRig(t)
	for i := range 400 {
		r.store(fmt.Sprintf("/%d", i), 5000+i)
		r.has("/7", map[bool]uint64{true: 8, false: 0}[i >= 7]) // asked for all the time, so it stays
		if n := r.diskBytes(); n > r.opts.Bytes {
			t.Fatalf("%d bytes on the disk, budget %d", n, r.opts.Bytes)
		}
	}
	s := r.Stats()
	if s.Evicted == 0 || s.Objects+s.Evicted != 400 || s.Bytes != r.diskBytes() {
		t.Errorf("stats %+v, %d bytes on the disk", s, r.diskBytes())
	}
	r.has("/399", 400)
	before := s.Objects
	r.reopen()
	if s := r.Stats(); s.Objects != before || s.Bytes != r.diskBytes() {
		t.Errorf("after a restart %+v, want %d objects and %d bytes", s, before, r.diskBytes())
	}
	r.store("/large", int(r.opts.Bytes))
	r.has("/large", 0)
}

// Replaced objects make room without anything that lives being lost.
func TestDeadBytesGoFirst(t *testing.T) {
	r := newRig(t)
	keep := r.store("/keep", 20000)
	for i := range 500 {
		r.store(fmt.Sprintf("/%d", i%5), 10000)
	}
	r.has("/keep", keep)
	if s := r.Stats(); s.Evicted != 0 || s.Objects != 6 {
		t.Errorf("stats %+v", s)
	}
}

func TestSweep(t *testing.T) {
	r := newRig(t)
	a, b := r.store("/a", 100), r.store("/b", 100, string(purge.Tags("tag", []string{"x"})[0]))
	c := r.store("/c", 100)
	r.accept("/a", "#x")
	r.sweep()
	if s := r.Stats(); s.Objects != 1 || s.Purged != 2 {
		t.Errorf("stats %+v", s)
	}
	r.has("/c", c)
	for _, restart := range []func(){r.reopen, func() { r.kill(nil) }} {
		restart()
		if r.log.Current() != 1 || r.log.Size().Items != 0 {
			t.Errorf("sequence %d with %+v, want 1 without items", r.log.Current(), r.log.Size())
		}
		r.has("/a", 0)
		r.has("/b", 0)
		r.has("/c", c)
	}
	_, _ = a, b
	r.accept("/*")
	r.sweep()
	if n := len(r.files("*.dat")); n > 0 {
		t.Errorf("%d slabs are left of nothing", n)
	}
}

// Whatever an accepted batch covers is covered after a kill, whether or not it was swept; the numbers go on.
func TestPurgeSurvives(t *testing.T) {
	r := newRig(t)
	r.store("/a", 10)
	b := r.store("/b", 10)
	r.accept("/a")
	r.kill(nil)
	r.has("/a", 0)
	r.has("/b", b)
	if r.log.Current() != 1 {
		t.Errorf("sequence %d, want 1", r.log.Current())
	}
	r.log.AcceptExact([]string{"/b*", "/b"})
	a := r.store("/a", 10)
	r.reopen()
	r.has("/a", a)
	r.has("/b", 0)
}

// The purge file stays small however many batches come, and what is in force stays so.
func TestPurgeFileIsRewritten(t *testing.T) {
	r := newRig(t)
	c := r.store("/c", 10)
	for i := range 6000 {
		r.journal.Record(purge.Batch{Sequence: purge.Sequence(i + 1), Items: []string{fmt.Sprintf("/no/such/page/with/a/long/name/at/all/%d", i)}})
	}
	if err := r.journal.Wait(6000); err != nil {
		t.Fatal(err)
	}
	r.log.Restore(6000, nil)
	r.journal.swept(5990)
	if got := r.journal.used(); got > 2000 {
		t.Errorf("%d bytes in use", got)
	}
	r.accept("/a")
	r.reopen()
	if r.log.Current() != 6001 || r.log.Size().Items != 11 {
		t.Errorf("sequence %d, %d items", r.log.Current(), r.log.Size().Items)
	}
	r.has("/c", c)
}

// A purge file that may have lost a batch makes everything covered.
func TestPurgeFileDamaged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(path string, b []byte) error
		keeps  bool
	}{
		{"whole", func(string, []byte) error { return nil }, true},
		{"missing", func(path string, _ []byte) error { return os.Remove(path) }, false},
		{"empty", func(path string, _ []byte) error { return os.Truncate(path, 0) }, false},
		{"cut", func(path string, b []byte) error { return os.Truncate(path, int64(len(b)-1)) }, false},
		{"cut in the batch", func(path string, _ []byte) error { return os.Truncate(path, int64(purgeHeader+10)) }, false},
		{"garbled batch", func(path string, b []byte) error { b[purgeHeader+12]++; return os.WriteFile(path, b, 0o600) }, false},
		{"garbled end", func(path string, b []byte) error { b[len(b)-1]++; return os.WriteFile(path, b, 0o600) }, false},
		{"garbled header", func(path string, b []byte) error { b[10]++; return os.WriteFile(path, b, 0o600) }, false},
		{"older than an object", func(path string, b []byte) error {
			clear(b[purgeHeader:])
			return os.WriteFile(path, b, 0o600)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.accept("/a")
			fill := r.store("/b", 10)
			r.kill(func(dir string) {
				path := filepath.Join(dir, purgeName)
				b, err := os.ReadFile(path)
				if err = errors.Join(err, tt.damage(path, b)); err != nil {
					t.Fatal(err)
				}
			})
			if !tt.keeps {
				fill = 0
			}
			r.has("/b", fill)
			if got := len(r.files("*.dat")); !tt.keeps && got > 0 {
				t.Errorf("%d slabs are left", got)
			}
			r.has("/c", 0)
			c := r.store("/c", 10)
			r.kill(nil)
			r.has("/c", c)
		})
	}
}

func TestLarge(t *testing.T) {
	r := newRig(t)
	for _, size := range []int{1, blockSize, 200_000} {
		r.fill++
		w, err := r.Create()
		if err != nil {
			t.Fatal(err)
		}
		for b := body(r.fill, size); len(b) > 0; {
			n, err := w.Write(b[:min(len(b), 7001)])
			if err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
		if err := w.Commit(Record{Key: Key{"/l", "v"}, Fill: r.fill, Meta: fmt.Appendf(nil, "%d %d", r.fill, size)}); err != nil {
			t.Fatal(err)
		}
		r.has("/l", r.fill)
		r.kill(nil)
		r.has("/l", r.fill)
	}
	r.renewed()
	w, err := r.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, r.opts.Bytes/2)); !errors.Is(err, errTooLarge) {
		t.Errorf("write half the budget: %v", err)
	}
	w.Abort()
	if s := r.Stats(); s.Bytes != r.diskBytes() || len(r.files(tempPrefix+"*")) > 0 {
		t.Errorf("stats %+v, %d bytes on the disk", s, r.diskBytes())
	}
	r.has("/l", r.fill)
}

// renewed gives /l, of 200,000 bytes, new metadata without writing its body again.
func (r *rig) renewed() {
	r.t.Helper()
	f := r.Get(Key{"/l", "v"}, 0)
	before := r.diskBytes()
	rec := f.Body.Stored()
	rec.Fill++
	r.fill++
	rec.Meta = fmt.Appendf(nil, "%d %d", r.fill, 200_000)
	if err := r.Renew(f.Body, rec); err != nil {
		r.t.Fatal(err)
	}
	if grown := r.diskBytes() - before; grown > 200 {
		r.t.Errorf("%d bytes written", grown)
	}
	for range 2 {
		again := r.Get(Key{"/l", "v"}, 0)
		if again == nil || again.Record.Fill != r.fill {
			r.t.Fatalf("found %+v, want fill %d", again, r.fill)
		}
		got, err := drain(again.Body.Reader(100_000))
		if err != nil || !bytes.Equal(got, body(r.fill-1, 200_000)[100_000:]) {
			r.t.Errorf("wrong bytes: %d, %v", len(got), err)
		}
		r.kill(nil)
	}
	r.fill++
	w, err := r.Create()
	if err == nil {
		_, err = w.Write(body(r.fill, 3))
	}
	if err = errors.Join(err, w.Commit(Record{Key: Key{"/l", "v"}, Fill: r.fill, Meta: fmt.Appendf(nil, "%d 3", r.fill)})); err != nil {
		r.t.Fatal(err)
	}
}

// A body that is being read stays readable when its slab goes.
func TestReadWhileEvicted(t *testing.T) {
	r := newRig(t)
	fill := r.store("/a", 200_000)
	f := r.Get(Key{"/a", "v"}, 0)
	from := f.Body.Reader(0)
	if _, err := from.Next(); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		r.store(fmt.Sprintf("/%d", i), 100_000)
	}
	rest, err := drain(from)
	if err != nil || !bytes.Equal(rest, body(fill, 200_000)[blockSize:]) {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
}

func TestOneProcess(t *testing.T) {
	r := newRig(t)
	if _, err := Open(r.opts, purge.New(0)); err == nil {
		t.Error("a second store opens the folder")
	}
	if _, err := Open(Options{Dir: t.TempDir(), Bytes: 10}, purge.New(0)); !errors.Is(err, ErrOptions) {
		t.Errorf("budget of 10 bytes: %v", err)
	}
}
