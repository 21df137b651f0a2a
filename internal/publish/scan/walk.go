package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/freshet/freshet/internal/site"
)

const separator = string(filepath.Separator)

// walker lists the files of one folder.
type walker struct {
	ctx      context.Context // of the call that the walker lives for
	root     string
	ignore   Ignore
	files    []File
	failures failures
}

// folder lists dir, whose keys begin with prefix. above holds the real paths
// of the folders that lead here, so that links in a circle are noticed.
func (w *walker) folder(dir, prefix string, above []string) {
	if w.ctx.Err() != nil {
		return // Folder says so
	}
	if slices.Contains(above, dir) {
		w.failures.add(prefix, fmt.Errorf("the symbolic link leads back to %s, a folder above it", printable(w.rel(dir))))
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
		var err error
		if path, mode, err = w.resolve(path); err != nil {
			if !w.ignore.Match(rel, false) && !w.ignore.Match(rel, true) {
				w.failures.add(rel, err)
			}
			return
		}
	}
	switch {
	case w.ignore.Match(rel, mode.IsDir()):
	case mode.IsDir():
		w.folder(path, rel+"/", above)
	case mode.IsRegular():
		w.file(path, rel)
	default:
		w.failures.add(rel, errNoFile)
	}
}

var errNoFile = errors.New("it is a socket, pipe or device, which cannot be published")

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

// resolve follows a symbolic link, which must not leave the site folder, to
// what it leads to in the end.
func (w *walker) resolve(path string) (target string, mode fs.FileMode, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", 0, errors.New("the symbolic link leads nowhere")
	case errors.Is(err, syscall.ELOOP):
		return "", 0, errors.New("the symbolic link leads in a circle")
	case err != nil:
		return "", 0, err
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return "", 0, err
	}
	if target != w.root && !strings.HasPrefix(target, strings.TrimSuffix(w.root, separator)+separator) {
		return "", 0, fmt.Errorf("the symbolic link leaves the site folder, to %s", printable(target))
	}
	for name := range strings.SplitSeq(w.rel(target), separator) {
		if builtIn(name, info.IsDir()) {
			return "", 0, fmt.Errorf("the symbolic link leads to %s, which is never published", printable(w.rel(target)))
		}
	}
	return target, info.Mode().Type(), nil
}

func (w *walker) rel(path string) string {
	rel, err := filepath.Rel(w.root, path)
	if err != nil {
		return path
	}
	return rel
}
