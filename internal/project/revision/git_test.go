package revision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// The test binary runs itself again in hooks.
const hookDir = "FRESHET_TEST_REVISION_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(hookDir); dir != "" {
		fmt.Println(Of(context.Background(), dir, os.Getenv))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// world is an environment with git and without anybody's configuration.
type world struct {
	t   *testing.T
	git string
	env map[string]string
}

func newWorld(t *testing.T) world {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("FRESHET_REQUIRE_JUDGES") == "1" {
			t.Fatal("git is not on PATH")
		}
		t.Skip("git is not on PATH")
	}
	return world{t, git, map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "GIT_CONFIG_NOSYSTEM": "1", "SYSTEMROOT": os.Getenv("SYSTEMROOT"),
		// A repository above the temporary folder is not ours.
		"GIT_CEILING_DIRECTORIES": os.TempDir(),
	}}
}

func (w world) getenv(name string) string { return w.env[name] }

// with is w with other variables, given as "NAME=value".
func (w world) with(vars ...string) world {
	env := map[string]string{}
	for name, value := range w.env {
		env[name] = value
	}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	w.env = env
	return w
}

// run runs git in dir.
func (w world) run(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(w.git, append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = dir
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a commit at that many hours after day and returns its hash.
func (w world) commit(dir string, hours int) string {
	w.t.Helper()
	at := fmt.Sprintf("%d +0900", day.Add(time.Duration(hours)*time.Hour).Unix())
	w.with("GIT_COMMITTER_DATE="+at, "GIT_AUTHOR_DATE=2001-01-01T00:00:00Z").run(dir, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("commit ", hours))
	return w.run(dir, "rev-parse", "HEAD")
}

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// repo makes a repository on the branch main with n commits.
func (w world) repo(n int) (dir string, commits []string) {
	w.t.Helper()
	dir = w.t.TempDir()
	w.run(dir, "init", "-q", "-b", "main")
	for i := range n {
		commits = append(commits, w.commit(dir, i))
	}
	return dir, commits
}

// revision is the commit of that many hours.
func revision(commit, branch string, hours int) Revision {
	return Revision{commit, branch, day.Add(time.Duration(hours) * time.Hour)}
}

// check asks Of.
func (w world) check(dir string, want Revision) {
	w.t.Helper()
	got, ok, err := Of(w.t.Context(), dir, w.getenv)
	if diff := cmp.Diff(got, want); diff != "" || err != nil || ok != (want != Revision{}) {
		w.t.Errorf("Of(%q): %v, %v (-got +want):\n%s", dir, ok, err, diff)
	}
}

func mkdir(t *testing.T, elements ...string) string {
	t.Helper()
	dir := filepath.Join(elements...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOf(t *testing.T) {
	w := newWorld(t)
	dir, c := w.repo(3)
	w.check(dir, revision(c[2], "main", 2))
	w.check(mkdir(t, dir, "content", "posts"), revision(c[2], "main", 2))
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("output/\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.check(mkdir(t, dir, "output"), revision(c[2], "main", 2))
	t.Chdir(dir)
	w.check("", revision(c[2], "main", 2))
	w.check("output", revision(c[2], "main", 2))
	w.run(dir, "checkout", "-q", "-b", "feature/a@b")
	w.check(dir, revision(c[2], "feature/a@b", 2))
	w.run(dir, "tag", "feature/a@b") // makes the short name ambiguous
	w.check(dir, revision(c[2], "feature/a@b", 2))
	w.run(dir, "checkout", "-q", "--detach", "HEAD~1")
	w.check(dir, revision(c[1], "", 1))
	w.run(dir, "config", "log.showSignature", "true")
	w.run(dir, "config", "log.date", "relative")
	w.check(dir, revision(c[1], "", 1))
}

func TestOfNothing(t *testing.T) {
	w := newWorld(t)
	w.check(t.TempDir(), Revision{})
	dir, _ := w.repo(0)
	w.check(dir, Revision{})
	dir, _ = w.repo(1)
	w.check(filepath.Join(dir, ".git"), Revision{})
	w.check(filepath.Join(dir, ".git", "objects"), Revision{})
	bare := t.TempDir()
	w.run(bare, "clone", "-q", "--bare", dir, ".")
	w.check(bare, Revision{})
	for _, path := range []string{"", ".", "relative" + string(filepath.ListSeparator) + t.TempDir()} {
		w.with("PATH="+path).check(dir, Revision{})
	}
}

func TestOfOtherTrees(t *testing.T) {
	w := newWorld(t)
	dir, c := w.repo(3)
	tree := filepath.Join(t.TempDir(), "tree")
	w.run(dir, "worktree", "add", "-q", "-b", "other", tree, "HEAD~1")
	w.check(tree, revision(c[1], "other", 1))

	shallow := t.TempDir()
	w.run(shallow, "clone", "-q", "--depth=1", "file://"+filepath.ToSlash(dir), ".")
	w.check(shallow, revision(c[2], "main", 2))

	inner, ic := w.repo(1)
	w.run(dir, "submodule", "--quiet", "add", inner, "sub")
	w.check(filepath.Join(dir, "sub"), revision(ic[0], "main", 0))

	sha256 := t.TempDir()
	w.run(sha256, "init", "-q", "-b", "main", "--object-format=sha256")
	long := w.commit(sha256, 7)
	if len(long) != 64 {
		t.Fatalf("the commit is %s", long)
	}
	w.check(sha256, revision(long, "main", 7))

	old, _ := w.repo(0) // before 1970 there is no time for git
	w.with("GIT_COMMITTER_DATE=@0 +0000", "GIT_AUTHOR_DATE=@0 +0000").run(old, "commit", "-q", "--allow-empty", "-m", "x")
	w.check(old, Revision{w.run(old, "rev-parse", "HEAD"), "main", time.Unix(0, 0).UTC()})
}

// What a hook of git finds in its environment does not change the answer.
func TestOfInAHook(t *testing.T) {
	w := newWorld(t)
	dir, c := w.repo(2)
	other, oc := w.repo(1)
	for _, vars := range [][]string{
		{"GIT_DIR=."}, {"GIT_DIR=.git", "GIT_INDEX_FILE=.git/index", "GIT_PREFIX="},
		{"GIT_DIR=" + filepath.Join(other, ".git")},
		{"GIT_DIR=" + filepath.Join(other, ".git"), "GIT_WORK_TREE=" + other},
		{"GIT_DIR=" + filepath.Join(other, ".git"), "GIT_WORK_TREE=."},
		{"GIT_WORK_TREE=" + dir}, {"GIT_OBJECT_DIRECTORY=" + t.TempDir(), "GIT_QUARANTINE_PATH=x"},
		{"GIT_COMMON_DIR=" + filepath.Join(other, ".git")}, {"GIT_NAMESPACE=x"}, {"GIT_TRACE=1"}, {"LC_ALL=de_DE.UTF-8", "LANGUAGE=de"},
		{"GIT_CONFIG_PARAMETERS='core.bare=true'"},
	} {
		t.Run(strings.Join(vars, " "), func(t *testing.T) {
			w := w.with(vars...)
			w.t = t
			w.check(dir, revision(c[1], "main", 1))
			w.check(t.TempDir(), Revision{})
		})
	}
	// A bare repository with its work tree elsewhere, spelled out.
	tree := mkdir(t, t.TempDir(), "www")
	spelled := w.with("GIT_DIR="+filepath.Join(other, ".git"), "GIT_WORK_TREE="+tree)
	spelled.check(mkdir(t, tree, "output"), revision(oc[0], "main", 0))
	spelled.check(tree, revision(oc[0], "main", 0))
	spelled.check(mkdir(t, tree+"-old"), Revision{})
}

// The same from hooks that git itself runs: in a repository with a work tree,
// and in the bare one that is pushed to.
func TestOfInARealHook(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	w := newWorld(t)
	site, c := w.repo(2)
	dir, _ := w.repo(1)
	bare := t.TempDir()
	w.run(bare, "clone", "-q", "--bare", dir, ".")
	for hook, run := range map[string]func(){
		filepath.Join(dir, ".git", "hooks", "post-commit"): func() { w.commit(dir, 9) },
		filepath.Join(bare, "hooks", "post-receive"):       func() { w.run(dir, "push", "-q", bare, "HEAD:new") },
	} {
		out := filepath.Join(t.TempDir(), "out")
		script := fmt.Sprintf("#!/bin/sh\nset -e\ntest -n \"$GIT_DIR$GIT_INDEX_FILE\"\ncd '%s'\n%s='%s' '%s' > '%s'\n", site, hookDir, site, os.Args[0], out)
		if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		run()
		if got, err := os.ReadFile(out); err != nil || string(got) != fmt.Sprintln(revision(c[1], "main", 1), true, nil) {
			t.Errorf("%s: freshet sees %s, %v", filepath.Base(hook), got, err)
		}
	}
}

// A repository of another user is a reason, not a failure.
func TestOfAnotherUsersRepository(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	w := newWorld(t)
	dir, c := w.repo(1)
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(dir, ".git"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	got, ok, err := Of(t.Context(), dir, w.getenv)
	if ok || got != (Revision{}) || err == nil || !strings.Contains(err.Error(), "dubious ownership") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, %v, %v; want no revision and the reason", got, ok, err)
	}
	w.with("GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0="+dir).check(dir, revision(c[0], "main", 0))
	w.with("SUDO_UID=65534").check(dir, revision(c[0], "main", 0))
}

// fakeGit stands in for git.
func fakeGit(t *testing.T, script string) world {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return world{t, "", map[string]string{"PATH": dir + ":" + os.Getenv("PATH")}}
}

func TestBrokenGit(t *testing.T) {
	const hash = "0123456789012345678901234567890123456789"
	for _, tt := range []struct {
		name, script, want string
	}{
		{"a message", "echo 'fatal: bad thing' >&2; echo advice >&2; exit 128", "bad thing"},
		{"a message that a terminal would obey", `printf 'fatal: \033[31m' >&2; exit 128`, `"\x1b[31m"`},
		{"no word", "exit 3", "exit status 3"},
		{"killed", "kill -9 $$", "signal: killed"},
		{"xcode", "echo 'xcode-select: note: no developer tools were found' >&2; exit 1", "no developer tools"},
		{"another commit", "case $3 in rev-parse) case $4 in --is*) echo true;; *) echo " + hash + ";; esac;; *) echo 5 abc;; esac", `git answered "5 abc"`},
		{"a time that nobody can write", "case $3 in rev-parse) case $4 in --is*) echo true;; *) echo " + hash + ";; esac;; *) echo 253402300800 " + hash + ";; esac", "beyond the year 9999"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok, err := Of(t.Context(), t.TempDir(), fakeGit(t, tt.script).getenv)
			if ok || got != (Revision{}) || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "advice") {
				t.Errorf("got %v, %v, %v; want the error %q", got, ok, err, tt.want)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := fakeGit(t, "exec sleep 600")
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, ok, err := Of(ctx, t.TempDir(), w.getenv); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestSlowGit(t *testing.T) {
	w := fakeGit(t, "exec sleep 600")
	_, ok, err := within(t.Context(), 50*time.Millisecond, t.TempDir(), "HEAD", w.getenv)
	if ok || err == nil || !strings.Contains(err.Error(), "git did not answer within 50ms") {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestAt(t *testing.T) {
	w := newWorld(t)
	dir, c := w.repo(3)
	w.run(dir, "branch", "old", c[0])
	w.run(dir, "tag", "-a", "-m", "x", "v1", c[1])
	w.run(dir, "tag", "files", "HEAD:")
	w.run(dir, "update-ref", "refs/remotes/origin/feature/x", c[1])
	w.run(dir, "update-ref", "refs/heads/-x", c[1])
	for _, tt := range []struct {
		name string
		want Revision // zero for a name that is not known
	}{
		{"HEAD", revision(c[2], "main", 2)},
		{"@", revision(c[2], "main", 2)},
		{"main", revision(c[2], "main", 2)},
		{"refs/heads/old", revision(c[0], "old", 0)},
		{"old", revision(c[0], "old", 0)},
		{"HEAD~2", revision(c[0], "main", 0)},
		{"HEAD@{0}", revision(c[2], "main", 2)},
		{"v1", revision(c[1], "main", 1)},
		{"origin/feature/x", revision(c[1], "feature/x", 1)},
		{c[0], revision(c[0], "main", 0)},
		{c[1][:10], revision(c[1], "main", 1)},
		{":/commit 1", revision(c[1], "main", 1)},
		{"", Revision{}},
		{"files", Revision{}},
		{"HEAD:", Revision{}},
		{"gone", Revision{}},
		{strings.Repeat("a", 40), Revision{}},
		{"HEAD~9", Revision{}},
		{"^HEAD", Revision{}},
		{"HEAD..old", Revision{}},
		{"HEAD HEAD", Revision{}},
		{"-x", Revision{}},
		{"--all", Revision{}},
		{"--git-dir", Revision{}},
		{"--", Revision{}},
		{"a\nb", Revision{}},
		{"$(true)", Revision{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok, err := At(t.Context(), dir, tt.name, w.getenv)
			if diff := cmp.Diff(got, tt.want); diff != "" || err != nil || ok != (tt.want != Revision{}) {
				t.Errorf("At: %v, %v (-got +want):\n%s", ok, err, diff)
			}
		})
	}
}

// A shallow clone lacks most commits, a partial one could fetch them.
func TestAtLacksObjects(t *testing.T) {
	w := newWorld(t)
	dir, c := w.repo(3)
	shallow := t.TempDir()
	w.run(shallow, "clone", "-q", "--depth=1", "file://"+filepath.ToSlash(dir), ".")
	for _, name := range []string{c[0], "HEAD~1"} {
		if got, ok, err := At(t.Context(), shallow, name, w.getenv); ok || err != nil {
			t.Errorf("%s: got %v, %v, %v", name, got, ok, err)
		}
	}
}
