package presence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childID)))
	}
	goleak.VerifyTestMain(m)
}

// announce announces id for the rest of the test.
func announce(t *testing.T, f Folder, id string) (end func() error) {
	t.Helper()
	end, err := f.Announce(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return end
}

// dead leaves the file of a process that is gone.
func dead(t *testing.T, f Folder, id string) {
	t.Helper()
	if err := os.WriteFile(f.path(id), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestAnnounce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "freshet", "running")
	f := In(dir)
	end := announce(t, f, "3f2a")
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v; want 0700", info, err)
	}
	if f.Gone("3f2a", Host()) {
		t.Error("this process counts as gone")
	}
	runtime.GC() // must not close the file
	runtime.GC()
	if f.Gone("3f2a", Host()) {
		t.Error("this process counts as gone after a garbage collection")
	}
	if runtime.GOOS != "windows" {
		data, err := os.ReadFile(filepath.Join(dir, "3f2a.lock"))
		if err != nil || string(data) != fmt.Sprintln(os.Getpid()) {
			t.Errorf("the file holds %q, %v; want the process id", data, err)
		}
	}
	for range 2 {
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	if got := names(t, dir); len(got) != 0 || f.Gone("3f2a", Host()) {
		t.Errorf("after the end: files %q; want none, and nobody is known to be gone", got)
	}
	announce(t, f, "3f2a") // ended, so the name is free
}

// A second holder of an id is refused, and the first stays safe.
func TestAnnounceTwice(t *testing.T) {
	f := In(t.TempDir())
	announce(t, f, "ab")
	if _, err := f.Announce("ab"); !errors.Is(err, fs.ErrExist) || !strings.HasPrefix(err.Error(), "announce this process: ") {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if got := names(t, f.dir); f.Gone("ab", Host()) || !cmp.Equal(got, []string{"ab.lock"}) {
		t.Errorf("gone %v, files %q", f.Gone("ab", Host()), got)
	}
}

func TestAnnounceRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		folder Folder
		id     string
		want   string
	}{
		{"no folder", Folder{}, "ab", "there is no folder for it"},
		{"no id", In(dir), "", "is not 1 to 64 hexadecimal digits"},
		{"a path", In(dir), "../ab", "is not 1 to 64 hexadecimal digits"},
		{"upper case", In(dir), "AB", "is not 1 to 64 hexadecimal digits"},
		{"too long", In(dir), strings.Repeat("a", 65), "is not 1 to 64 hexadecimal digits"},
		{"a folder that cannot be made", In(filepath.Join(file, "below")), "ab", "file"},
		{"a folder that is a file", In(file), "ab", "file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			end, err := tt.folder.Announce(tt.id)
			if err == nil || !strings.Contains(err.Error(), tt.want) || end != nil {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if tt.folder.Gone(tt.id, Host()) {
				t.Error("counts as gone")
			}
		})
	}
	if got := names(t, dir); !cmp.Equal(got, []string{"file"}) {
		t.Errorf("files %q were left", got)
	}
}

func TestGone(t *testing.T) {
	f := In(t.TempDir())
	dead(t, f, "dead")
	dead(t, f, "AB")
	dead(t, In(filepath.Dir(f.dir)), "0")
	announce(t, f, "a11fe")
	if err := os.Mkdir(f.path("f01de4"), 0o700); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{"11": f.path("dead"), "12": filepath.Join(f.dir, "nowhere")}
	for id, target := range links {
		if err := os.Symlink(target, f.path(id)); err != nil {
			t.Skipf("symbolic links: %v", err)
		}
	}
	longest := strings.Repeat("f", 64)
	dead(t, f, longest)
	for _, tt := range []struct {
		name, id, host string
		want           bool
	}{
		{"dead", "dead", Host(), true},
		{"dead, asked again", "dead", Host(), true},
		{"dead, the longest id", longest, Host(), true},
		{"alive", "a11fe", Host(), false},
		{"nobody of that name", "0123", Host(), false},
		{"another machine", "dead", "elsewhere", false},
		{"another boot of this machine", "dead", identity("x", "00000000-0000-0000-0000-000000000000"), false},
		{"a machine that did not say", "dead", "", false},
		{"no id", "", Host(), false},
		{"not the name of a holder", "AB", Host(), false},
		{"a path", "../0", Host(), false},
		{"too long", longest + "f", Host(), false},
		{"a folder", "f01de4", Host(), false},
		{"a symbolic link", "11", Host(), false},
		{"a symbolic link to nowhere", "12", Host(), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := f.Gone(tt.id, tt.host); got != tt.want {
				t.Errorf("Gone(%q, %q) = %v", tt.id, tt.host, got)
			}
		})
	}
	if _, err := os.Lstat(filepath.Join(f.dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking made a file: %v", err)
	}
}

func TestFolders(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	if f, err := Default(); err != nil || f.dir != filepath.Join(cache, "freshet", "running") {
		t.Errorf("Default: %q, %v", f.dir, err)
	}
	if (Folder{}).Gone("ab", Host()) {
		t.Error("the zero Folder knows somebody who is gone")
	}
	if runtime.GOOS == "linux" {
		t.Setenv("HOME", "")
		t.Setenv("XDG_CACHE_HOME", "")
		if f, err := Default(); err == nil || f != (Folder{}) {
			t.Errorf("without a home: %q, %v", f.dir, err)
		}
	}
}

// A file system that grants every lock looks, to hold, like another file that
// nobody has locked.
func TestFileSystemWithoutLocks(t *testing.T) {
	f := In(t.TempDir())
	dead(t, f, "1")
	dead(t, f, "2")
	lock := existing(f.path("1"))
	defer lock.Close()
	if err := hold(lock, f.path("2")); !errors.Is(err, ErrNoLocks) {
		t.Errorf("got %v, want ErrNoLocks", err)
	}
	if err := hold(existing(f.path("1")), f.path("1")); !errors.Is(err, errTaken) {
		t.Errorf("got %v, want errTaken", err)
	}
}

func TestSweep(t *testing.T) {
	f := In(t.TempDir())
	announce(t, f, "a11fe")
	for _, id := range []string{"01d", "e0", "b4d"} {
		dead(t, f, id)
	}
	stays := []string{"other.lock", "01d.txt", ".tmp"}
	for _, name := range append(stays, tempPrefix+"OLD", tempPrefix+"NEW") {
		if err := os.WriteFile(filepath.Join(f.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-25 * time.Hour)
	for _, name := range append(stays, "a11fe.lock", "01d.lock", tempPrefix+"OLD") {
		if err := os.Chtimes(filepath.Join(f.dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	// The oldest age that stays; a minute for a slow machine.
	edge := time.Now().Add(-maxAge + time.Minute)
	if err := os.Chtimes(f.path("b4d"), edge, edge); err != nil {
		t.Fatal(err)
	}
	announce(t, f, "2")
	want := []string{".tmp", ".tmp-NEW", "01d.txt", "2.lock", "a11fe.lock", "b4d.lock", "e0.lock", "other.lock"}
	if diff := cmp.Diff(names(t, f.dir), want); diff != "" {
		t.Errorf("files (-got +want):\n%s", diff)
	}
	if f.Gone("a11fe", Host()) {
		t.Error("a process that has lived for long counts as gone")
	}
}

// Somebody who knows the id beforehand and asks all the time never sees it
// dead, from before it is announced until it is ended.
func TestNeverDeadWhileAnnouncing(t *testing.T) {
	f := In(t.TempDir())
	var watched atomic.Int64 // the id that is asked for
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				n := watched.Load()
				if f.Gone(fmt.Sprintf("%x", n), Host()) && watched.Load() == n {
					t.Errorf("%x counts as gone", n)
					return
				}
			}
		})
	}
	for n := range int64(300) {
		watched.Store(n)
		end, err := f.Announce(fmt.Sprintf("%x", n))
		if err != nil {
			t.Error(err)
			break
		}
		watched.Store(-1) // "-1" is no id
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// Hundreds at once: those who live are never gone, those who are dead are gone
// for everybody who asks.
func TestConcurrent(t *testing.T) {
	f := In(t.TempDir())
	dead(t, f, "dead")
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			id := fmt.Sprintf("%x", i)
			end, err := f.Announce(id)
			if err != nil {
				t.Error(err)
				return
			}
			if !f.Gone("dead", Host()) {
				t.Errorf("%s: who is dead does not count as gone", id)
			}
			if f.Gone(id, Host()) {
				t.Errorf("%s counts as gone", id)
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := names(t, f.dir); !cmp.Equal(got, []string{"dead.lock"}) {
		t.Errorf("files %q were left", got)
	}
}

func TestHost(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	got := Host()
	if got == "" || got != Host() || !strings.HasPrefix(got, name) || strings.ContainsAny(got, "\n\x00") {
		t.Errorf("Host() = %q", got)
	}
	if boot := bootID(); (runtime.GOOS == "linux" || runtime.GOOS == "darwin") && (boot == "" || got != name+"/"+boot) {
		t.Errorf("Host() = %q with the boot %q", got, boot)
	}
	for _, tt := range []struct{ name, boot, want string }{{"a", "", "a"}, {"a", "b", "a/b"}, {"", "b", "/b"}, {"", "", ""}} {
		if got := identity(tt.name, tt.boot); got != tt.want {
			t.Errorf("identity(%q, %q) = %q", tt.name, tt.boot, got)
		}
	}
}
