package control

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/freshet/freshet/internal/durable"
	"go.etcd.io/bbolt"
)

// snapshotHeader begins a snapshot; another one is refused, not guessed. After it come the file's bytes, and the SHA-256 of all
// before it: a file that is cut off is not one that bbolt can be trusted with.
const snapshotHeader = "freshet control state 1\n"

// Snapshot writes a copy of the state as it is after one entry of the log, and returns that entry's position: what Restore takes. Changes
// go on meanwhile, however long w takes: the copy is made beside the state first.
func (s *Server) Snapshot(w io.Writer) (sequence uint64, err error) {
	if !s.begin() {
		return 0, fmt.Errorf("write snapshot: %w", errClosed)
	}
	defer s.calls.Done()
	temp := filepath.Join(filepath.Dir(s.db.Path()), durable.TempPrefix+rand.Text())
	defer func() { _ = os.Remove(temp) }() // one that stays is nothing but space
	// bbolt maps a file that has outgrown its mapping only while nobody reads: a reader that waited for w would keep everybody from writing
	err = s.db.View(func(tx *bbolt.Tx) error {
		sequence = appliedIn(tx)
		return tx.CopyFile(temp, 0o600)
	})
	if err == nil {
		err = pack(w, temp)
	}
	if err != nil {
		return 0, fmt.Errorf("write snapshot: %w", err)
	}
	return sequence, nil
}

// pack writes a snapshot of a file: header, file, checksum.
func pack(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	both := io.MultiWriter(w, sum)
	if _, err := io.WriteString(both, snapshotHeader); err != nil {
		return err
	}
	if _, err := io.Copy(both, f); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// Restore makes a snapshot the state at path, in place of what is there, for Open or OpenReplica; nobody may have it open. It is there
// whole or not at all: a snapshot that is cut off, damaged or of an unknown version is an error, and changes nothing.
func Restore(path string, snapshot io.Reader) error {
	temp := filepath.Join(filepath.Dir(path), durable.TempPrefix+rand.Text())
	err := unpack(temp, snapshot)
	if err == nil {
		err = checkFile(temp)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return fmt.Errorf("restore control state %s: %w", path, errors.Join(err, os.RemoveAll(temp)))
	}
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("restore control state %s: %w", path, err)
	}
	return nil
}

// unpack writes the file that a snapshot has to a new path, and syncs it.
func unpack(path string, snapshot io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = copyBody(f, snapshot)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// copyBody copies what stands between header and checksum, and compares both.
func copyBody(w io.Writer, snapshot io.Reader) error {
	r := bufio.NewReaderSize(snapshot, 64<<10)
	head := make([]byte, len(snapshotHeader))
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if string(head) != snapshotHeader {
		return fmt.Errorf("read snapshot: it begins with %q, not %q: another version wrote it, or it is none", head, snapshotHeader)
	}
	sum := sha256.New()
	_, _ = sum.Write(head) // never fails
	if err := copyButLast(io.MultiWriter(w, sum), r, sum); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	return nil
}

// copyButLast copies all but the checksum at the end, which it compares with the one of what was written.
func copyButLast(w io.Writer, r *bufio.Reader, sum hash.Hash) error {
	for {
		next, err := r.Peek(sum.Size() + 1)
		if errors.Is(err, io.EOF) {
			if !bytes.Equal(next, sum.Sum(nil)) {
				return errors.New("the checksum is not that of what was read: it is cut off or damaged")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := io.CopyN(w, r, int64(r.Buffered()-sum.Size())); err != nil {
			return err
		}
	}
}

// checkFile refuses a file that is not the state of a server with a log.
func checkFile(path string) error {
	db, err := openDB(path, false)
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(metaBucket).Get(appliedKey) == nil {
			return errors.New("it is not a view of a fleet's log")
		}
		return nil
	})
	return errors.Join(err, db.Close())
}
