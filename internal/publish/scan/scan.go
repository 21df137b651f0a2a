// Package scan turns a folder into the list of files to publish: keys, sizes
// and SHA-256 digests.
//
// It promises that the list is whole or there is an error that names what
// could not be read, so that nothing is ever deleted because a file was
// unreadable for a moment, and neither because a generator was at work: a file
// that changes, comes or goes during the scan is an error; and that nothing
// outside the folder is published, whatever symbolic links say. Links inside the folder are followed, and what
// they lead to is published under both names, unless it is on the built-in
// list of what is never published. What a file means is package
// rules' business.
//
// Where the caller names a cache (package hashes), a file that has the inode,
// size, mtime and ctime of the last scan is not opened, and one of which only
// the times are new, as after a rebuild, is read with a faster sum than
// SHA-256. The list is the same with and without a cache; hasher.file says why.
// Left out: noticing a program that goes on writing through a memory mapping
// without the file's times being touched, which the kernel allows it for some
// seconds.
package scan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/freshet/freshet/internal/site"
)

// ErrEmpty: the folder holds nothing to publish.
var ErrEmpty = errors.New("nothing to publish")

// File is one file to publish, as it was when it was read.
type File struct {
	Key      site.Key
	Digest   site.Digest
	Size     int64 // bytes
	modified int64 // mtime, nanoseconds since 1970
	at       *place
}

// path is where the file is, symbolic links resolved.
func (f *File) path() string { return f.at.of(string(f.Key)) }

// Options adjust a scan. The zero Options are right for most.
type Options struct {
	Jobs   int    // folders listed and files read at once; 0 means one for each processor, but 2 at least
	Ignore Ignore // what to leave out besides the built-in list
	// Progress, if not nil, is called after each file, from several goroutines
	// at once: a call may bring less than the one before.
	Progress func(files int, bytes int64)
	// Found, if not nil, is told how many files there are before they are read.
	Found func(files int)
	// Cache is the file that remembers digests from scan to scan. "" means none.
	// Its folder is made if need be; where it cannot be written, every scan reads
	// every file.
	Cache  string
	Rehash bool             // read every file, whatever Cache says, and write it anew
	Now    func() time.Time // nil means time.Now
}

func (o Options) jobs() int {
	if o.Jobs <= 0 {
		return max(2, runtime.GOMAXPROCS(0))
	}
	return o.Jobs
}

// Folder reads all files below dir and lists them in byte order of their keys.
// A missing folder gives fs.ErrNotExist, one without publishable files
// ErrEmpty. Unreadable files and folders, sockets, devices and links that leave
// dir are an error that names up to ten of them, in the order of their names.
// With an error there is no list.
func Folder(ctx context.Context, dir string, opts Options) (*Files, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w, err := newWalker(ctx, dir, opts)
	if err != nil {
		return nil, err
	}
	top := w.top()
	w.walk(top, opts.jobs())
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the site folder: %w", err)
	}
	if err := w.failures.join(); err != nil {
		return nil, err
	}
	files, folders := flatten(top)
	if files.Len() == 0 {
		return nil, fmt.Errorf("%w in %s", ErrEmpty, dir)
	}
	if opts.Found != nil {
		opts.Found(files.Len())
	}
	files.prepare()
	if err := newHasher(w, opts).all(files); err != nil {
		return nil, err
	}
	if err := w.unchanged(files, folders, opts.jobs()); err != nil {
		return nil, err
	}
	return files, nil
}

func newWalker(ctx context.Context, dir string, opts Options) (*walker, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("read the site folder: %w", err)
	}
	if info, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("read the site folder: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("read the site folder: %s is a file, not a folder", dir)
	}
	st, err := lstat(root)
	if err != nil {
		return nil, fmt.Errorf("read the site folder: %w", err)
	}
	return &walker{ctx: ctx, root: root, ignore: opts.Ignore, now: opts.Now, device: st.device, steady: steady(root)}, nil
}
