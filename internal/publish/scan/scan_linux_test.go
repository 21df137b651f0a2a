package scan

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestSocketsAndPipes(t *testing.T) {
	dir := tree(t, "a", "link -> pipe")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // the address of a socket is short
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = listed(t.Context(), dir, Options{})
	const what = ": it is a socket, pipe or device, which cannot be published"
	want := "read the site folder: link" + what + "\npipe" + what + "\nsocket" + what
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// closedTree is a tree that others than its owner can reach.
func closedTree(t *testing.T, names ...string) string {
	t.Helper()
	dir := tree(t, names...)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asNobody makes the rest of the test meet the permissions of files, also
// where root runs it: the thread gives up root's rights on files, and ends
// with the test.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread() // never unlocked: no other goroutine may inherit this
	if err := syscall.Setfsuid(65534); err != nil {
		t.Error(err)
	}
}

func TestUnreadableFolder(t *testing.T) {
	dir := closedTree(t, "a", "closed/b", "z -> gone")
	closed := filepath.Join(dir, "closed")
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o755) })
	got := make(chan error, 1)
	go func() { // in a thread of its own, which ends here
		asNobody(t)
		_, err := listed(t.Context(), dir, Options{Jobs: 1})
		got <- err
	}()
	want := "read the site folder: closed: permission denied\nz: the symbolic link leads nowhere"
	if err := <-got; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestUnreadableSiteFolder(t *testing.T) {
	dir := closedTree(t, "a")
	if err := os.Chmod(dir, 0o311); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	got := make(chan error, 1)
	go func() {
		asNobody(t)
		_, err := listed(t.Context(), dir, Options{Jobs: 1})
		got <- err
	}()
	if err := <-got; err == nil || err.Error() != "read the site folder: .: permission denied" {
		t.Errorf("got %v", err)
	}
}

func TestUnreadableFile(t *testing.T) {
	path := filepath.Join(closedTree(t, "a"), "a")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		asNobody(t)
		f := fileAt("a", path)
		got <- f.read(t.Context())
	}()
	if err := <-got; err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
}

// A file of no size that yields bytes all the same.
func TestAFileThatIsLongerThanItSays(t *testing.T) {
	f := fileAt("a", "/proc/self/status")
	if err := f.read(t.Context()); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("got %v", err)
	}
}
