package release

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

const contentDir = "content/"

// releaseFile matches what Trim may delete below releases/.
var releaseFile = regexp.MustCompile(`^releases/[^/]+/manifest(-[0-9a-f]{16})?\.json\.zst$`)

// ContentKey is where the kept bytes with the SHA-256 d lie; "" while there is
// no record.
func (r *Record) ContentKey(d site.Digest) site.Key {
	if r.prefix == "" {
		return ""
	}
	return r.key(contentDir + d.String())
}

// Contents is what content/ holds: the size in bytes by SHA-256. It is whole or
// it fails.
func (r *Record) Contents(ctx context.Context) (map[site.Digest]int64, error) {
	all := map[site.Digest]int64{}
	err := r.list(ctx, contentDir, func(name string, size int64) {
		if d, ok := contentDigest(name); ok {
			all[d] = size
		}
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// contentDigest reads a name below the record's prefix, and reports whether it
// is one of content/.
func contentDigest(name string) (d site.Digest, ok bool) {
	text, ok := strings.CutPrefix(name, contentDir)
	if !ok || d.UnmarshalText([]byte(text)) != nil {
		return site.Digest{}, false
	}
	return d, true
}

// list shows all files of the record below dir, without the record's prefix.
func (r *Record) list(ctx context.Context, dir string, show func(name string, size int64)) error {
	if r.prefix == "" {
		return nil
	}
	err := r.store.List(ctx, r.prefix+dir, "", func(page []remote.Info) error {
		for _, info := range page {
			show(strings.TrimPrefix(string(info.Key), r.prefix), info.Size)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s of the record: %w", dir, err)
	}
	return nil
}

// Trim deletes the contents and manifests that nothing needs any more once m is
// live: neither m nor the releases of its history whose bytes are kept, nor an
// open journal. Everything else in the record stays, also what freshet does not
// know. It returns how many files went. It fails with ErrMoved, and deletes
// nothing, where m is not what is live. It must be called with the lock held,
// since it deletes what it saw a moment ago. A repeat is safe.
func (r *Record) Trim(ctx context.Context, m Manifest) (n int, err error) {
	s, contents, files, err := r.inventory(ctx)
	if err != nil {
		return 0, err
	}
	if s.LiveID() != m.Release {
		return 0, fmt.Errorf("trim the record: %w: %s is live, not %s", ErrMoved, s.LiveID(), m.Release)
	}
	if s.Current == nil || s.Journal != nil && s.Journal.Base != m.Release {
		return 0, nil // nobody knows what an open run on another release needs
	}
	needed := r.needed(s, m)
	var doomed []site.Key
	for _, name := range append(contents, files...) {
		if key := r.key(name); !needed(key) {
			doomed = append(doomed, key)
		}
	}
	if len(doomed) == 0 {
		return 0, nil
	}
	if err := r.store.Delete(ctx, doomed); err != nil {
		return len(doomed) - failures(err, len(doomed)), fmt.Errorf("trim the record: %w", err)
	}
	return len(doomed), nil
}

// inventory is the record without its manifest, and the names of the files that
// could be trimmed.
func (r *Record) inventory(ctx context.Context) (s State, contents, files []string, err error) {
	g, gctx := crash.WithContext(ctx)
	g.Go(func() (err error) { s, err = r.heads(gctx); return err })
	g.Go(func() error {
		return r.list(gctx, contentDir, func(name string, _ int64) {
			if _, ok := contentDigest(name); ok {
				contents = append(contents, name)
			}
		})
	})
	g.Go(func() error {
		return r.list(gctx, "releases/", func(name string, _ int64) {
			if releaseFile.MatchString(name) {
				files = append(files, name)
			}
		})
	})
	err = g.Wait()
	return s, contents, files, err
}

// needed tells the files that stay. A run that is open may be copying the bytes
// of any object that is live.
func (r *Record) needed(s State, m Manifest) func(site.Key) bool {
	keys := map[site.Key]bool{
		r.manifestKey(s.Current.Release, s.Current.Manifest): true,
		r.oldManifestKey(s.Current.Release):                  true,
	}
	for _, e := range m.History {
		if !e.Gone {
			keys[r.manifestKey(e.Release, e.Manifest)] = true
			keys[r.oldManifestKey(e.Release)] = true
		}
	}
	for _, k := range m.Kept {
		keys[r.ContentKey(k.Digest)] = true
	}
	if s.Journal == nil {
		return func(k site.Key) bool { return keys[k] }
	}
	for o := range m.Site.All() {
		keys[r.ContentKey(o.Digest)] = true
	}
	for _, o := range m.Retired {
		keys[r.ContentKey(o.Digest)] = true
	}
	open := string(r.key("releases/" + string(s.Journal.Release) + "/"))
	return func(k site.Key) bool { return keys[k] || strings.HasPrefix(string(k), open) }
}

// failures counts the keys of a failed Store.Delete of n keys: all of them where
// the error does not tell.
func failures(err error, n int) int {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return n
	}
	failed := 0
	for _, e := range joined.Unwrap() {
		var key *remote.KeyError
		if !errors.As(e, &key) {
			return n
		}
		failed++
	}
	return failed
}
