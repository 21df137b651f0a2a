package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/site"
)

func TestDescribeDefaults(t *testing.T) {
	for _, tt := range []struct {
		key     site.Key
		kind    site.Kind
		headers site.Headers
	}{
		{"a/index.html", site.KindPage, site.Headers{ContentType: "text/html; charset=utf-8", CacheControl: "public, max-age=0, s-maxage=31536000"}},
		{"app.3f2a9c1b.js", site.KindImmutable, site.Headers{ContentType: "text/javascript; charset=utf-8", CacheControl: "public, max-age=31536000, immutable"}},
		{"app.js", site.KindAsset, site.Headers{ContentType: "text/javascript; charset=utf-8", CacheControl: "public, max-age=0, s-maxage=31536000"}},
		{"feed.xml", site.KindFeed, site.Headers{ContentType: "application/xml", CacheControl: "public, max-age=0, s-maxage=31536000"}},
		{"about", site.KindOther, site.Headers{ContentType: "application/octet-stream", CacheControl: "public, max-age=0, s-maxage=31536000"}},
	} {
		kind, headers := Set{}.Describe(tt.key)
		if diff := cmp.Diff(headers, tt.headers); diff != "" || kind != tt.kind {
			t.Errorf("Describe(%q): kind %q, want %q; headers (-got +want):\n%s", tt.key, kind, tt.kind, diff)
		}
	}
}

func text(s string) *string { return &s }

func TestDescribeWithRules(t *testing.T) {
	set, err := NewSet([]Rule{
		{Match: "theme/print.css", CacheControl: text("no-cache")},
		{Match: "/theme/**", CacheControl: text("public, max-age=60"), ContentLanguage: text("de")},
		{Match: "about", ContentType: text("text/html; charset=utf-8")},
		{Match: "**/*.pdf", ContentDisposition: text("attachment"), CacheControl: text("")},
		{Match: "*.{svgz,gz}", ContentEncoding: text("gzip"), ContentType: text("")},
		{Match: "**", ContentLanguage: text("en")},
	})
	if err != nil {
		t.Fatal(err)
	}
	const mutable = "public, max-age=0, s-maxage=31536000"
	for _, tt := range []struct {
		name    string
		key     site.Key
		kind    site.Kind
		headers site.Headers
	}{
		{"the first that matches wins", "theme/print.css", site.KindAsset, site.Headers{ContentType: "text/css; charset=utf-8", CacheControl: "no-cache"}},
		{"a leading slash", "theme/a/b.css", site.KindAsset, site.Headers{ContentType: "text/css; charset=utf-8", CacheControl: "public, max-age=60", ContentLanguage: "de"}},
		{"a rule beats the hash", "theme/b.3f2a9c1b.css", site.KindImmutable, site.Headers{ContentType: "text/css; charset=utf-8", CacheControl: "public, max-age=60", ContentLanguage: "de"}},
		{"a type makes a page", "about", site.KindPage, site.Headers{ContentType: "text/html; charset=utf-8", CacheControl: mutable}},
		{"a header that is not sent", "a.pdf", site.KindOther, site.Headers{ContentType: "application/pdf", ContentDisposition: "attachment"}},
		{"at any depth", "a/b/c.pdf", site.KindOther, site.Headers{ContentType: "application/pdf", ContentDisposition: "attachment"}},
		{"no type at all", "logo.svgz", site.KindOther, site.Headers{CacheControl: mutable, ContentEncoding: "gzip"}},
		{"a star stays in its folder", "a/logo.gz", site.KindOther, site.Headers{ContentType: "application/gzip", CacheControl: mutable, ContentLanguage: "en"}},
		{"case matters", "Theme/a.css", site.KindAsset, site.Headers{ContentType: "text/css; charset=utf-8", CacheControl: mutable, ContentLanguage: "en"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kind, headers := set.Describe(tt.key)
			if diff := cmp.Diff(headers, tt.headers); diff != "" || kind != tt.kind {
				t.Errorf("kind %q, want %q; headers (-got +want):\n%s", kind, tt.kind, diff)
			}
		})
	}
}

func TestNewSet(t *testing.T) {
	for _, pattern := range []string{"", "/", "a[", "{a", `a\`} {
		if _, err := NewSet([]Rule{{Match: "**"}, {Match: pattern}}); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("NewSet(%q): %v, want an error", pattern, err)
		}
	}
	rules := []Rule{{Match: "/a", CacheControl: text("x")}}
	set, err := NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	if rules[0].Match != "/a" {
		t.Error("NewSet changed the caller's rules")
	}
	rules[0].Match = "b"
	if _, h := set.Describe("a"); h.CacheControl != "x" {
		t.Error("the set follows later changes of the caller's rules")
	}
}
