package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// manifestKey carries the digest of the file, so that two files never share a
// key.
func (r *Record) manifestKey(id ID, digest site.Digest) site.Key {
	return r.key("releases/" + string(id) + "/manifest-" + digest.String()[:16] + ".json.zst")
}

// oldManifestKey is where freshet kept manifests before they carried a digest.
func (r *Record) oldManifestKey(id ID) site.Key {
	return r.key("releases/" + string(id) + "/manifest.json.zst")
}

// Manifest reads the manifest of an earlier release, as Past or Find name it. It
// fails with remote.ErrNotFound where it is not kept any more.
func (r *Record) Manifest(ctx context.Context, e Entry) (Manifest, error) {
	if e.Gone || e.Manifest.IsZero() || r.prefix == "" {
		return Manifest{}, fmt.Errorf("the bytes of release %s are not kept any more: %w", e.Release, remote.ErrNotFound)
	}
	return r.manifest(ctx, e.Release, e.Manifest, e.Objects)
}

// manifest reads the file of about so many objects; 0 where nobody knows.
func (r *Record) manifest(ctx context.Context, id ID, want site.Digest, objects int) (Manifest, error) {
	data, _, err := r.store.Get(ctx, r.manifestKey(id, want))
	if errors.Is(err, remote.ErrNotFound) {
		var old error
		if data, _, old = r.store.Get(ctx, r.oldManifestKey(id)); old == nil || !errors.Is(old, remote.ErrNotFound) {
			err = old
		}
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("read the manifest of release %s: %w", id, err)
	}
	if got := site.Digest(sha256.Sum256(data)); got != want {
		return Manifest{}, fmt.Errorf("the manifest of release %s is damaged: its SHA-256 is %s, not %s", id, got.Short(), want.Short())
	}
	m, err := decodeManifest(data, objects)
	if err != nil {
		return Manifest{}, fmt.Errorf("read the manifest of release %s: %w", id, err)
	}
	return m, nil
}

// storeManifest writes an encoded manifest to its own key.
func (r *Record) storeManifest(ctx context.Context, id ID, data []byte) error {
	if _, err := r.put(ctx, r.manifestKey(id, sha256.Sum256(data)), data, remote.Condition{}); err != nil {
		return fmt.Errorf("store the manifest of release %s: %w", id, err)
	}
	return nil
}
