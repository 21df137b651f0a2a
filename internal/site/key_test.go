package site

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestParseKey(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		wantErr  string // part of the error; "" means that the key is good
	}{
		{"one segment", "index.html", ""},
		{"nested", "posts/2026/11/a/index.html", ""},
		{"spaces and signs", "files/field notes (final)+1 #2 100% it's ~x.txt", ""},
		{"Japanese", "日本/雪.html", ""},
		{"dots in names", "..a/b../.well-known/...", ""},
		{"a backslash", `a\b`, ""},
		{"the longest", strings.Repeat("a", 1024), ""},
		{"the replacement character itself", "a\ufffdb", ""},
		{"empty", "", "empty name"},
		{"a byte too long", strings.Repeat("a", 1025), "1025 bytes"},
		{"too long in bytes, not in characters", strings.Repeat("雪", 342), "1026 bytes"},
		{"broken UTF-8", "a\xffb", "not valid UTF-8"},
		{"a newline", "a\nb", `control character '\n'`},
		{"NUL", "a\x00b", `control character '\x00'`},
		{"DEL", "a\x7fb", `control character '\x7f'`},
		{"a character that XML lacks", "a\uffffb", `control character '\uffff'`},
		{"leading slash", "/a", `segment ""`},
		{"trailing slash", "a/", `segment ""`},
		{"double slash", "a//b", `segment ""`},
		{"dot", "a/./b", `segment "."`},
		{"dot dot", "../b", `segment ".."`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseKey(tt.in)
			switch {
			case tt.wantErr == "" && (err != nil || string(got) != tt.in):
				t.Errorf("ParseKey(%q) = %q, %v, want it as it is", tt.in, got, err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr) || got != ""):
				t.Errorf("ParseKey(%q) = %q, %v, want an error with %q", tt.in, got, err, tt.wantErr)
			}
		})
	}
}

func TestKeyParts(t *testing.T) {
	for _, tt := range []struct {
		key       Key
		base, dir string
		state     bool
	}{
		{"index.html", "index.html", "", false},
		{"a/b/c.css", "c.css", "a/b/", false},
		{".freshet-0123/lock.json", "lock.json", ".freshet-0123/", true},
		{"a/.freshet-0123/lock.json", "lock.json", "a/.freshet-0123/", false},
		{".freshetignore", ".freshetignore", "", false},
	} {
		if tt.key.Base() != tt.base || tt.key.Dir() != tt.dir || tt.key.IsState() != tt.state {
			t.Errorf("%q: base %q, dir %q, state %v, want %q, %q, %v",
				tt.key, tt.key.Base(), tt.key.Dir(), tt.key.IsState(), tt.base, tt.dir, tt.state)
		}
	}
}

// TestURLPath lists what Chrome, Firefox and Safari send; WHATWG URL standard,
// path percent-encode set, read 2026-11, and fact sheet 4.6 for "+".
func TestURLPath(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  Key
		want URLPath
	}{
		{"plain", "posts/a-b_c.html", "/posts/a-b_c.html"},
		{"a space", "a b.html", "/a%20b.html"},
		{"a percent sign", "100%.html", "/100%25.html"},
		{"what looks escaped", "a%20b", "/a%2520b"},
		{"plus", "c++.html", "/c%2B%2B.html"},
		{"hash and question mark", "a#b?c", "/a%23b%3Fc"},
		{"quotes and angles", `a"b<c>`, "/a%22b%3Cc%3E"},
		{"braces, caret, backtick, backslash", "{a}^`\\", "/%7Ba%7D%5E%60%5C"},
		{"what browsers leave", "it's~[a]|!$&()*,;=:@", "/it's~[a]|!$&()*,;=:@"},
		{"Japanese", "日.html", "/%E6%97%A5.html"},
		{"composed and decomposed differ", "\u00e9/e\u0301", "/%C3%A9/e%CC%81"},
		{"an emoji", "😀", "/%F0%9F%98%80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.key.URLPath(); got != tt.want {
				t.Errorf("URLPath(%q) = %q, want %q", tt.key, got, tt.want)
			}
		})
	}
}

func TestDirURLPath(t *testing.T) {
	for dir, want := range map[string]URLPath{"": "/", "a b/": "/a%20b/", "日/c+/": "/%E6%97%A5/c%2B/"} {
		if got := DirURLPath(dir); got != want {
			t.Errorf("DirURLPath(%q) = %q, want %q", dir, got, want)
		}
	}
}

// browserSends is the path of a link with this href as a browser asks for it:
// the path state of the WHATWG URL parser for a special scheme, with the base
// "https://example.org/", read 2026-11. It is written from the standard and
// shares nothing with escape.
func browserSends(href string) string {
	href = strings.Trim(href, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"+
		"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	href = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(href)
	if i := strings.IndexAny(href, "?#"); i >= 0 {
		href = href[:i]
	}
	href = strings.ReplaceAll(href, `\`, "/")
	if strings.HasPrefix(href, "//") {
		return "another host"
	}
	var out []string
	segments := strings.Split(strings.TrimPrefix(href, "/"), "/")
	for i, seg := range segments {
		switch plain := strings.ReplaceAll(strings.ToLower(seg), "%2e", "."); {
		case plain == ".." && len(out) > 0:
			out = out[:len(out)-1]
			fallthrough
		case plain == ".", plain == "..":
			if i == len(segments)-1 {
				out = append(out, "")
			}
		default:
			out = append(out, seg)
		}
	}
	var b strings.Builder
	for _, c := range []byte("/" + strings.Join(out, "/")) {
		switch {
		case c <= 0x1f, c > 0x7e, strings.IndexByte(" \"#<>?^`{}", c) >= 0:
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c/16])+string("0123456789abcdef"[c%16])))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// checkURLPath holds for every key.
func checkURLPath(t interface{ Fatalf(string, ...any) }, k Key) {
	u := string(k.URLPath())
	if back, err := url.PathUnescape(u); err != nil || back != "/"+string(k) {
		t.Fatalf("URLPath(%q) = %q, which unescapes to %q, %v", k, u, back, err)
	}
	if strings.IndexFunc(u, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 {
		t.Fatalf("URLPath(%q) = %q is not printable ASCII", k, u)
	}
	if sent := browserSends(u); sent != u {
		t.Fatalf("URLPath(%q) = %q, but a browser sends %q", k, u, sent)
	}
	if strings.Contains(u, "+") {
		t.Fatalf("URLPath(%q) = %q: S3 reads the plus as a space", k, u)
	}
}

// keys draws keys with all the characters that have ever made trouble.
func keys() *rapid.Generator[Key] {
	special := rapid.SampledFrom([]rune("ab/. +%#?~'\"<>[]{}|\\^`&=;:@,$!*()-_日é\u3099😀"))
	free := rapid.Rune().Filter(func(r rune) bool { return utf8.ValidRune(r) })
	return rapid.Custom(func(t *rapid.T) Key {
		for {
			s := rapid.StringOf(rapid.OneOf(special, free)).Draw(t, "key")
			if k, err := ParseKey(s); err == nil {
				return k
			}
			k, err := ParseKey("x" + strings.NewReplacer("/", "-", "\x00", "").Replace(s))
			if err == nil {
				return k
			}
		}
	})
}

func TestURLPathIsWhatBrowsersSend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkURLPath(t, keys().Draw(t, "k")) })
}

func TestURLPathsAreDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := keys().Draw(t, "a"), keys().Draw(t, "b")
		if (a == b) != (a.URLPath() == b.URLPath()) {
			t.Fatalf("%q and %q have the URLs %q and %q", a, b, a.URLPath(), b.URLPath())
		}
	})
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"a", "a/b.html", "", "/", "a//b", "..", "a b+c%20#?~'", "日本/雪.html", "\xff", "%2e/x", `a\b`, "a\uffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		if err != nil {
			if k != "" {
				t.Fatalf("ParseKey(%q) = %q with the error %v", s, k, err)
			}
			return
		}
		checkURLPath(t, k)
		if k.Dir()+k.Base() != s || len(s) > MaxKeyBytes {
			t.Fatalf("ParseKey(%q): dir %q, base %q", s, k.Dir(), k.Base())
		}
	})
}
