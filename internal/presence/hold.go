package presence

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrHeld: another process has the folder.
var ErrHeld = errors.New("the folder is in use by another process")

// holdFile is what Hold locks.
const holdFile = "lock"

// Hold keeps other processes that ask for it out of the folder dir, which is there, until release is called or this process is gone, and
// leaves the file "lock" in it. ErrHeld where one has it already. On a file system that does not keep locks it keeps nobody out.
func Hold(dir string) (release func() error, err error) {
	lock := flock.New(filepath.Join(dir, holdFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the folder %s: %w", dir, err)
	}
	if !ok {
		return nil, errors.Join(fmt.Errorf("lock the folder %s: %w", dir, ErrHeld), lock.Close())
	}
	return lock.Close, nil
}
