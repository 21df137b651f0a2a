package invalidation

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

// covers is a second reading of the fact sheet, 1.1 and 1.2: byte by byte,
// where "*" stands for zero or more characters only as the last one.
func covers(p, u string) bool {
	for i := range len(p) {
		if i == len(p)-1 && p[i] == '*' {
			return true
		}
		if i >= len(u) || p[i] != u[i] {
			return false
		}
	}
	return len(p) == len(u)
}

// acceptable is what CloudFront takes as a path (fact sheet 1.1): a slash, then
// anything but controls, non-ASCII and the unsafe characters of RFC 1738, "%"
// only as part of an escape, "~" not even escaped, 4,000 characters. "'" is
// counted among the refused.
func acceptable(p string) bool {
	return len(p) <= 4000 && acceptablePath.MatchString(p) && !strings.Contains(strings.ToUpper(p), "%7E")
}

var acceptablePath = regexp.MustCompile(`^/([A-Za-z0-9\-_./$!*(),:@=&;+?]|%[0-9A-Fa-f]{2})*$`)

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		path Path
		url  site.URLPath
		want bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/", false},
		{"/a", "/A", false},
		{"/a", "/ab", false},
		{"/*", "/", true},
		{"/*", "/a?b=c", true},
		{"/dir/*", "/dir/", true},
		{"/dir/*", "/dir/a/b", true},
		{"/dir/*", "/dir", false},
		{"/dir*", "/dir", true},
		{"/dir*", "/directory/a", true},
		{"/a*b", "/axb", false},
		{"/a*b", "/a*b", true},
		{"/a**", "/a*b", true},
		{"/a**", "/ab", false},
		{"/a%2A", "/ab", false},
		{"/%e6", "/%E6", false},
	} {
		if got := tt.path.Covers(tt.url); got != tt.want {
			t.Errorf("%q covers %q: %v, want %v", tt.path, tt.url, got, tt.want)
		}
	}
}

func TestCoversLikeTheOtherReading(t *testing.T) {
	text := rapid.StringMatching(`/[ab*/%~]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		p, u := text.Draw(t, "path"), text.Draw(t, "url")
		if got, want := Path(p).Covers(site.URLPath(u)), covers(p, u); got != want {
			t.Fatalf("%q covers %q: %v, want %v", p, u, got, want)
		}
	})
}

func TestExact(t *testing.T) {
	long := "/" + strings.Repeat("a", 3999)
	for _, tt := range []struct {
		name string
		url  site.URLPath
		want Path
	}{
		{"the root", "/", "/"},
		{"plain", "/posts/a.html", "/posts/a.html"},
		{"escapes", "/a%20b%2Bc/%E6%97%A5", "/a%20b%2Bc/%E6%97%A5"},
		{"sub-delimiters stay", "/a!$&()*,;=:@b", "/a!$&()*,;=:@b"},
		{"a tilde", "/js/runtime~main.js", "/js/runtime*"},
		{"a tilde, encoded by somebody", "/js/runtime%7emain.js", "/js/runtime*"},
		{"a tilde right at the top", "/~ben/", "/*"},
		{"an apostrophe", "/it's/", "/it*"},
		{"a bar", "/a|b", "/a*"},
		{"brackets", "/a[1]", "/a*"},
		{"after an escape", "/%E6%97%A5~x", "/%E6%97%A5*"},
		{"no escape", "/100%/a", "/100*"},
		{"half an escape", "/a%2", "/a*"},
		{"not escaped at all", "/a b", "/a*"},
		{"a star at the end", "/a*", "/a*"},
		{"the longest", site.URLPath(long), Path(long)},
		{"longer", site.URLPath(long + "b"), Path(long[:3999] + "*")},
		{"longer, the cut after a percent sign", site.URLPath(long[:3998] + "%20%20"), Path(long[:3998] + "*")},
		{"longer, the cut inside an escape", site.URLPath(long[:3997] + "%20%20"), Path(long[:3997] + "*")},
		{"longer, the cut behind an escape", site.URLPath(long[:3996] + "%20%20"), Path(long[:3996] + "%20*")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Exact(tt.url); got != tt.want {
				t.Errorf("Exact(%.40q) = %.40q, want %.40q", tt.url, got, tt.want)
			}
		})
	}
}

func FuzzExact(f *testing.F) {
	for _, u := range []string{
		"/", "/a", "/a~b", "/%7E", "/%", "/%%41", "/a%2", "/it's", "/日", "/a b", "/a*", "/a?b=~", "/\x00",
		"/" + strings.Repeat("%E6", 1400), "/a" + strings.Repeat("%E6", 1400), "/ab" + strings.Repeat("%E6", 1400),
	} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, u string) {
		if !strings.HasPrefix(u, "/") {
			u = "/" + u
		}
		p := Exact(site.URLPath(u))
		if !p.Covers(site.URLPath(u)) || !covers(string(p), u) {
			t.Fatalf("Exact(%q) = %q does not cover it", u, p)
		}
		if !acceptable(string(p)) {
			t.Fatalf("Exact(%q) = %q, which CloudFront refuses", u, p)
		}
		if !p.IsWildcard() && string(p) != u {
			t.Fatalf("Exact(%q) = %q names another URL", u, p)
		}
		if acceptable(u) && string(p) != u {
			t.Fatalf("Exact(%q) = %q, although it can be named", u, p)
		}
	})
}

// Every key has a path that CloudFront takes.
func FuzzExactOfKey(f *testing.F) {
	f.Add("posts/a b+c#d%e?f/it's~x.html")
	f.Add("日本/雪.html")
	f.Fuzz(func(t *testing.T, s string) {
		key, err := site.ParseKey(s)
		if err != nil {
			return
		}
		if p := Exact(key.URLPath()); !acceptable(string(p)) || !p.Covers(key.URLPath()) {
			t.Fatalf("the path of %q is %q", key, p)
		}
	})
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"the root", "/", "/"},
		{"everything", "/*", "/*"},
		{"a folder", "/posts/*", "/posts/*"},
		{"inside a segment", "/posts/2026/inv*", "/posts/2026/inv*"},
		{"a query", "/a?b=c&d=1", "/a?b=c&d=1"},
		{"a query with an address", "/go?u=https://example.org/", "/go?u=https://example.org/"},
		{"all variants", "/a.jpg*", "/a.jpg*"},
		{"a space", "/a b", "/a%20b"},
		{"escaped already", "/a%20b/%e6", "/a%20b/%e6"},
		{"a percent sign", "/100%", "/100%25"},
		{"a percent sign in the middle", "/100% sure", "/100%25%20sure"},
		{"half an escape", "/a%4", "/a%254"},
		{"Japanese", "/日.html", "/%E6%97%A5.html"},
		{"a number sign", "/c#.html", "/c%23.html"},
		{"unsafe characters", "/<a>\"b\"{c}\\^`/", "/%3Ca%3E%22b%22%7Bc%7D%5C%5E%60/"},
		{"sub-delimiters", "/a!$&(),;=:@+b", "/a!$&(),;=:@+b"},
		{"4,000 characters", "/" + strings.Repeat("a", 3999), "/" + strings.Repeat("a", 3999)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err != nil || string(got) != tt.want {
				t.Errorf("Parse(%.40q) = %.40q, %v, want %.40q", tt.in, got, err, tt.want)
			}
		})
	}
}

// What is wrong and what to do is said in full: these two lines are all that
// somebody sees.
func TestParseMistakes(t *testing.T) {
	const (
		quotes = "the quotes are inside the argument, so they became part of the path"
		slash  = "a path begins with a slash"
		star   = "a * stands for a rest only at the very end; here it would be an ordinary character"
		tilde  = "CloudFront cannot invalidate a path with ~ in it, encoded or not"
		host   = "a path has no scheme and no host"
		empty  = "an empty path names nothing"
		home   = "to invalidate the home page type /"
	)
	for _, tt := range []struct{ name, in, msg, hint string }{
		{"empty", "", empty, home},
		{"only quotes", `""`, empty, home},
		{"double quotes", `"/*"`, quotes, "type the path with one pair of quotes: '/*'"},
		{"single quotes", `'/posts/*'`, quotes, "type the path with one pair of quotes: '/posts/*'"},
		{"quotes, no slash", `"posts/*"`, quotes, "type the path with one pair of quotes: '/posts/*'"},
		{"a quote too many", `/*"`, quotes, "type the path with one pair of quotes: '/*'"},
		{"a single quote too many", `/*'`, quotes, "type the path with one pair of quotes: '/*'"},
		{"quotes of a word processor", "“/*”", quotes, "type the path with one pair of quotes: '/*'"},
		{"no slash", "about/", slash, "type /about/"},
		{"no slash, a star", "posts/*", slash, "type '/posts/*'"},
		{"no slash, a space", "a b", slash, "type '/a b'"},
		{"scheme and host", "https://www.example.org/posts/#top", host, "type what follows the host name: /posts/"},
		{"scheme, host and star", "https://www.example.org/posts/*", host, "type what follows the host name: '/posts/*'"},
		{"only scheme and host", "http://www.example.org", host, "type what follows the host name: /"},
		{"host and query", "http://www.example.org?a=b", host, "type what follows the host name: '/?a=b'"},
		{"a star in the middle", "/posts/*/index.html", star, "type '/posts/*', which also covers everything else that begins with /posts/"},
		{"two stars", "/posts/**", star, "type '/posts/*', which also covers everything else that begins with /posts/"},
		{"an encoded star", "/posts/%2a", "%2A is an ordinary character and no wildcard", "type '/posts/*'"},
		{"a tilde", "/js/runtime~main.js", tilde, "type a wildcard that ends before it: '/js/runtime*'"},
		{"an encoded tilde", "/js/runtime%7emain~.js", tilde, "type a wildcard that ends before it: '/js/runtime*'"},
		{"a tilde and a star", "/~ben/*", tilde, "type a wildcard that ends before it: '/*'"},
		{"an apostrophe", "/it's/", "CloudFront is known to refuse paths with ' in them", "type a wildcard that ends before it: '/it*'"},
		{"a bar", "/a|b", "browsers send | as it is, and CloudFront takes it only encoded, which names another URL",
			"type a wildcard that ends before it: '/a*'"},
		{"brackets of a query", "/list?a[]=1", "browsers send [ as it is, and CloudFront takes it only encoded, which names another URL",
			"type a wildcard that ends before it: '/list?a*'"},
		{"4,001 characters", "/" + strings.Repeat("a", 4000), "the path has 4001 characters, CloudFront takes 4000", "type a wildcard that ends earlier"},
		{"4,001 characters once escaped", "/" + strings.Repeat(" ", 1333) + "a", "the path has 4001 characters, CloudFront takes 4000", "type a wildcard that ends earlier"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(tt.in)
			var got *ParseError
			if !errors.As(err, &got) || p != "" {
				t.Fatalf("Parse(%.40q) = %q, %v, want a ParseError", tt.in, p, err)
			}
			if diff := cmp.Diff(*got, ParseError{tt.in, tt.msg, tt.hint}); diff != "" {
				t.Errorf("Parse(%.40q) (-got +want):\n%s", tt.in, diff)
			}
			if len(err.Error()) > 500 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "/", "/*", "'/*'", `"`, "a", "/a*b", "/~", "/%7E", "/%", "/%2A", "/a b", "/日", "https://x/y", "/?a[]", "/\x00", "'", "://",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			var e *ParseError
			if !errors.As(err, &e) || p != "" || e.Arg != s || e.Msg == "" || e.Hint == "" {
				t.Fatalf("Parse(%q) = %q, %#v", s, p, err)
			}
			return
		}
		if !acceptable(string(p)) {
			t.Fatalf("Parse(%q) = %q, which CloudFront refuses", s, p)
		}
		if again, err := Parse(string(p)); err != nil || again != p {
			t.Fatalf("Parse(%q) = %q, but that gives %q, %v", s, p, again, err)
		}
		if p.IsWildcard() != strings.HasSuffix(s, "*") {
			t.Fatalf("Parse(%q) = %q: a wildcard came or went", s, p)
		}
	})
}
