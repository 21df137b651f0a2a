// Package releases reads what freshet has published to a bucket, from the record that freshet keeps there: which releases there were, and what each one
// changed against the one before.
//
// It promises that it reads only, that it never names the record's prefix, which is a secret, and that comparing two releases of a million objects takes
// the memory of what is shown.
//
// It leaves out records below a folder of the bucket, manifests that retention has let go (ErrGone), and everything that the lock and the kept bytes
// tell. It checks no digests: what it reads is shown, and nothing is published from it.
//
// It follows docs/state.md, format 1, as a reading of its own: the publisher's code is not used.
package releases

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"sync"
	"time"
)

// format is the version of the record that this package reads.
const format = 1

// maxSmall bounds the record's small files, in bytes; a journal names every URL that changes.
const maxSmall = 64 << 20

// ErrGone: the release's manifest, or that of the release before, is not in the bucket any more.
var ErrGone = errors.New("its list of objects is not kept any more")

// ErrUnknown: the bucket's history has no such release.
var ErrUnknown = errors.New("no such release")

// Bucket is where a record may be. An object that is not there is fs.ErrNotExist.
type Bucket interface {
	// Folders returns what keys that begin with prefix have up to the next slash, at most limit.
	Folders(ctx context.Context, prefix string, limit int) ([]string, error)
	// ETag tells one version of an object from another.
	ETag(ctx context.Context, key string) (string, error)
	// Read opens an object; the caller closes it.
	Read(ctx context.Context, key string) (io.ReadCloser, error)
}

// History is all that the record tells of releases.
type History struct {
	Live     string    // id of the live release; "" before the first
	UnderWay *UnderWay // a deploy, or one that was interrupted; nil for none
	Releases []Release // newest first
}

// UnderWay is a run that has begun and not finished.
type UnderWay struct {
	Release string    `json:"release"`
	Number  int       `json:"number"`
	Writer  string    `json:"writer"`
	Started time.Time `json:"started"`
	Pending int       `json:"pending"` // URLs that still need invalidating
}

// Release is one release, as the record's history tells it.
type Release struct {
	ID       string    `json:"release"` // r12-3f2a9c1b
	Number   int       `json:"number"`
	Created  time.Time `json:"created"`
	Writer   string    `json:"writer"`
	Revision *Revision `json:"revision"` // what it was built from; nil where nobody said
	Restores string    `json:"restores"` // of a rollback: the release that it made live again
	Objects  int       `json:"objects"`
	Bytes    int64     `json:"bytes"`
	Uploaded int       `json:"uploaded"`       // objects
	Sent     int64     `json:"uploaded_bytes"` // bytes
	Headers  int       `json:"updated_headers"`
	Removed  int       `json:"removed"`
	Retired  int       `json:"retired"` // no longer used, and kept for pages that are still open
	Swept    int       `json:"swept"`
	Paths    int       `json:"paths"`             // invalidation paths
	Drops    int       `json:"dropped_untouched"` // cached objects that had not changed, by its plan
	Seconds  float64   `json:"seconds"`
	Gone     bool      `json:"gone"` // its bytes are not kept: no rollback to it

	Manifest string `json:"manifest"` // SHA-256 of the stored manifest, in hexadecimal
}

// Revision is what a release was built from.
type Revision struct {
	Name   string    `json:"name"`
	Branch string    `json:"branch"`
	Time   time.Time `json:"time"`
}

// Reader reads one bucket's record. It is safe for concurrent use.
type Reader struct {
	bucket Bucket

	// mu guards what follows; held for field access only.
	mu   sync.Mutex
	live Release   // of which releases is the history
	all  []Release // newest first
}

// New returns a reader, which asks nothing yet.
func New(b Bucket) *Reader { return &Reader{bucket: b} }

const (
	statePrefix = ".freshet-"
	claimKey    = statePrefix + "claim"
	maxFolders  = 100 // more first publishers than that never raced
)

// find is the record's prefix, the one that the claim names by its hash; "" without a record.
func (r *Reader) find(ctx context.Context) (string, error) {
	claim, err := r.small(ctx, claimKey)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	folders, err := r.bucket.Folders(ctx, statePrefix, maxFolders)
	if err != nil {
		return "", fmt.Errorf("find the record: %w", err)
	}
	named := digestIn.FindString(string(claim))
	for _, folder := range folders {
		if fmt.Sprintf("%x", sha256.Sum256([]byte(folder))) == named {
			return folder, nil
		}
	}
	return "", nil
}

var digestIn = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// Version changes whenever a deploy begins, gets on or ends; "" without a record.
func (r *Reader) Version(ctx context.Context) (string, error) {
	prefix, err := r.find(ctx)
	if err != nil || prefix == "" {
		return "", err
	}
	version := ""
	for _, name := range []string{"current.json", "journal.json"} {
		tag, err := r.bucket.ETag(ctx, prefix+name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look at the record: %w", withoutPrefix(err))
		}
		version += tag
	}
	return version, nil
}

// List returns the whole history; empty without a record.
func (r *Reader) List(ctx context.Context) (h History, err error) {
	prefix, err := r.find(ctx)
	if err != nil || prefix == "" {
		return h, err
	}
	if h.UnderWay, err = r.underWay(ctx, prefix); err != nil {
		return h, err
	}
	live, err := r.pointer(ctx, prefix)
	if err != nil || live == nil {
		return h, err
	}
	h.Live = live.ID
	h.Releases, err = r.history(ctx, prefix, *live)
	return h, err
}

// history is in the live release's manifest, which is read once.
func (r *Reader) history(ctx context.Context, prefix string, live Release) ([]Release, error) {
	r.mu.Lock()
	all, known := r.all, r.live.ID == live.ID && r.live.Manifest == live.Manifest
	r.mu.Unlock()
	if known {
		return all, nil
	}
	var end tail
	if err := r.manifest(ctx, prefix, live, nil, &end); err != nil {
		return nil, err
	}
	end.About.Manifest, end.About.Seconds = live.Manifest, live.Seconds
	all = append([]Release{end.About}, end.History...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live, r.all = live, all
	return all, nil
}

// pointer is what current.json says of the live release; nil before the first one.
func (r *Reader) pointer(ctx context.Context, prefix string) (*Release, error) {
	var p struct {
		Version int `json:"version"`
		Release
	}
	found, err := r.json(ctx, prefix, "current.json", &p, &p.Version)
	if err != nil || !found {
		return nil, err
	}
	return &p.Release, nil
}

func (r *Reader) underWay(ctx context.Context, prefix string) (*UnderWay, error) {
	var j struct {
		Version int `json:"version"`
		UnderWay
		Pending []struct{} `json:"pending"`
		Closed  bool       `json:"closed"`
	}
	found, err := r.json(ctx, prefix, "journal.json", &j, &j.Version)
	if err != nil || !found || j.Closed {
		return nil, err
	}
	j.UnderWay.Pending = len(j.Pending)
	return &j.UnderWay, nil
}

// json reads one small file of the record and says whether it is there.
func (r *Reader) json(ctx context.Context, prefix, name string, into any, version *int) (bool, error) {
	data, err := r.small(ctx, prefix+name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s of the record: %w", name, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("read %s of the record: %w", name, err)
	}
	if *version != format {
		return false, fmt.Errorf("read %s of the record: its version is %d, and this program knows %d", name, *version, format)
	}
	return true, nil
}

// small reads a whole file. Its error does not name the file.
func (r *Reader) small(ctx context.Context, key string) ([]byte, error) {
	body, err := r.bucket.Read(ctx, key)
	if err != nil {
		return nil, withoutPrefix(err)
	}
	data, err := io.ReadAll(io.LimitReader(body, maxSmall))
	return data, errors.Join(err, body.Close())
}

// withoutPrefix keeps of a bucket's error what does not name a key of the record.
func withoutPrefix(err error) error {
	for _, known := range []error{fs.ErrNotExist, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("the bucket does not answer")
}
