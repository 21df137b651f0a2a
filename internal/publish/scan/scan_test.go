package scan

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree makes a folder with the given files; each holds its own name. A name
// that ends in a slash becomes a folder, "a -> b" a symbolic link.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(dir, name)
		parent := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			parent = path
		}
		err := os.MkdirAll(parent, 0o755)
		if err == nil && isLink {
			err = os.Symlink(strings.ReplaceAll(target, "DIR", dir), path)
		} else if err == nil && parent != path {
			err = os.WriteFile(path, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// listed is Folder with a list.
func listed(ctx context.Context, dir string, opts Options) ([]File, error) {
	files, err := Folder(ctx, dir, opts)
	if err != nil {
		return nil, err
	}
	return slices.Collect(files.All()), nil
}

// keysOf scans dir and joins the keys with spaces.
func keysOf(t *testing.T, dir string, opts Options) []string {
	t.Helper()
	files, err := listed(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{}
	for _, f := range files {
		keys = append(keys, string(f.Key))
	}
	return keys
}

// seen is a File for comparing.
type seen struct {
	Key     site.Key
	Path    string
	Size    int64
	ModTime time.Time
	Digest  site.Digest
}

func see(f File) seen { return seen{f.Key, f.path(), f.Size, f.modTime(), f.Digest} }

func seeAll(files []File) (out []seen) {
	for _, f := range files {
		out = append(out, see(f))
	}
	return out
}

func (f *File) modTime() time.Time { return time.Unix(0, f.modified) }

// fileAt is a file of which nothing is known but where it is.
func fileAt(key site.Key, path string) File { return File{Key: key, at: &place{path, string(key)}} }

// read reads the file as a scan without a cache does.
func (f *File) read(ctx context.Context) error {
	h := hasher{walker: &walker{ctx: ctx, now: time.Now}}
	return h.read(f.path(), f, &known{}, make([]byte, pieceBytes))
}

func TestFolder(t *testing.T) {
	names := []string{
		"index.html", "a-b", "a/b", "a/b.html", "a b/c d.html", "100%.txt", "c#.txt", "it's.txt", "c++.txt", "x~y.csv",
		"日本/雪.html", ".well-known/security.txt", ".nojekyll", `back\slash`, "e\u0301.txt",
	}
	dir := tree(t, append(names, "empty/")...)
	files, err := listed(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(names))
	if len(files) != len(want) {
		t.Fatalf("%d files, want %d", len(files), len(want))
	}
	for i, f := range files {
		info, err := os.Stat(filepath.Join(dir, want[i]))
		if err != nil {
			t.Fatal(err)
		}
		expect := seen{site.Key(want[i]), f.path(), int64(len(want[i])), info.ModTime(), site.Digest(sha256.Sum256([]byte(want[i])))}
		if diff := cmp.Diff(see(f), expect); diff != "" {
			t.Errorf("file %d (-got +want):\n%s", i, diff)
		}
		if bytes, err := os.ReadFile(f.path()); err != nil || string(bytes) != want[i] {
			t.Errorf("%q: path %q holds %q, %v", f.Key, f.path(), bytes, err)
		}
	}
}

func TestFolderIsTheSameForAnyNumberOfJobs(t *testing.T) {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("%d/%d.html", i%7, i))
	}
	dir := tree(t, names...)
	one, err := listed(t.Context(), dir, Options{Jobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	many, err := listed(t.Context(), dir, Options{Jobs: 32})
	if diff := cmp.Diff(seeAll(many), seeAll(one)); diff != "" || err != nil {
		t.Errorf("%v; 32 jobs and 1 (-got +want):\n%s", err, diff)
	}
}

func TestFolderOfManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 20,000 files")
	}
	dir := t.TempDir()
	for i := range 20_000 {
		sub := filepath.Join(dir, fmt.Sprint(i%10))
		if i < 10 {
			if err := os.Mkdir(sub, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	keys := keysOf(t, dir, Options{})
	if len(keys) != 20_000 || !slices.IsSorted(keys) || len(slices.Compact(keys)) != 20_000 {
		t.Errorf("%d keys, want 20,000 in order, each once", len(keys))
	}
}

// longName is a path of n bytes whose segments are as long as file systems
// take.
func longName(n int) string {
	var parts []string
	for n > 255 {
		parts = append(parts, strings.Repeat("a", 200))
		n -= 201
	}
	return strings.Join(append(parts, strings.Repeat("b", n)), "/")
}

func TestLongKeys(t *testing.T) {
	longest := longName(1024)
	if keys := keysOf(t, tree(t, longest), Options{}); len(longest) != 1024 || keys[0] != longest {
		t.Errorf("a name of %d bytes gave %d keys", len(longest), len(keys))
	}
	_, err := listed(t.Context(), tree(t, longName(1025)), Options{})
	if err == nil || !strings.Contains(err.Error(), longName(1025)+": a key of 1025 bytes") {
		t.Errorf("got %v, want an error with the name", err)
	}
}

func TestFolderRefuses(t *testing.T) {
	dir := tree(t, "file", "empty/", "ignored/.git/config", "ignored/.DS_Store")
	for _, tt := range []struct {
		name, dir string
		is        error
		text      string
	}{
		{"a folder that is not there", "missing", fs.ErrNotExist, "missing"},
		{"a file", "file", nil, "is a file, not a folder"},
		{"an empty folder", "empty", ErrEmpty, "nothing to publish in "},
		{"a folder of ignored files", "ignored", ErrEmpty, "nothing to publish in "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := listed(t.Context(), filepath.Join(dir, tt.dir), Options{})
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) || files != nil {
				t.Errorf("got %d files, %v, want %v with %q", len(files), err, tt.is, tt.text)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	outside := tree(t, "secret", "folder/secret")
	for _, tt := range []struct {
		name string
		tree []string
		want string // keys
		err  string
	}{
		{"to a file", []string{"a.html", "b.html -> a.html"}, "a.html b.html", ""},
		{"to a file, absolute", []string{"a.html", "b.html -> DIR/a.html"}, "a.html b.html", ""},
		{"to a folder", []string{"2025/a.html", "latest -> 2025"}, "2025/a.html latest/a.html", ""},
		{"to a folder beside the one it lies in", []string{"a/x", "b/y", "b/z -> ../a"}, "a/x b/y b/z/x", ""},
		{"through another link", []string{"a.html", "b -> c", "c -> a.html"}, "a.html b c", ""},
		{"to a file outside", []string{"a", "b -> " + outside + "/secret"}, "", "b: the symbolic link leaves the site folder, to " + outside + "/secret"},
		{"to a folder outside", []string{"a", "b -> " + outside + "/folder"}, "", "b: the symbolic link leaves the site folder, to " + outside + "/folder"},
		{"to the folder above", []string{"a", "b -> .."}, "", "b: the symbolic link leaves the site folder"},
		{"outside through a link inside", []string{"a", "b -> c/secret", "c -> " + outside}, "", "b: the symbolic link leaves the site folder"},
		{"to a folder that begins alike", []string{"a", "b -> DIR-not-it"}, "", "b: the symbolic link leads nowhere"},
		{"to nothing", []string{"a", "x/b -> gone"}, "", "x/b: the symbolic link leads nowhere"},
		{"to itself", []string{"a", "b -> b"}, "", "b: the symbolic link leads in a circle"},
		{"to each other", []string{"a", "b -> c", "c -> b"}, "", "b: the symbolic link leads in a circle\nc: the symbolic link leads in a circle"},
		{"to the site folder", []string{"a", "b -> ."}, "", "b: the symbolic link leads back to ., a folder above it"},
		{"to a folder above", []string{"x/y/z/a", "x/y/z/b -> ../.."}, "", "x/y/z/b: the symbolic link leads back to x, a folder above it"},
		{"two folders into each other", []string{"p/a", "q/b", "p/to -> ../q", "q/to -> ../p"}, "",
			"p/to/to: the symbolic link leads back to p, a folder above it\nq/to/to: the symbolic link leads back to q, a folder above it"},
		{"outside, but left out", []string{"a", ".env -> " + outside + "/secret", ".git -> " + outside}, "a", ""},
		{"to a secret under another name", []string{"a", ".env", "b -> .env"}, "", "b: the symbolic link leads to .env, which is never published"},
		{"to a folder whose name begins like a secret", []string{"a", ".envs/b", "c -> .envs"}, "", "c: the symbolic link leads to .envs, which is never published"},
		{"into a folder that is left out", []string{"a", ".git/config", "b -> .git/config"}, "", "b: the symbolic link leads to .git/config, which is never published"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := listed(t.Context(), tree(t, tt.tree...), Options{})
			var keys []string
			for _, f := range files {
				keys = append(keys, string(f.Key))
			}
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || files != nil {
					t.Fatalf("got %q, %v, want the error %q", keys, err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(keys, strings.Fields(tt.want)); diff != "" || err != nil {
				t.Errorf("%v; keys (-got +want):\n%s", err, diff)
			}
		})
	}
}

func TestLinkToAFolderOfASimilarName(t *testing.T) {
	both := tree(t, "site/a", "site-old/b")
	if err := os.Symlink(filepath.Join(both, "site-old", "b"), filepath.Join(both, "site", "b")); err != nil {
		t.Fatal(err)
	}
	if _, err := listed(t.Context(), filepath.Join(both, "site"), Options{}); err == nil || !strings.Contains(err.Error(), "leaves the site folder") {
		t.Errorf("got %v, want an error", err)
	}
}

func TestTheSiteFolderMayBeALink(t *testing.T) {
	both := tree(t, "v2/a", "v2/b -> a", "current -> v2")
	if diff := cmp.Diff(keysOf(t, filepath.Join(both, "current"), Options{}), []string{"a", "b"}); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

func TestNamesThatCannotBeKeys(t *testing.T) {
	_, err := listed(t.Context(), tree(t, "a", "b\x1b[31m", "c\xff", ".freshet-0123/lock.json"), Options{})
	want := `read the site folder: .freshet-0123/lock.json: names that begin with .freshet- are freshet's own; rename it
"b\x1b[31m": the name has the control character '\x1b', which S3 requests and listings cannot carry
"c\xff": the name is not valid UTF-8: "c\xff"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestManyErrors(t *testing.T) {
	var names []string
	for i := range 25 {
		names = append(names, fmt.Sprintf("%02d -> gone", i))
	}
	slices.Reverse(names)
	_, err := listed(t.Context(), tree(t, append(names, "ok")...), Options{})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 11 || lines[0] != "read the site folder: 00: the symbolic link leads nowhere" ||
		!strings.HasPrefix(lines[9], "09: ") || lines[10] != "and 15 more" {
		t.Errorf("got %d lines:\n%v\nwant ten in order and the number of the others", len(lines), err)
	}
}

// Files are read in no particular order.
func TestErrorsAreInOrder(t *testing.T) {
	var f failures
	for _, name := range []string{"b", "c/", "a"} {
		f.add(name, &fs.PathError{Op: "open", Path: "/secret/place", Err: fs.ErrPermission})
	}
	want := "read the site folder: a: permission denied\nb: permission denied\nc: permission denied"
	if err := f.join(); err == nil || err.Error() != want || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestErrorsWhileReading(t *testing.T) {
	dir := tree(t, "a", "b", "c", "d")
	breaking := func(files int, _ int64) {
		if files != 1 {
			return
		}
		for _, name := range []string{"d", "b"} { // while a is being read
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
	files, err := listed(t.Context(), dir, Options{Jobs: 1, Progress: breaking})
	want := "read the site folder: b: no such file or directory\nd: no such file or directory"
	if err == nil || err.Error() != want || files != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %d files and %v, want %s", len(files), err, want)
	}
}

// meddling is a context that does something each time it is asked, which the
// scan does before each read.
type meddling struct {
	context.Context
	do func()
}

func (m meddling) Err() error { m.do(); return m.Context.Err() }

func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
	}{
		{"grows", func(p string) error { return os.WriteFile(p, []byte("longer"), 0o644) }},
		{"shrinks", func(p string) error { return os.Truncate(p, 0) }},
		{"is written anew", func(p string) error {
			return errors.Join(os.WriteFile(p, []byte("A"), 0o644), os.Chtimes(p, time.Time{}, time.Unix(1, 0)))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fileAt("a", filepath.Join(tree(t, "a"), "a"))
			err := f.read(meddling{t.Context(), func() {
				if err := tt.change(f.path()); err != nil {
					t.Error(err)
				}
			}})
			if err == nil || !strings.Contains(err.Error(), "changed while it was read") || !f.Digest.IsZero() {
				t.Errorf("got %v, digest %v, want an error and none", err, f.Digest)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
		want   string // part of the error, "" for none
	}{
		{"as it was", func(string) error { return nil }, ""},
		{"another size", func(p string) error { return os.WriteFile(p, []byte("longer"), 0o644) }, "a changed since it was scanned; run the command again"},
		{"another time", func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 0)) }, "a changed since it was scanned; run the command again"},
		{"gone", os.Remove, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := listed(t.Context(), tree(t, "a"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.change(files[0].path()); err != nil {
				t.Fatal(err)
			}
			file, err := files[0].Open()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open: %v, want %q", err, tt.want)
			}
			if file != nil {
				if err := file.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if files, err := listed(ctx, tree(t, "a", "b -> gone"), Options{}); !errors.Is(err, context.Canceled) || files != nil {
		t.Errorf("before: got %d files, %v", len(files), err)
	}
	w := walker{ctx: ctx, root: tree(t, "a"), now: time.Now}
	top := w.top()
	w.walk(top, 2)
	if len(top.items) != 0 {
		t.Errorf("the walk went on after it was cancelled")
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	read := 0
	files, err := listed(ctx, tree(t, "a", "b", "c"), Options{Jobs: 1, Progress: func(n int, _ int64) { read = n; cancel() }})
	if !errors.Is(err, context.Canceled) || files != nil || read != 1 {
		t.Errorf("in between: got %d files after %d were read, %v", len(files), read, err)
	}
	calls := 0
	f := fileAt("a", filepath.Join(tree(t, "a"), "a"))
	ctx, cancel = context.WithCancel(t.Context())
	if err := f.read(meddling{ctx, func() { calls++; cancel() }}); !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("inside a file: %v after %d calls", err, calls)
	}
}

func TestProgress(t *testing.T) {
	var got [][2]int64
	_, err := listed(t.Context(), tree(t, "a", "bb", "ccc"), Options{Jobs: 1, Progress: func(n int, bytes int64) {
		got = append(got, [2]int64{int64(n), bytes})
	}})
	if diff := cmp.Diff(got, [][2]int64{{1, 1}, {2, 3}, {3, 6}}); diff != "" || err != nil {
		t.Errorf("%v; progress (-got +want):\n%s", err, diff)
	}
}
