// Package docs holds freshet's documents, and in this test what keeps them from
// telling stories: links that lead somewhere, an index that names every page,
// configs that freshet understands.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"

	"github.com/freshet/freshet/internal/project/config"
)

// root is the project's folder.
const root = ".."

// documents are all Markdown files of the project, by their path in it, without
// those that are a site's own text.
func documents(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		hidden := strings.HasPrefix(name, ".") && path != root
		if d.IsDir() && (hidden || slices.Contains([]string{"testdata", "content", "output", "dist", "node_modules"}, name)) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			rel, err := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 || !slices.Contains(out, "README.md") {
		t.Fatalf("found only %d documents: %v", len(out), out)
	}
	return out
}

func read(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(document)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is a fenced block of a document.
type block struct {
	line     int
	language string
	text     string
}

// parts cuts a document into its prose, line by line, where fenced blocks are
// empty lines, and its blocks.
func parts(text string) (prose []string, blocks []block) {
	fence := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence = "```"
			blocks = append(blocks, block{line: i + 1, language: strings.TrimPrefix(trimmed, "```")})
			line = ""
		case fence != "" && strings.HasPrefix(trimmed, fence):
			fence, line = "", ""
		case fence != "":
			blocks[len(blocks)-1].text += line + "\n"
			line = ""
		}
		prose = append(prose, line)
	}
	return prose, blocks
}

var (
	code = regexp.MustCompile("`[^`]*`")
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// links are the targets of a document's links and images, with their lines.
func links(text string) map[string]int {
	out := map[string]int{}
	prose, _ := parts(text)
	for i, line := range prose {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(line, "``"), -1) {
			out[m[1]] = i + 1
		}
	}
	return out
}

// anchors are the fragments that GitHub gives to the headings of a document.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	prose, _ := parts(text)
	for _, line := range prose {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		base := anchor(heading)
		name := base
		for n := 1; out[name]; n++ {
			name = base + "-" + strconv.Itoa(n)
		}
		out[name] = true
	}
	return out
}

// anchor is a heading's fragment: its text in lower case, without markup and
// punctuation, with hyphens for spaces.
func anchor(heading string) string {
	heading = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading, "$1")
	var out strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		switch {
		case r == ' ':
			out.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			out.WriteRune(r)
		}
	}
	return out.String()
}

func TestLinksLeadSomewhere(t *testing.T) {
	seen := 0
	for _, doc := range documents(t) {
		for target, line := range links(read(t, doc)) {
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			seen++
			file, fragment, _ := strings.Cut(target, "#")
			path := doc
			if file != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(filepath.FromSlash(doc)), filepath.FromSlash(file)))
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil || strings.HasPrefix(path, "..") {
				t.Errorf("%s:%d: the link to %s leads nowhere", doc, line, target)
				continue
			}
			if fragment != "" && !anchors(read(t, path))[fragment] {
				t.Errorf("%s:%d: %s has no heading #%s", doc, line, path, fragment)
			}
		}
	}
	if seen < 60 {
		t.Errorf("found only %d links", seen)
	}
}

// Every page can be found from the README or from the index.
func TestEveryPageIsLinked(t *testing.T) {
	linked := map[string]bool{}
	for from, dir := range map[string]string{"README.md": ".", "docs/README.md": "docs"} {
		for target := range links(read(t, from)) {
			file, _, _ := strings.Cut(target, "#")
			linked[filepath.ToSlash(filepath.Join(dir, file))] = true
		}
	}
	for _, doc := range documents(t) {
		inDocs := strings.HasPrefix(doc, "docs/") && strings.Count(doc, "/") == 1 && doc != "docs/README.md"
		if (inDocs || !strings.Contains(doc, "/") && doc != "README.md") && !linked[doc] {
			t.Errorf("neither README.md nor docs/README.md links to %s", doc)
		}
	}
	if !linked["docs/README.md"] && !linked["docs"] {
		t.Error("README.md does not link to docs/README.md")
	}
}

// A yaml block is YAML; one with freshet's own keys is a config that freshet
// takes; one that uses the action gives it inputs that it has.
func TestYAMLBlocks(t *testing.T) {
	var action struct{ Inputs map[string]any }
	if err := yaml.Unmarshal([]byte(read(t, "action.yml")), &action); err != nil {
		t.Fatal(err)
	}
	configs, uses := 0, 0
	for _, doc := range documents(t) {
		_, blocks := parts(read(t, doc))
		for _, b := range blocks {
			if b.language != "yaml" {
				continue
			}
			var value any
			if err := yaml.Unmarshal([]byte(b.text), &value); err != nil {
				t.Errorf("%s:%d: %v", doc, b.line, err)
				continue
			}
			if top, ok := value.(map[string]any); ok && isConfig(top) {
				configs++
				if _, err := config.Parse("freshet.yaml", []byte(b.text)); err != nil {
					t.Errorf("%s:%d: %v", doc, b.line, err)
				}
			}
			for _, step := range actionSteps(value) {
				uses++
				for name := range step {
					if _, ok := action.Inputs[name]; !ok {
						t.Errorf("%s:%d: action.yml has no input %q", doc, b.line, name)
					}
				}
			}
		}
	}
	if configs < 4 || uses < 2 {
		t.Errorf("found only %d configs and %d uses of the action", configs, uses)
	}
}

func isConfig(top map[string]any) bool {
	for _, key := range []string{"site", "targets", "headers", "invalidation", "edge", "urls", "retain"} {
		if _, ok := top[key]; ok && top["jobs"] == nil && top["stages"] == nil {
			return true
		}
	}
	return false
}

// actionSteps are the inputs of each step that uses freshet's action.
func actionSteps(v any) []map[string]any {
	var out []map[string]any
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			out = append(out, actionSteps(one)...)
		}
	case map[string]any:
		if name, _ := v["uses"].(string); strings.HasPrefix(name, "freshet/freshet@") {
			with, _ := v["with"].(map[string]any)
			out = append(out, with)
		}
		for _, one := range v {
			out = append(out, actionSteps(one)...)
		}
	}
	return out
}

func TestAnchor(t *testing.T) {
	for heading, want := range map[string]string{
		" Exit codes":                            "exit-codes",
		" From `aws s3 sync` and `create-x`":     "from-aws-s3-sync-and-create-x",
		" 5. Let the distribution, and nobody":   "5-let-the-distribution-and-nobody",
		" What [state](state.md) is — and isn't": "what-state-is--and-isnt",
	} {
		if got := anchor(heading); got != want {
			t.Errorf("%q: got %q, want %q", heading, got, want)
		}
	}
}
