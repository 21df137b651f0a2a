package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// faults are a disk's failures, switched on and off.
type faults struct {
	full   atomic.Bool // writes take half and fail, except to the purge file
	noSync atomic.Bool // syncs of the purge file fail
}

type faultyFile struct {
	file
	name string
	f    *faults
}

func (x faultyFile) WriteAt(p []byte, at int64) (int, error) {
	if x.f.full.Load() && !strings.HasSuffix(x.name, purgeName) && len(p) > 1 {
		n, _ := x.file.WriteAt(p[:len(p)/2], at)
		return n, syscall.ENOSPC
	}
	return x.file.WriteAt(p, at)
}

func (x faultyFile) Sync() error {
	if x.f.noSync.Load() {
		return syscall.EIO
	}
	return x.file.Sync()
}

func (f *faults) install(o *Options) {
	o.open = func(path string, fresh bool) (file, error) {
		under, err := openFile(path, fresh)
		if err != nil {
			return nil, err
		}
		return faultyFile{under, path, f}, nil
	}
}

func TestDiskFull(t *testing.T) {
	var f faults
	r := newRig(t, f.install)
	a := r.store("/a", 1000)
	f.full.Store(true)
	r.store("/b", 1000)
	r.store("/a", 2000)
	w, err := r.Create()
	if err == nil {
		_, err = w.Write(make([]byte, 3*blockSize))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("large body on a full disk: %v", err)
	}
	if err := w.Commit(Record{Key: Key{"/c", "v"}, Fill: 99}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("commit on a full disk: %v", err)
	}
	for _, uri := range []string{"/a", "/b", "/c"} { // the old /a must not come back for the new one
		r.has(uri, 0)
	}
	f.full.Store(false)
	b := r.store("/b", 1000)
	r.kill(nil)
	r.has("/a", 0)
	r.has("/b", b)
	if s := r.Stats(); s.Bytes != r.diskBytes() || s.Objects != 1 {
		t.Errorf("stats %+v, %d bytes on the disk", s, r.diskBytes())
	}
	_ = a
}

// Where an accepted batch cannot be kept, the tier goes, so that nothing that the batch covers can come back.
func TestPurgeFileCannotBeWritten(t *testing.T) {
	var f faults
	r := newRig(t, f.install)
	r.store("/a", 10)
	f.noSync.Store(true)
	r.accept("/a")
	r.accept("/b")
	r.store("/b", 10)
	r.has("/b", 0)
	if s := r.Stats(); !s.Off || s.Objects != 0 {
		t.Errorf("stats %+v", s)
	}
	f.noSync.Store(false)
	if err := r.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
	r.open()
	r.has("/a", 0)
	c := r.store("/c", 10)
	r.reopen()
	r.has("/c", c)
}

// If the purge file can be neither written nor removed, Accept says so.
func TestPurgeFileStuck(t *testing.T) {
	var f faults
	r := newRig(t, f.install)
	f.noSync.Store(true)
	path := filepath.Join(r.opts.Dir, purgeName)
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "in the way"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.log.Accept("", []string{"/a"}); err == nil {
		t.Error("accepted what a restart forgets")
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	r.Store = nil
}

// A byte that changes anywhere costs an object at most; it is never served.
func TestDamagedSlab(t *testing.T) {
	for _, ext := range []string{"dat", "idx"} {
		t.Run(ext, func(t *testing.T) {
			r := newRig(t)
			fills := []uint64{r.store("/a", 90_000), r.store("/b", 3000), r.store("/c", 1)}
			name := r.files("*." + ext)[0]
			whole, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at < len(whole); at += 1 + len(whole)/40 {
				broken := bytes.Clone(whole)
				broken[at] ^= 0x41
				if err := os.WriteFile(name, broken, 0o600); err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(r.opts.Dir)); err != nil {
					t.Fatal(err)
				}
				other := &rig{t: t, opts: Options{Dir: dir, Bytes: 1 << 20}}
				other.open()
				gone := 0
				for i, uri := range []string{"/a", "/b", "/c"} {
					switch other.get(uri, 0) {
					case 0:
						gone++
					case fills[i]:
					default:
						t.Errorf("byte %d: %s is another object", at, uri)
					}
				}
				if ext == "dat" && gone != 1 {
					t.Errorf("byte %d: %d objects are gone, want 1", at, gone)
				}
				other.stop()
			}
		})
	}
}

func FuzzDecodeHead(f *testing.F) {
	h := head{Record: Record{Key: Key{"/a?b", "v"}, Tags: []string{"t"}, Fill: 3, Checked: 4, Meta: []byte("m")}, at: 5, size: 6, serial: 7}
	f.Add(h.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHead(b)
		if err != nil {
			return
		}
		again, err := decodeHead(h.encode())
		if err != nil || again.Key != h.Key || again.at != h.at || again.size != h.size || !bytes.Equal(again.Meta, h.Meta) {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
	})
}

func FuzzDecodePurges(f *testing.F) {
	frame := appendFrame(nil, purgeSalt, encodeBatch(purge.Batch{Sequence: 5, Scope: "s", Items: []string{"/a*", "#t"}}))
	at := appendFrame(nil, purgeSalt, encodeBatch(purge.Batch{Sequence: 6, Position: 40, Items: []string{"/b"}}))
	reached := appendFrame(nil, purgeSalt, encodeReached(41))
	f.Add(frame, uint64(4))
	f.Add(slices.Concat(frame, at, reached), uint64(4))
	f.Add(slices.Concat(reached, at), uint64(4))
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, frames []byte, floor uint64) {
		b := appendFrame([]byte(purgeMagic), purgeSalt, []byte{byte(floor), 0, 0, 0, 0, 0, 0, 0})
		b = append(b, frames...)
		b = append(b, make([]byte, roundUp(int64(len(b)))-int64(len(b)))...)
		for _, b := range [][]byte{b, frames, append([]byte(purgeMagic1), b[len(purgeMagic):]...)} {
			p, err := decodePurges(b)
			if err != nil {
				continue
			}
			if p.old && p.reached != 0 {
				t.Errorf("a position in form 1: %+v", p)
			}
			last, position := p.floor, uint64(0)
			for _, batch := range p.batches {
				if batch.Sequence <= last || batch.Sequence > p.newest {
					t.Errorf("batches out of order: %+v", p)
				}
				last = batch.Sequence
				if batch.Position != 0 && (batch.Position < position || batch.Position > p.reached) {
					t.Errorf("positions out of order: %+v", p)
				}
				position = max(position, batch.Position)
			}
		}
	})
}

// FuzzWalk has an index file of any bytes read.
func FuzzWalk(f *testing.F) {
	h := head{Record: Record{Key: Key{"/a", ""}, Fill: 1}, size: 10}
	b := append([]byte(slabMagic), 1, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, live)
	f.Add(appendFrame(b, 1, h.encode()))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &slab{id: 1, idx: memFile{bytes.NewReader(b)}}
		at := int64(slabHeader)
		s.walk(int64(len(b)), func(p placed) bool {
			if p.place != at || p.place+p.length > int64(len(b)) {
				t.Errorf("head at %d of %d bytes, want at %d, in a file of %d", p.place, p.length, at, len(b))
			}
			at += p.length
			return true
		})
	})
}

type memFile struct{ *bytes.Reader }

func (memFile) WriteAt([]byte, int64) (int, error) { return 0, errOff }
func (memFile) Sync() error                        { return nil }
func (memFile) Close() error                       { return nil }
