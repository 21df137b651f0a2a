package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// scanning scans dir and does something after the first file was read.
func scanning(t *testing.T, dir string, opts Options, do func() error) ([]File, error) {
	t.Helper()
	opts.Jobs = 1
	opts.Progress = func(files int, _ int64) {
		if files == 1 {
			if err := do(); err != nil {
				t.Error(err)
			}
		}
	}
	return listed(t.Context(), dir, opts)
}

// A generator is at work: "a" has been read and "b/c" not yet.
func TestAFolderThatChangesWhileItIsScanned(t *testing.T) {
	write := func(name string) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644))
		}
	}
	for _, tt := range []struct {
		name string
		do   func(dir string) error
		want string // the error, "" for none
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"a file appears", write("new"), "new: it appeared while the folder was read; " + onceMore},
		{"a file appears in a new folder", write("d/new"), "d/new: it appeared while the folder was read; " + onceMore},
		{"a file appears that is left out", write(".env"), ""},
		{"a file appears that a pattern leaves out", write("plan.json"), ""},
		{"a file appears in a folder that is left out", write(".freshet/local/x"), ""},
		{"an empty folder appears", func(dir string) error { return os.Mkdir(filepath.Join(dir, "d"), 0o755) }, ""},
		{"a broken link appears", func(dir string) error { return os.Symlink("gone", filepath.Join(dir, "l")) }, "l: the symbolic link leads nowhere"},
		{"a file vanishes that was read", func(dir string) error { return os.Remove(filepath.Join(dir, "a")) },
			"a: it vanished while the folder was read; " + onceMore},
		{"a file vanishes that was not read", func(dir string) error { return os.Remove(filepath.Join(dir, "b", "c")) }, "b/c: no such file or directory"},
		{"a folder vanishes", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "b")) }, "b/c: no such file or directory"},
		{"the folder vanishes", os.RemoveAll, "b/c: no such file or directory"},
		{"a file becomes a folder", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "b", "c")), os.Mkdir(filepath.Join(dir, "b", "c"), 0o755))
		}, "b/c: " + errNoFile.Error()},
		{"a file is read twice under two names", func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "z")), os.Symlink("z", filepath.Join(dir, "a")))
		}, "z: it appeared while the folder was read; " + onceMore},
		{"a file becomes a link to another", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "b", "c")), os.Symlink("../a", filepath.Join(dir, "b", "c")))
		}, "b/c: a symbolic link has taken its place; " + onceMore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Folders that are young are listed twice, others have their stamps compared.
			for _, now := range []func() time.Time{time.Now, later} {
				dir := tree(t, "a", "b/c")
				afterATick(t, t.TempDir())
				opts := Options{Ignore: Ignore{}.With("plan.json"), Now: now}
				files, err := scanning(t, dir, opts, func() error { return tt.do(dir) })
				switch {
				case tt.want == "" && (err != nil || len(files) != 2):
					t.Errorf("got %d files, %v", len(files), err)
				case tt.want != "" && (err == nil || err.Error() != "read the site folder: "+tt.want || files != nil):
					t.Errorf("got  %v\nwant %s", err, tt.want)
				}
			}
		})
	}
}

// Somebody swaps a file for a link that leaves the folder, between the walk
// and the reading, or between the scan and the upload.
func TestAFileThatBecomesALinkOutside(t *testing.T) {
	secret := filepath.Join(tree(t, "secret"), "secret")
	dir := tree(t, "a")
	files, err := listed(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := files[0]
	if err := errors.Join(os.Remove(f.path()), os.Symlink(secret, f.path()), os.Chtimes(secret, f.modTime(), f.modTime()), os.Truncate(secret, f.Size)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(secret, f.modTime(), f.modTime()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(); err == nil || !strings.Contains(err.Error(), "a symbolic link has taken its place") {
		t.Errorf("Open: %v", err)
	}
	again := fileAt(f.Key, f.path())
	if err := again.read(t.Context()); err == nil || !again.Digest.IsZero() {
		t.Errorf("read: %v, digest %v", err, again.Digest)
	}
}

// What errors say is safe to show.
func TestErrorsAreFitForATerminal(t *testing.T) {
	outside := tree(t, "x\x1b[31m")
	for _, tt := range []struct {
		tree []string
		want string
	}{
		{[]string{"a\nb"}, `"a\nb": the name has the control character '\n'`},
		{[]string{"a\tb"}, `"a\tb": the name has the control character '\t'`},
		{[]string{"a\x7f"}, `"a\x7f": the name has the control character '\x7f'`},
		{[]string{"a\r/index.html"}, `"a\r/index.html": the name has the control character '\r'`},
		{[]string{"a\xe9/b"}, `"a\xe9/b": the name is not valid UTF-8`},
		{[]string{"a\uffff"}, `"a\uffff": the name has the control character '\uffff'`},
		{[]string{"a\u202eb -> gone"}, `"a\u202eb": the symbolic link leads nowhere`},
		{[]string{"l -> " + outside + "/x\x1b[31m"}, "the symbolic link leaves the site folder, to \"" + outside + `/x\x1b[31m"`},
		{[]string{".env\x1b[31m", "l -> .env\x1b[31m"}, `l: the symbolic link leads to ".env\x1b[31m", which is never published`},
		{[]string{"d\x1b[31m/x", "d\x1b[31m/l -> ."}, `the symbolic link leads back to "d\x1b[31m", a folder above it`},
	} {
		t.Run(fmt.Sprintf("%q", tt.tree), func(t *testing.T) {
			files, err := listed(t.Context(), tree(t, append(tt.tree, "index.html")...), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || files != nil {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if strings.ContainsAny(strings.ReplaceAll(err.Error(), "\n", ""), "\x1b\x7f\r\t\u202e") || !utf8.ValidString(err.Error()) {
				t.Errorf("the error would be obeyed: %q", err)
			}
		})
	}
}

func TestStatePrefix(t *testing.T) {
	for _, tt := range []struct {
		name string
		tree []string
		want string // keys; "" for an error
	}{
		{"a file", []string{".freshet-x"}, ""},
		{"a file of that very name", []string{".freshet-"}, ""},
		{"a folder", []string{".freshet-0123/current.json"}, ""},
		{"a link", []string{".freshet-x -> index.html"}, ""},
		{"a link to a folder", []string{"d/a", ".freshet-x -> d"}, ""},
		{"an empty folder", []string{".freshet-x/"}, "index.html"},
		{"deeper down", []string{"a/.freshet-x"}, "a/.freshet-x index.html"},
		{"alike", []string{".freshet_x", ".freshetting", ".FRESHET-x", "freshet-x"}, ".FRESHET-x .freshet_x .freshetting freshet-x index.html"},
		{"the claim", []string{".freshet-claim"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, append(tt.tree, "index.html")...)
			files, err := listed(t.Context(), dir, Options{})
			if tt.want == "" {
				if err == nil || !strings.Contains(err.Error(), "are freshet's own; rename it") || files != nil {
					t.Errorf("got %d files, %v", len(files), err)
				}
			} else if diff := cmp.Diff(keysOf(t, dir, Options{}), strings.Fields(tt.want)); diff != "" {
				t.Errorf("keys (-got +want):\n%s", diff)
			}
			if keys := keysOf(t, dir, Options{Ignore: parse(t, "/.freshet-*")}); keys[len(keys)-1] != "index.html" {
				t.Errorf("left out by a pattern: %q", keys)
			}
		})
	}
}

func TestLongKeysAreCountedInBytes(t *testing.T) {
	snow := strings.Repeat("雪", 84) + "/"                       // 253 bytes
	longest := strings.Repeat(snow, 4) + strings.Repeat("雪", 4) // 4 * 253 + 12
	if keys := keysOf(t, tree(t, longest), Options{}); len(longest) != 1024 || keys[0] != longest {
		t.Errorf("a name of %d bytes gave %d keys", len(longest), len(keys))
	}
	_, err := listed(t.Context(), tree(t, longest+"b", "ok"), Options{})
	if err == nil || !strings.Contains(err.Error(), longest+"b: a key of 1025 bytes is longer than the 1024 that S3 takes") {
		t.Errorf("got %v", err)
	}
	// What cannot be published need not be: neither empty, nor left out.
	dir := tree(t, longest+"b/", strings.Repeat(snow, 3)+"drafts/"+longName(400), "ok")
	if keys := keysOf(t, dir, Options{Ignore: parse(t, "drafts")}); len(keys) != 1 {
		t.Errorf("keys %q", keys)
	}
}

func TestEmptyFilesAndFolders(t *testing.T) {
	dir := tree(t, "a/b/c/", "d/", "e/.DS_Store", "x")
	if err := os.Truncate(filepath.Join(dir, "x"), 0); err != nil {
		t.Fatal(err)
	}
	files, err := listed(t.Context(), dir, Options{})
	if err != nil || len(files) != 1 || files[0].Size != 0 {
		t.Fatalf("got %v, %v", files, err)
	}
	// FIPS 180-4: SHA-256 of no bytes.
	if got := files[0].Digest.String(); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("digest %s", got)
	}
	file, err := files[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// The built-in list knows no case, since some disks do not.
func TestBuiltInListInOtherCase(t *testing.T) {
	dir := tree(t, ".ENV", ".Env.Local", ".GIT/config", "THUMBS.DB", "Desktop.ini", ".ds_store", "a.SWP", ".a.SWP", "INDEX.HTML", ".Well-Known/x")
	if diff := cmp.Diff(keysOf(t, dir, Options{}), []string{".Well-Known/x", "INDEX.HTML", "a.SWP"}); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

func TestHardLinks(t *testing.T) {
	dir := tree(t, "a")
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Skip(err)
	}
	files, err := listed(t.Context(), dir, Options{})
	if err != nil || len(files) != 2 || files[0].Digest != files[1].Digest {
		t.Errorf("got %v, %v", files, err)
	}
}

// A link to what lies outside is refused whatever it leads to.
func TestLinksToSystemFiles(t *testing.T) {
	for _, target := range []string{os.DevNull, "/", "../../../../../../../../../../../../etc"} {
		_, err := listed(t.Context(), tree(t, "a", "b -> "+target), Options{})
		if err == nil || !strings.Contains(err.Error(), "b: the symbolic link leaves the site folder") {
			t.Errorf("%s: got %v", target, err)
		}
	}
}

// open says what it found, in words that go with the name.
func TestOpenOfAnotherThing(t *testing.T) {
	dir := tree(t, "d/", "l -> d")
	for name, want := range map[string]error{"d": errNoFile, "gone": fs.ErrNotExist} {
		if _, _, err := open(filepath.Join(dir, name)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	if _, err := (fileAt("d", filepath.Join(dir, "d"))).Open(); !errors.Is(err, errNoFile) {
		t.Errorf("Open: %v", err)
	}
}

// What a link leads to goes where the walk does not look for itself.
func TestALinkThatIsCutBehindTheScan(t *testing.T) {
	for _, tt := range []struct{ name, link, gone, want string }{
		{"to a file", "0 -> _drafts/x", "_drafts/x", "0: it vanished while the folder was read; " + onceMore + "\n0: the symbolic link leads nowhere"},
		{"to a folder", "0 -> _drafts", "_drafts/x", "0/x: it vanished while the folder was read; " + onceMore},
		{"to a folder that goes", "0 -> _drafts", "_drafts", "0: the symbolic link leads nowhere\n0/x: it vanished while the folder was read; " + onceMore},
		{"to a folder, and the link goes", "0 -> _drafts", "0", "0/x: it vanished while the folder was read; " + onceMore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, "_drafts/x", tt.link, "a")
			afterATick(t, t.TempDir())
			files, err := scanning(t, dir, Options{Ignore: parse(t, "_drafts"), Now: later}, func() error {
				return os.RemoveAll(filepath.Join(dir, tt.gone))
			})
			if err == nil || err.Error() != "read the site folder: "+tt.want || files != nil {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}
