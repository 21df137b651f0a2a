package detect

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const buildScript = `{"scripts": {"build": "x"}}`

// folderWith makes a folder with files: "name" or "name=content"; a name with
// a slash at the end is a folder.
func folderWith(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		name, content, _ := strings.Cut(f, "=")
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			path = filepath.Join(path, "x")
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "/") {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSite(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string // relative to the folder
		why   string
	}{
		{"plain site", []string{"index.html", "a.html"}, ".", "the folder itself"},
		{"plain site with a build folder", []string{"index.html", "build/index.html"}, ".", "the folder itself"},
		{"files without index", []string{"a.pdf"}, ".", "the folder itself"},
		{"files below", []string{"a/b/c.txt"}, ".", "the folder itself"},
		{"only .well-known", []string{".well-known/security.txt"}, ".", "the folder itself"},
		{"output", []string{"src/a", "output/index.html"}, "output", "its output folder output/"},
		{"public", []string{"public/index.html"}, "public", "its output folder public/"},
		{"_site", []string{"_site/index.html"}, "_site", "its output folder _site/"},
		{"dist", []string{"dist/index.html", "public/a"}, "dist", "its output folder dist/"},
		{"build", []string{"build/index.html"}, "build", "its output folder build/"},
		{"site by hand", []string{"notes.txt", "site/index.html"}, "site", "the folder site/"},
		{"a page beside it", []string{"index.html", "www/index.html"}, ".", "the folder itself"},
		{"no home page in it", []string{"a", "site/a.html"}, ".", "the folder itself"},
		{"index is a folder", []string{"a", "public/index.html/"}, ".", "the folder itself"},
		{"index deeper does not count", []string{"a", "public/en/index.html"}, ".", "the folder itself"},
		{"built Pelican", []string{"pelicanconf.py", "output/index.html"}, "output", "Pelican's output folder output/"},
		{"built Hugo", []string{"hugo.toml", "public/index.html"}, "public", "Hugo's output folder public/"},
		{"built Jekyll with a source index", []string{"_config.yml", "index.html", "_site/index.html"}, "_site", "Jekyll's output folder _site/"},
		{"built MkDocs", []string{"mkdocs.yml", "site/index.html"}, "site", "MkDocs's output folder site/"},
		{"built Next.js", []string{"next.config.js", "out/index.html"}, "out", "Next.js's output folder out/"},
		{"built Astro beside its static files", []string{"astro.config.mjs", "public/index.html", "dist/index.html"}, "dist", "Astro's output folder dist/"},
		{"the generator's own folder of two", []string{"hugo.toml", "public/index.html", "build/index.html"}, "public", "Hugo's output folder public/"},
		{"generator told to write elsewhere", []string{"pelicanconf.py", "public/index.html"}, "public", "its output folder public/"},
		{"built by npm", []string{"package.json=" + buildScript, "public/index.html", "dist/index.html"}, "dist", "its output folder dist/"},
		{"package.json without a build", []string{"package.json={}", "index.html"}, ".", "the folder itself"},
		{"broken package.json", []string{"package.json={", "index.html"}, ".", "the folder itself"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folderWith(t, tt.files...)
			got, err := Site(dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, Folder{filepath.Join(dir, tt.want), tt.why}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSiteRefuses(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  error
		msg   string
	}{
		{"empty", nil, ErrEmpty, "holds no file to publish"},
		{"only hidden files", []string{".env", ".git/config", ".freshet/local/a", "a/.DS_Store", "b/"}, ErrEmpty, "holds no file"},
		{"only the config", []string{"freshet.yaml"}, ErrEmpty, "holds no file"},
		{"two outputs", []string{"public/index.html", "dist/index.html"}, ErrAmbiguous, "public/, dist/ in"},
		{"what to type", []string{"public/index.html", "dist/index.html"}, ErrAmbiguous, "in freshet.yaml: site: public"},
		{"two outputs, none the generator's own", []string{"hugo.toml", "dist/index.html", "build/index.html"}, ErrAmbiguous, "dist/, build/ in"},
		{"Hugo", []string{"hugo.toml", "content/a.md"}, ErrSource, "the source of a Hugo site (hugo.toml); build it first: hugo"},
		{"Hugo with an empty output", []string{"hugo.toml", "public/"}, ErrSource, "build it first: hugo"},
		{"Hugo with an output without home page", []string{"hugo.toml", "public/a/index.html"}, ErrSource, "public/, Hugo's output folder"},
		{"Jekyll with a source index", []string{"_config.yml", "index.html"}, ErrSource, "build it first: jekyll build"},
		{"Pelican", []string{"pelicanconf.py", "content/a.md"}, ErrSource, "pelican content -o output -s pelicanconf.py"},
		{"Astro with static files only", []string{"astro.config.mjs", "public/index.html"}, ErrSource, "an Astro site"},
		{"Vite with its source index", []string{"package.json=" + buildScript, "index.html", "public/index.html"}, ErrSource, "a site that npm builds (package.json); build it first: npm run build"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Site(folderWith(t, tt.files...))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.msg) {
				t.Errorf("got %+v, error %v; want %v with %q", got, err, tt.want, tt.msg)
			}
		})
	}
}

func TestSiteMissing(t *testing.T) {
	if _, err := Site(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v; want fs.ErrNotExist", err)
	}
}

func TestSiteThroughLinks(t *testing.T) {
	plain, built := folderWith(t, "a.pdf"), folderWith(t, "index.html")
	dir := t.TempDir()
	for name, to := range map[string]string{"plain": plain, "public": built} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skipf("symbolic links: %v", err)
		}
	}
	if got, err := Site(filepath.Join(dir, "plain")); err != nil || got.Dir != filepath.Join(dir, "plain") {
		t.Errorf("a folder behind a link: %+v, %v", got, err)
	}
	if got, err := Site(dir); err != nil || got.Dir != filepath.Join(dir, "public") {
		t.Errorf("an output folder behind a link: %+v, %v", got, err)
	}
}

func TestGenerator(t *testing.T) {
	source := func(name, command, output, marker string) Source {
		return Source{Name: name, Command: command, Output: output, Marker: marker}
	}
	tests := []struct {
		name  string
		files []string
		want  Source
	}{
		{"Pelican", []string{"pelicanconf.py"}, source("Pelican", "pelican content -o output -s pelicanconf.py", "output", "pelicanconf.py")},
		{"Pelican for publishing", []string{"pelicanconf.py", "publishconf.py"}, source("Pelican", "pelican content -o output -s publishconf.py", "output", "pelicanconf.py")},
		{"Hugo", []string{"hugo.yaml"}, source("Hugo", "hugo", "public", "hugo.yaml")},
		{"old Hugo", []string{"config.toml=baseURL = 'x'", "content/a"}, source("Hugo", "hugo", "public", "config.toml")},
		{"old Hugo without content", []string{"config.toml=baseURL = 'x'"}, Source{}},
		{"Zola", []string{"config.toml=# c\n base_url = 'x'", "content/a"}, source("Zola", "zola build", "public", "config.toml")},
		{"Zola with templates only", []string{"config.toml=base_url='x'", "templates/a"}, source("Zola", "zola build", "public", "config.toml")},
		{"some config.toml", []string{"config.toml=base_url='x'"}, Source{}},
		{"Jekyll", []string{"_config.yml"}, source("Jekyll", "jekyll build", "_site", "_config.yml")},
		{"Jekyll by bundler", []string{"_config.yml", "Gemfile"}, source("Jekyll", "bundle exec jekyll build", "_site", "_config.yml")},
		{"Eleventy", []string{"eleventy.config.mjs"}, source("Eleventy", "npx @11ty/eleventy", "_site", "eleventy.config.mjs")},
		{"old Eleventy", []string{".eleventy.js"}, source("Eleventy", "npx @11ty/eleventy", "_site", ".eleventy.js")},
		{"Eleventy without config", []string{`package.json={"devDependencies": {"@11ty/eleventy": "3"}}`}, source("Eleventy", "npx @11ty/eleventy", "_site", "package.json")},
		{"Astro", []string{"astro.config.ts"}, source("Astro", "npx astro build", "dist", "astro.config.ts")},
		{"Astro with a script", []string{"astro.config.ts", "package.json=" + buildScript}, source("Astro", "npm run build", "dist", "astro.config.ts")},
		{"Next.js", []string{"next.config.mjs"}, source("Next.js", "npx next build", "out", "next.config.mjs")},
		{"Docusaurus", []string{"docusaurus.config.js", "package.json=" + buildScript}, source("Docusaurus", "npm run build", "build", "docusaurus.config.js")},
		{"MkDocs", []string{"mkdocs.yml"}, source("MkDocs", "mkdocs build", "site", "mkdocs.yml")},
		{"Hexo", []string{"_config.yml", `package.json={"scripts": {"build": "hexo g"}, "dependencies": {"hexo": "8"}}`}, source("npm", "npm run build", "public", "package.json")},
		{"any build script", []string{"package.json=" + buildScript}, source("npm", "npm run build", "", "package.json")},
		{"Vite", []string{`package.json={"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}`}, source("npm", "npm run build", "dist", "package.json")},
		{"pnpm", []string{"package.json=" + buildScript, "pnpm-lock.yaml"}, source("npm", "pnpm run build", "", "package.json")},
		{"Astro by yarn", []string{"astro.config.ts", "package.json=" + buildScript, "yarn.lock"}, source("Astro", "yarn run build", "dist", "astro.config.ts")},
		{"Hugo elsewhere", []string{"hugo.toml=publishDir = 'web/out' # here"}, source("Hugo", "hugo", "web/out", "hugo.toml")},
		{"Jekyll elsewhere", []string{"_config.yml=title: a\ndestination: ./www # here"}, source("Jekyll", "jekyll build", "www", "_config.yml")},
		{"MkDocs outside", []string{"mkdocs.yml=site_dir: ../www"}, source("MkDocs", "mkdocs build", "site", "mkdocs.yml")},
		{"Eleventy elsewhere", []string{`.eleventy.js=return { dir: { input: "src", output: "dist" } }`}, source("Eleventy", "npx @11ty/eleventy", "dist", ".eleventy.js")},
		{"Zola elsewhere", []string{"config.toml=base_url = 'x'\noutput_dir = \"www\"", "content/a"}, source("Zola", "zola build", "www", "config.toml")},
		{"no build script", []string{`package.json={"scripts": {"test": "x"}}`}, Source{}},
		{"nothing", []string{"index.html"}, Source{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Generator(folderWith(t, tt.files...))
			if ok != (tt.want.Name != "") {
				t.Fatalf("got %+v, %t", got, ok)
			}
			if diff := cmp.Diff(got, tt.want, cmpopts.IgnoreUnexported(Source{}), cmpopts.IgnoreFields(Source{}, "Caution", "Leaves")); ok && diff != "" {
				t.Error(diff)
			}
		})
	}
	if got, ok := Generator(filepath.Join(t.TempDir(), "none")); ok {
		t.Errorf("a missing folder has %+v", got)
	}
}
