package invalidation

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is what directories hold, hidden files included. "." is the working
// directory.
type machine map[string]string

func (m machine) list(dir string) ([]string, error) {
	names, ok := m[dir]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return strings.Fields(names), nil
}

// linux is the root of a Debian machine.
const linux = "bin boot dev etc home lib lib64 lost+found media mnt opt proc root run sbin srv swapfile sys tmp usr var .cache"

func TestShellPattern(t *testing.T) {
	m := machine{
		"/": linux, ".": "index.html posts about.html app.css .git", "posts": "2025 2026 .draft", "/home": "ben",
		"..": "blog notes", "one": "single.html", "empty": "", "hidden": ".a .b", "/srv/www": "a.html b.html",
	}
	for _, tt := range []struct{ name, args, want string }{
		{"/* on Linux", "/bin /boot /dev /etc /home /lib /lib64 /lost+found /media /mnt /opt /proc /root /run /sbin /srv /swapfile /sys /tmp /usr /var", "/*"},
		{"/* in another order", "/var /usr /tmp /sys /swapfile /srv /sbin /run /root /proc /opt /mnt /media /lost+found /lib64 /lib /home /etc /dev /boot /bin", "/*"},
		{"/l*", "/lib /lib64 /lost+found", "/l*"},
		{"/b*", "/bin /boot", "/b*"},
		{"* in a folder", "about.html app.css index.html posts", "*"},
		{"./*", "./about.html ./app.css ./index.html ./posts", "*"},
		{"a*", "about.html app.css", "a*"},
		{"DIR/*", "posts/2025 posts/2026", "posts/*"},
		{"DIR/*/", "posts/2025/ posts/2026/", "posts/*"},
		{"DIR/x*", "/srv/www/a.html /srv/www/b.html", "/srv/www/*"},
		{"../*", "../blog ../notes", "../*"},
		{"DIR/* with one file", "one/single.html", "one/*"},
		{"with a good path behind", "about.html app.css index.html posts /feed.xml", "*"},
		{"with a good path before", "/feed.xml posts/2025 posts/2026", "posts/*"},
		{"with a good path in the same directory", "/about/ /lib /lib64 /lost+found", "/l*"},
		{"twice", "posts/2025 posts/2026 posts/2025 posts/2026", "posts/*"},

		{"nothing", "", ""},
		{"the root", "/", ""},
		{"a page", "/about/", ""},
		{"pages", "/about/ /posts/2026/hello/ /feed.xml", ""},
		{"a page with the name of a directory", "/home", ""},
		{"two of them, not alike", "/home /var", ""},
		{"two of them, not all that are alike", "/sbin /srv", ""},
		{"a page between two of them", "/bin /blog/ /boot", ""},
		{"a wildcard that stayed", "/posts/*", ""},
		{"a quoted wildcard and a page", "/* /home", ""},
		{"one of two", "posts/2025", ""},
		{"a page with a name from another directory", "posts/2025 /2026", ""},
		{"one file and a page", "one/single.html /about/", ""},
		{"a directory that is empty", "empty/x", ""},
		{"hidden files only", "hidden/.a hidden/.b", ""},
		{"an empty argument", " ", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(tt.args)
			if tt.args == " " {
				args = []string{""}
			}
			if got, ok := ShellPattern(args, m.list); got != tt.want || ok != (tt.want != "") {
				t.Errorf("ShellPattern(%q) = %q, %v, want %q", args, got, ok, tt.want)
			}
		})
	}
}

// A real shell expands each pattern in a real folder.
func TestShellPatternOfARealShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh on PATH")
	}
	dir := t.TempDir()
	for _, name := range []string{
		"index.html", "info.html", "zebra.txt", ".hidden", "with space.html", "posts/b.html", "posts/a.html", "posts/.c", "posts/日本.html",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := func(name string) ([]string, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		entries, err := os.ReadDir(name)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names, err
	}
	for _, tt := range []struct{ typed, want string }{
		{"*", "*"},
		{"posts/*", "posts/*"},
		{"in*", "in*"},
		{"/*", "/*"},
		{dir + "/*", dir + "/*"},
		{"* /feed.xml", "*"},
		{"/feed.xml posts/*", "posts/*"},
		{"'/*'", ""},
		{"'posts/*' /about/", ""},
		{"/no-such-folder-here/*", ""},
		{"index.html", ""},
		{".h*", ""},
	} {
		t.Run(tt.typed, func(t *testing.T) {
			cmd := exec.Command(sh, "-c", `printf '%s\0' `+tt.typed)
			cmd.Dir = dir
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			if got, ok := ShellPattern(args, list); got != tt.want || ok != (tt.want != "") {
				t.Errorf("the shell made %.200q of %s; ShellPattern says %q, %v, want %q", args, tt.typed, got, ok, tt.want)
			}
		})
	}
}

// A folder of 20,000 names is listed once. The work grows with their number,
// not with its square, which would be 400 million comparisons of long names.
func TestShellPatternOfALargeFolder(t *testing.T) {
	var entries, args []string
	for i := range 20_000 {
		name := fmt.Sprintf("%s-%06d.html", strings.Repeat("long", 20), i)
		entries, args = append(entries, name), append(args, "posts/"+name)
	}
	calls := 0
	got, ok := ShellPattern(args, func(string) ([]string, error) { calls++; return entries, nil })
	if !ok || got != "posts/*" || calls != 1 {
		t.Errorf("ShellPattern = %q, %v after %d listings, want posts/* after one", got, ok, calls)
	}
}
