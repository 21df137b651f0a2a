package scan

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/scan/hashes"
	"github.com/freshet/freshet/internal/site"
)

// later is a clock by which nothing that a test has just written is young.
func later() time.Time { return time.Now().Add(time.Minute) }

// afterATick waits until what is written has another time than what was.
func afterATick(t interface{ Fatal(...any) }, dir string) {
	stamp := func() int64 {
		path := filepath.Join(dir, "tick")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		st, err := lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return st.modified
	}
	for first := stamp(); stamp()-first < int64(10*time.Millisecond); {
		time.Sleep(time.Millisecond)
	}
}

// poison gives every entry of a cache the digest of other bytes, so that it
// shows whether it was believed.
func poison(t *testing.T, path string, keys ...string) {
	t.Helper()
	r := hashes.Open(path)
	defer r.Close()
	w := hashes.Create(path, r.Header, time.Now())
	for _, k := range keys {
		var e hashes.Entry
		if !r.Lookup(site.Key(k), &e) {
			t.Fatalf("nothing is remembered of %s", k)
		}
		e.Digest = wrong
		w.Add(site.Key(k), &e)
	}
	w.Commit()
}

var wrong = site.Digest{0xbb}

// What of a file has to be new for it to be read, and what has to be new for
// SHA-256 to be asked.
func TestWhatIsBelieved(t *testing.T) {
	if !steady(t.TempDir()) {
		t.Skip("the file system's stamps are not believed")
	}
	const a = "a.html"
	for _, tt := range []struct {
		name     string
		change   func(dir, a string) error
		opts     Options
		believed bool
	}{
		{"nothing is new", func(_, a string) error { return nil }, Options{}, true},
		{"--rehash", func(_, a string) error { return nil }, Options{Rehash: true}, false},
		{"a new mtime", func(_, a string) error { return os.Chtimes(a, time.Time{}, time.Unix(1, 0)) }, Options{}, true},
		{"written anew with the same bytes", func(_, a string) error {
			return errors.Join(os.WriteFile(a+"~", []byte("a.html"), 0o644), os.Rename(a+"~", a))
		}, Options{}, true},
		{"another file of the same size, with the old mtime", func(_, a string) error {
			st, err := lstat(a)
			return errors.Join(err, os.WriteFile(a, []byte("b.html"), 0o644), os.Chtimes(a, time.Time{}, time.Unix(0, st.modified)))
		}, Options{}, false},
		{"renamed over, with the old mtime", func(_, a string) error {
			st, err := lstat(a)
			return errors.Join(err, os.WriteFile(a+"~", []byte("b.html"), 0o644), os.Chtimes(a+"~", time.Time{}, time.Unix(0, st.modified)), os.Rename(a+"~", a))
		}, Options{}, false},
		{"another size", func(_, a string) error { return os.WriteFile(a, []byte("longer.html"), 0o644) }, Options{}, false},
		{"a link in its place", func(dir, a string) error {
			return errors.Join(os.Rename(a, filepath.Join(dir, "c.html")), os.Symlink("b.css", a))
		}, Options{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, cache := tree(t, a, "b.css", "site/"), filepath.Join(t.TempDir(), ".freshet", "hashes")
			tt.opts.Cache, tt.opts.Now = cache, later
			afterATick(t, dir)
			if _, err := listed(t.Context(), dir, tt.opts); err != nil {
				t.Fatal(err)
			}
			poison(t, cache, a, "b.css")
			path := filepath.Join(dir, a)
			if err := tt.change(dir, path); err != nil {
				t.Fatal(err)
			}
			files, err := listed(t.Context(), dir, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			want := wrong
			if !tt.believed {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				want = sha256.Sum256(data)
				if linked, _ := os.Readlink(path); linked != "" && files[0].Digest == wrong {
					t.Errorf("the link has the digest that was remembered of the file")
				}
			}
			if files[0].Digest != want {
				t.Errorf("digest %s, want %s", files[0].Digest, want)
			}
		})
	}
}

// A file that was written in the last two seconds may be written again with the
// same stamps; it is read again.
func TestYoungStampsAreNotBelieved(t *testing.T) {
	dir, cache := tree(t, "a"), filepath.Join(t.TempDir(), "hashes")
	if _, err := listed(t.Context(), dir, Options{Cache: cache}); err != nil {
		t.Fatal(err)
	}
	r := hashes.Open(cache)
	defer r.Close()
	var e hashes.Entry
	if !r.Lookup("a", &e) || e.Changed != 0 {
		t.Errorf("remembered: %+v, want no ctime", e)
	}
}

// Entries of files that are gone go, and a cache that is up to date is not
// written.
func TestTheCacheFollowsTheFolder(t *testing.T) {
	dir, cache := tree(t, "a", "b", "c/d"), filepath.Join(t.TempDir(), "hashes")
	opts := Options{Cache: cache, Now: later}
	scan := func() (inode uint64) {
		t.Helper()
		if _, err := listed(t.Context(), dir, opts); err != nil {
			t.Fatal(err)
		}
		st, err := lstat(cache)
		if err != nil {
			t.Fatal(err)
		}
		return st.inode
	}
	first := scan()
	if steady(dir) && scan() != first {
		t.Error("it was written again for nothing")
	}
	if err := os.RemoveAll(filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	scan()
	r := hashes.Open(cache)
	defer r.Close()
	var e hashes.Entry
	if !r.Lookup("a", &e) || !r.Lookup("b", &e) || r.Lookup("c/d", &e) || !r.Exact() {
		t.Error("it does not hold exactly a and b")
	}
	if err := os.WriteFile(cache, []byte("freshet hashes 1\nand then nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	scan()
	again := hashes.Open(cache)
	defer again.Close()
	if !again.Lookup("a", &e) {
		t.Error("a damaged one was not replaced")
	}
}

// A large file is read in pieces, and its sums are those of the whole.
func TestLargeFiles(t *testing.T) {
	dir, cache := tree(t, "a"), filepath.Join(t.TempDir(), "hashes")
	path := filepath.Join(dir, "a")
	opts := Options{Cache: cache, Now: later}
	for _, size := range []int{pieceBytes - 1, pieceBytes, pieceBytes + 1, 3 * pieceBytes, 3*pieceBytes + 5} {
		for _, flip := range []int{-1, -1, 0, size / 2, size - 1} {
			data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			if flip >= 0 {
				data[flip] ^= 1
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			files, err := listed(t.Context(), dir, opts)
			if err != nil || files[0].Digest != sha256.Sum256(data) || files[0].Size != int64(size) {
				t.Errorf("%d bytes, %d flipped: %v, %v", size, flip, files, err)
			}
		}
	}
}

// Whatever happens to a folder between scans, one that remembers finds what one
// that remembers nothing finds.
func TestACacheChangesNothing(t *testing.T) {
	base := t.TempDir()
	names := rapid.SampledFrom([]string{"a", "b", "c", "d/a", "d/b", "d/e/a", "l/a"})
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(base, "site")
		if err != nil {
			t.Fatal(err)
		}
		opts := Options{Cache: filepath.Join(base, "cache", "hashes"), Jobs: rapid.IntRange(1, 3).Draw(t, "jobs")}
		if rapid.Bool().Draw(t, "later") {
			opts.Now = later
		}
		for range rapid.IntRange(2, 4).Draw(t, "scans") {
			for range rapid.IntRange(1, 6).Draw(t, "changes") {
				change(t, dir, names)
			}
			afterATick(t, base)
			got, err := listed(t.Context(), dir, opts)
			want, wantErr := listed(t.Context(), dir, Options{})
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("with a cache %v, without %v", err, wantErr)
			}
			if diff := cmp.Diff(seeAll(got), seeAll(want)); diff != "" {
				t.Fatalf("with a cache and without (-got +want):\n%s", diff)
			}
		}
	})
}

// change does one thing to the folder. What the system refuses is not done.
func change(t *rapid.T, dir string, names *rapid.Generator[string]) {
	path := filepath.Join(dir, names.Draw(t, "name"))
	other := filepath.Join(dir, names.Draw(t, "other"))
	data := []byte(strings.Repeat(rapid.SampledFrom([]string{"x", "y", "zz"}).Draw(t, "bytes"), 3))
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	before, statErr := os.Stat(path)
	write := func() { _ = os.WriteFile(path, data, 0o644) }
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0, 1, 2:
		write()
	case 3: // as rsync -t and cp -p do
		write()
		if statErr == nil {
			_ = os.Chtimes(path, time.Time{}, before.ModTime())
		}
	case 4:
		_ = os.WriteFile(path+"~", data, 0o644)
		if statErr == nil {
			_ = os.Chtimes(path+"~", time.Time{}, before.ModTime())
		}
		_ = os.Rename(path+"~", path)
	case 5:
		_ = os.RemoveAll(path)
	case 6:
		_ = os.Link(other, path)
	case 7:
		_ = os.Remove(path)
		_ = os.Symlink(other, path)
	case 8:
		_ = os.Rename(other, path)
	case 9:
		_ = os.Chtimes(path, time.Time{}, time.Unix(1, 0))
	}
}
