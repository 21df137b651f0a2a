package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMistakes holds one row for each rule: the text, and for each expected
// mistake its position and a part of its message.
func TestMistakes(t *testing.T) {
	type mistake struct {
		line, column int
		msg          string
	}
	target := func(line string) string { return "targets:\n  p:\n    bucket: s3://abc\n    " + line + "\n" }
	tests := []struct {
		name, src string
		want      []mistake
	}{
		{"unknown key", "sites: x\n", []mistake{{1, 1, `unknown key "sites" (did you mean "site"?)`}}},
		{"unknown key without a neighbour", "zzzzzz: x\n", []mistake{{1, 1, `known here: build, control, edge, headers, invalidation, retain, site, targets, urls`}}},
		{"other case and separator", "invalidation: {Policy: exact}\nbuild:\n  Clean: []\n", []mistake{
			{1, 16, `(did you mean "policy"?)`}, {3, 3, `(did you mean "clean"?)`}}},
		{"underscore", "headers:\n  - match: a\n    cache_control: public\n", []mistake{{3, 5, `(did you mean "cache-control"?)`}}},
		{"key in the wrong place", "distribution: E1\n", []mistake{{1, 1, `it belongs under targets: and the target's name`}}},
		{"credentials", target("secret-access-key: x"), []mistake{{4, 5, "credentials never go into this file"}}},
		{"duplicate key", "site: a\nretain: 1d\nsite: b\n", []mistake{{3, 1, `"site" is given twice (first on line 1)`}}},
		{"duplicate key of a flow mapping", "build: {image: a, image: b, command: c}\n", []mistake{{1, 19, `"image" is given twice`}}},
		{"several, in line order", "targets: {a b: {}}\nretain: 3\nsit: x\nsite: 1\n", []mistake{
			{1, 11, "target name"}, {2, 9, `write "3d"`}, {3, 1, `"site"`}, {4, 7, "a number"}}},

		{"order when a later key is read first", "targets: {p: {prefix: /a, bucket: my-site}}\n", []mistake{
			{1, 23, "starts with a slash"}, {1, 35, `write "s3://my-site"`}}},
		{"wrong value used twice is one mistake", "build: {clean: [&x 1, *x]}\n", []mistake{{1, 20, "found a number"}}},

		{"text for the file", "hello\n", []mistake{{1, 1, "the file takes keys with values (key: value), found text"}}},
		{"list for the file", "- a\n", []mistake{{1, 1, "found a list"}}},
		{"number for text", "site: 2024\n", []mistake{{1, 7, `"site" takes text, found a number; put it in quotes: "2024"`}}},
		{"boolean for text", "build: {command: true}\n", []mistake{{1, 18, `found true or false; put it in quotes: "true"`}}},
		{"list for text", "site: [a]\n", []mistake{{1, 7, `"site" takes text, found a list`}}},
		{"mapping for text", "site:\n  a: b\n", []mistake{{2, 3, `"site" takes text, found keys with values`}}},
		{"nothing for text", "site:\n", []mistake{{1, 6, `"site" has no value`}}},
		{"empty text", `site: ""`, []mistake{{1, 7, `"site" is empty`}}},
		{"text for a list", "build: {clean: output}\n", []mistake{{1, 16, `"clean" takes a list, found text; write [output]`}}},
		{"mapping for a list", "headers:\n  match: x\n", []mistake{{2, 3, `"headers" takes a list, found keys with values`}}},
		{"list for a section", "build: [x]\n", []mistake{{1, 8, "build takes keys with values"}}},
		{"text for a target", "targets: {p: s3://abc}\n", []mistake{{1, 14, "the target p takes keys with values"}}},
		{"text for a rule", "headers: [a]\n", []mistake{{1, 11, "a rule of headers takes keys with values"}}},
		{"number as key", "targets: {1: {}}\n", []mistake{{1, 11, "a key must be plain text"}}},
		{"text for a number", "invalidation: {budget: many}\n", []mistake{{1, 24, `"budget" takes a whole number, found text`}}},
		{"negative number", "invalidation: {budget: -1}\n", []mistake{{1, 24, "from 0 to 2147483647"}}},
		{"fraction", "invalidation: {budget: 1.5}\n", []mistake{{1, 24, "takes a whole number"}}},
		{"bad policy", "invalidation: {policy: balance}\n", []mistake{{1, 24, `must be one of exact, balanced, frugal, found "balance" (did you mean "balanced"?)`}}},

		{"rule without match", "headers:\n  - cache-control: public\n", []mistake{{2, 5, `needs "match"`}}},
		{"pattern", "headers: [{match: 'a[b'}]\n", []mistake{{1, 19, "not a valid pattern"}}},
		{"pattern with leading slash", "headers: [{match: /a/*.css}]\n", []mistake{{1, 19, `write "a/*.css"`}}},
		{"pattern for a folder", "headers: [{match: theme/}]\n", []mistake{{1, 19, `write "theme/**"`}}},
		{"pattern with dots", "headers: [{match: ./a}, {match: b/../a}, {match: a//b}]\n", []mistake{
			{1, 19, `the part "."`}, {1, 33, `the part ".."`}, {1, 50, `the part ""`}}},
		{"pattern with a joined **", "headers: [{match: '**.css'}]\n", []mistake{{1, 19, `as in "**/*.css"`}}},
		{"header of two lines", "headers: [{match: a, cache-control: \"a\\nb\"}]\n", []mistake{{1, 37, "plain ASCII on one line"}}},
		{"header with an umlaut", "headers: [{match: a, content-disposition: ä}]\n", []mistake{{1, 43, `holds 'ä'`}}},
		{"content type", "headers: [{match: a, content-type: html}]\n", []mistake{{1, 36, "not a media type"}}},

		{"retain without unit", "retain: 30\n", []mistake{{1, 9, `needs a unit; write "30d"`}}},
		{"retain unknown unit", "retain: 3 months\n", []mistake{{1, 9, "not a duration"}}},
		{"retain negative", "retain: -3d\n", []mistake{{1, 9, "not be negative"}}},
		{"retain too long", "retain: 101000d\n", []mistake{{1, 9, "longer than 100 years"}}},

		{"clean the project", "build: {clean: [.]}\n", []mistake{{1, 17, "the project itself with its freshet.yaml"}}},
		{"clean the project in disguise", "build: {clean: [a/..]}\n", []mistake{{1, 17, "the project itself"}}},
		{"clean outside", "build: {clean: [../out]}\n", []mistake{{1, 17, "outside the project"}}},
		{"clean outside in disguise", "build: {clean: [a/../../b]}\n", []mistake{{1, 17, "outside the project"}}},
		{"clean absolute", "build: {clean: [/srv/out]}\n", []mistake{{1, 17, "absolute path"}}},
		{"clean the config", "build: {clean: [./freshet.yaml]}\n", []mistake{{1, 17, "this config file itself"}}},
		{"clean the repository", "build: {clean: [.git/hooks]}\n", []mistake{{1, 17, "the project's history"}}},
		{"clean a pattern", "build: {clean: ['*.html']}\n", []mistake{{1, 17, "patterns are not expanded"}}},
		{"site with tilde", "site: ~/out\n", []mistake{{1, 7, "only a shell expands"}}},
		{"image without command", "build: {image: hugo}\n", []mistake{{1, 16, `"image" without "command"`}}},
		{"image that is an option", "build: {image: --privileged, command: x}\n", []mistake{{1, 16, "name of a container image"}}},

		{"bucket without scheme", "targets: {p: {bucket: my-site}}\n", []mistake{{1, 23, `write "s3://my-site"`}}},
		{"bucket as ARN", "targets: {p: {bucket: 'arn:aws:s3:::x'}}\n", []mistake{{1, 23, `must start with "s3://"`}}},
		{"bucket empty", "targets: {p: {bucket: \"\"}}\n", []mistake{{1, 23, `"bucket" is empty`}}},
		{"bucket without value", "targets:\n  p:\n    bucket:\n", []mistake{{3, 12, `"bucket" has no value`}}},
		{"bucket without name", "targets: {p: {bucket: s3://}}\n", []mistake{{1, 23, "names no bucket"}}},
		{"bucket upper case", "targets: {p: {bucket: s3://MySite}}\n", []mistake{{1, 23, `lower case: "mysite"`}}},
		{"bucket short", "targets: {p: {bucket: s3://ab}}\n", []mistake{{1, 23, "3 to 63"}}},
		{"bucket long", "targets: {p: {bucket: s3://" + strings.Repeat("a", 64) + "}}\n", []mistake{{1, 23, "64 characters"}}},
		{"bucket characters", "targets: {p: {bucket: s3://a_b}}\n", []mistake{{1, 23, "lower-case letters"}}},
		{"bucket edge", "targets: {p: {bucket: s3://abc-}}\n", []mistake{{1, 23, "start and end"}}},
		{"bucket dots", "targets: {p: {bucket: s3://a..b}}\n", []mistake{{1, 23, "two dots"}}},
		{"bucket address", "targets: {p: {bucket: s3://10.0.0.1}}\n", []mistake{{1, 23, "IP address"}}},
		{"prefix with slash", target("prefix: /a"), []mistake{{4, 13, `write "a"`}}},
		{"prefix with dots", target("prefix: a/../b"), []mistake{{4, 13, `an empty part, "." or ".."`}}},
		{"prefix above", target("prefix: ../b"), []mistake{{4, 13, `".."`}}},
		{"prefix with empty part", target("prefix: a//b"), []mistake{{4, 13, "empty part"}}},
		{"prefix twice", "targets: {p: {bucket: s3://abc/x, prefix: y}}\n", []mistake{{1, 43, `here and in "bucket"`}}},
		{"region", target("region: US West"), []mistake{{4, 13, "not a region"}}},
		{"endpoint without scheme", target("endpoint: localhost:9000"), []mistake{{4, 15, `start with "https://"`}}},
		{"endpoint of another scheme", target("endpoint: ftp://x"), []mistake{{4, 15, `start with "https://"`}}},
		{"endpoint without host", target("endpoint: http://"), []mistake{{4, 15, "has no host"}}},
		{"endpoint with password", target("endpoint: http://u:p@x"), []mistake{{4, 15, "user or password"}}},
		{"control endpoint", target("cloudfront-endpoint: x"), []mistake{{4, 26, `start with "https://"`}}},
		{"url", target("url: example.com"), []mistake{{4, 10, `start with "https://"`}}},
		{"url with query", target("url: https://example.com/?a"), []mistake{{4, 10, "before ? and #"}}},
		{"distribution domain", target("distribution: d1.cloudfront.net"), []mistake{{4, 19, "not its domain name"}}},
		{"distribution case", target("distribution: Auto"), []mistake{{4, 19, `write "auto"`}}},
		{"auto among others", target("distribution: [E1, auto]"), []mistake{{4, 19, "stands alone"}}},
		{"distribution twice", target("distribution: [E1, E1]"), []mistake{{4, 19, "listed twice"}}},
		{"folders", "urls: {folders: maybe}\n", []mistake{{1, 17, "must be one of auto, always, never"}}},
		{"over", "invalidation: {over: pay}\n", []mistake{{1, 22, "must be one of frugal, refuse"}}},
		{"limits", "invalidation: {limits: cloudfrond}\n", []mistake{{1, 24, `did you mean "cloudfront"`}}},
		{"distribution characters", target("distribution: E-1"), []mistake{{4, 19, "letters and digits"}}},
		{"distribution without bucket", "targets: {p: {distribution: E1}}\n", []mistake{{1, 29, `"distribution" needs "bucket"`}}},
		{"two embedded", "targets:\n  a: {}\n  b: {}\n", []mistake{{3, 3, `"a" and "b" both lack "bucket"`}}},
		{"slip in bucket is one mistake", "targets:\n  a: {}\n  b: {buckte: s3://abc}\n", []mistake{{3, 7, `(did you mean "bucket"?)`}}},

		{"undefined alias", "site: *x\n", []mistake{{1, 7, "no anchor &x"}}},
		{"alias of itself", "build: {clean: &x [*x]}\n", []mistake{{1, 19, "found a list"}}},
		{"merge of itself", "build: &b\n  <<: *b\n", []mistake{{2, 7, "refers to itself"}}},
		{"anchor twice", "site: &x a\nbuild: {image: &x b, command: c}\n", []mistake{{2, 16, "defined twice"}}},
		{"mistake behind an alias is one", "build: {clean: [&x .., *x]}\n", []mistake{{1, 17, "outside"}, {1, 24, "outside"}}},
		{"tag", "site: !!str x\n", []mistake{{1, 7, `tags are not used here; remove "!!str"`}}},
		{"directive", "%YAML 1.2\n---\nsite: x\n", []mistake{{1, 1, "directives are not used"}}},
		{"two documents", "site: a\n---\nsite: b\n", []mistake{{3, 1, "second document"}}},
		{"not YAML: unclosed list", "build:\n  clean: [a\n", []mistake{{2, 10, "close the bracket"}}},
		{"not YAML: tab", "build:\n\tclean: [a]\n", []mistake{{2, 2, "indent with spaces"}}},
		{"not YAML: colon in value", "site: a: b\n", []mistake{{1, 7, `quote a value that holds ": "`}}},
		{"not YAML: quotes", "site: 'a\n", []mistake{{1, 7, "close the quotes"}}},
		{"not YAML: pattern without quotes", "headers:\n  - match: *.css\n", []mistake{{2, 12, "no anchor"}}},
		{"not YAML: ** without quotes", "headers:\n  - match: **/*.css\n", []mistake{{2, 13, "quote a value that begins with *"}}},
		{"not YAML: braces without quotes", "headers:\n  - match: {a,b}.css\n", []mistake{{2, 17, "quote a value that begins with [ or {"}}},
		{"not YAML: indentation", "headers:\n  - match: a\n   cache-control: x\n", []mistake{{3, 4, "indent the keys of one mapping alike"}}},
		{"not YAML: no colon", "site: a\nretain 30d\n", []mistake{{2, 1, "a space after the colon"}}},
		{"not YAML: at sign", "site: @x\n", []mistake{{1, 7, "quote the value"}}},
		{"not YAML: percent", "site: %x\n", []mistake{{1, 7, "quote a value that begins with %"}}},
		{"not UTF-8", "# ä\nsite: \xff\n", []mistake{{2, 7, "not UTF-8"}}},
		{"UTF-16", "\xff\xfes\x00", []mistake{{1, 1, "not UTF-8"}}},
		{"control character", "# ä\x1b[2J\n", []mistake{{1, 4, "U+001B"}}},
		{"deep brackets", "site: " + strings.Repeat("[", 60000), []mistake{{1, 57, "nest deeper"}}},
		{"large file", strings.Repeat("# padding\n", 30000), []mistake{{1, 1, "larger than 256 KiB"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("proj/freshet.yaml", []byte(tt.src))
			if err == nil {
				t.Fatalf("accepted: %+v", c)
			}
			got := mistakes(err)
			if len(got) != len(tt.want) {
				t.Fatalf("%d mistakes, want %d:\n%v", len(got), len(tt.want), err)
			}
			for i, e := range got {
				w := tt.want[i]
				if e.Line != w.line || e.Column != w.column || !strings.Contains(e.Msg, w.msg) {
					t.Errorf("want %d:%d with %q, got:\n%v", w.line, w.column, w.msg, e)
				}
			}
		})
	}
}

// mistakes takes an error of Parse apart.
func mistakes(err error) []*Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, e := range joined.Unwrap() {
			all = append(all, mistakes(e)...)
		}
		return all
	}
	var one *Error
	if errors.As(err, &one) {
		return []*Error{one}
	}
	return nil
}

func TestErrorText(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"unknown key", "headers:\n  - match: a\n    cache-controll: public\n",
			`freshet.yaml:3:5: unknown key "cache-controll" (did you mean "cache-control"?)
    3 |     cache-controll: public
      |     ^`},
		{"two", "sit: x\nretain: x\n",
			`freshet.yaml:1:1: unknown key "sit" (did you mean "site"?)
    1 | sit: x
      | ^
freshet.yaml:2:9: "retain" is not a duration: "x"; write a number and a unit, such as "30d", "2w" or "36h"
    2 | retain: x
      |         ^`},
		{"wide characters count once", `build: {"clean": [ä, ..]}`,
			`freshet.yaml:1:22: "clean" names "..", which is outside the project; only what lies beside or below freshet.yaml can be cleaned
    1 | build: {"clean": [ä, ..]}
      |                      ^`},
		{"tabs stay", "site:\t2\n",
			"freshet.yaml:1:7: \"site\" takes text, found a number; put it in quotes: \"2\"\n    1 | site:\t2\n      |      \t^"},
		{"escape sequences do not", "site: \"a\x07\"\n",
			"freshet.yaml:1:9: an invisible character (U+0007) is here; remove it\n    1 | site: \"a\ufffd\"\n      |         ^"},
		{"secrets do not", "targets: {p: {aws_secret_access_key: hunter2}}\n",
			`freshet.yaml:1:15: unknown key "aws_secret_access_key"; credentials never go into this file, freshet takes them from the AWS environment
    1 | targets: {p: {aws_secret_access_key: [redacted]
      |               ^`},
		{"passwords of URLs do not", "targets: {p: {bucket: s3://abc, url: 'https://u:hunter2@x'}}\n",
			`freshet.yaml:1:38: "url" holds a user or password; credentials never go into this file
    1 | targets: {p: {bucket: s3://abc, url: 'https://[redacted]@x'}}
      |                                      ^`},
		{"long lines are cut", "#\n" + strings.Repeat(" ", 150) + "x: 1 " + strings.Repeat("#", 200),
			"freshet.yaml:2:151: unknown key \"x\"; known here: build, control, edge, headers, invalidation, retain, site, targets, urls\n    2 | " +
				strings.Repeat(" ", 60) + "x: 1 " + strings.Repeat("#", 35) + "\n      | " + strings.Repeat(" ", 60) + "^"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("freshet.yaml", []byte(tt.src))
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(err.Error(), tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}
