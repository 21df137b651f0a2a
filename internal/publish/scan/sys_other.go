//go:build !linux && !darwin

package scan

import (
	"io"
	"io/fs"
	"os"
)

// lstat looks at a name without following a link. What the system calls a
// change's time and a file's number is not known here.
func lstat(path string) (stat, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return stat{}, err
	}
	return statOf(info), nil
}

func statOf(info fs.FileInfo) stat {
	return stat{size: info.Size(), modified: info.ModTime().UnixNano(), mode: info.Mode().Type()}
}

// steady: the stamps are not enough to tell one file from another.
func steady(string) bool { return false }

// handle is an open file that is only read.
type handle struct{ *os.File }

// openFile opens what lies at path; openFlags say how.
func openFile(path string) (handle, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	return handle{file}, err
}

func (h handle) stat() (stat, error) {
	info, err := h.Stat()
	if err != nil {
		return stat{}, err
	}
	return statOf(info), nil
}

// read reads once: 0 bytes are the end.
func (h handle) read(p []byte) (int, error) {
	n, err := h.Read(p)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (h handle) rewind() error {
	_, err := h.Seek(0, io.SeekStart)
	return err
}

func (h handle) close() error { return h.Close() }
