package schema

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/project/config"
)

var docs = filepath.Join("..", "..", "..", "docs")

func TestShippedFileIsThisSchema(t *testing.T) {
	want, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(docs, "freshet.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		t.Error("docs/freshet.schema.json is not what the types of package config say; type: go generate ./internal/project/schema")
	}
	if !Ours(got) || Ours([]byte(`{"title": "mine"}`)) || Ours(nil) {
		t.Error("Ours does not tell a schema of freshet from others")
	}
}

// parserKeys asks the parser for the keys that it knows in a place, by giving
// it one that it cannot know. The text has %s where the key goes.
func parserKeys(t *testing.T, text string) []string {
	t.Helper()
	_, err := config.Parse("freshet.yaml", fmt.Appendf(nil, text, "qqqqqqqqqqqqqqqqqqqq"))
	var mistake *config.Error
	if !errors.As(err, &mistake) {
		t.Fatalf("%q: no mistake: %v", text, err)
	}
	_, list, ok := strings.Cut(mistake.Msg, "known here: ")
	if !ok {
		t.Fatalf("%q: the parser does not list its keys: %v", text, err)
	}
	return strings.Split(list, ", ")
}

func TestKeysAreThoseOfTheParser(t *testing.T) {
	listen := Root().Properties["edge"].Properties["listen"].AnyOf[1].AnyOf[1]
	admin := Root().Properties["edge"].Properties["admin"].AnyOf[1]
	places := map[string]*Node{
		"%s: x":                        Root(),
		"build: {%s: x}":               Root().Properties["build"],
		"headers: [{match: a, %s: x}]": Root().Properties["headers"].Items,
		"invalidation: {%s: x}":        Root().Properties["invalidation"],
		"urls: {%s: x}":                Root().Properties["urls"],
		"targets: {a: {bucket: s3://bbb, %s: x}}": Root().Properties["targets"].Each,
		"edge: {%s: x}": Root().Properties["edge"],
		`edge: {listen: [{address: ":1", %s: x}]}`: listen,
		`edge: {admin: {address: ":1", %s: x}}`:    admin,
		"edge: {control: {%s: x}}":                 Root().Properties["edge"].Properties["control"],
		"control: {%s: x}":                         Root().Properties["control"],
		`control: {listen: {%s: x}}`:               Root().Properties["control"].Properties["listen"].AnyOf[1],
		`control: {console: {%s: x}}`:              Root().Properties["control"].Properties["console"].AnyOf[2],
		`control: {log: {%s: x}}`:                  Root().Properties["control"].Properties["log"].AnyOf[1],
		"control: {cluster: {%s: x}}":              Root().Properties["control"].Properties["cluster"],
	}
	for text, node := range places {
		if diff := cmp.Diff(slices.Sorted(maps.Keys(node.Properties)), parserKeys(t, text)); diff != "" {
			t.Errorf("%s: schema (-) and parser (+) differ:\n%s", text, diff)
		}
	}
	if got := countObjects(Root()); got != len(places) {
		t.Errorf("the schema has %d objects with keys of their own, this test knows %d", got, len(places))
	}
}

// countObjects is how many different sets of keys there are.
func countObjects(n *Node) int {
	count := 0
	if n == nil {
		return 0
	}
	if n.Closed != nil {
		count++
	}
	for _, p := range n.Properties {
		count += countObjects(p)
	}
	// An address and a list of them hold the same object twice.
	if len(n.AnyOf) > 0 {
		count += countObjects(n.AnyOf[len(n.AnyOf)-1])
	}
	return count + countObjects(n.Items) + countObjects(n.Each)
}

func TestEveryKeyIsDescribed(t *testing.T) {
	known := map[string]bool{}
	var walk func(n *Node, path string)
	walk = func(n *Node, path string) {
		if n == nil {
			return
		}
		for key, p := range n.Properties {
			at := strings.TrimPrefix(path+"."+key, ".")
			known[at] = true
			if p.Description == "" {
				t.Errorf("%s has no description: add it to the notes", at)
			}
			walk(p, at)
		}
		for _, p := range n.AnyOf {
			walk(p, path)
		}
		walk(n.Items, path+"[]")
		walk(n.Each, path+".*")
	}
	walk(Root(), "")
	for path := range notes() {
		if !known[path] {
			t.Errorf("there is no key %s for the note", path)
		}
	}
	for path, want := range map[string]any{"policy": "balanced", "budget": int64(1000), "over": "frugal", "limits": "auto"} {
		if got := Root().Properties["invalidation"].Properties[path].Default; got != want {
			t.Errorf("the default of %s is %v, want %v", path, got, want)
		}
	}
	if got := Root().Properties["retain"].Default; got != "30d" {
		t.Errorf("the default of retain is %v", got)
	}
}

// decode reads YAML as an editor does.
func decode(t interface{ Fatal(...any) }, text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(text, err)
	}
	return plainNumbers(v)
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case uint64:
		return int64(v)
	case map[string]any:
		for key, inner := range v {
			v[key] = plainNumbers(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = plainNumbers(inner)
		}
	}
	return v
}

// The configs in README, docs and examples are good by parser and schema.
func TestExamplesOfTheDocumentsAreValid(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	var texts []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile("(?s)```ya?ml\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
				if regexp.MustCompile(`(?m)^(site|build|targets|edge|control|invalidation|urls|headers):`).MatchString(m[1]) {
					texts = append(texts, m[1])
				}
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "examples", "pelican", "freshet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, string(data))
	if len(texts) < 4 {
		t.Fatalf("found only %d configs in the documents", len(texts))
	}
	schema := loaded(t)
	for _, text := range texts {
		if _, err := config.Parse("freshet.yaml", []byte(text)); err != nil {
			t.Errorf("the parser refuses:\n%s\n%v", text, err)
		}
		if wrong := validate(schema, decode(t, text), "file"); wrong != "" {
			t.Errorf("the schema refuses:\n%s\n%s", text, wrong)
		}
	}
}

func TestMistakesThatTheSchemaFinds(t *testing.T) {
	schema := loaded(t)
	tests := []struct{ name, text, want string }{
		{"unknown key", "sites: a", `unknown key "sites"`},
		{"unknown key below", "build: {comand: a}", `unknown key "comand"`},
		{"wrong type", "site: 1", "integer instead of string"},
		{"list for text", "build: {clean: output}", "string instead of"},
		{"word", "invalidation: {policy: cheap}", "is none of"},
		{"boolean", "urls: {clean: true}", "boolean instead of string"},
		{"duration", "retain: 30", "integer instead of string"},
		{"duration without unit", `retain: "30"`, "does not match"},
		{"bucket without s3://", "targets: {a: {bucket: my-site}}", "does not match"},
		{"region without bucket", "targets: {a: {region: eu-west-1}}", `"region" without "bucket"`},
		{"domain for id", "targets: {a: {bucket: s3://bbb, distribution: d1.cloudfront.net}}", "does not match"},
		{"name of a target", "targets: {-a: {}}", "does not match"},
		{"rule without match", "headers: [{cache-control: a}]", `"match" is missing`},
		{"certificate without key", `edge: {listen: {address: ":1", certificate: a}}`, `"certificate" without "key"`},
		{"negative budget", "invalidation: {budget: -1}", "less than"},
		{"size", "edge: {memory: much}", "does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := config.Parse("freshet.yaml", []byte(tt.text)); err == nil {
				t.Error("the parser takes it")
			}
			if got := validate(schema, decode(t, tt.text), "file"); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
		})
	}
}

// values are texts that stand behind keys, good and bad.
var values = []string{
	"output", `""`, "0", "1", `"0"`, "512MiB", "2 gb", "30d", ".5h", "1w2d", "true", "always", "never", "auto", "exact", "frugal", "refuse", "none",
	"cloudfront", "rfc9111", "https://a.example", "HTTP://a.example/", "s3://my-site", "s3://my-site/a/", "eu-west-1", "E1EXAMPLE", "[E1EXAMPLE, E2EXAMPLE]",
	"[auto]", "[]", "{}", "", `":80"`, "localhost:80", `{address: ":443", certificate: a, key: b}`, `[":80", {address: ":443"}]`, "text/html", "[a, b]",
	"allow-all", "x-amz-meta-tag", "index.html", "theme/**", "-5", "1.5", "~",
}

// Property: no file that the parser takes is marked as wrong by an editor.
func TestSchemaTakesWhatTheParserTakes(t *testing.T) {
	schema := loaded(t)
	good, fits := 0, map[string][]string{}
	rapid.Check(t, func(t *rapid.T) {
		text := draw(t, Root(), fits, 0)
		if _, err := config.Parse("freshet.yaml", []byte(text)); err != nil {
			return
		}
		good++
		if wrong := validate(schema, decode(t, text), "file"); wrong != "" {
			t.Fatalf("the schema refuses what the parser takes: %s\n%s", wrong, text)
		}
	})
	if good < 10 {
		t.Errorf("only %d files were good; the property says little", good)
	}
	t.Logf("%d files were good", good)
}

// draw is a mapping with some keys of an object, in flow style.
func draw(t *rapid.T, n *Node, fits map[string][]string, depth int) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(n.Properties)) {
		if rapid.IntRange(0, 3).Draw(t, "has "+key) > 0 {
			continue
		}
		p := n.Properties[key]
		value := ""
		switch {
		case p.Closed != nil:
			value = draw(t, p, fits, depth+1)
		case p.Each != nil:
			value = "{" + rapid.SampledFrom([]string{"local", "a.b", "x"}).Draw(t, "name") + ": " + draw(t, p.Each, fits, depth+1) + "}"
		default:
			if fits[key] == nil {
				fits[key] = fitting(key)
			}
			value = rapid.SampledFrom(fits[key]).Draw(t, key)
		}
		parts = append(parts, key+": "+value)
	}
	if depth > 0 {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return strings.Join(parts, "\n")
}

// fitting are the values that the key takes somewhere in the file.
func fitting(key string) []string {
	var fits []string
	for _, value := range values {
		for _, around := range []string{"%s", "build: {command: a, %s}", "targets: {a: {bucket: s3://bbb, %s}}", "edge: {%s}", "urls: {%s}", "invalidation: {%s}"} {
			text := fmt.Sprintf(around, key+": "+value)
			if _, err := config.Parse("freshet.yaml", []byte(text)); err == nil {
				fits = append(fits, value)
				break
			}
		}
	}
	if len(fits) == 0 {
		return values
	}
	return fits
}
