package scan

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/publish/scan/hashes"
	"github.com/freshet/freshet/internal/site"
)

// young is how old a file's stamps must be, when the reading of it begins, for
// the cache to believe them later. A file that was written less than a tick of
// the kernel's clock before it was read, and once more just after, has the same
// stamps both times and not the same bytes; git's documentation calls this
// "racily clean" (gitformat-index, racy-git). Two seconds are far more than any
// tick, for clocks that are being set.
const young = 2 * time.Second

// hasher fills in size, time and digest of files.
type hasher struct {
	*walker
	opts        Options
	old         *hashes.Reader
	new         *hashes.Writer
	quick       quick
	files, size atomic.Int64 // read, or known without
	fresh       atomic.Int64 // files that are not what old says
	failed      failures
}

// batchFiles is how many files one goroutine takes at a time, and inFlight how
// many such batches there are at once, so that one with large files in it does
// not hold the others up.
const (
	batchFiles = 64
	inFlight   = 128
)

// batch is a run of files.
type batch struct {
	first int // where files stand in the list
	files []File
	known []known // what is known of each
	ready chan struct{}
}

// known is a file's entry in the cache: the old one, if there is one, and then
// the new one.
type known struct {
	hashes.Entry
	ok bool
}

func newHasher(w *walker, opts Options) *hasher {
	h := &hasher{walker: w, opts: opts, old: &hashes.Reader{}}
	if !opts.Rehash {
		h.old = hashes.Open(opts.Cache)
	}
	header := hashes.Header{Device: w.device, Seed: h.old.Seed}
	if header.Seed == (hashes.Seed{}) {
		header.Seed = hashes.NewSeed()
	}
	if opts.Cache != "" {
		h.quick = newQuick(header.Seed)
	}
	h.new = hashes.Create(opts.Cache, header, opts.Now())
	return h
}

// all reads the files and writes the cache. The cache's entries come and go in
// the order of the files, one batch after the other.
func (h *hasher) all(files *Files) error {
	defer h.old.Close()
	defer h.new.Discard()
	h.run(files)
	if err := h.ctx.Err(); err != nil {
		return fmt.Errorf("read the site folder: %w", err)
	}
	if err := h.failed.join(); err != nil {
		return err
	}
	if h.fresh.Load() > 0 || h.old.Device != h.device || !h.old.Exact() {
		h.new.Commit()
	}
	return nil
}

// run hands batches to several goroutines and takes them back in order.
func (h *hasher) run(files *Files) {
	work := make(chan *batch, inFlight)
	var readers sync.WaitGroup
	for range h.opts.jobs() {
		readers.Go(func() {
			buf := make([]byte, pieceBytes)
			for b := range work {
				h.readAll(b, buf)
				b.ready <- struct{}{}
			}
		})
	}
	ring := make([]batch, inFlight) // the n-th batch is ring[n%inFlight]
	sent, kept := 0, 0
	size := min(batchFiles, files.Len()/(8*h.opts.jobs())+1)
	for first := 0; first < files.Len(); first += size {
		if sent-kept == inFlight {
			h.keep(&ring[kept%inFlight], files)
			kept++
		}
		b := &ring[sent%inFlight]
		h.recall(b, files, first, min(size, files.Len()-first))
		work <- b
		sent++
	}
	close(work)
	for ; kept < sent; kept++ {
		h.keep(&ring[kept%inFlight], files)
	}
	readers.Wait()
}

// recall takes n files from the first on, and looks up what is known of them.
func (h *hasher) recall(b *batch, files *Files, first, n int) {
	if b.ready == nil {
		b.files, b.known, b.ready = make([]File, n), make([]known, n), make(chan struct{}, 1)
	}
	b.first, b.files, b.known = first, b.files[:n], b.known[:n]
	for i := range b.files {
		b.files[i] = files.At(first + i)
		b.known[i].ok = h.old.Lookup(b.files[i].Key, &b.known[i].Entry)
	}
}

// keep waits until the files have been read, and remembers what came of it.
func (h *hasher) keep(b *batch, files *Files) {
	<-b.ready
	for i := range b.files {
		files.set(b.first+i, &b.files[i])
		if b.known[i].ok {
			h.new.Add(b.files[i].Key, &b.known[i].Entry)
		}
	}
}

// readAll reads the files of one batch. buf is of pieceBytes.
func (h *hasher) readAll(b *batch, buf []byte) {
	for i := range b.files {
		if h.ctx.Err() != nil {
			return // all says so
		}
		f, k := &b.files[i], &b.known[i]
		if err := h.file(f, k, buf); err != nil {
			k.ok = false
			h.failed.add(string(f.Key), err)
			continue
		}
		k.ok = true
		files, size := h.files.Add(1), h.size.Add(f.Size)
		if h.opts.Progress != nil {
			h.opts.Progress(int(files), size)
		}
	}
}

// file fills in f, and k if something about it is new.
//
// A file that has the device, inode, size, mtime and ctime that it had when it
// was last read has the same bytes: a write sets mtime and ctime (POSIX.1-2017,
// write), mtime can be set back and ctime cannot, another file has another
// inode, and a file that has got the inode of one that is gone, or another
// name, has a new ctime. The exceptions are kept out: stamps that were young
// when the file was read are not remembered, and neither are those of file
// systems that are not steady.
func (h *hasher) file(f *File, k *known, buf []byte) error {
	path := f.path()
	if k.ok && k.Changed != 0 && h.steady && h.old.Device == h.device {
		st, err := lstat(path)
		if err == nil && st == (stat{h.device, k.Inode, k.Size, k.Modified, k.Changed, 0}) {
			f.Size, f.modified, f.Digest = k.Size, k.Modified, k.Digest
			return nil
		}
	}
	h.fresh.Add(1)
	return h.read(path, f, k, buf)
}

// read hashes the file and notes what it was like. A file that changes in the
// meantime is an error.
func (h *hasher) read(path string, f *File, k *known, buf []byte) (err error) {
	began := h.now().UnixNano()
	file, err := openFile(path)
	if err != nil {
		return replaced(err)
	}
	defer func() { err = errors.Join(err, file.close()) }()
	before, err := file.stat()
	if err != nil {
		return err
	}
	if !before.mode.IsRegular() {
		return errNoFile
	}
	n, err := h.sum(file, before.size, k, buf)
	if err != nil {
		return err
	}
	after, err := file.stat()
	if err != nil {
		return err
	}
	if n != before.size || n != after.size || after.modified != before.modified {
		return fmt.Errorf("it changed while it was read; %s", onceMore)
	}
	f.Size, f.modified, f.Digest = n, before.modified, k.Digest
	k.Inode, k.Size, k.Modified, k.Changed = before.inode, n, before.modified, before.changed
	if !h.steady || before != after || before.device != h.device || began-max(before.modified, before.changed) < int64(young) {
		k.Changed = 0
	}
	return nil
}

// pieceBytes is how much of a file is read at a time. Quick depends on it.
const pieceBytes = 256 << 10

// sum reads the file, whose size is said to be size, and puts its sums into k.
// k may hold sums already, which are its own if the quick one is.
func (h *hasher) sum(file handle, size int64, k *known, buf []byte) (n int64, err error) {
	piece, err := h.piece(file, size, buf)
	if err != nil {
		return 0, err
	}
	if len(piece) == len(buf) {
		return h.sumLarge(file, size, k, buf)
	}
	quick := h.quick.of(piece)
	if !k.ok || !h.quick.known() || k.Size != int64(len(piece)) || k.Quick != quick {
		k.Digest = sha256.Sum256(piece)
	}
	k.Quick = quick
	return int64(len(piece)), nil
}

// sumLarge does the same for a file of which buf is full.
func (h *hasher) sumLarge(file handle, size int64, k *known, buf []byte) (n int64, err error) {
	if k.ok && h.quick.known() && k.Size == size {
		n, quick, err := h.pieces(file, size, buf, nil)
		if err != nil || quick == k.Quick {
			return n, err
		}
		if err := file.rewind(); err != nil {
			return 0, err
		}
		if _, err := h.piece(file, size, buf); err != nil {
			return 0, err
		}
	}
	sha := sha256.New()
	n, k.Quick, err = h.pieces(file, size, buf, sha)
	k.Digest = site.Digest(sha.Sum(nil))
	return n, err
}

// pieces sums up what is in buf and all that follows in the file. A large
// file's quick sum is the SHA-256, cut short, of those of its pieces.
func (h *hasher) pieces(file handle, size int64, buf []byte, sha hash.Hash) (n int64, quick hashes.Quick, err error) {
	all := sha256.New()
	for piece := buf; ; {
		if sha != nil {
			sha.Write(piece)
		}
		quick = h.quick.of(piece)
		all.Write(quick[:])
		if n += int64(len(piece)); len(piece) < len(buf) {
			return n, hashes.Quick(all.Sum(nil)), nil
		}
		if piece, err = h.piece(file, size-n, buf); err != nil {
			return n, quick, err
		}
	}
}

// piece fills buf from the file, of which rest bytes should be left. Less than
// a full buf is the end.
func (h *hasher) piece(file handle, rest int64, buf []byte) ([]byte, error) {
	n := 0
	for n < len(buf) {
		if err := h.ctx.Err(); err != nil {
			return nil, err
		}
		more, err := file.read(buf[n:])
		if err != nil {
			return nil, err
		}
		n += more
		if more == 0 || int64(n) == rest && n < len(buf) {
			break // what was written behind it meanwhile, the next stat shows
		}
	}
	return buf[:n], nil
}
