package build

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// project makes a folder with the given entries: "a/b" is a file, "a/" a
// folder, "a -> b" a symbolic link to b, where OUT stands for a folder outside
// that holds precious/file.
func project(t *testing.T, entries ...string) (dir, outside string) {
	t.Helper()
	dir, outside = t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "precious", "file"))
	for _, e := range entries {
		if name, to, ok := strings.Cut(e, " -> "); ok {
			to = strings.ReplaceAll(to, "OUT", outside)
			if err := os.Symlink(filepath.FromSlash(to), filepath.Join(dir, name)); err != nil {
				t.Skipf("symbolic links: %v", err)
			}
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(e))
		if strings.HasSuffix(e, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		write(t, path)
	}
	return dir, outside
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(path), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree is every name below dir, sorted, folders with a slash at the end.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if d.IsDir() {
			rel += "/"
		}
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func TestClean(t *testing.T) {
	tests := []struct {
		name           string
		entries, paths []string
		removed, left  []string
	}{
		{"nothing named", []string{"a"}, nil, nil, []string{"a"}},
		{"folder", []string{"out/a/b", "src/a"}, []string{"out"}, []string{"out"}, []string{"src/", "src/a"}},
		{"folder with slash", []string{"out/a"}, []string{"./out/"}, []string{"./out/"}, []string{}},
		{"file", []string{"a/b", "a/c"}, []string{"a/b"}, []string{"a/b"}, []string{"a/", "a/c"}},
		{"missing", []string{"a"}, []string{"out", "no/such/thing"}, nil, []string{"a"}},
		{"one in another", []string{"out/a/b"}, []string{"out", "out/a"}, []string{"out"}, []string{}},
		{"same twice", []string{"out/a"}, []string{"out", "out"}, []string{"out"}, []string{}},
		{"link to a folder inside", []string{"real/a", "out -> real"}, []string{"out"}, []string{"out"}, []string{"real/", "real/a"}},
		{"link to a folder outside", []string{"out -> OUT/precious"}, []string{"out"}, []string{"out"}, []string{}},
		{"link with slash", []string{"out -> OUT/precious"}, []string{"out/"}, []string{"out/"}, []string{}},
		{"link to nothing", []string{"out -> none"}, []string{"out"}, []string{"out"}, []string{}},
		{"link to the project", []string{"a", "out -> ."}, []string{"out"}, []string{"out"}, []string{"a"}},
		{"links inside", []string{"out/a", "out/l -> OUT/precious", "out/m -> OUT/precious/file"}, []string{"out"}, []string{"out"}, []string{}},
		{"way through a link inside", []string{"real/a", "real/b", "l -> real"}, []string{"l/a"}, []string{"l/a"}, []string{"l", "real/", "real/b"}},
		{"dots inside a name", []string{"..out/a", "b..c"}, []string{"..out", "b..c"}, []string{"..out", "b..c"}, []string{}},
		{"config stays", []string{"freshet.yaml", "out/freshet.yaml"}, []string{"out"}, []string{"out"}, []string{"freshet.yaml"}},
		{"git's other files", []string{".gitignore", ".github/a"}, []string{".gitignore", ".github"}, []string{".gitignore", ".github"}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, outside := project(t, tt.entries...)
			removed, err := Clean(dir, tt.paths)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(removed, tt.removed); diff != "" {
				t.Errorf("removed: %s", diff)
			}
			if diff := cmp.Diff(tree(t, dir), tt.left); diff != "" {
				t.Errorf("left: %s", diff)
			}
			if diff := cmp.Diff(tree(t, outside), []string{"precious/", "precious/file"}); diff != "" {
				t.Errorf("outside: %s", diff)
			}
		})
	}
}

func TestCleanRefuses(t *testing.T) {
	tests := []struct {
		name    string
		entries []string
		path    string
		msg     string
	}{
		{"the project", nil, ".", "the project itself"},
		{"the project in disguise", []string{"a/b"}, "a/..", "the project itself"},
		{"nothing", nil, "", "the name is empty"},
		{"above", nil, "..", "outside the project"},
		{"beside", nil, "../other", "outside the project"},
		{"above in disguise", []string{"a/b"}, "a/../../x", "outside the project"},
		{"absolute", nil, "/etc", "the path is absolute"},
		{"through a link outside", []string{"l -> OUT"}, "l/precious", "leads out of the project"},
		{"through two links outside", []string{"a/", "a/m -> OUT", "l -> a"}, "l/m/precious", "leads out of the project"},
		{"through a link above", []string{"l -> .."}, "l/x", "leads out of the project"},
		{"history", []string{".git/config"}, ".git", "git repository"},
		{"history, other case", []string{".Git/config"}, ".Git", "git repository"},
		{"in the history", []string{".git/hooks/a"}, ".git/hooks", "git repository"},
		{"history through a link", []string{".git/hooks/a", "l -> .git"}, "l/hooks", "git repository"},
		{"folder with a repository", []string{"out/a", "out/.git/config"}, "out", "holds a git repository"},
		{"folder with a repository below", []string{"out/a/b/.git"}, "out", "holds a git repository"},
		{"config", []string{"freshet.yaml"}, "freshet.yaml", "is or holds the config file"},
		{"other config", []string{"freshet.yml"}, "freshet.yml", "is or holds the config file"},
		{"config through a link", []string{"freshet.yaml", "l -> ."}, "l/freshet.yaml", "is or holds the config file"},
		{"what the config links to", []string{"conf/f", "freshet.yaml -> conf/f"}, "conf", "is or holds the config file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, outside := project(t, append(tt.entries, "first/a")...)
			before := append(tree(t, dir), tree(t, outside)...)
			removed, err := Clean(dir, []string{"first", tt.path})
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.msg) || removed != nil {
				t.Errorf("removed %q, error %v; want a refusal with %q", removed, err, tt.msg)
			}
			if diff := cmp.Diff(append(tree(t, dir), tree(t, outside)...), before); diff != "" {
				t.Errorf("something was removed: %s", diff)
			}
		})
	}
}

func TestCleanInLinkedProject(t *testing.T) {
	dir, _ := project(t, "out/a", "src")
	link := filepath.Join(t.TempDir(), "p")
	if err := os.Symlink(dir, link); err != nil {
		t.Skipf("symbolic links: %v", err)
	}
	removed, err := Clean(link, []string{"out"})
	if err != nil || !slices.Equal(removed, []string{"out"}) || !slices.Equal(tree(t, dir), []string{"src"}) {
		t.Errorf("removed %q, error %v, left %q", removed, err, tree(t, dir))
	}
}

func TestCleanMissingProject(t *testing.T) {
	if _, err := Clean(filepath.Join(t.TempDir(), "none"), []string{"out"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v; want fs.ErrNotExist", err)
	}
}
