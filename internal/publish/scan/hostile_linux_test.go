package scan

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

// Every name is a key of its own, byte for byte. Other systems than Linux fold
// case or normalise some of these names.
func TestHostileNames(t *testing.T) {
	names := []string{
		"README", "readme", "ReadMe/x", // one is a folder
		"caf\u00e9", "cafe\u0301", "\u304c.html", "\u304b\u3099.html", "\u212b", "\u00c5", // composed and not
		" ", " leading", "trailing ", "dot.", "...", "..a", "a..", "-rf", "--delete", "*", "?", "[a]", "{a,b}", `"quoted"`, "'", "`x`", "$HOME", "%", "%00", "%2e%2e", "%2F", "a%20b", "a+b", "a b",
		"#", "a#b", "~", "~user", "a~b", "a&b=c;d", "a|b", "a<b>", "a:b", "C:", "con", "nul.txt", `a\b`, `\`, "a@b", "a,b", "^", "!x",
		"日本語/雪だるま☃.html", "العربية", "😀/👩\u200d💻", "\u00a0", "a\u2028b", "a\u202eb", "\u200b", "\ufeffbom", "\ufffd", "\U0010fffd",
		strings.Repeat("x", 255), strings.Repeat("é", 127), "a/b/c/d/e/f/g/h/i/j", ".hidden", ".well-known/acme-challenge/x", "index.html/index.html", "sitemap.xml",
	}
	dir := tree(t, names...)
	files, err := listed(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range files {
		keys = append(keys, string(f.Key))
		if f.Digest != site.Digest(sha256.Sum256([]byte(f.Key))) {
			t.Errorf("%q has the bytes of another file", f.Key)
		}
	}
	if diff := cmp.Diff(keys, slices.Sorted(slices.Values(names))); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

// Any name that the system takes is either published under exactly itself, or
// left out by a rule, or an error that names it.
func TestAnyName(t *testing.T) {
	base := t.TempDir()
	letters := rapid.SampledFrom([]string{"a", "b", ".", "~", "#", " ", "+", "%", "'", "/", "\\", "é", "e\u0301", "日", "\n", "\x7f", "\xff", "\uffff", "env", "freshet-"})
	rapid.Check(t, func(rt *rapid.T) {
		name := strings.Join(rapid.SliceOfN(letters, 1, 8).Draw(rt, "name"), "")
		if name != filepath.Clean(name) || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "..") {
			rt.Skip("not a name below the folder")
		}
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if name == "." || errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)) != nil {
			rt.Skip("the system does not take it")
		}
		var ignored bool
		for i, c := range name + "/" {
			ignored = ignored || c == '/' && (Ignore{}).Match(name[:i], i < len(name))
		}
		key, keyErr := site.ParseKey(name)
		files, err := listed(t.Context(), dir, Options{})
		switch {
		case ignored:
			if !errors.Is(err, ErrEmpty) {
				rt.Fatalf("%q is left out: got %v, %v", name, files, err)
			}
		case keyErr != nil || key.IsState():
			if err == nil || errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), printable(name)) || files != nil {
				rt.Fatalf("%q cannot be a key: got %v, %v", name, files, err)
			}
		case err != nil || len(files) != 1 || string(files[0].Key) != name:
			rt.Fatalf("%q: got %v, %v", name, files, err)
		}
	})
}

// A pipe that takes a file's place would wait for a writer for ever.
func TestAFileThatBecomesAPipe(t *testing.T) {
	dir := tree(t, "a", "b")
	done := make(chan error, 1)
	go func() {
		_, err := scanning(t, dir, Options{}, func() error {
			return errors.Join(os.Remove(filepath.Join(dir, "b")), syscall.Mkfifo(filepath.Join(dir, "b"), 0o644))
		})
		done <- err
	}()
	select {
	case err := <-done:
		if want := "read the site folder: b: " + errNoFile.Error(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	case <-time.After(time.Minute):
		t.Error("the scan hangs")
		if f, err := os.OpenFile(filepath.Join(dir, "b"), os.O_RDWR, 0); err == nil {
			_ = f.Close() // lets it go
		}
		<-done
	}
}

// A folder whose names can be listed and whose files cannot be reached.
func TestFolderThatCannotBeEntered(t *testing.T) {
	dir := closedTree(t, "a", "closed/b", "z -> closed/b")
	closed := filepath.Join(dir, "closed")
	if err := os.Chmod(closed, 0o444); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o755) })
	got := make(chan error, 2)
	go func() {
		asNobody(t)
		_, err := listed(t.Context(), dir, Options{Jobs: 1})
		got <- err
		f := fileAt("closed/b", filepath.Join(closed, "b"))
		got <- f.read(t.Context())
	}()
	if err := <-got; err == nil || !strings.Contains(err.Error(), "z: permission denied") {
		t.Errorf("through a link: %v", err)
	}
	if err := <-got; !errors.Is(err, os.ErrPermission) {
		t.Errorf("the file: %v", err)
	}
}

// A tree deeper than the paths of the system.
func TestDeepFolder(t *testing.T) {
	dir := tree(t, "ok")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for range 20 {
		name := strings.Repeat("d", 250)
		if err := root.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := root.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		root = next
	}
	if files, err := listed(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "file name too long") || files != nil {
		t.Errorf("got %d files, %v", len(files), err)
	}
}
