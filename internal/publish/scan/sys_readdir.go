//go:build !linux

package scan

import (
	"io/fs"
	"os"
)

// readFolder lists a folder, which must not be a link, in no order, and yields
// what it was like before.
func readFolder(path string, _ []byte, each func(name []byte, mode fs.FileMode, known bool)) (was stat, err error) {
	if was, err = lstat(path); err != nil {
		return stat{}, err
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		each([]byte(e.Name()), e.Type(), true)
	}
	return was, err
}
