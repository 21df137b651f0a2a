package scan

import (
	"iter"
	"slices"

	"github.com/freshet/freshet/internal/site"
)

// Files are the files to publish, in byte order of their keys. There may be
// millions: 64 bytes each, the bytes of the key, and nothing more.
type Files struct {
	keys     []site.Key
	sizes    []int64
	digests  []site.Digest
	modified []int64
	at       *place         // of all files but
	aside    map[int]*place // those that are reached through a symbolic link
}

func newFiles(at *place, room int) *Files { return &Files{keys: make([]site.Key, 0, room), at: at} }

// add adds a file that has not been read yet.
func (f *Files) add(it item) {
	if it.at != f.at {
		if f.aside == nil {
			f.aside = map[int]*place{}
		}
		f.aside[len(f.keys)] = it.at
	}
	f.keys = append(f.keys, site.Key(it.key))
}

// prepare makes room for what is read, once all files are there.
func (f *Files) prepare() {
	n := len(f.keys)
	f.sizes, f.digests, f.modified = make([]int64, n), make([]site.Digest, n), make([]int64, n)
}

// set notes what was read of the file with the index i.
func (f *Files) set(i int, read *File) {
	f.sizes[i], f.digests[i], f.modified[i] = read.Size, read.Digest, read.modified
}

// Len is how many there are.
func (f *Files) Len() int { return len(f.keys) }

// At is the file with the index i, from 0 to Len()-1.
func (f *Files) At(i int) File {
	at, ok := f.aside[i]
	if !ok {
		at = f.at
	}
	return File{f.keys[i], f.digests[i], f.sizes[i], f.modified[i], at}
}

// All are the files in the order of their keys.
func (f *Files) All() iter.Seq[File] {
	return func(yield func(File) bool) {
		for i := range f.keys {
			if !yield(f.At(i)) {
				return
			}
		}
	}
}

// Find finds the file with the key k.
func (f *Files) Find(k site.Key) (File, bool) {
	i, ok := slices.BinarySearch(f.keys, k)
	if !ok {
		return File{}, false
	}
	return f.At(i), true
}

// Manifest is the site of the files, with which it shares its memory; describe
// says how each is published.
func (f *Files) Manifest(describe func(site.Key) (site.Kind, site.Headers)) site.Manifest {
	return site.Columns(f.keys, f.sizes, f.digests, describe)
}
