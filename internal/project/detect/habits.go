package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/project/habit"
)

// maxScripts bounds how many files of one folder are read.
const maxScripts = 200

// Habits are the commands by which the project in dir has been published until
// now, in the order of files below and then of lines. A file that is not there
// or that cannot be read has none.
func Habits(dir string) ([]habit.Command, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("look for scripts: %w", err)
	}
	defer root.Close() // read only: nothing can be lost
	var found []habit.Command
	for _, name := range scripts(root) {
		text, err := readScript(root, name)
		if err == nil && (path.Ext(name) != "" || named(name) || bytes.HasPrefix(text, []byte("#!"))) {
			found = append(found, habit.Read(name, text)...)
		}
	}
	return found, nil
}

func readScript(root *os.Root, name string) ([]byte, error) {
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() || info.Size() > headSize {
		return nil, errors.Join(fs.ErrInvalid, err)
	}
	return root.ReadFile(name)
}

// scripts are the files that may publish: those that people type from first,
// those of CI last.
func scripts(root *os.Root) []string {
	names := []string{
		"Makefile", "makefile", "GNUmakefile", "justfile", "Justfile", "Taskfile.yml", "package.json", "tasks.py", "fabfile.py",
		"hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config.toml", "config.yaml", "config.yml", "config.json", ".s3deploy.yml",
		".gitlab-ci.yml", ".travis.yml", "bitbucket-pipelines.yml", "buildspec.yml", ".circleci/config.yml",
	}
	for _, folder := range []string{".", "config/_default", "scripts", "script", "bin", "ci", ".github/workflows"} {
		entries, err := fs.ReadDir(root.FS(), folder)
		if err != nil {
			continue
		}
		for _, e := range entries[:min(len(entries), maxScripts)] {
			name := path.Join(folder, e.Name())
			if !e.IsDir() && mayPublish(folder, e.Name()) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return distinct(root, names)
}

// distinct leaves out what is the same file under another name, as Makefile
// and makefile are on some disks.
func distinct(root *os.Root, names []string) []string {
	var out []string
	var seen []fs.FileInfo
	for _, name := range names {
		info, err := root.Stat(name)
		if err != nil || slices.ContainsFunc(seen, func(other fs.FileInfo) bool { return os.SameFile(other, info) }) {
			continue
		}
		out, seen = append(out, name), append(seen, info)
	}
	return out
}

func mayPublish(folder, name string) bool {
	switch ext := path.Ext(name); folder {
	case ".":
		return ext == ".sh" || ext == ".mk" || ext == ".bash" || ext == ".zsh" || named(name)
	case "config/_default":
		return habit.IsHugoSettings(name)
	case ".github/workflows":
		return ext == ".yml" || ext == ".yaml"
	default:
		return ext == "" || ext == ".sh" || ext == ".bash" || ext == ".zsh" || ext == ".py"
	}
}

// named reports whether a name without an ending says what the script does.
func named(name string) bool {
	return slices.Contains([]string{"deploy", "publish", "upload", "sync", "release", "invalidate", "makefile", "justfile"}, strings.ToLower(path.Base(name))) ||
		path.Base(name) == "GNUmakefile"
}
