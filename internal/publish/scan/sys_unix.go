//go:build linux || darwin

package scan

import (
	"io/fs"
	"syscall"
)

// Files are read by plain system calls: package os would, for every file, ask
// the kernel's poller, which takes no files, and keep a finaliser.

// lstat looks at a name without following a link.
func lstat(path string) (stat, error) {
	for {
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err == nil {
			return statOf(&st), nil
		} else if err != syscall.EINTR {
			return stat{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
		}
	}
}

// handle is an open file that is only read.
type handle int

// openFile opens what lies at path; openFlags say how.
func openFile(path string) (handle, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|openFlags, 0)
		if err == nil {
			return handle(fd), nil
		} else if err != syscall.EINTR {
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

func (h handle) stat() (stat, error) {
	for {
		var st syscall.Stat_t
		if err := syscall.Fstat(int(h), &st); err == nil {
			return statOf(&st), nil
		} else if err != syscall.EINTR {
			return stat{}, err
		}
	}
}

// read is read(2): 0 bytes are the end.
func (h handle) read(p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(h), p)
		if err == nil {
			return n, nil
		} else if err != syscall.EINTR {
			return 0, err
		}
	}
}

func (h handle) rewind() error {
	_, err := syscall.Seek(int(h), 0, 0)
	return err
}

func (h handle) close() error { return syscall.Close(int(h)) }

// modeOf translates st_mode's type.
func modeOf(mode uint32) fs.FileMode {
	switch mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return 0
	case syscall.S_IFDIR:
		return fs.ModeDir
	case syscall.S_IFLNK:
		return fs.ModeSymlink
	}
	return fs.ModeIrregular
}
