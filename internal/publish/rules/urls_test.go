package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

func TestURLs(t *testing.T) {
	plain := View{RootObject: "index.html"}
	for _, tt := range []struct {
		name string
		view View
		key  site.Key
		want string
	}{
		{"the home page", plain, "index.html", "/index.html /"},
		{"the home page, no default root object", View{}, "index.html", "/index.html /"},
		{"a folder's page", plain, "a/index.html", "/a/index.html /a/ /a"},
		{"deeper", plain, "a/b/index.html", "/a/b/index.html /a/b/ /a/b"},
		{"a file", plain, "a/b.css", "/a/b.css"},
		{"index.html only by its exact name", plain, "reindex.html", "/reindex.html"},
		{"the same in a folder", plain, "a/myindex.html", "/a/myindex.html"},
		{"index.htm is another file", plain, "a/index.htm", "/a/index.htm"},
		{"case matters", plain, "a/Index.html", "/a/Index.html"},
		{"a folder of that name", plain, "index.html/a", "/index.html/a"},
		{"another default root object", View{RootObject: "home.html"}, "home.html", "/home.html /"},
		{"the index beside it", View{RootObject: "home.html"}, "index.html", "/index.html /"},
		{"its name in a folder", View{RootObject: "home.html"}, "a/home.html", "/a/home.html"},
		{"a default root object in a folder", View{RootObject: "start/index.html"}, "start/index.html", "/start/index.html / /start/ /start"},

		{"a prefix that viewers see", View{Prefix: "blog/"}, "index.html", "/blog/index.html /blog/ /blog"},
		{"an origin path that is the prefix", View{Prefix: "prod/", OriginPath: "/prod"}, "index.html", "/index.html /"},
		{"a prefix below the origin path", View{Prefix: "prod/site/", OriginPath: "/prod"}, "a/index.html", "/site/a/index.html /site/a/ /site/a"},
		{"its home page is not the root", View{Prefix: "prod/site/", OriginPath: "/prod", RootObject: "index.html"}, "index.html", "/site/index.html /site/ /site"},
		{"a default root object below the prefix", View{Prefix: "site/", RootObject: "site/index.html"}, "index.html", "/site/index.html / /site/ /site"},
		{"an origin path elsewhere", View{Prefix: "blog/", OriginPath: "/prod"}, "index.html", ""},
		{"an origin path that only begins alike", View{Prefix: "production/", OriginPath: "/prod"}, "index.html", ""},
		{"an origin path, no prefix, inside", View{OriginPath: "/prod"}, "prod/a.css", "/a.css"},
		{"an origin path, no prefix, outside", View{OriginPath: "/prod"}, "a.css", ""},
		{"an origin path, no prefix, the folder's own name", View{OriginPath: "/prod"}, "prod", ""},
		{"a deep origin path", View{Prefix: "a/b/", OriginPath: "/a/b"}, "c.css", "/c.css"},
		{"an origin path of a lone slash", View{OriginPath: "/"}, "a.css", "/a.css"},
		{"an origin path with a slash too many", View{Prefix: "prod/", OriginPath: "/prod/"}, "a.css", "/a.css"},

		{"a space", plain, "my post/index.html", "/my%20post/index.html /my%20post/ /my%20post"},
		{"a plus", plain, "c++/index.html", "/c%2B%2B/index.html /c%2B%2B/ /c%2B%2B"},
		{"a percent sign", plain, "100%/index.html", "/100%25/index.html /100%25/ /100%25"},
		{"a number sign", plain, "c#.html", "/c%23.html"},
		{"an apostrophe and a tilde", plain, "it's/~x/index.html", "/it's/~x/index.html /it's/~x/ /it's/~x"},
		{"Japanese", plain, "日/index.html", "/%E6%97%A5/index.html /%E6%97%A5/ /%E6%97%A5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, u := range tt.view.URLs(tt.key) {
				got = append(got, string(u.Path))
			}
			if diff := cmp.Diff(got, strings.Fields(tt.want), cmp.Transformer("join", func(s []string) string { return strings.Join(s, " ") })); diff != "" {
				t.Errorf("URLs(%q) (-got +want):\n%s", tt.key, diff)
			}
		})
	}
}

func TestURLsSayWhy(t *testing.T) {
	want := []URL{
		{Path: "/a/index.html", Why: "index.html"}, {Path: "/a/", Why: "the folder of index.html"}, {Path: "/a", Why: "the folder of index.html, without its slash"},
	}
	if diff := cmp.Diff(View{}.URLs("a/index.html"), want); diff != "" {
		t.Errorf("URLs (-got +want):\n%s", diff)
	}
}

// answers reports whether the URL path u may show the key, by the fact sheet:
// a REST or website origin, a default root object, an index rewrite. It goes
// the other way than URLs: from the URL to the key.
func answers(v View, u string, key site.Key) bool {
	try := []string{u, strings.TrimSuffix(u, "/") + "/index.html"}
	if u == "/" && v.RootObject != "" {
		try = append(try, "/"+v.RootObject)
	}
	return slices.Contains(try, "/"+string(key))
}

func TestURLsBothWays(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "index.html", "reindex.html", "home.html", "c.css"})
	rapid.Check(t, func(t *rapid.T) {
		key := site.Key(strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "key"), "/"))
		v := View{RootObject: rapid.SampledFrom([]string{"", "index.html", "home.html", "a/index.html", "a/home.html"}).Draw(t, "root")}
		listed := map[string]bool{}
		for _, u := range v.URLs(key) {
			if listed[string(u.Path)] {
				t.Fatalf("URLs(%q) lists %q twice", key, u.Path)
			}
			listed[string(u.Path)] = true
			if u.Why == "" {
				t.Fatalf("URLs(%q) does not say why %q", key, u.Path)
			}
		}
		asked := []string{"/" + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "asked"), "/")}
		asked = append(asked, asked[0]+"/", "/"+string(key), "/"+key.Dir(), strings.TrimSuffix("/"+key.Dir(), "/"))
		for _, u := range asked {
			if u == "" || strings.Contains(u, "//") {
				continue
			}
			if got, want := listed[u], answers(v, u, key); got != want {
				t.Fatalf("URLs(%q) with %+v lists %q: %v, want %v", key, v, u, got, want)
			}
		}
	})
}

// The origin path takes exactly as much away as the prefix puts in front.
func TestURLsThroughAnOriginPath(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "index.html", "日 本"})
	rapid.Check(t, func(t *rapid.T) {
		key := site.Key(strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(t, "key"), "/"))
		folder := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "ab", "b"}), 1, 3).Draw(t, "folder"), "/")
		got := View{Prefix: folder + "/", OriginPath: "/" + folder}.URLs(key)
		if diff := cmp.Diff(got, View{}.URLs(key)); diff != "" {
			t.Fatalf("URLs(%q) through /%s (-got +want):\n%s", key, folder, diff)
		}
		if got := (View{Prefix: folder + "x/", OriginPath: "/" + folder}).URLs(key); got != nil {
			t.Fatalf("URLs(%q) beside /%s are %v, want none", key, folder, got)
		}
	})
}
