package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrRefused is in the chain of every error of Clean that says that a name may
// not be removed.
var ErrRefused = errors.New("refused")

// Clean removes the named files and folders of the project in dir, with all
// that is in them, and returns those names that were there, in their order.
// A name is relative to dir. A symbolic link is removed itself and never
// followed; a name that does not exist is passed over, so a repeat is safe.
//
// Refused are names that are absolute, that are the project itself, that leave
// it, also through a symbolic link on the way, that are or hold the config
// file, and that are, are in, or hold a .git. If one is refused, nothing is
// removed. If a removal fails, the names before it have been removed and are
// returned with the error.
func Clean(dir string, paths []string) (removed []string, err error) {
	c, err := newCleaner(dir)
	if err != nil {
		return nil, err
	}
	defer c.root.Close() // a handle for names only: nothing can be lost
	targets := make([]string, len(paths))
	for i, p := range paths {
		if targets[i], err = c.check(p); err != nil {
			return nil, fmt.Errorf("clean %s: %w", p, err)
		}
	}
	for i, target := range targets {
		ok, err := c.remove(target)
		if err != nil {
			return removed, fmt.Errorf("clean %s: %w", paths[i], err)
		}
		if ok {
			removed = append(removed, paths[i])
		}
	}
	return removed, nil
}

// cleaner removes below one folder. Every access goes through root, so that
// a link that appears between check and removal leads nowhere outside.
type cleaner struct {
	dir  string // absolute, without symbolic links
	root *os.Root
	keep []string // what must stay: config files, by their place below dir
}

func newCleaner(dir string) (*cleaner, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, fmt.Errorf("clean: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("clean: %w", err)
	}
	c := &cleaner{dir: abs, root: root}
	for _, name := range []string{"freshet.yaml", "freshet.yml"} {
		if _, err := root.Lstat(name); err != nil {
			continue
		}
		c.keep = append(c.keep, name)
		if behind, err := c.below(filepath.Join(abs, name)); err == nil {
			c.keep = append(c.keep, behind) // the file may be a link to one inside
		}
	}
	return c, nil
}

// check is the place of a name below the project, or "" if nothing is there.
func (c *cleaner) check(name string) (string, error) {
	p := filepath.Clean(filepath.FromSlash(name))
	switch {
	case name == "":
		return "", fmt.Errorf("%w: the name is empty", ErrRefused)
	case filepath.IsAbs(p):
		return "", fmt.Errorf("%w: the path is absolute; write it relative to %s", ErrRefused, c.dir)
	case p == ".":
		return "", fmt.Errorf("%w: this is the project itself", ErrRefused)
	case !filepath.IsLocal(p):
		return "", fmt.Errorf("%w: it is outside the project %s", ErrRefused, c.dir)
	}
	parent, err := c.below(filepath.Join(c.dir, filepath.Dir(p)))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	target := filepath.Join(parent, filepath.Base(p))
	return target, c.checkPlace(target)
}

// below resolves all links of a path and says where it is below the project.
func (c *cleaner) below(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(c.dir, resolved)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%w: a symbolic link on the way leads out of the project, to %s", ErrRefused, resolved)
	}
	return rel, nil
}

// checkPlace refuses the history and the config file, under whatever name.
func (c *cleaner) checkPlace(target string) error {
	for part := range strings.SplitSeq(filepath.ToSlash(target), "/") {
		if isGit(part) {
			return fmt.Errorf("%w: this is in a git repository's %s", ErrRefused, part)
		}
	}
	info, err := c.root.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, keep := range c.keep {
		if c.holds(target, info, keep) {
			return fmt.Errorf("%w: it is or holds the config file %s", ErrRefused, keep)
		}
	}
	if !info.IsDir() {
		return nil
	}
	return c.checkInside(target)
}

// holds reports whether keep is target or lies in it. Files are compared, not
// names: a file system may ignore case.
func (c *cleaner) holds(target string, info fs.FileInfo, keep string) bool {
	for p := keep; p != "."; p = filepath.Dir(p) {
		if other, err := c.root.Lstat(p); err == nil && p == target || err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

// checkInside refuses a folder with a repository in it: a build does not make
// one, and its history may be nowhere else.
func (c *cleaner) checkInside(target string) error {
	return fs.WalkDir(c.root.FS(), filepath.ToSlash(target), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if isGit(filepath.Base(path)) {
			return fmt.Errorf("%w: it holds a git repository, %s", ErrRefused, path)
		}
		return nil
	})
}

func isGit(name string) bool { return strings.EqualFold(name, ".git") }

// remove removes one checked place and says whether anything was there.
func (c *cleaner) remove(target string) (bool, error) {
	if target == "" {
		return false, nil
	}
	if _, err := c.root.Lstat(target); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	return true, c.root.RemoveAll(target)
}
