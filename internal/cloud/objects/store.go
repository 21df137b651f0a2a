// Package objects is the embedded S3: buckets of objects on disk, an S3 API in
// front of them, and the side door by which the embedded edge reads them.
//
// What it promises:
//
//   - An object's body and headers switch in one step. A reader sees all of the
//     old object or all of the new one; a request that is cut off, or a process
//     that is killed at any instant, leaves the old object and no part of the
//     new one.
//   - A condition (If-Match, If-None-Match) and the write that it guards are one
//     step: of any number of racing writers exactly one finds the condition true.
//   - Keys are byte strings in a flat name space: "a", "a/b" and "a/" live side
//     by side, "a/../b" and "//a" are just names. Listings are in byte order and
//     cost what the page holds, not what the bucket holds.
//   - Nothing is held in memory that grows with the size of an object or of an
//     upload, except bodies up to 8 KiB.
//   - Everything that was acknowledged is there after Close and Open, uploads in
//     progress included.
//
// What a power loss can take: with Options.Sync every acknowledged write is on
// the disk. Without it (the default, faster) writes reach the disk
// when the operating system thinks fit and in any order: the last seconds can be
// lost and the index can be left unreadable, so that the folder must be removed
// and the site published again. A killed process loses nothing either way.
//
// On disk, in the folder given to Open:
//
//	index.db        a bbolt file: buckets, objects (headers and small bodies), uploads, reference counts
//	bodies/ab/cd…   larger bodies, named by the SHA-256 of their content, shared by equal objects
//	parts/ID/…      parts of uploads in progress
//	tmp/            bodies that are still arriving
//
// One goroutine owns all changes and commits whatever is waiting as one
// transaction. It also is the only one to move a body into place or to remove
// it, so a body named by the index exists and a body named by nobody does not
// outlive the next Open.
//
// The index file does not shrink; the room that deleted objects leave is used again.
//
// It follows the Amazon S3 API reference and user guide (read 2026-11); the
// facts used, with their evidence, are cited as "spec: S3 ..." where they apply.
// Signatures, listings, bucket operations and sub-resources are answered by
// github.com/rclone/gofakes3; objects, copies, conditions, checksums and
// multipart uploads are answered here, because that library tests a condition
// before it writes, keeps uploads in memory and does not compare the payload
// with its signed hash.
//
// Left out on purpose, and answered with a clean S3 error: versioning, ACLs,
// bucket policies (nothing is readable without a signature), website endpoints,
// CORS, lifecycle rules, object lock, encryption keys, server access logs,
// virtual-host addressing (use path style), signatures of version 2, browser
// uploads with a signed form, checksums other than CRC32, CRC32C, CRC64NVME,
// SHA1 and SHA256, and the checksum that S3 computes by
// itself when the client sends none. LIST shows times in milliseconds, S3 in
// seconds.
package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone/gofakes3"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/freshet/freshet/internal/durable"
)

// Errors that callers ask for with errors.Is.
var (
	// ErrInUse means that another Store, here or in another process, has the folder open.
	ErrInUse = errors.New("the folder is in use by another process")
	// ErrClosed means that the Store was closed before or during the call.
	ErrClosed = errors.New("the store is closed")
	// ErrBucketExists means that the bucket to make is there already.
	ErrBucketExists error = &apiError{409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it."}
	// ErrNoBucket means that there is no bucket of that name.
	ErrNoBucket error = &apiError{404, "NoSuchBucket", "The specified bucket does not exist"}
	// ErrBucketNotEmpty means that the bucket to delete still holds objects.
	ErrBucketNotEmpty error = &apiError{409, "BucketNotEmpty", "The bucket you tried to delete is not empty"}
)

// formatVersion is the layout of the folder; another one is refused, not guessed.
const formatVersion = "1"

// lockTimeout is how long Open waits for another holder of the folder to let go.
const lockTimeout = 200 * time.Millisecond

// Names of the buckets (tables) inside the index.
var (
	tableFormat  = []byte("format")  // "version" → formatVersion
	tableBuckets = []byte("buckets") // bucket name → bucketInfo as JSON
	tableStats   = []byte("stats")   // bucket name → object count, byte count, 8 bytes each
	tableRefs    = []byte("refs")    // SHA-256 of a body file → number of objects that name it, 8 bytes
	tableUploads = []byte("uploads") // upload ID → upload as JSON
	tableParts   = []byte("parts")   // upload ID, part number in 2 bytes → part as JSON
	tableDone    = []byte("done")    // upload ID → finished upload as JSON, for repeated completions
)

// Options are the choices of a Store. The zero value is ready for use.
type Options struct {
	// Sync makes every acknowledged write survive a power loss; false leaves
	// that to the operating system (see the package comment).
	Sync bool
	// Now is the clock behind Last-Modified; nil means time.Now. The check of
	// signatures always uses the real clock.
	Now func() time.Time
}

// Store is a set of buckets in one folder. It is safe for concurrent use.
type Store struct {
	db     *bolt.DB
	bodies bodies
	opts   Options

	changes chan *change
	stopped chan struct{} // closed when the committer has returned

	// life is held for reading while a change is handed over, for writing while
	// the store closes; it guards closed.
	life   sync.RWMutex
	closed bool

	requests atomic.Uint64 // numbers answers, for x-amz-request-id
}

// Bucket is one bucket of a Store.
type Bucket struct {
	Name    string    // 3 to 63 bytes
	Created time.Time // to the millisecond
}

// Stats says how much a bucket holds.
type Stats struct {
	Objects int64 // number of objects
	Bytes   int64 // sum of their sizes; equal bodies count every time
}

type bucketInfo struct {
	Created int64 `json:"created"` // Unix milliseconds
}

// Open opens the store in the folder dir, which is made (readable by the owner
// only) if it is missing. It removes what a killed process left behind. The
// error is ErrInUse when the folder is open elsewhere. The caller closes the Store.
func Open(dir string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{
		bodies:  bodies{dir: dir, sync: opts.Sync},
		opts:    opts,
		changes: make(chan *change, maxBatch),
		stopped: make(chan struct{}),
	}
	if err := s.bodies.makeFolders(); err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	db, err := openIndex(filepath.Join(dir, "index.db"), opts.Sync)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", dir, err)
	}
	s.db = db
	if err := s.recover(); err != nil {
		return nil, fmt.Errorf("open object store %s: %w", dir, errors.Join(err, db.Close()))
	}
	go s.commitLoop()
	return s, nil
}

func openIndex(path string, syncWrites bool) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         lockTimeout,
		NoSync:          !syncWrites,
		NoFreelistSync:  true, // the free list is rebuilt at Open: fewer pages in each commit
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: 64 << 20, // growing the map stops all readers: start where growing is rare
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrInUse
	case err != nil:
		return nil, fmt.Errorf("open index %s: %w", path, err)
	}
	return db, nil
}

// recover makes the tables of a new store, checks the version of an old one,
// and removes the files that no index entry names.
func (s *Store) recover() error {
	err := s.db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{tableFormat, tableBuckets, tableStats, tableRefs, tableUploads, tableParts, tableDone} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return fmt.Errorf("make table %s: %w", name, err)
			}
		}
		format := tx.Bucket(tableFormat)
		switch got := format.Get([]byte("version")); {
		case got == nil:
			return format.Put([]byte("version"), []byte(formatVersion))
		case string(got) != formatVersion:
			return fmt.Errorf("the folder has format %q, this program knows %q", got, formatVersion)
		}
		return forgetOldUploads(tx, s.opts.Now())
	})
	if err != nil {
		return err
	}
	return s.db.View(s.bodies.sweep)
}

// Close waits for the changes under way and releases the folder. Calls that
// come later return ErrClosed. A second Close does nothing.
func (s *Store) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	close(s.changes)
	s.life.Unlock()
	<-s.stopped
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close object store: %w", err)
	}
	return nil
}

// CreateBucket makes an empty bucket. The error is ErrBucketExists when it is
// there already, which callers that only want it to exist may ignore. The name
// follows the rules of S3 for new buckets.
func (s *Store) CreateBucket(ctx context.Context, name string) error {
	if err := gofakes3.ValidateBucketName(name); err != nil {
		return fmt.Errorf("create bucket %q: %w", name, &apiError{400, "InvalidBucketName", "The specified bucket is not valid."})
	}
	info, err := json.Marshal(bucketInfo{Created: s.opts.Now().UnixMilli()})
	if err != nil {
		return fmt.Errorf("create bucket %q: %w", name, err)
	}
	err = s.commit(ctx, func(tx *bolt.Tx) error {
		if tx.Bucket(tableBuckets).Get([]byte(name)) != nil {
			return ErrBucketExists
		}
		return nil
	}, func(b *batch) error {
		if _, err := b.tx.CreateBucket(objectTable(name)); err != nil {
			return err
		}
		return b.tx.Bucket(tableBuckets).Put([]byte(name), info)
	})
	if err != nil {
		return fmt.Errorf("create bucket %q: %w", name, err)
	}
	return nil
}

// DeleteBucket removes an empty bucket and the uploads in progress into it.
// The error is ErrNoBucket or ErrBucketNotEmpty.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	err := s.commit(ctx, func(tx *bolt.Tx) error {
		objects := tx.Bucket(objectTable(name))
		if objects == nil {
			return ErrNoBucket
		}
		if k, _ := objects.Cursor().First(); k != nil {
			return ErrBucketNotEmpty
		}
		return nil
	}, func(b *batch) error {
		delete(b.folded, name) // what this batch counted belongs to the bucket that goes
		return errors.Join(b.dropUploads(name), b.tx.DeleteBucket(objectTable(name)),
			b.tx.Bucket(tableBuckets).Delete([]byte(name)), b.tx.Bucket(tableStats).Delete([]byte(name)))
	})
	if err != nil {
		return fmt.Errorf("delete bucket %q: %w", name, err)
	}
	return nil
}

// Buckets lists the buckets by name.
func (s *Store) Buckets(ctx context.Context) ([]Bucket, error) {
	var out []Bucket
	err := s.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(tableBuckets).ForEach(func(name, value []byte) error {
			var info bucketInfo
			if err := json.Unmarshal(value, &info); err != nil {
				return fmt.Errorf("read bucket %q: %w", name, err)
			}
			out = append(out, Bucket{Name: string(name), Created: time.UnixMilli(info.Created).UTC()})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	return out, nil
}

// Stats says how much the bucket holds, in constant time. The error is
// ErrNoBucket when there is no such bucket.
func (s *Store) Stats(ctx context.Context, bucket string) (Stats, error) {
	var out Stats
	err := s.view(ctx, func(tx *bolt.Tx) error {
		if tx.Bucket(objectTable(bucket)) == nil {
			return ErrNoBucket
		}
		out = decodeStats(tx.Bucket(tableStats).Get([]byte(bucket)))
		return nil
	})
	if err != nil {
		return Stats{}, fmt.Errorf("stats of bucket %q: %w", bucket, err)
	}
	return out, nil
}

// hasBucket reports whether the bucket exists.
func (s *Store) hasBucket(ctx context.Context, name string) (bool, error) {
	found := false
	err := s.view(ctx, func(tx *bolt.Tx) error {
		found = tx.Bucket(tableBuckets).Get([]byte(name)) != nil
		return nil
	})
	return found, err
}

// view runs a read-only transaction, which never waits for a writer.
func (s *Store) view(ctx context.Context, read func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.View(read)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// objectTable names the table of a bucket's objects.
func objectTable(bucket string) []byte { return []byte("objects:" + bucket) }

// nextRequestID numbers an answer as S3 does, in 16 hexadecimal digits.
func (s *Store) nextRequestID() string { return fmt.Sprintf("%016X", s.requests.Add(1)) }

// removeFile removes a file that may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// makeFolder makes a folder of the store, readable by the owner only.
func makeFolder(path string) error { return durable.MkdirAll(path, 0o700) }
