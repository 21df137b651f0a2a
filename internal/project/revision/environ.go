package revision

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// passed are the variables that git gets as they are: where its programs, its
// configuration and its home are, and what the user lets it trust. None of them
// says which repository, index or object store to use.
var passed = []string{
	"PATH", "HOME", "XDG_CONFIG_HOME", "SUDO_UID", "LD_LIBRARY_PATH",
	"USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "PROGRAMDATA", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR",
	"GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
	"GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM",
}

// environment is the whole environment of git.
func environment(dir string, getenv func(string) string) []string {
	// C, because its words are read; no lock, no question to the user, and no
	// download of what a partial clone lacks.
	env := []string{"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1"}
	add := func(name string) {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range passed {
		add(name)
	}
	// Configuration by environment, in CI often safe.directory: git-config(1), GIT_CONFIG_COUNT.
	if n, err := strconv.Atoi(getenv("GIT_CONFIG_COUNT")); err == nil && n > 0 && n <= 1000 {
		add("GIT_CONFIG_COUNT")
		for i := range n {
			env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, getenv(fmt.Sprintf("GIT_CONFIG_KEY_%d", i))))
			env = append(env, fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, getenv(fmt.Sprintf("GIT_CONFIG_VALUE_%d", i))))
		}
	}
	if gitDir, tree := getenv("GIT_DIR"), getenv("GIT_WORK_TREE"); filepath.IsAbs(gitDir) && filepath.IsAbs(tree) && holds(tree, dir) {
		add("GIT_DIR")
		add("GIT_WORK_TREE")
	}
	return env
}

// holds reports whether dir is tree or lies below it, links resolved.
func holds(tree, dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return false
	}
	if tree, err = filepath.EvalSymlinks(tree); err != nil {
		return false
	}
	rel, err := filepath.Rel(tree, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
