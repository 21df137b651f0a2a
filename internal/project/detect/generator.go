package detect

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Source is the source of a site and the generator that builds it.
type Source struct {
	// Name is the generator's name as people write it: "Hugo". A package.json
	// with a build script and no known generator gives "npm".
	Name string
	// Command is the shell line that builds the site, run in the folder.
	Command string
	// Output is the folder in the source that Command fills unless the
	// generator's settings say otherwise; "" means unknown.
	Output string
	// Marker is the file that gave the generator away.
	Marker string
	// Caution is what keeps Command from making a site as it is; "" if nothing
	// is known to. It reads on from a colon.
	Caution string
	// Leaves says that Command leaves pages in Output whose sources are gone.
	Leaves bool

	// inputs are folders with the name of an output folder that the generator
	// reads, and that are therefore never the site.
	inputs []string
}

func (s Source) article() string {
	switch s.Name {
	case "npm":
		return "a site that npm builds"
	case "Eleventy", "Astro":
		return "an " + s.Name + " site"
	}
	return "a " + s.Name + " site"
}

// Generator finds the generator whose sources are in dir. Where files of
// several are there, the one that is named first below wins: a project for
// Node may carry a leftover _config.yml, but not the other way round. A folder
// that cannot be read has none.
func Generator(dir string) (Source, bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Source{}, false
	}
	return generator(dir, entries)
}

func generator(dir string, entries []fs.DirEntry) (Source, bool) {
	f := folder{dir: dir, names: map[string]bool{}}
	for _, e := range entries {
		f.names[e.Name()] = true
	}
	f.pkg, f.hasPkg = readPackage(filepath.Join(dir, "package.json"))
	for _, find := range []func(folder) (Source, bool){
		docusaurus, astro, eleventy, next, hugo, zola, pelican, mkdocs, jekyll, npm,
	} {
		if s, ok := find(f); ok {
			return f.told(s), true
		}
	}
	return Source{}, false
}

// folder is what the finders look at.
type folder struct {
	dir    string
	names  map[string]bool // of all entries
	pkg    packageJSON
	hasPkg bool
}

// first is the first of the names that is there.
func (f folder) first(names ...string) (string, bool) {
	for _, name := range names {
		if f.names[name] {
			return name, true
		}
	}
	return "", false
}

// config is the first of stem.js, stem.mjs and their kin that is there.
func (f folder) config(stem string) (string, bool) {
	return f.first(stem+".js", stem+".mjs", stem+".cjs", stem+".ts", stem+".mts", stem+".cts")
}

// node is a generator that runs on Node: found by its config file or by the
// package that package.json depends on, built by the build script if there is
// one, else by its own command.
func (f folder) node(s Source, stem, pkg, command string) (Source, bool) {
	marker, ok := f.config(stem)
	if !ok && f.pkg.depends(pkg) {
		marker, ok = "package.json", true
	}
	s.Marker, s.Command = marker, command
	if f.pkg.Scripts["build"] != "" {
		s.Command = f.runner() + " run build"
	}
	return s, ok
}

// runner is the program that runs the scripts of package.json here.
func (f folder) runner() string {
	switch {
	case f.names["pnpm-lock.yaml"]:
		return "pnpm"
	case f.names["yarn.lock"]:
		return "yarn"
	case f.names["bun.lock"], f.names["bun.lockb"]:
		return "bun"
	}
	return "npm"
}

func docusaurus(f folder) (Source, bool) {
	return f.node(Source{Name: "Docusaurus", Output: "build"}, "docusaurus.config", "@docusaurus/core", "npx docusaurus build")
}

func astro(f folder) (Source, bool) {
	return f.node(Source{Name: "Astro", Output: "dist", inputs: []string{"public"}}, "astro.config", "astro", "npx astro build")
}

func eleventy(f folder) (Source, bool) {
	s := Source{Name: "Eleventy", Output: "_site", Leaves: true, inputs: []string{"public"}}
	if found, ok := f.node(s, "eleventy.config", "@11ty/eleventy", "npx @11ty/eleventy"); ok {
		return found, ok
	}
	return f.node(s, ".eleventy", "@11ty/eleventy", "npx @11ty/eleventy")
}

// next is Next.js; its static export goes to out/.
func next(f folder) (Source, bool) {
	s, ok := f.node(Source{Name: "Next.js", Output: "out", inputs: []string{"public", "build", "dist"}}, "next.config", "next", "npx next build")
	config := readHead(filepath.Join(f.dir, s.Marker))
	// Next.js documentation, "Static Exports", read 2026-11.
	if ok && s.Marker != "package.json" && !regexp.MustCompile(`["'`+"`"+`]export["'`+"`"+`]`).Match(config) && !strings.Contains(f.pkg.Scripts["build"], "export") {
		s.Caution = s.Marker + " has no output: 'export', without which Next.js makes a server instead of files"
	}
	return s, ok
}

func hugo(f folder) (Source, bool) {
	s := Source{Name: "Hugo", Command: "hugo", Output: "public", Leaves: true}
	var ok bool
	if s.Marker, ok = f.first("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json"); ok {
		return s, true
	}
	s.Marker, ok = f.first("config.toml", "config.yaml", "config.yml", "config.json")
	return s, ok && f.names["content"] && !f.zola()
}

func zola(f folder) (Source, bool) {
	return Source{Name: "Zola", Command: "zola build", Output: "public", Marker: "config.toml"}, f.zola()
}

// zola tells Zola's config.toml from Hugo's: Zola requires base_url, which
// Hugo writes baseURL. Zola documentation, "Configuration", read 2026-11.
func (f folder) zola() bool {
	if !f.names["config.toml"] || !f.names["content"] && !f.names["templates"] {
		return false
	}
	head := readHead(filepath.Join(f.dir, "config.toml"))
	return regexp.MustCompile(`(?m)^\s*base_url\s*=`).Match(head)
}

func pelican(f folder) (Source, bool) {
	s := Source{Name: "Pelican", Output: "output", Marker: "pelicanconf.py"}
	settings := "pelicanconf.py"
	if f.names["publishconf.py"] {
		settings = "publishconf.py"
	}
	both := append(readHead(filepath.Join(f.dir, s.Marker)), readHead(filepath.Join(f.dir, "publishconf.py"))...)
	s.Leaves = !regexp.MustCompile(`(?m)^DELETE_OUTPUT_DIRECTORY\s*=\s*True`).Match(both)
	s.Command = "pelican content -o output -s " + settings
	return s, f.names[s.Marker]
}

func mkdocs(f folder) (Source, bool) {
	s := Source{Name: "MkDocs", Command: "mkdocs build", Output: "site"}
	var ok bool
	s.Marker, ok = f.first("mkdocs.yml", "mkdocs.yaml")
	return s, ok
}

// jekyll leaves a _config.yml beside the package hexo to npm: Hexo's settings
// have the same name.
func jekyll(f folder) (Source, bool) {
	s := Source{Name: "Jekyll", Command: "jekyll build", Output: "_site"}
	if f.names["Gemfile"] {
		s.Command = "bundle exec jekyll build"
	}
	var ok bool
	s.Marker, ok = f.first("_config.yml", "_config.yaml", "_config.toml")
	return s, ok && !f.pkg.depends("hexo")
}

// npm is any other project whose package.json can build something. Its public/
// is what most such tools copy from; Hexo and Gatsby write to it.
func npm(f folder) (Source, bool) {
	s := Source{Name: "npm", Command: f.runner() + " run build", Marker: "package.json", inputs: []string{"public"}}
	switch {
	case f.pkg.depends("hexo"), f.pkg.depends("gatsby"):
		s.Output, s.inputs = "public", nil
	case f.pkg.depends("react-scripts"), f.pkg.depends("@sveltejs/adapter-static"):
		s.Output = "build"
	case f.pkg.depends("vite"):
		s.Output = "dist"
	}
	return s, f.hasPkg && f.pkg.Scripts["build"] != ""
}

// packageJSON is the part of package.json that is looked at.
type packageJSON struct {
	Scripts         map[string]string `json:"scripts"`
	Dependencies    map[string]any    `json:"dependencies"`
	DevDependencies map[string]any    `json:"devDependencies"`
}

func (p packageJSON) depends(name string) bool {
	_, runs := p.Dependencies[name]
	_, builds := p.DevDependencies[name]
	return runs || builds
}

// readPackage reads a package.json; one that is missing or broken says nothing.
func readPackage(path string) (p packageJSON, ok bool) {
	data := readHead(path)
	if len(strings.TrimSpace(string(data))) == 0 || json.Unmarshal(data, &p) != nil {
		return packageJSON{}, false
	}
	return p, true
}

// headSize is how much of a file is read, in bytes; settings are far shorter.
const headSize = 1 << 20

func readHead(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close() // read only: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(f, headSize))
	if err != nil {
		return nil
	}
	return data
}
