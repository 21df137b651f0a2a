package objects

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// inlineMax is the largest body that lives in the index, in bytes. Making,
// naming and removing a file costs more than writing this much into a page that
// the commit writes anyway.
const inlineMax = 8 << 10

// copyBuffer is the size of the pieces in which larger bodies are moved, in bytes.
const copyBuffer = 128 << 10

// bodies is the part of the folder that holds files.
type bodies struct {
	dir  string
	sync bool // fsync before a file is moved into place

	// gate is held for reading from the look-up of an object until its body is
	// open, for writing while body files are removed: a body that the index has
	// just named can always be opened.
	gate sync.RWMutex
}

// staged is a body that has arrived whole and belongs to no object yet.
type staged struct {
	size   int64
	md5    [md5.Size]byte
	sha256 string // hexadecimal, the name of the body file
	inline []byte // the body, when it is small
	temp   string // the file that holds it, when it is not; "" for a small body
}

// discard removes what was staged and not used. It may be called always.
func (b staged) discard() {
	if b.temp != "" {
		_ = removeFile(b.temp) // what stays is swept at the next Open
	}
}

func (b *bodies) makeFolders() error {
	for _, name := range []string{"tmp", "bodies", "parts"} {
		if err := makeFolder(filepath.Join(b.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// path is where the body file with the given SHA-256 (hexadecimal) lives.
func (b *bodies) path(sum string) string {
	return filepath.Join(b.dir, "bodies", sum[:2], sum[2:])
}

// partPath is where a part of an upload lives.
func (b *bodies) partPath(uploadID, name string) string {
	return filepath.Join(b.dir, "parts", uploadID, name)
}

// stage takes in a whole body: into memory up to inlineMax, else into a
// temporary file. extra, if not nil, also sees every byte. After an error
// nothing is left.
func (b *bodies) stage(r io.Reader, extra io.Writer) (staged, error) {
	head := make([]byte, inlineMax+1)
	n, err := io.ReadFull(r, head)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return stageInline(head[:n:n], extra)
	case err != nil:
		return staged{}, err
	}
	return b.stageFile(io.MultiReader(bytes.NewReader(head), r), extra)
}

func stageInline(body []byte, extra io.Writer) (staged, error) {
	if extra != nil {
		if _, err := extra.Write(body); err != nil {
			return staged{}, err
		}
	}
	sum := sha256.Sum256(body)
	return staged{size: int64(len(body)), md5: md5.Sum(body), sha256: hex.EncodeToString(sum[:]), inline: body}, nil
}

func (b *bodies) stageFile(r io.Reader, extra io.Writer) (staged, error) {
	f, err := os.CreateTemp(filepath.Join(b.dir, "tmp"), "body-*")
	if err != nil {
		return staged{}, fmt.Errorf("stage body: %w", err)
	}
	out := staged{temp: f.Name()}
	size, err := b.fill(f, r, &out, extra)
	out.size = size
	if err == nil && b.sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		out.discard()
		return staged{}, err
	}
	return out, nil
}

// fill copies r into the file and computes its digests on the way.
func (b *bodies) fill(f *os.File, r io.Reader, out *staged, extra io.Writer) (int64, error) {
	md, sha := md5.New(), sha256.New()
	writers := []io.Writer{f, md, sha}
	if extra != nil {
		writers = append(writers, extra)
	}
	size, err := io.CopyBuffer(onlyWriter{io.MultiWriter(writers...)}, r, make([]byte, copyBuffer))
	if err != nil {
		return size, err
	}
	md.Sum(out.md5[:0])
	out.sha256 = hexSum(sha)
	return size, nil
}

// onlyWriter hides ReadFrom, so that CopyBuffer uses the buffer that it was given.
type onlyWriter struct{ io.Writer }

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// remove unlinks files that nobody names any more. Readers that have one open
// keep it. What cannot be removed now is swept at the next Open.
func (b *bodies) remove(paths []string) {
	if len(paths) == 0 {
		return
	}
	b.gate.Lock()
	defer b.gate.Unlock()
	for _, path := range paths {
		_ = removeFile(path)
	}
}

// sweep removes what a killed process left: everything that was still
// arriving, and the bodies and parts that the index does not name.
func (b *bodies) sweep(tx *bolt.Tx) error {
	return errors.Join(
		b.sweepFolder("tmp", func(string) bool { return false }),
		b.sweepFolder("bodies", func(name string) bool { return refCount(tx, strings.ReplaceAll(name, "/", "")) > 0 }),
		b.sweepFolder("parts", func(name string) bool { return namesPart(tx, name) }),
	)
}

// sweepFolder removes the files below dir/name whose path, relative to it and
// with slashes, is not wanted.
func (b *bodies) sweepFolder(name string, wanted func(string) bool) error {
	root := filepath.Join(b.dir, name)
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if wanted(filepath.ToSlash(rel)) {
			return nil
		}
		return removeFile(path)
	})
}
