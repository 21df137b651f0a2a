package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Open opens the file for upload and makes sure that it is still the one that
// was scanned.
func (f File) Open() (*os.File, error) {
	file, info, err := open(f.path())
	if err != nil {
		return nil, err
	}
	if info.Size() != f.Size || info.ModTime().UnixNano() != f.modified {
		err = fmt.Errorf("%s changed since it was scanned; run the command again", f.Key)
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// open opens a regular file. Something else may have taken its place since it
// was listed: a link is not followed, and a pipe does not block.
func open(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, replaced(err)
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

// replaced explains the error of an open that does not follow links.
func replaced(err error) error {
	if errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("a symbolic link has taken its place; %s", onceMore)
	}
	return err
}
