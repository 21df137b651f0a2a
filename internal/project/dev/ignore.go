package dev

import (
	"path/filepath"
	"strings"
)

// skipped are folders that hold no sources of a site: version control, what
// freshet and package managers keep, and caches that tools write while they
// build.
func skipped(name string) bool {
	switch name {
	case ".git", ".hg", ".svn", ".jj", ".freshet", "node_modules", "bower_components", "__pycache__", ".venv", ".direnv",
		".idea", ".vscode", ".cache", ".parcel-cache", ".sass-cache", ".jekyll-cache", ".astro", ".next", ".nuxt",
		".svelte-kit", ".docusaurus", ".turbo", ".vite", ".pytest_cache", ".mypy_cache", ".ruff_cache":
		return true
	}
	return false
}

// leftover reports whether an editor or a desktop makes files of that name
// beside the one that somebody edits, or a tool as its lock.
func leftover(name string) bool {
	switch {
	case name == ".DS_Store", name == "Thumbs.db", name == "desktop.ini", name == ".hugo_build.lock", name == ".jekyll-metadata":
		return true
	case name == "4913": // vim's test whether it may write here
		return true
	case strings.HasSuffix(name, "~"), strings.HasPrefix(name, ".#"), strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"):
		return true
	case strings.HasPrefix(name, ".goutputstream-"), strings.Contains(name, "___jb_"), strings.HasPrefix(name, ".~lock."):
		return true
	}
	switch filepath.Ext(name) {
	case ".swp", ".swo", ".swx", ".swpx", ".kate-swp", ".crswap", ".part", ".crdownload":
		return true
	case ".tmp": // "a.md.tmp" and ".a.md.1234.tmp", which a rename follows
		return true
	}
	return false
}

// scope says which paths count.
type scope struct{ roots, ignore []string }

// counts reports whether a change of path does.
func (s scope) counts(path string) bool {
	if s.ignored(path) || leftover(filepath.Base(path)) {
		return false
	}
	for _, root := range s.roots {
		if rel, ok := below(root, path); ok && !anySkipped(rel) {
			return true
		}
	}
	return false
}

// ignored reports whether path is or lies in what is ignored.
func (s scope) ignored(path string) bool {
	for _, dir := range s.ignore {
		if _, ok := below(dir, path); ok {
			return true
		}
	}
	return false
}

// anySkipped looks at the folders of rel, and at its last name, which may be a
// folder's.
func anySkipped(rel string) bool {
	for name := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		if skipped(name) {
			return true
		}
	}
	return false
}

// below is path relative to dir, if it is dir or lies in it.
func below(dir, path string) (rel string, ok bool) {
	rel, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return rel, true
}
