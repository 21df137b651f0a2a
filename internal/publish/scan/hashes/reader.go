package hashes

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"

	"github.com/freshet/freshet/internal/site"
)

// Reader yields the entries of a cache in the order of their keys. Its methods
// are for one goroutine.
type Reader struct {
	Header
	file    io.ReadCloser // nil once there is nothing more
	buf     []byte
	rest    []byte // of the block at hand, not parsed yet
	key     []byte // of entry
	entry   Entry
	loaded  bool // entry has not been asked for yet
	skipped bool
}

// Open opens the cache at path; "" or one that cannot be used is an empty one
// with the zero Header. The caller closes it.
func Open(path string) *Reader {
	if path == "" {
		return &Reader{}
	}
	file, err := os.Open(path)
	if err != nil {
		return &Reader{}
	}
	if !ours(file) {
		_ = file.Close() // it was read only
		return &Reader{}
	}
	return newReader(file)
}

// newReader takes file over.
func newReader(file io.ReadCloser) *Reader {
	r := &Reader{file: file}
	head := make([]byte, headerBytes)
	if _, err := io.ReadFull(file, head); err == nil {
		if h, ok := parseHeader(head); ok {
			r.Header = h
			return r
		}
	}
	r.Close()
	return r
}

// Lookup finds the entry of key. Keys must ascend from call to call.
func (r *Reader) Lookup(key site.Key, e *Entry) bool {
	for r.load() {
		switch c := bytes.Compare(r.key, []byte(key)); {
		case c > 0:
			return false
		case c == 0:
			*e, r.loaded = r.entry, false
			return true
		}
		r.loaded, r.skipped = false, true
	}
	return false
}

// Exact reports whether the cache is whole and every entry of it has been
// found by a Lookup: nothing in it is out of date.
func (r *Reader) Exact() bool { return !r.load() && !r.skipped }

// load makes sure that there is an entry at hand, and is false at the end.
func (r *Reader) load() bool {
	if r.loaded {
		return true
	}
	for len(r.rest) == 0 {
		if !r.block() {
			return false
		}
	}
	rest, key, err := parseEntry(r.rest, r.key, &r.entry)
	if err != nil {
		r.damaged() // what lies behind is not believed either
		return false
	}
	r.rest, r.key, r.loaded = rest, key, true
	return true
}

// block reads the next block.
func (r *Reader) block() bool {
	if r.file == nil {
		return false
	}
	var head [blockHead]byte
	if _, err := io.ReadFull(r.file, head[:]); err == io.EOF {
		r.Close()
		return false
	} else if err != nil {
		r.damaged()
		return false
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > uint32(maxBlock) {
		r.damaged()
		return false
	}
	if cap(r.buf) < int(n) {
		r.buf = make([]byte, maxBlock)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.file, r.buf); err != nil || crc32.Checksum(r.buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		r.damaged()
		return false
	}
	r.rest = r.buf
	return true
}

func (r *Reader) damaged() {
	r.skipped = true
	r.Close()
}

// Close ends the reading. It may be called twice.
func (r *Reader) Close() {
	if r.file != nil {
		_ = r.file.Close() // it was read only
	}
	r.file, r.rest, r.loaded = nil, nil, false
}
