// Package scan turns a folder into the list of files to publish: keys, sizes
// and SHA-256 digests.
//
// It promises that the list is whole or there is an error that names what
// could not be read, so that nothing is ever deleted because a file was
// unreadable for a moment; and that nothing outside the folder is published,
// whatever symbolic links say. What a file means is package rules' business.
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

// maxErrors bounds how many unreadable files one error names.
const maxErrors = 10

// Folder reads all files below dir. A missing folder gives fs.ErrNotExist, one
// without publishable files ErrEmpty. Unreadable files and folders, sockets,
// devices and links that leave dir are an error that names up to ten of them.
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
	w := walker{root: root, ignore: opts.Ignore}
	w.folder(root, "", nil)
	if err := w.failures.join(); err != nil {
		return nil, err
	}
	if len(w.files) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrEmpty, dir)
	}
	slices.SortFunc(w.files, func(a, b File) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return w.files, hashAll(ctx, w.files, opts)
}

// walker lists the files of one folder.
type walker struct {
	root     string
	ignore   Ignore
	files    []File
	failures failures
}

// folder lists dir, whose keys begin with prefix. above holds the real paths
// of the folders that lead here, so that links in a circle are noticed.
func (w *walker) folder(dir, prefix string, above []string) {
	if slices.Contains(above, dir) {
		w.failures.add(prefix, fmt.Errorf("the symbolic link leads back to %s, a folder above it", w.rel(dir)))
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.failures.add(prefix, err)
		return
	}
	above = append(slices.Clone(above), dir)
	for _, e := range entries {
		w.entry(filepath.Join(dir, e.Name()), prefix+e.Name(), e.Type(), above)
	}
}

// entry looks at one name; rel is its path below the site folder.
func (w *walker) entry(path, rel string, mode fs.FileMode, above []string) {
	if mode&fs.ModeSymlink != 0 {
		if w.ignore.Match(rel, false) || w.ignore.Match(rel, true) {
			return
		}
		target, err := w.resolve(path)
		if err != nil {
			w.failures.add(rel, err)
			return
		}
		info, err := os.Stat(target)
		if err != nil {
			w.failures.add(rel, err)
			return
		}
		path, mode = target, info.Mode().Type()
	}
	switch {
	case w.ignore.Match(rel, mode.IsDir()):
	case mode.IsDir():
		w.folder(path, rel+"/", above)
	case mode.IsRegular():
		w.file(path, rel)
	default:
		w.failures.add(rel, errors.New("it is a socket, pipe or device, which cannot be published"))
	}
}

func (w *walker) file(path, rel string) {
	key, err := site.ParseKey(rel)
	if err != nil {
		w.failures.add(rel, err)
		return
	}
	if key.IsState() {
		w.failures.add(rel, fmt.Errorf("names that begin with %s are freshet's own; rename it", site.StatePrefix))
		return
	}
	w.files = append(w.files, File{Key: key, Path: path})
}

// resolve follows a symbolic link, which must not leave the site folder.
func (w *walker) resolve(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("the symbolic link leads nowhere")
	}
	if err != nil {
		return "", err
	}
	if target != w.root && !strings.HasPrefix(target, w.root+string(filepath.Separator)) {
		return "", fmt.Errorf("the symbolic link leaves the site folder, to %s", target)
	}
	return target, nil
}

func (w *walker) rel(path string) string {
	rel, err := filepath.Rel(w.root, path)
	if err != nil {
		return path
	}
	return rel
}

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
			err := files[i].read()
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

// read hashes the file and notes what it was like.
func (f *File) read() (err error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, file)
	if err != nil {
		return err
	}
	if n != info.Size() {
		return fmt.Errorf("it changed while it was read: %d bytes instead of %d", n, info.Size())
	}
	f.Size, f.ModTime, f.Digest = n, info.ModTime(), site.Digest(h.Sum(nil))
	return nil
}

// Open opens the file for upload and makes sure that it is still the one that
// was scanned.
func (f File) Open() (*os.File, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && (info.Size() != f.Size || !info.ModTime().Equal(f.ModTime)) {
		err = fmt.Errorf("%s changed since it was scanned; run the command again", f.Key)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// failures collects what could not be read, for one error.
type failures struct{ list []failure }

type failure struct {
	name string
	err  error
}

func (f *failures) add(name string, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the name is said already
	}
	f.list = append(f.list, failure{strings.TrimSuffix(name, "/"), err})
}

// join is nil when nothing failed.
func (f *failures) join() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortFunc(f.list, func(a, b failure) int { return strings.Compare(a.name, b.name) })
	errs := []error{}
	for i, one := range f.list {
		if i == maxErrors {
			errs = append(errs, fmt.Errorf("and %d more", len(f.list)-maxErrors))
			break
		}
		errs = append(errs, fmt.Errorf("%s: %w", one.name, one.err))
	}
	return fmt.Errorf("read the site folder: %w", errors.Join(errs...))
}
