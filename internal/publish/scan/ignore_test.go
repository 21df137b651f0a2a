package scan

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, text string) Ignore {
	t.Helper()
	ig, err := Ignore{}.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return ig
}

func TestBuiltInList(t *testing.T) {
	kept := []string{
		".well-known/security.txt", ".nojekyll", "a.env", "environment", "a~b.txt", "#a", "a#", ".swp.txt", ".a", "_headers", "git/x", "nested/.well-known/x",
	}
	dropped := []string{
		".git/config", ".hg/x", ".svn/x", ".bzr/x", ".freshet/local/x", ".idea/x", ".vscode/x", ".ssh/id", ".aws/credentials", ".gnupg/x",
		"sub/.git", "sub/.DS_Store", ".DS_Store", "Thumbs.db", "desktop.ini", ".gitignore", ".gitattributes", ".gitmodules", ".gitkeep",
		".freshetignore", ".npmrc", ".netrc", ".htpasswd", ".env", ".env.local", ".envrc", "._resource", ".#lock", "index.html~", "#auto#", ".index.html.swp",
	}
	got := keysOf(t, tree(t, append(slices.Clone(kept), dropped...)...), Options{})
	if diff := cmp.Diff(got, slices.Sorted(slices.Values(kept))); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

// ignoreRows are lists of patterns; each is tried on gitTree by freshet and by
// git itself. want is what stays.
var ignoreRows = []struct{ name, patterns, want string }{
	{"nothing", "", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"an extension, at every depth", "*.log", "a.txt dir/a.txt dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"rooted", "/a.txt", "b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"a folder and all below it", "dir", "a.txt b.log keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"folders only", "build/", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash other/build"},
	{"a slash in the middle roots", "sub/c.txt", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"with its folder", "dir/sub", "a.txt b.log dir/a.txt dir/b.log keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"any depth before", "**/c.txt", "a.txt b.log dir/a.txt dir/b.log keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"any depth between", "dir/**/c.txt", "a.txt b.log dir/a.txt dir/b.log keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"everything inside", "dir/**", "a.txt b.log keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"everything inside but one", "dir/**\n!dir/a.txt", "a.txt b.log dir/a.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"a star stays in its folder", "dir/*.txt", "a.txt b.log dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"taken back", "*.txt\n!dir/a.txt", "b.log dir/a.txt dir/b.log keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"not taken back below a folder that is out", "dir\n!dir/a.txt", "a.txt b.log keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"the last one decides", "!a.txt\na.txt", "b.log keep/x {a,b} [x] sp !bang #hash dir/b.log dir/sub/c.txt build/o/p other/build"},
	{"only some folders", "/*\n!/keep", "keep/x"},
	{"comments and blank lines", "# a.txt\n\n  \nb.log", "a.txt dir/a.txt dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"an escaped number sign", `\#hash`, "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang build/o/p other/build"},
	{"an escaped exclamation mark", `\!bang`, "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp #hash build/o/p other/build"},
	{"an escaped star is a star", `\*.txt`, "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"blanks at the end", "b.log  ", "a.txt dir/a.txt dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"an escaped blank at the end", `sp\ `, "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"braces mean nothing", "{a,b}", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x [x] sp !bang #hash build/o/p other/build"},
	{"braces again", "{a,b}.{txt,log}", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"a class", "[ab].txt", "b.log dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"a class turned round", "[!a].*", "a.txt dir/a.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"an escaped bracket", `\[x]`, "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} sp !bang #hash build/o/p other/build"},
	{"a question mark", "?.log", "a.txt dir/a.txt dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"case", "A.TXT", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"carriage returns", "b.log\r\ndir\r\n", "a.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"a byte order mark", "\ufeffb.log", "a.txt dir/a.txt dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"lone slashes and exclamation marks", "/\n!\n!/", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"folders at any depth", "**/build/", "a.txt b.log dir/a.txt dir/b.log dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash other/build"},
	{"two stars in a name", "b**.log", "a.txt dir/a.txt dir/sub/c.txt keep/x {a,b} [x] sp !bang #hash build/o/p other/build"},
	{"everything", "*", ""},
}

func gitTree(t *testing.T) string {
	return tree(t, "a.txt", "b.log", "dir/a.txt", "dir/b.log", "dir/sub/c.txt", "keep/x", "{a,b}", "[x]", "sp", "!bang", "#hash", "build/o/p", "other/build")
}

func TestIgnorePatterns(t *testing.T) {
	dir := gitTree(t)
	for _, tt := range ignoreRows {
		t.Run(tt.name, func(t *testing.T) {
			files, err := listed(t.Context(), dir, Options{Ignore: parse(t, tt.patterns)})
			if err != nil && (tt.want != "" || !errors.Is(err, ErrEmpty)) {
				t.Fatal(err)
			}
			var got []string
			for _, f := range files {
				got = append(got, string(f.Key))
			}
			if diff := cmp.Diff(got, slices.Sorted(slices.Values(strings.Fields(tt.want)))); diff != "" {
				t.Errorf("what stays with %q (-got +want):\n%s", tt.patterns, diff)
			}
		})
	}
}

// The table says of git what git says of itself.
func TestIgnorePatternsLikeGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git on PATH")
	}
	dir := gitTree(t)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(git, append([]string{"-c", "core.excludesFile=", "-c", "core.ignoreCase=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_DIR="+filepath.Join(dir, ".git"), "GIT_WORK_TREE="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("init", "-q")
	patterns := filepath.Join(t.TempDir(), "patterns")
	for _, tt := range ignoreRows {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(patterns, []byte(tt.patterns), 0o644); err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.TrimSuffix(run("ls-files", "-z", "--others", "--exclude-from="+patterns), "\x00"), "\x00")
			if got[0] == "" {
				got = nil
			}
			slices.Sort(got)
			if diff := cmp.Diff(got, slices.Sorted(slices.Values(strings.Fields(tt.want)))); diff != "" {
				t.Errorf("git with %q (-got +want):\n%s", tt.patterns, diff)
			}
		})
	}
}

func TestIgnoreErrors(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
	}{
		{"an open bracket", "ok\n[a", `.freshetignore:2: the pattern "[a" is malformed`},
		{"a backslash at the end", `a\`, `.freshetignore:1: the pattern "a\\" is malformed`},
		{"an endless line", strings.Repeat("a", 100_000), "read .freshetignore: bufio.Scanner: token too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := (Ignore{}).Parse(strings.NewReader(tt.text)); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	broken := errors.New("disk on fire")
	if _, err := (Ignore{}).Parse(io.MultiReader(strings.NewReader("a\n"), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestIgnoreWithTakesNames(t *testing.T) {
	dir := tree(t, "a[1]", "a1", "x*", "xy", "{a,b}", "a", "freshet.yaml", "sub/freshet.yaml", `b\c`)
	got := keysOf(t, dir, Options{Ignore: Ignore{}.With("a[1]", "x*", "{a,b}", "freshet.yaml", `b\c`)})
	if diff := cmp.Diff(got, []string{"a", "a1", "sub/freshet.yaml", "xy"}); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

// What is made from an Ignore does not change it.
func TestIgnoreIsAValue(t *testing.T) {
	base := parse(t, "a\nb\nc")
	_ = base.With("x")
	if _, err := base.Parse(strings.NewReader("y")); err != nil {
		t.Fatal(err)
	}
	one, two := base.With("one"), base.With("two")
	if base.Match("x", false) || base.Match("y", false) || one.Match("two", false) || !two.Match("two", false) || !one.Match("one", false) {
		t.Error("two Ignores share their patterns")
	}
}

func TestIgnoreTakesBackTheBuiltInList(t *testing.T) {
	got := keysOf(t, tree(t, ".npmrc", ".htpasswd", "a"), Options{Ignore: parse(t, "!.npmrc")})
	if diff := cmp.Diff(got, []string{".npmrc", "a"}); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

// A pattern for folders leaves a link to a file alone, and takes one to a
// folder.
func TestIgnoreOfLinks(t *testing.T) {
	dir := tree(t, "a", "d/b", "one -> a", "two -> d", "three -> gone")
	got := keysOf(t, dir, Options{Ignore: parse(t, "one/\ntwo/\nthree")})
	if diff := cmp.Diff(got, []string{"a", "d/b", "one"}); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

func FuzzIgnore(f *testing.F) {
	for _, row := range ignoreRows {
		f.Add(row.patterns, "dir/a.txt")
	}
	f.Add(`a\ `, "a ")
	f.Fuzz(func(t *testing.T, patterns, name string) {
		ig, err := Ignore{}.Parse(strings.NewReader(patterns))
		if err != nil {
			return
		}
		ig.Match(name, true)
		ig.Match(name, false)
		if name != "" && !strings.Contains(name, "//") && !(Ignore{}).With(name).Match(name, false) && !builtIn(name, false) {
			t.Fatalf("With(%q) does not match it", name)
		}
	})
}
