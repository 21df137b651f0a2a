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
// rules' business. Every file is read each time; nothing is remembered from
// one scan to the next.
package scan

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/freshet/freshet/internal/site"
)

// ErrEmpty: the folder holds nothing to publish.
var ErrEmpty = errors.New("nothing to publish")

// File is one file to publish, as it was when it was read.
type File struct {
	Key     site.Key
	Path    string // in the file system, symbolic links resolved
	Size    int64  // bytes
	ModTime time.Time
	Digest  site.Digest
}

// Options adjust a scan. The zero Options are right for most.
type Options struct {
	Jobs   int    // files read at once; 0 means 8
	Ignore Ignore // what to leave out besides the built-in list
	// Progress, if not nil, is called from several goroutines after each file.
	Progress func(files int, bytes int64)
}

// Folder reads all files below dir and lists them in byte order of their keys.
// A missing folder gives fs.ErrNotExist, one without publishable files
// ErrEmpty. Unreadable files and folders, sockets, devices and links that leave
// dir are an error that names up to ten of them, in the order of their names.
// With an error there is no list.
func Folder(ctx context.Context, dir string, opts Options) ([]File, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("read the site folder: %w", err)
	}
	if info, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("read the site folder: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("read the site folder: %s is a file, not a folder", dir)
	}
	w := walker{ctx: ctx, root: root, ignore: opts.Ignore}
	w.folder(root, "", nil)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the site folder: %w", err)
	}
	if err := w.failures.join(); err != nil {
		return nil, err
	}
	if len(w.files) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrEmpty, dir)
	}
	slices.SortFunc(w.files, func(a, b File) int { return strings.Compare(string(a.Key), string(b.Key)) })
	if err := hashAll(ctx, w.files, opts); err != nil {
		return nil, err
	}
	if err := w.unchanged(); err != nil {
		return nil, err
	}
	return w.files, nil
}

// unchanged walks once more and compares: what appeared behind the first walk's
// back, as in a folder that is being built anew, would count as removed.
func (w *walker) unchanged() error {
	again := walker{ctx: w.ctx, root: w.root, ignore: w.ignore}
	again.folder(w.root, "", nil)
	if err := w.ctx.Err(); err != nil {
		return fmt.Errorf("read the site folder: %w", err)
	}
	before := map[site.Key]bool{}
	for _, f := range w.files {
		before[f.Key] = true
	}
	for _, f := range again.files {
		if !before[f.Key] {
			again.failures.add(string(f.Key), fmt.Errorf("it appeared while the folder was read; %s", onceMore))
		}
		delete(before, f.Key)
	}
	for key := range before {
		again.failures.add(string(key), fmt.Errorf("it vanished while the folder was read; %s", onceMore))
	}
	return again.failures.join()
}

const onceMore = "run the command again once nothing writes to the folder"

// hashAll fills in size, time and digest of every file, several at once.
func hashAll(ctx context.Context, files []File, opts Options) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs(opts.Jobs))
	var failed failures
	var mu sync.Mutex // guards failed and the two counts
	var done int
	var bytes int64
	for i := range files {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := files[i].read(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed.add(string(files[i].Key), err)
				return nil
			}
			done, bytes = done+1, bytes+files[i].Size
			if opts.Progress != nil {
				opts.Progress(done, bytes)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("read the site folder: %w", err)
	}
	return failed.join()
}

func jobs(n int) int {
	if n <= 0 {
		return 8
	}
	return n
}

// read hashes the file and notes what it was like. A file that changes in the
// meantime is an error.
func (f *File) read(ctx context.Context) (err error) {
	file, info, err := open(f.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := sha256.New()
	n, err := io.Copy(h, reader{ctx, file})
	if err != nil {
		return err
	}
	after, err := file.Stat()
	if err != nil {
		return err
	}
	if n != info.Size() || n != after.Size() || !after.ModTime().Equal(info.ModTime()) {
		return fmt.Errorf("it changed while it was read; %s", onceMore)
	}
	f.Size, f.ModTime, f.Digest = n, info.ModTime(), site.Digest(h.Sum(nil))
	return nil
}

// reader stops when its context ends, also inside a large file.
type reader struct {
	ctx  context.Context
	file io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

// Open opens the file for upload and makes sure that it is still the one that
// was scanned.
func (f File) Open() (*os.File, error) {
	file, info, err := open(f.Path)
	if err != nil {
		return nil, err
	}
	if info.Size() != f.Size || !info.ModTime().Equal(f.ModTime) {
		err = fmt.Errorf("%s changed since it was scanned; run the command again", f.Key)
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// open opens a regular file. Something else may have taken its place since it
// was listed: a link is not followed, and a pipe does not block.
func open(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, nil, fmt.Errorf("a symbolic link has taken its place; %s", onceMore)
	case err != nil:
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNoFile
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}
