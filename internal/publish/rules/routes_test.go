package rules

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/site"
)

// all is the route of everything to the bucket.
var all = Route{Pattern: "*", Bucket: true, Folders: true}

func TestRoutes(t *testing.T) {
	rest := Route{Pattern: "*", Bucket: true} // a REST origin without a function
	api := Route{Pattern: "/api/*"}           // another origin
	v := func(routes ...Route) View { return View{RootObject: "index.html", Routes: routes} }
	prefixed := func(prefix string, routes ...Route) View { return View{Prefix: prefix, Routes: routes} }
	for _, tt := range []struct {
		name string
		view View
		key  site.Key
		want string
	}{
		{"one for everything", v(all), "a/index.html", "/a/index.html /a/ /a"},
		{"a REST origin shows a key only as itself", v(rest), "a/index.html", "/a/index.html"},
		{"and the default root object", v(rest), "index.html", "/index.html /"},
		{"an index page that is not the root object", View{RootObject: "home.html", Routes: []Route{rest}}, "index.html", "/index.html"},
		{"no root object", View{Routes: []Route{rest}}, "index.html", "/index.html"},
		{"another origin's paths", v(api, all), "api/users.json", ""},
		{"beside another origin's paths", v(api, all), "api.json", "/api.json"},
		{"the folder itself is not among them", v(api, all), "api/index.html", "/api"},
		{"the first that matches counts", v(all, api), "api/users.json", "/api/users.json"},
		{"no route matches", v(Route{Pattern: "/img/*", Bucket: true}), "a.css", ""},
		{"a folder behind another origin", v(Route{Pattern: "/a/"}, all), "a/index.html", "/a/index.html /a"},
		{"the home page behind another origin", v(Route{Pattern: "/"}, all), "index.html", "/index.html"},
		{"folders in one part only", v(Route{Pattern: "/docs*", Bucket: true, Folders: true}, rest), "docs/a/index.html", "/docs/a/index.html /docs/a/ /docs/a"},
		{"and not in the other", v(Route{Pattern: "/docs*", Bucket: true, Folders: true}, rest), "blog/index.html", "/blog/index.html"},
		{"folders by a pattern that ends in a slash", v(Route{Pattern: "/docs/*", Bucket: true, Folders: true}, rest), "docs/index.html", "/docs/index.html /docs/"},

		{"a star within a name", v(Route{Pattern: "/img/*.png"}, all), "img/a/b.png", ""},
		{"a star does not end too early", v(Route{Pattern: "/img/*.png"}, all), "img/a.png.txt", "/img/a.png.txt"},
		{"two stars", v(Route{Pattern: "*/x*.js"}, all), "a/b/x1.js", ""},
		{"a question mark is one character", v(Route{Pattern: "/v?/*"}, all), "v1/a", ""},
		{"and not two", v(Route{Pattern: "/v?/*"}, all), "v12/a", "/v12/a"},
		{"and not none", v(Route{Pattern: "/v?/*"}, all), "v/a", "/v/a"},
		{"a dot is a dot", v(Route{Pattern: "/a.b"}, all), "axb", "/axb"},
		{"case counts", v(Route{Pattern: "/API/*"}, all), "api/a", "/api/a"},
		{"the leading slash is implied", v(Route{Pattern: "api/*"}, all), "api/a", ""},
		{"an empty pattern is the home page", v(Route{Pattern: ""}, all), "a", "/a"},
		{"double slashes count once", v(api, all), "api//x", ""},
		{"escapes are matched as they are sent", v(Route{Pattern: "/a%20b/*"}, all), "a b/c", ""},

		{"two origins of one bucket", v(Route{Pattern: "/media/*", Bucket: true, OriginPath: "/files"}, Route{Pattern: "*", Bucket: true, OriginPath: "/www"}), "files/media/a.png", "/media/a.png"},
		{"the other of them", v(Route{Pattern: "/media/*", Bucket: true, OriginPath: "/files"}, Route{Pattern: "*", Bucket: true, OriginPath: "/www"}), "www/a.css", "/a.css"},
		{"what each of them hides", v(Route{Pattern: "/media/*", Bucket: true, OriginPath: "/files"}, Route{Pattern: "*", Bucket: true, OriginPath: "/www"}), "www/media/a.png", ""},
		{"outside of both", v(Route{Pattern: "/media/*", Bucket: true, OriginPath: "/files"}, Route{Pattern: "*", Bucket: true, OriginPath: "/www"}), "files/a.css", ""},
		{"one object through both", v(Route{Pattern: "/b/*", Bucket: true, OriginPath: "/a"}, all), "a/b/c.css", "/b/c.css /a/b/c.css"},
		{"the same path through both is one", v(Route{Pattern: "/b/*", Bucket: true}, all), "b/c.css", "/b/c.css"},
		{"the target's prefix", prefixed("site/", Route{Pattern: "/site/private/*"}, all), "private/a", ""},
		{"the target's prefix and an origin path", prefixed("www/en/", Route{Pattern: "*", Bucket: true, OriginPath: "/www", Folders: true}), "index.html", "/en/index.html /en/ /en"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, u := range tt.view.URLs(tt.key) {
				got = append(got, string(u.Path))
			}
			if diff := cmp.Diff(got, strings.Fields(tt.want), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("URLs(%q) (-got +want):\n%s", tt.key, diff)
			}
		})
	}
}

func TestCleanURLs(t *testing.T) {
	for _, tt := range []struct {
		key  site.Key
		want string
	}{
		{"about.html", "/about.html /about"},
		{"a/b.html", "/a/b.html /a/b"},
		{"a/index.html", "/a/index.html /a/ /a /a/index"},
		{"index.html", "/index.html / /index"},
		{"a b.html", "/a%20b.html /a%20b"},
		{".html", "/.html"},
		{"a/.html", "/a/.html"},
		{"a.htm", "/a.htm"},
		{"a.html.gz", "/a.html.gz"},
		{"main.css", "/main.css"},
	} {
		var got []string
		for _, u := range (View{Clean: true}).URLs(tt.key) {
			got = append(got, string(u.Path))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.key, got, tt.want)
		}
	}
}

func TestVariantsFollowTheRoute(t *testing.T) {
	v := View{Routes: []Route{{Pattern: "/search/*", Bucket: true, Folders: true, Variants: true}, all}}
	got := map[site.URLPath]bool{}
	for _, key := range []site.Key{"search/index.html", "a.css"} {
		for _, u := range v.URLs(key) {
			got[u.Path] = u.Variants
		}
	}
	want := map[site.URLPath]bool{"/search/index.html": true, "/search/": true, "/search": false, "/a.css": false}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("variants (-got +want):\n%s", diff)
	}
}

func TestShowsAll(t *testing.T) {
	for _, tt := range []struct {
		name string
		view View
		want bool
	}{
		{"the whole bucket", View{}, true},
		{"an origin path alone", View{OriginPath: "/prod"}, true},
		{"a prefix alone", View{Prefix: "site/"}, false},
		{"an origin path that is the prefix", View{Prefix: "prod/", OriginPath: "/prod"}, true},
		{"with a slash too many", View{Prefix: "prod/", OriginPath: "/prod/"}, true},
		{"an origin path below the prefix", View{Prefix: "prod/", OriginPath: "/prod/en"}, true},
		{"a prefix below the origin path", View{Prefix: "prod/site/", OriginPath: "/prod"}, false},
		{"an origin path that only begins alike", View{Prefix: "prod/", OriginPath: "/production"}, false},
		{"another origin beside it", View{Routes: []Route{{Pattern: "/api/*"}, all}}, false},
		{"one route", View{Routes: []Route{all}}, true},
		{"two routes to the prefix", View{Prefix: "a/", Routes: []Route{{Pattern: "/x/*", Bucket: true, OriginPath: "/a/b"}, {Pattern: "*", Bucket: true, OriginPath: "/a"}}}, true},
		{"one of two beside the prefix", View{Prefix: "a/", Routes: []Route{{Pattern: "/x/*", Bucket: true, OriginPath: "/b"}, {Pattern: "*", Bucket: true, OriginPath: "/a"}}}, false},
	} {
		if got := tt.view.ShowsAll(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// drawView draws a view with routes that meet the keys of drawKey.
func drawView(t *rapid.T) View {
	routes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Route {
		return Route{
			Pattern:    rapid.SampledFrom([]string{"*", "/a/*", "/a*", "/?/*", "/b/*", "*.css", "/a/", "/"}).Draw(t, "pattern"),
			Bucket:     rapid.IntRange(0, 3).Draw(t, "bucket") > 0,
			OriginPath: rapid.SampledFrom([]string{"", "", "/a", "/a/b", "/b"}).Draw(t, "origin path"),
			Folders:    rapid.Bool().Draw(t, "folders"), Variants: rapid.Bool().Draw(t, "variants"),
		}
	}), 0, 3)
	return View{
		Prefix:     rapid.SampledFrom([]string{"", "", "a/", "a/b/"}).Draw(t, "prefix"),
		OriginPath: rapid.SampledFrom([]string{"", "/a"}).Draw(t, "origin path"),
		RootObject: rapid.SampledFrom([]string{"", "index.html", "a/home.html"}).Draw(t, "root"),
		Routes:     routes.Draw(t, "routes"), Clean: rapid.Bool().Draw(t, "clean"),
	}
}

var drawKey = rapid.Custom(func(t *rapid.T) site.Key {
	segment := rapid.SampledFrom([]string{"a", "b", "index.html", "home.html", "c.css", "x y"})
	return site.Key(strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "segments"), "/"))
})

// serves is a reading of its own of fact sheet 4.6, 5.1, 5.2, 5.3 and 5.6, from
// the URL to the key: whether the view may answer path with the object full,
// which is its key in the bucket.
func serves(v View, path site.URLPath, full string) bool {
	routes := v.Routes
	if len(routes) == 0 {
		routes = []Route{{Pattern: "*", Bucket: true, OriginPath: v.OriginPath, Folders: true}}
	}
	i := slices.IndexFunc(routes, func(r Route) bool { return patternMatches(r.Pattern, string(path)) })
	if i < 0 || !routes[i].Bucket {
		return false
	}
	r, p := routes[i], string(path)
	try := []string{p}
	if p == "/" && v.RootObject != "" {
		try = append(try, "/"+v.RootObject)
	}
	if r.Folders {
		try = append(try, strings.TrimSuffix(p, "/")+"/index.html")
	}
	if v.Clean && !strings.HasSuffix(p, "/") {
		try = append(try, p+".html")
	}
	return slices.ContainsFunc(try, func(s string) bool {
		return strings.Trim(r.OriginPath, "/")+s == strings.TrimPrefix(full, "/") || strings.Trim(r.OriginPath, "/") == "" && s == "/"+full
	})
}

func patternMatches(pattern, path string) bool {
	if pattern == "*" {
		return true
	}
	quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta("/" + strings.TrimPrefix(pattern, "/")))
	return regexp.MustCompile("^" + quoted + "$").MatchString(path)
}

// URLs lists exactly what the view answers with the key, each URL once; Own is
// the first of them that is the key's own path.
func TestURLsOfRoutesBothWays(t *testing.T) {
	plain := strings.NewReplacer(" ", "%20")
	rapid.Check(t, func(t *rapid.T) {
		v, key := drawView(t), drawKey.Draw(t, "key")
		full := plain.Replace(v.Prefix + string(key))
		listed := map[site.URLPath]bool{}
		for _, u := range v.URLs(key) {
			if listed[u.Path] || u.Why == "" {
				t.Fatalf("URLs(%q) lists %+v twice or without a reason", key, u)
			}
			if listed[u.Path] = true; !serves(v, u.Path, full) {
				t.Fatalf("URLs(%q) lists %q, which %+v does not answer with it", key, u.Path, v)
			}
		}
		asked := []string{"/", "/" + full}
		for rest := full; rest != ""; _, rest, _ = strings.Cut(rest, "/") {
			folder := strings.TrimSuffix(rest, "index.html")
			asked = append(asked, "/"+rest, "/"+folder, "/"+strings.TrimSuffix(folder, "/"), "/"+strings.TrimSuffix(rest, ".html"))
		}
		for _, u := range asked {
			if want := serves(v, site.URLPath(u), full); !strings.Contains(u, "//") && listed[site.URLPath(u)] != want {
				t.Fatalf("URLs(%q) with %+v lists %q: %v, want %v", key, v, u, !want, want)
			}
		}
		checkOwn(t, v, key, full, listed)
	})
}

func checkOwn(t *rapid.T, v View, key site.Key, full string, listed map[site.URLPath]bool) {
	own, shown := v.Own(key)
	if shown && !listed[own] || !shown && own != "" {
		t.Fatalf("Own(%q) = %q, %v; URLs %v", key, own, shown, listed)
	}
	if len(v.Routes) > 0 || !shown {
		return
	}
	for u := range listed {
		if !strings.HasPrefix(string(own), string(u)) {
			t.Fatalf("%q of %q does not begin its own URL %q", u, key, own)
		}
	}
}

func TestAsksBucket(t *testing.T) {
	v := View{Routes: []Route{{Pattern: "/api/*"}, {Pattern: "*", Bucket: true}}}
	for path, want := range map[site.URLPath]bool{"/": true, "/gone.html": true, "/api/x": false, "/api": true, "/x/../api/y": false} {
		if got := v.AsksBucket(path); got != want {
			t.Errorf("AsksBucket(%q) = %v", path, got)
		}
	}
	if !(View{}).AsksBucket("/anything") {
		t.Error("the zero View shows everything")
	}
}
