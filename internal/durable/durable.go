// Package durable writes local files whole or not at all.
//
// A reader of a path that this package writes sees the complete old content or
// the complete new content, whatever happens in between: a failed write, a
// killed process, a power loss. When a call has returned nil, the new content
// is on the disk and a power loss does not take it back.
//
// The sequence of WriteFile, and why each call is there:
//
//	open(dir/.tmp-*, O_CREAT|O_EXCL)  a new name in the same folder: rename is atomic only inside one file system
//	write                             the whole content
//	fsync(file)                       the bytes before the name: else a power loss may leave a renamed, empty file
//	close
//	rename(dir/.tmp-*, path)          the switch: one step for every reader
//	fsync(dir)                        the name itself: a rename lives in the folder, not in the file
//
// Left out: locking (two writers of one path do not mix, the later rename
// wins), following a symbolic link at the path (it is replaced by the file),
// and the owner and extended attributes of the file that is replaced. A process
// that is killed may leave a file whose name starts with TempPrefix; it is safe
// to remove once no writer is running. On Windows folders cannot be synced and
// the last step is skipped.
//
// It follows rename and fsync of POSIX.1-2017.
package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// TempPrefix starts the name of every temporary file that WriteFile makes.
const TempPrefix = ".tmp-"

// WriteFile makes data the whole content of path, with the permissions perm
// (before umask), which also replace those of a file that was there. The folder
// must exist. Repeating it is safe. After an error the old file is as it was
// and no temporary file is left, with one exception: when only the last step
// failed (fsync of the folder), the new content is visible, but a power loss
// may bring the old one back.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, TempPrefix+rand.Text())
	if err := writeTemp(temp, data, perm); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, removeTemp(temp)))
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, removeTemp(temp)))
	}
	if err := SyncDir(dir); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writeTemp writes and syncs a file that must not exist yet.
func writeTemp(temp string, data []byte, perm fs.FileMode) error {
	// O_EXCL: whoever guessed the name cannot have put a link there.
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removeTemp removes what a failed write left; a file that was never made is no error.
func removeTemp(temp string) error {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// MkdirAll makes path and the folders above it that are missing, with the
// permissions perm (before umask), and syncs each folder that got a new entry.
// A path that is a folder already is no error and costs one stat.
func MkdirAll(path string, perm fs.FileMode) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return fmt.Errorf("make folder %s: it exists and is not a folder", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make folder %s: %w", path, err)
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	// Another process may have made it since the stat: that is success.
	if err := os.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder %s: %w", path, err)
	}
	return SyncDir(parent)
}

// SyncDir forces the entries of the folder dir (names made, renamed, removed)
// to the disk. On Windows, where folders cannot be synced, it does nothing.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
