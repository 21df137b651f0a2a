// Package presence proves that a process on this machine is gone.
//
// A process that holds something under a random id announces the id: a file
// named after it, under an exclusive flock for as long as the process lives.
// The system gives the lock back when the process ends, however it ends, so
// whoever can take the lock knows that the holder is gone, without any clock
// and at once.
//
// It promises that Gone is true only where that is proved. A process that is
// suspended, slow or cut off from the network keeps its lock. A file becomes
// visible under its id only after it was locked, so a process that is just
// announcing itself cannot look dead; contenders ask with shared locks, so any
// number of them may ask at once and all get the same answer; and a file system
// that does not keep locks is noticed by Announce. What cannot be proved is
// false, "nobody knows": another machine or another boot of this one, a file
// that is missing, an error.
//
// It proves nothing about requests that a process sent before it was killed:
// they may still arrive. It leaves out waiting, leases and everything about the
// lock in the bucket, which are the business of package release, and it does
// not defend itself against a program of the same user that locks or removes
// its files. On Windows a network share keeps the locks itself and a boot
// has no name, so there a machine is its host name alone.
//
// It follows flock(2), read 2026-11: a lock is the open file's and not the
// process's, so a second open of the same process is refused too, and it ends
// when the last descriptor is closed. On Windows gofrs/flock uses LockFileEx.
package presence

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockSuffix = ".lock"
	tempPrefix = ".tmp-" // before a file has its lock and its name
	maxID      = 64      // hexadecimal digits
	maxAge     = 24 * time.Hour
	attempts   = 3
)

// ErrNoLocks: the file system of the folder does not keep locks, so nothing
// can be proved with it.
var ErrNoLocks = errors.New("this file system does not keep file locks")

// Folder is where the processes of one user on one machine announce
// themselves. The zero Folder is none: announcing is an error, and nobody is
// known to be gone.
type Folder struct{ dir string }

// Default is the folder "freshet/running" in the user's cache folder. It is an
// error where the environment names no such folder, for example without $HOME.
func Default() (Folder, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Folder{}, fmt.Errorf("find the folder of running processes: %w", err)
	}
	return In(filepath.Join(cache, "freshet", "running")), nil
}

// In is the folder dir, which need not exist yet. Only the user should be able
// to write there. "" gives the zero Folder.
func In(dir string) Folder { return Folder{dir} }

// Announce says that this process lives and goes by id, 1 to 64 hexadecimal
// digits in lower case, which nobody has used before. It makes the folder, for
// this user alone, and removes what dead processes left there more than a day
// ago.
//
// The announcement lasts until end is called or the process is gone. end must
// be kept until then: a file that nothing refers to is closed. Call it once
// the id cannot be found in the bucket any more, because from then on the
// process counts as gone or unknown. A repeat of end does nothing and returns
// the same.
//
// After an error nothing is announced. ErrNoLocks; fs.ErrExist where the id is
// announced already.
func (f Folder) Announce(id string) (end func() error, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("announce this process: %w", err)
		}
	}()
	switch {
	case f.dir == "":
		return nil, errors.New("there is no folder for it")
	case !validID(id):
		return nil, fmt.Errorf("the id %q is not 1 to %d hexadecimal digits", id, maxID)
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	for range attempts {
		// A temporary file may be swept by somebody whose clock is ahead.
		if end, err = f.announce(id); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errTaken) {
			break
		}
	}
	return end, err
}

// errTaken: somebody else has the lock of a file that was just made.
var errTaken = errors.New("the lock of a new file is taken")

// announce is one attempt: the file is locked under a name that nobody knows
// and then gets its own, which must be new.
func (f Folder) announce(id string) (end func() error, err error) {
	path := f.path(id)
	temp := filepath.Join(f.dir, tempPrefix+rand.Text())
	if err := os.WriteFile(temp, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(err, remove(temp))
	}
	lock := existing(temp)
	if err = hold(lock, temp); err == nil {
		f.sweep(temp)
		err = os.Link(temp, path) // never replaces, and keeps the lock, which is the file's
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close(), remove(temp))
	}
	_ = os.Remove(temp) // Windows keeps it until the end
	return sync.OnceValue(func() error {
		if err := errors.Join(lock.Close(), remove(path), remove(temp)); err != nil {
			return fmt.Errorf("end the announcement of this process: %w", err)
		}
		return nil
	}), nil
}

// hold takes the lock of the file and makes sure that it keeps others out: some
// file systems grant every lock.
func hold(lock *flock.Flock, path string) error {
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return err
	case !ok:
		return errTaken
	}
	if free(path) {
		return ErrNoLocks
	}
	return nil
}

// Gone reports whether the process that announced id on host, which is what
// Host returned there, is proved to be gone. It is false for a process that
// lives and wherever nothing is proved. It changes nothing, and repeats and
// calls at the same time are safe.
func (f Folder) Gone(id, host string) bool {
	if f.dir == "" || !validID(id) || host == "" || host != Host() {
		return false
	}
	return free(f.path(id))
}

func (f Folder) path(id string) string { return filepath.Join(f.dir, id+lockSuffix) }

// free reports whether the file at path exists and nobody holds its lock. The
// lock that it asks for is shared, so that two who ask do not see each other.
func free(path string) bool {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	lock := existing(path)
	ok, err := lock.TryRLock()
	return errors.Join(err, lock.Close()) == nil && ok
}

// existing is the lock of a file that is never created by locking it.
func existing(path string) *flock.Flock { return flock.New(path, flock.SetFlag(os.O_RDONLY)) }

// sweep removes the files of dead processes that are more than a day older
// than temp. Ages come from the file system's own clock, and a clock that
// jumped costs at most a proof. What cannot be removed stays.
func (f Folder) sweep(temp string) {
	now, err := os.Lstat(temp)
	if err != nil {
		return
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		if info, err := e.Info(); err == nil && ours(e.Name()) && now.ModTime().Sub(info.ModTime()) > maxAge && free(path) {
			_ = os.Remove(path)
		}
	}
}

// ours reports whether this package gives files such a name.
func ours(name string) bool {
	id, ok := strings.CutSuffix(name, lockSuffix)
	return ok && validID(id) || strings.HasPrefix(name, tempPrefix)
}

// validID keeps paths out: ids come from the network. Upper case is refused,
// since some file systems do not know it from lower case.
func validID(id string) bool {
	return id != "" && len(id) <= maxID && strings.Trim(id, "0123456789abcdef") == ""
}

// remove is nil where there is nothing to remove.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
