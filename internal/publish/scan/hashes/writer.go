package hashes

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"github.com/freshet/freshet/internal/site"
)

// tempPrefix starts the name of a cache that is being written.
const tempPrefix = ".tmp-hashes-"

// staleAfter is how long after its last write a cache that is being written
// counts as left by a run that was killed.
const staleAfter = time.Hour

// Writer writes a cache. Its methods are for one goroutine. A Writer that
// cannot write does nothing.
type Writer struct {
	path, temp string
	file       *os.File // nil: it does nothing
	block      []byte
	last       string // key
}

// Create begins a new cache for path, whose folder it makes if need be, with a
// .gitignore that keeps everything in it out of git. With path "" it does
// nothing. now is for sweeping up after runs that were killed.
func Create(path string, h Header, now time.Time) *Writer {
	if path == "" {
		return &Writer{}
	}
	dir := filepath.Dir(path)
	prepare(dir, now)
	temp := filepath.Join(dir, tempPrefix+rand.Text())
	// O_EXCL: whoever guessed the name cannot have put a link there.
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &Writer{}
	}
	w := &Writer{path: path, temp: temp, file: file, block: make([]byte, blockHead, blockHead+maxBlock)}
	if _, err := file.Write(appendHeader(nil, h)); err != nil {
		w.Discard()
	}
	return w
}

// prepare makes the folder and removes what killed runs left in it.
func prepare(dir string, now time.Time) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return // Create's open fails as well
	}
	if f, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		_, err = f.WriteString("*\n")
		if errors.Join(err, f.Close()) != nil {
			_ = os.Remove(f.Name()) // the next run tries again
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")) // the pattern is good
	for _, name := range left {
		if info, err := os.Lstat(name); err == nil && now.Sub(info.ModTime()) > staleAfter {
			_ = os.Remove(name) // else the next run does
		}
	}
}

// Add adds an entry. Keys must ascend.
func (w *Writer) Add(key site.Key, e *Entry) {
	if w.file == nil {
		return
	}
	w.block = appendEntry(w.block, w.last, string(key), e)
	w.last = string(key)
	if len(w.block) >= blockBytes {
		w.flush()
	}
}

// flush writes the block at hand.
func (w *Writer) flush() {
	body := w.block[blockHead:]
	if len(body) == 0 {
		return
	}
	binary.LittleEndian.PutUint32(w.block, uint32(len(body)))
	binary.LittleEndian.PutUint32(w.block[4:], crc32.Checksum(body, castagnoli))
	if _, err := w.file.Write(w.block); err != nil {
		w.Discard()
	}
	w.block, w.last = w.block[:blockHead], ""
}

// Commit makes what was added the cache, in one step for every reader. It is
// not synced to the disk.
func (w *Writer) Commit() {
	if w.file != nil {
		w.flush()
	}
	if w.file == nil {
		return
	}
	err := w.file.Close()
	if err == nil {
		err = os.Rename(w.temp, w.path)
	}
	if err != nil {
		_ = os.Remove(w.temp) // else a later run does
	}
	w.file = nil
}

// Discard leaves the cache as it was. It may be called twice, and after
// Commit.
func (w *Writer) Discard() {
	if w.file == nil {
		return
	}
	_ = errors.Join(w.file.Close(), os.Remove(w.temp)) // else a later run does
	w.file = nil
}
