package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// file is what a slab needs of a file. Tests put failing ones in place.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Close() error
}

// opener opens or makes a file. Fresh means that it must not exist.
type opener func(path string, fresh bool) (file, error)

func openFile(path string, fresh bool) (file, error) {
	flag := os.O_RDWR
	if fresh {
		flag |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return f, nil
}

// slab is a pair of files: bodies and heads. What is written is never changed, but for the states of heads.
type slab struct {
	id   uint32
	dir  string
	data file
	idx  file

	dataEnd int64 // guarded by Store.appending; fixed once another slab is current
	idxEnd  int64 // the same

	// guarded by Store.mu
	bytes     int64 // that count against the budget
	liveBytes int64 // of bodies and heads that count
	objects   int   // index entries that point here
	leaving   bool  // its files are unlinked
	refs      int   // readers, and one for the store itself
	dirty     bool  // states have changed since the last sync
}

// slabMagic begins each index file; the slab's number follows.
const (
	slabMagic  = "FRESHIX1"
	slabHeader = len(slabMagic) + 8
)

func slabPath(dir string, id uint32, ext string) string {
	return filepath.Join(dir, fmt.Sprintf("%08x.%s", id, ext))
}

// makeSlab makes an empty slab, whose data file is new or, given one, data.
func makeSlab(open opener, dir string, id uint32, data file) (*slab, error) {
	s := &slab{id: id, dir: dir, data: data, refs: 1}
	var err error
	if s.data == nil {
		if s.data, err = open(slabPath(dir, id, "dat"), true); err != nil {
			return nil, err
		}
	}
	if s.idx, err = open(slabPath(dir, id, "idx"), true); err != nil {
		return nil, errors.Join(err, s.data.Close(), os.Remove(slabPath(dir, id, "dat")))
	}
	header := binary.LittleEndian.AppendUint64([]byte(slabMagic), uint64(id))
	if _, err := s.idx.WriteAt(header, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("write slab header: %w", err), s.close(), s.remove())
	}
	s.idxEnd = int64(len(header))
	return s, nil
}

// openSlab opens a slab that an earlier process made.
func openSlab(open opener, dir string, id uint32) (*slab, error) {
	s := &slab{id: id, dir: dir, refs: 1}
	var err error
	if s.data, err = open(slabPath(dir, id, "dat"), false); err != nil {
		return nil, err
	}
	if s.idx, err = open(slabPath(dir, id, "idx"), false); err != nil {
		return nil, errors.Join(err, s.data.Close())
	}
	for _, f := range []struct {
		ext string
		end *int64
	}{{"dat", &s.dataEnd}, {"idx", &s.idxEnd}} {
		info, err := os.Stat(slabPath(dir, id, f.ext))
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		*f.end = info.Size()
	}
	return s, nil
}

func (s *slab) close() error {
	return errors.Join(s.data.Close(), s.idx.Close())
}

// remove unlinks the files. Readers that have them open go on.
func (s *slab) remove() error {
	var failed []error
	for _, ext := range []string{"idx", "dat"} { // the index first: bodies without heads are no objects
		if err := os.Remove(slabPath(s.dir, s.id, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// appendHead writes a live head at the end of the index file, and returns its place and length.
func (s *slab) appendHead(h *head) (at, size int64, err error) {
	b := appendFrame([]byte{live}, uint64(s.id), h.encode())
	if len(b) > maxFrame {
		return 0, 0, fmt.Errorf("write head of %d bytes: %w", len(b), errTooLarge)
	}
	if _, err := s.idx.WriteAt(b, s.idxEnd); err != nil {
		return 0, 0, fmt.Errorf("write head: %w", err)
	}
	at = s.idxEnd
	s.idxEnd += int64(len(b))
	return at, int64(len(b)), nil
}

// readHead reads the head at a place of the index file.
func (s *slab) readHead(at, size int64) (head, error) {
	b := make([]byte, size)
	if _, err := s.idx.ReadAt(b, at); err != nil {
		return head{}, fmt.Errorf("read head: %w", err)
	}
	payload, rest, err := cutFrame(b[stateSize:], uint64(s.id))
	if err != nil || len(rest) > 0 {
		return head{}, fmt.Errorf("read head: %w", errDamaged)
	}
	return decodeHead(payload)
}

// placed is a head and where it stands. A dead head has nothing but its place.
type placed struct {
	head
	place, length int64 // in the index file
	live          bool
}

// walkWindow is how much of an index file is read at once, in bytes.
const walkWindow = 256 << 10

// walk yields the heads up to end in the order in which they were written. It ends at the first that is not sound.
func (s *slab) walk(end int64, yield func(placed) bool) {
	var header [slabHeader]byte
	if _, err := s.idx.ReadAt(header[:], 0); err != nil || !bytes.HasPrefix(header[:], []byte(slabMagic)) ||
		binary.LittleEndian.Uint64(header[len(slabMagic):]) != uint64(s.id) {
		return
	}
	var window []byte
	for at := int64(slabHeader); at < end; {
		p, ok := s.first(window)
		if !ok {
			fresh := s.refill(window, at, end)
			if fresh == nil {
				return
			}
			window = fresh
			continue
		}
		p.place = at
		if !yield(p) {
			return
		}
		window = window[p.length:]
		at += p.length
	}
}

// first reads the head that b begins with; of a dead one only the length.
func (s *slab) first(b []byte) (placed, bool) {
	if len(b) < stateSize+frameHead {
		return placed{}, false
	}
	if length := stateSize + frameHead + int64(sum(b[stateSize:])); b[0] == dead {
		return placed{length: length}, length <= int64(len(b))
	}
	payload, _, err := cutFrame(b[stateSize:], uint64(s.id))
	if err != nil || b[0] != live {
		return placed{}, false
	}
	h, err := decodeHead(payload)
	return placed{head: h, length: int64(stateSize + frameHead + len(payload)), live: true}, err == nil
}

// refill reads the window anew from at on, large enough for the next head; nil if that gives no more than the old one had.
func (s *slab) refill(old []byte, at, end int64) []byte {
	want := int64(walkWindow)
	if len(old) >= stateSize+frameHead {
		want = max(want, stateSize+frameHead+int64(binary.LittleEndian.Uint32(old[stateSize:])))
	}
	want = min(want, end-at, maxFrame+stateSize+frameHead)
	if want <= int64(len(old)) {
		return nil
	}
	b := make([]byte, want)
	n, err := s.idx.ReadAt(b, at)
	if n <= len(old) || err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return b[:n]
}

// kill marks the head at a place of the index file as dead. Its checksum goes too, so that no damage to one byte brings it back.
func (s *slab) kill(place, length int64) error {
	b := binary.LittleEndian.AppendUint32([]byte{dead}, uint32(length-stateSize-frameHead))
	if _, err := s.idx.WriteAt(append(b, 0, 0, 0, 0), place); err != nil {
		return fmt.Errorf("mark object dead: %w", err)
	}
	return nil
}

// encodeBody is a whole body as it stands in a data file.
func encodeBody(serial uint64, body []byte) []byte {
	out := make([]byte, 0, stored(int64(len(body))))
	for n := int64(0); len(body) > 0; n++ {
		block := body[:min(blockSize, len(body))]
		out = binary.LittleEndian.AppendUint32(out, checksum(blockSalt(serial, n), block))
		out = append(out, block...)
		body = body[len(block):]
	}
	return out
}

// readBlock reads the n-th block of a body into buf, which has room for sumSize+blockSize bytes, and returns its bytes.
func (s *slab) readBlock(h *head, n int64, buf []byte) ([]byte, error) {
	from := n * blockSize
	size := min(blockSize, h.size-from)
	buf = buf[:sumSize+size]
	if _, err := s.data.ReadAt(buf, h.at+n*(sumSize+blockSize)); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if checksum(blockSalt(h.serial, n), buf[sumSize:]) != binary.LittleEndian.Uint32(buf) {
		return nil, fmt.Errorf("read body: %w", errDamaged)
	}
	return buf[sumSize:], nil
}

// slabIDs lists the numbers of the slabs in a folder, sorted, and the files that belong to none and may go.
func slabIDs(dir string) (ids []uint32, stray []string, err error) {
	entries, err := os.ReadDir(dir) // sorted by name, and so by number
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", dir, err)
	}
	has := map[string]bool{}
	for _, e := range entries {
		has[e.Name()] = true
	}
	for _, e := range entries {
		base, ext, _ := strings.Cut(e.Name(), ".")
		id, err := strconv.ParseUint(base, 16, 32)
		switch {
		case strings.HasPrefix(e.Name(), tempPrefix):
			stray = append(stray, e.Name())
		case err != nil || len(base) != 8:
		case ext == "idx" && has[base+".dat"]:
			ids = append(ids, uint32(id))
		case ext == "idx", ext == "dat" && !has[base+".idx"]:
			stray = append(stray, e.Name())
		}
	}
	return ids, stray, nil
}
