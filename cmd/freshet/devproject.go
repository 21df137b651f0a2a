package main

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/freshet/freshet/internal/project/config"
)

// localOnly is the config with nothing but an embedded target.
func localOnly(c *config.Config) *config.Config {
	own := *c
	own.Retain = 0
	own.Targets = map[string]config.Target{config.LocalTarget: {Name: config.LocalTarget}}
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		if t := c.Targets[name]; t.Embedded() {
			t.Name = config.LocalTarget
			own.Targets[config.LocalTarget] = t
		}
	}
	return &own
}

// configFiles are the files that say what is published and how.
func configFiles(p project, site string) []string {
	files := []string{filepath.Join(p.root, "freshet.yaml"), filepath.Join(p.root, "freshet.yml"), filepath.Join(p.root, ".freshetignore")}
	if path, err := filepath.Abs(p.File); err == nil && p.File != "" && !slices.Contains(files, path) {
		files = append(files, path)
	}
	if site != "" && site != p.root {
		files = append(files, filepath.Join(site, ".freshetignore"))
	}
	return files
}

// sources are what the build reads: what the config says, else the whole
// project.
func sources(p project) []string {
	var out []string
	for _, path := range p.Build.Watch {
		out = append(out, inProject(p, path))
	}
	if len(out) == 0 {
		out = append(out, p.root)
	}
	return out
}

// products are what the build makes. A site folder that holds the sources does
// not count.
func products(p project, site string) []string {
	var out []string
	for _, path := range p.Build.Clean {
		out = append(out, inProject(p, path))
	}
	if rel, err := filepath.Rel(site, p.root); site != "" && (err != nil || !filepath.IsLocal(rel)) {
		out = append(out, site)
	}
	return out
}

func inProject(p project, path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(p.root, path)
}
