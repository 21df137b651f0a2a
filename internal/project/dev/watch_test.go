package dev

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a file and the folders above it.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// watching makes a project and watches what roots and ignore name in it.
func watching(t *testing.T, roots, ignore string, files ...string) (dir string, w *watcher) {
	t.Helper()
	dir = t.TempDir()
	for _, f := range files {
		write(t, filepath.Join(dir, f), "old")
	}
	w, err := newWatcher(time.Now)
	must(t, err)
	t.Cleanup(w.close)
	all := func(names string) (out []string) {
		for name := range strings.FieldsSeq(names) {
			out = append(out, filepath.Join(dir, name))
		}
		return out
	}
	must(t, w.set(scope{all(roots), all(ignore)}))
	return dir, w
}

// changed is what the watcher reports until it has reported last, relative to
// dir.
func changed(t *testing.T, w *watcher, dir, last string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	found := map[string]bool{}
	var names []string
	for !found[last] {
		changes, err := w.next(ctx, 20*time.Millisecond)
		if err != nil {
			t.Fatalf("%s is not reported, only %v: %v", last, names, err)
		}
		for _, c := range changes {
			rel, err := filepath.Rel(dir, c.path)
			must(t, err)
			if name := filepath.ToSlash(rel); !found[name] {
				found[name] = true
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, " ")
}

// What editors, tools and people do to files, and what of it is reported. "end"
// is written last, so that what is not reported is known not to be.
func TestWatch(t *testing.T) {
	in := func(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	tests := []struct {
		name          string
		roots, ignore string
		files         []string
		do            func(t *testing.T, dir string)
		want          string
	}{
		{"a file is written", ".", "", []string{"a/b/c"}, func(t *testing.T, dir string) { write(t, in(dir, "a/b/c"), "new") }, "a/b/c"},
		{"a file is replaced", ".", "", []string{"a/b"}, func(t *testing.T, dir string) {
			write(t, in(dir, "a/b.1234"), "new")
			must(t, os.Rename(in(dir, "a/b.1234"), in(dir, "a/b")))
		}, "a/b"},
		{"a file is put aside and written anew", ".", "", []string{"a"}, func(t *testing.T, dir string) {
			must(t, os.Rename(in(dir, "a"), in(dir, "a~")))
			write(t, in(dir, "a"), "new")
		}, "a"},
		{"a file goes", ".", "", []string{"a"}, func(t *testing.T, dir string) { must(t, os.Remove(in(dir, "a"))) }, "a"},
		{"a file comes and goes", ".", "", []string{"a"}, func(t *testing.T, dir string) {
			write(t, in(dir, "b"), "")
			must(t, os.Remove(in(dir, "b")))
		}, ""},
		{"folders come with files", ".", "", []string{"a"}, func(t *testing.T, dir string) { write(t, in(dir, "x/y/z/a"), "") }, "x/y/z/a"},
		{"a folder is moved in", "in", "", []string{"in/a", "out/b/c"}, func(t *testing.T, dir string) {
			must(t, os.Rename(in(dir, "out/b"), in(dir, "in/b")))
		}, "in/b/c"},
		{"permissions and times", ".", "", []string{"a"}, func(t *testing.T, dir string) {
			must(t, os.Chmod(in(dir, "a"), 0o600))
			must(t, os.Chtimes(in(dir, "a"), time.Now(), time.Now()))
		}, ""},
		{"leftovers, caches and products", ".", "out", []string{"a", "out/a", "node_modules/m/a", ".git/a"}, func(t *testing.T, dir string) {
			for _, name := range []string{"out/a", "out/b", "node_modules/m/a", "n/node_modules/a", ".git/a", "x/__pycache__/a", ".freshet/dev/a",
				".a.swp", "4913", "a~", ".#a", "#a#", ".DS_Store", "a.tmp", ".goutputstream-X"} {
				write(t, in(dir, name), "new")
			}
		}, ""},
		{"what is like a product", ".", "out", []string{"output/a"}, func(t *testing.T, dir string) { write(t, in(dir, "output/a"), "new") }, "output/a"},
		{"only what is named", "a b.txt", "", []string{"a/x", "b.txt", "c.txt"}, func(t *testing.T, dir string) {
			write(t, in(dir, "c.txt"), "new")
			write(t, in(dir, "b.txt"), "new")
			write(t, in(dir, "a/x"), "new")
		}, "a/x b.txt"},
		{"a folder that is awaited", "a", "", nil, func(t *testing.T, dir string) { write(t, in(dir, "a/x"), "new") }, "a/x"},
		{"a folder that is made anew", "a", "", []string{"a/x"}, func(t *testing.T, dir string) {
			must(t, os.RemoveAll(in(dir, "a")))
			write(t, in(dir, "a/y"), "new")
		}, "a/x a/y"},
		{"behind a link", "a", "", []string{"a/x", "theme/y"}, func(t *testing.T, dir string) {
			must(t, os.Symlink(in(dir, "theme"), in(dir, "a/theme")))
		}, "a/theme/y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, w := watching(t, tt.roots+" end", tt.ignore, append(tt.files, "end")...)
			tt.do(t, dir)
			write(t, in(dir, "end"), "new")
			got := changed(t, w, dir, "end")
			if tt.name == "a folder that is made anew" { // that the folder went is seen if it is looked at before it is back
				got = strings.TrimPrefix(got, "a ")
			}
			if got = strings.TrimSpace(strings.ReplaceAll(" "+got, " end", "")); got != tt.want {
				t.Errorf("reported: %s; want: %s", got, tt.want)
			}
		})
	}
}

func TestLinksInACircle(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "b", "x"), "")
	if err := os.Symlink(dir, filepath.Join(dir, "a", "b", "up")); err != nil {
		t.Skipf("symbolic links: %v", err)
	}
	w, err := newWatcher(time.Now)
	must(t, err)
	defer w.close()
	must(t, w.set(scope{roots: []string{dir}}))
	write(t, filepath.Join(dir, "a", "b", "x"), "new")
	if got := changed(t, w, dir, "a/b/x"); got != "a/b/x" {
		t.Errorf("reported %s", got)
	}
}

// A burst is reported once, when it is over; one that does not end, after a
// while all the same.
func TestBursts(t *testing.T) {
	w := &watcher{now: time.Now, news: make(chan struct{}, 1), pending: map[string]time.Time{}, known: map[string]bool{}}
	start := time.Now()
	now := start
	w.now = func() time.Time { return now }
	due := func() time.Duration { wait, _ := w.due(50 * time.Millisecond); return wait }
	var got []time.Duration
	for _, at := range []time.Duration{0, 40, 80, 990, 999} {
		now = start.Add(at * time.Millisecond)
		w.note("a")
		got = append(got, due()/time.Millisecond)
	}
	if diff := cmp.Diff(got, []time.Duration{50, 50, 50, 10, 1}); diff != "" {
		t.Error(diff)
	}
}
