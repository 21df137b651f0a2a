//go:build !unix

package disk

import (
	"fmt"
	"os"
)

// lockFolder opens the lock file: this system's locks are not used, so two processes must not share a folder.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	return f, nil
}
