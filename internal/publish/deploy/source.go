package deploy

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/freshet/freshet/internal/publish/release"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/scan"
	"github.com/freshet/freshet/internal/site"
)

// Source is where the bytes of a plan's uploads come from.
type Source interface {
	// write puts the object into the store, bytes and headers, and returns its
	// ETag. A repeat is safe.
	write(ctx context.Context, store remote.Store, o site.Object) (etag string, err error)
	// hasMD5 reports whether the bytes that would be written for key have the
	// given MD5, in hexadecimal.
	hasMD5(key site.Key, sum string) (bool, error)
}

// Files are scanned files.
type Files struct{ scanned *scan.Files }

// NewFiles takes over what a scan has found.
func NewFiles(scanned *scan.Files) Files { return Files{scanned} }

// write sends one file. The store refuses bytes that are not those scanned.
func (f Files) write(ctx context.Context, store remote.Store, o site.Object) (etag string, err error) {
	scanned, ok := f.scanned.Find(o.Key)
	if !ok || scanned.Digest != o.Digest {
		return "", errors.New("the file is not the one that was planned; run the command again")
	}
	file, err := scanned.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return store.Put(ctx, remote.Put{Key: o.Key, Size: o.Size, Digest: o.Digest, Headers: o.Headers.Get(), Body: file})
}

func (f Files) hasMD5(key site.Key, sum string) (same bool, err error) {
	scanned, _ := f.scanned.Find(key) // a missing one cannot be opened
	file, err := scanned.Open()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := md5.New()
	if _, err := io.Copy(h, file); err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	return hex.EncodeToString(h.Sum(nil)) == sum, nil
}

// Kept are the bytes of earlier releases that the record keeps.
type Kept struct {
	record *release.Record
	have   map[site.Digest]int64
}

// NewKept lists what the record keeps.
func NewKept(ctx context.Context, record *release.Record) (Kept, error) {
	have, err := record.Contents(ctx)
	return Kept{record, have}, err
}

// Has reports whether the bytes with the digest are kept.
func (k Kept) Has(d site.Digest) bool {
	_, ok := k.have[d]
	return ok
}

// write copies the kept bytes to where they were.
func (k Kept) write(ctx context.Context, store remote.Store, o site.Object) (string, error) {
	if !k.Has(o.Digest) {
		return "", fmt.Errorf("its bytes (SHA-256 %s) are not kept", o.Digest.Short())
	}
	return store.Copy(ctx, remote.Copy{From: k.record.ContentKey(o.Digest), To: o.Key, Headers: o.Headers.Get()})
}

// hasMD5 knows nothing: what cannot be told is copied again.
func (Kept) hasMD5(site.Key, string) (bool, error) { return false, nil }

// Nothing is the source of a plan that uploads nothing.
type Nothing struct{}

func (Nothing) write(context.Context, remote.Store, site.Object) (string, error) {
	return "", errors.New("its bytes are not at hand")
}

func (Nothing) hasMD5(site.Key, string) (bool, error) { return false, nil }
