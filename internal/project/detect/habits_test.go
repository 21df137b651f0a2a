package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGeneratorWarns(t *testing.T) {
	tests := []struct {
		name    string
		files   []string
		caution string
		leaves  bool
	}{
		{"a server by Next.js", []string{"next.config.js=module.exports = {}"}, "next.config.js has no output: 'export'", false},
		{"a site by Next.js", []string{"next.config.js=module.exports = { output: 'export' }"}, "", false},
		{"a site by an old Next.js", []string{"next.config.js={}", `package.json={"scripts": {"build": "next build && next export"}}`}, "", false},
		{"Hugo", []string{"hugo.toml"}, "", true},
		{"Pelican", []string{"pelicanconf.py"}, "", true},
		{"Pelican that cleans", []string{"pelicanconf.py", "publishconf.py=X = 1\nDELETE_OUTPUT_DIRECTORY = True"}, "", false},
		{"Jekyll", []string{"_config.yml"}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Generator(folderWith(t, tt.files...))
			if !ok || got.Leaves != tt.leaves || (tt.caution == "") != (got.Caution == "") || !strings.HasPrefix(got.Caution, tt.caution) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestHabits(t *testing.T) {
	const sync = "aws s3 sync out s3://bucket-"
	dir := folderWith(t,
		"Makefile=a:\n\t"+sync+"1\n", `package.json={"scripts": {"deploy": "`+sync+`2"}}`, "deploy.sh="+sync+"3", "deploy="+sync+"4",
		"bin/up=#!/bin/sh\n"+sync+"5", ".github/workflows/x.yml=  run: "+sync+"6", "config/_default/hugo.toml=URL = 's3://bucket-7'",
		"bin/binary=\x7fELF\n"+sync+"8", "README.md="+sync+"9", "notes/deploy.sh="+sync+"10", "scripts/a.md="+sync+"11")
	if err := os.Symlink(filepath.Join(dir, "README.md"), filepath.Join(dir, "publish")); err != nil {
		t.Skipf("symbolic links: %v", err)
	}
	found, err := Habits(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range found {
		got = append(got, c.Place()+" "+c.Bucket)
	}
	want := []string{
		"Makefile:2 bucket-1", "package.json:1 bucket-2", "deploy:1 bucket-4", "deploy.sh:1 bucket-3", "config/_default/hugo.toml:1 bucket-7",
		"bin/up:2 bucket-5", ".github/workflows/x.yml:1 bucket-6",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	if _, err := Habits(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing folder has habits")
	}
}
