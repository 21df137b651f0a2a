package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whole is a file with every key of the format.
const whole = `
site: output
build:
  command: pelican content -o output -s publishconf.py
  clean: [output, ./cache/pages/]
  watch:
    - content
    - ../theme
  image: docker.io/library/python:3.13
headers:
  - match: "theme/**"
    cache-control: public, max-age=31536000, immutable
  - match: "*.{pdf,epub}"
    content-type: application/pdf
    content-disposition: attachment
    content-language: en
    content-encoding: gzip
invalidation:
  policy: frugal
  budget: 0
retain: 2w
targets:
  local: {}
  production:
    bucket: s3://ben.gnoinski.ca/blog
    region: us-west-2
    distribution: EW7T5A29H3R3J
    url: https://ben.gnoinski.ca/
  minio:
    bucket: s3://site
    prefix: a/b/
    endpoint: http://127.0.0.1:9000/
    cloudfront-endpoint: http://127.0.0.1:9001
    distribution: auto
`

func TestParseWhole(t *testing.T) {
	got, err := Parse("proj/freshet.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		File: "proj/freshet.yaml",
		Dir:  "proj",
		Site: "output",
		Build: Build{
			Command: "pelican content -o output -s publishconf.py",
			Clean:   []string{"output", "cache/pages"},
			Watch:   []string{"content", "../theme"},
			Image:   "docker.io/library/python:3.13",
		},
		Headers: []HeaderRule{
			{Match: "theme/**", CacheControl: "public, max-age=31536000, immutable", Line: 11},
			{
				Match: "*.{pdf,epub}", ContentType: "application/pdf", ContentDisposition: "attachment",
				ContentLanguage: "en", ContentEncoding: "gzip",
				Line: 13,
			},
		},
		Invalidation: Invalidation{Policy: Frugal, Budget: 0, Over: OverFrugal, Limits: LimitsAuto},
		Retain:       14 * 24 * time.Hour,
		URLs:         URLs{Folders: Auto, Query: Auto},
		Targets: map[string]Target{
			"local": {Name: "local"},
			"production": {
				Name: "production", Bucket: "ben.gnoinski.ca", Prefix: "blog/", Region: "us-west-2",
				Distributions: []string{"EW7T5A29H3R3J"}, URL: "https://ben.gnoinski.ca",
			},
			"minio": {
				Name: "minio", Bucket: "site", Prefix: "a/b/", Endpoint: "http://127.0.0.1:9000",
				CloudFrontEndpoint: "http://127.0.0.1:9001", Distributions: []string{"auto"},
			},
		},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

// parse is Parse of a text that must be accepted.
func parse(t *testing.T, src string) *Config {
	t.Helper()
	c, err := Parse("freshet.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseForms(t *testing.T) {
	base := Default(".")
	base.File = "freshet.yaml"
	with := func(change func(*Config)) *Config {
		c := *base
		change(&c)
		return &c
	}
	site := with(func(c *Config) { c.Site = "out" })
	two := with(func(c *Config) {
		c.Targets = map[string]Target{
			"a": {Name: "a", Bucket: "one", Region: "eu-west-1"},
			"b": {Name: "b", Bucket: "two", Region: "eu-west-1"},
		}
	})
	tests := []struct {
		name, src string
		want      *Config
	}{
		{"empty", "", base},
		{"only comments", "# nothing\n\n", base},
		{"empty document", "---\n", base},
		{"sections without values", "build:\nheaders:\ninvalidation:\ntargets:\n", base},
		{"byte order mark", "\ufeffsite: out\n", site},
		{"CRLF", "# c\r\nsite: out\r\nbuild: {}\r\n", site},
		{"old Mac line ends", "# c\rsite: out\r", site},
		{"no final newline", "site: out", site},
		{"document markers", "---\nsite: out\n...\n", site},
		{"quotes", `"site": 'out'`, site},
		{"block text", "site: >-\n  out\n", site},
		{"empty strings", "site: out\nbuild: {command: \"\", image: \"\"}\ntargets: {local: {prefix: \"\"}}", site},
		{"local without value", "site: out\ntargets:\n  local:\n", site},
		{"anchor and alias", "site: &x out\nbuild: {watch: [*x]}\n", with(func(c *Config) {
			c.Site, c.Build.Watch = "out", []string{"out"}
		})},
		{"merge", "targets:\n  a: &a {bucket: s3://one, region: eu-west-1}\n  b: {<<: *a, bucket: s3://two}\n", two},
		{"merge after the key", "targets:\n  a: &a\n    bucket: s3://one\n    region: eu-west-1\n  b:\n    bucket: s3://two\n    <<: [*a, {region: us-east-1}]\n", two},
		{"command of several lines", "build:\n  command: |\n    make a\n    make b\n", with(func(c *Config) {
			c.Build.Command = "make a\nmake b"
		})},
		{"rule without headers", "headers:\n  - match: 'a/**'\n", with(func(c *Config) {
			c.Headers = []HeaderRule{{Match: "a/**", Line: 2}}
		})},
		{"retain 0", "retain: \"0\"\n", with(func(c *Config) { c.Retain = 0 })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(parse(t, tt.src), tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSiteDir(t *testing.T) {
	tests := []struct {
		name, src, want string
		ok              bool
	}{
		{"not named", "", "", false},
		{"relative", "site: out/html", "proj/out/html", true},
		{"the project", "site: .", "proj", true},
		{"above", "site: ../out", "out", true},
		{"absolute", "site: /srv/out/", "/srv/out", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("proj/freshet.yaml", []byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := c.SiteDir()
			if got != filepath.FromSlash(tt.want) || ok != tt.ok {
				t.Errorf("SiteDir() = %q, %t; want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	const (
		prod    = "  production: {bucket: s3://prod, distribution: E1}\n"
		staging = "  staging: {bucket: s3://staging}\n"
	)
	tests := []struct {
		name, targets, ask, want, err string
	}{
		{"no targets", "", "", "local", ""},
		{"no targets, local asked", "", "local", "local", ""},
		{"no targets, other asked", "", "prod", "", `no target "prod" in freshet.yaml; it has local`},
		{"local beside production", "targets:\n  local: {}\n" + prod, "", "local", ""},
		{"embedded of another name", "targets:\n  here: {}\n" + prod, "", "here", ""},
		{"embedded of another name, local asked", "targets:\n  here: {}\n" + prod, "local", "", `no target "local"`},
		{"only production", "targets:\n" + prod, "", "production", ""},
		{"only production, local asked", "targets:\n" + prod, "local", "local", ""},
		{"production asked", "targets:\n  local: {}\n" + prod, "production", "production", ""},
		{"two without embedded", "targets:\n" + staging + prod, "", "", "freshet.yaml has several; say --target with one of production, staging"},
		{"slip", "targets:\n" + staging + prod, "prodcution", "", `(did you mean "production"?); it has production, staging`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(t, tt.targets).Target(tt.ask)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, ErrTarget) {
					t.Fatalf("error %v; want ErrTarget with %q", err, tt.err)
				}
				return
			}
			if err != nil || got.Name != tt.want {
				t.Errorf("got %q, error %v; want %q", got.Name, err, tt.want)
			}
		})
	}
}

func TestTargetKinds(t *testing.T) {
	tests := []struct {
		name                   string
		target                 Target
		embedded, invalidating bool
	}{
		{"embedded", Target{Name: "local"}, true, true},
		{"bucket alone", Target{Bucket: "b"}, false, false},
		{"bucket and distribution", Target{Bucket: "b", Distributions: []string{"E1"}}, false, true},
		{"bucket and auto", Target{Bucket: "b", Distributions: []string{AutoDistribution}}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if e, i := tt.target.Embedded(), tt.target.Invalidates(); e != tt.embedded || i != tt.invalidating {
				t.Errorf("Embedded %t, Invalidates %t; want %t, %t", e, i, tt.embedded, tt.invalidating)
			}
		})
	}
}

func TestLoadAndFind(t *testing.T) {
	dir := t.TempDir()
	if path, ok := Find(dir); ok {
		t.Fatalf("found %s in an empty folder", path)
	}
	if _, err := Load(filepath.Join(dir, "freshet.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Load of a missing file: %v; want fs.ErrNotExist", err)
	}
	for _, name := range []string{"freshet.yml", "freshet.yaml"} {
		want := filepath.Join(dir, name)
		if err := os.WriteFile(want, []byte("site: out\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if path, ok := Find(dir); !ok || path != want {
			t.Errorf("Find = %q, %t; want %q", path, ok, want)
		}
		c, err := Load(want)
		if err != nil || c.Dir != dir || c.File != want || c.Site != "out" {
			t.Errorf("Load = %+v, %v", c, err)
		}
	}
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if path, ok := Find(sub); ok {
		t.Errorf("Find walked up to %s", path)
	}
}

func TestLoadOfFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "freshet.yaml")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, ok := Find(dir); !ok || got != path {
		t.Errorf("Find = %q, %t; a folder in the file's place must be reported, not passed over", got, ok)
	}
	if _, err := Load(path); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of a folder: %v", err)
	}
}

func TestDefault(t *testing.T) {
	c := Default("proj")
	if c.Invalidation.Policy != Balanced || c.Invalidation.Budget != 1000 || c.Retain != 720*time.Hour {
		t.Errorf("defaults %+v, retain %s", c.Invalidation, c.Retain)
	}
	if got, err := c.Target(""); err != nil || !got.Embedded() {
		t.Errorf("default target %+v, %v; want the embedded one", got, err)
	}
	if _, err := c.Target("prod"); err == nil || !strings.Contains(err.Error(), "there is no freshet.yaml") {
		t.Errorf("error %v", err)
	}
}
