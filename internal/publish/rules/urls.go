package rules

import (
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// View is how one distribution shows a bucket to viewers: what stands between
// an object key and the URLs that answer with it. The zero View shows every
// key under its own path, and folders by their index pages.
type View struct {
	// Prefix is the target's prefix in the bucket, "" or "blog/".
	Prefix string
	// OriginPath is the origin path of the distribution's only route, "" or
	// "/production". It is not looked at where there are Routes.
	OriginPath string
	// RootObject is the default root object, "" for none. Like a key it may lie
	// in a folder, "start/index.html".
	RootObject string
	// Routes say, in order, how parts of the URL space are answered; the first
	// that matches counts. Without any there is one, for everything, which may
	// show folders.
	Routes []Route
	// Clean says that /x shows x.html.
	Clean bool
}

// Route is one behaviour of a distribution.
type Route struct {
	Pattern    string // "/images/*"; "*" matches everything
	Bucket     bool   // it asks the target's bucket
	OriginPath string // of that origin
	// Folders says that it may answer /a/ and /a with a/index.html: the origin
	// is a website, or a function rewrites requests (fact sheet 5.1 and 5.6).
	Folders bool
	// Variants says that answers are cached by query string as well.
	Variants bool
}

// URL is one viewer URL whose answer is an object.
type URL struct {
	Path     site.URLPath
	Why      string // for people: "index.html", "the folder of index.html"
	Variants bool   // it has answers under query strings too
}

// URLs lists the viewer URLs that may answer with key, the key's own first. It
// is empty where the distribution does not show the object: a key outside the
// origin path (fact sheet 1.1), or a path that another origin answers.
//
// An index page may have three: /a/index.html, /a/ and /a. Which of them the
// distribution answers depends on its origin and functions; each may be in
// the cache under its own name (fact sheet 1.2 and 5.6), so all are named.
func (v View) URLs(key site.Key) []URL {
	var out []URL
	for i, r := range v.routes() {
		shown, ok := shownBy(v.Prefix+string(key), r.OriginPath)
		if !r.Bucket || !ok {
			continue
		}
		for _, u := range v.forms(shown) {
			u.Variants = r.Variants
			if v.route(u.Path) == i && !slices.ContainsFunc(out, func(o URL) bool { return o.Path == u.Path }) {
				out = append(out, u)
			}
		}
	}
	return out
}

// Own is the URL that is the key's own path, and whether the distribution
// shows it. Every other URL of the key is a prefix of it or leads to it.
func (v View) Own(key site.Key) (site.URLPath, bool) {
	for i, r := range v.routes() {
		shown, ok := shownBy(v.Prefix+string(key), r.OriginPath)
		if path := shown.URLPath(); ok && r.Bucket && v.route(path) == i {
			return path, true
		}
	}
	return "", false
}

// AsksBucket reports whether the target's bucket answers path, whether or not
// it has an object for it.
func (v View) AsksBucket(path site.URLPath) bool {
	i := v.route(path)
	return i >= 0 && v.routes()[i].Bucket
}

func (v View) routes() []Route {
	if len(v.Routes) > 0 {
		return v.Routes
	}
	return []Route{{Pattern: "*", Bucket: true, OriginPath: v.OriginPath, Folders: true}}
}

// route is the index of the route that answers path, -1 for none.
func (v View) route(path site.URLPath) int {
	normal := ""
	for i, r := range v.routes() {
		if r.Pattern == "*" {
			return i
		}
		if normal == "" {
			normal = normalized(string(path))
		}
		if matches(r.Pattern, normal) {
			return i
		}
	}
	return -1
}

// forms lists the URLs that any distribution may show an object under; shown
// is its key as viewers see it.
func (v View) forms(shown site.Key) []URL {
	base, dir := shown.Base(), shown.Dir()
	urls := []URL{{Path: shown.URLPath(), Why: base}}
	if v.folders("/") && shown == "index.html" || string(shown) == v.RootObject {
		urls = append(urls, URL{Path: "/", Why: base})
	}
	if base == "index.html" && dir != "" {
		folder := site.DirURLPath(dir)
		bare := site.URLPath(strings.TrimSuffix(string(folder), "/"))
		if v.folders(folder) {
			urls = append(urls, URL{Path: folder, Why: "the folder of " + base})
		}
		if v.folders(bare) {
			urls = append(urls, URL{Path: bare, Why: "the folder of " + base + ", without its slash"})
		}
	}
	if stem, ok := strings.CutSuffix(string(shown), ".html"); ok && v.Clean && base != ".html" {
		urls = append(urls, URL{Path: site.Key(stem).URLPath(), Why: base + ", without its ending"})
	}
	return urls
}

func (v View) folders(path site.URLPath) bool {
	i := v.route(path)
	return i >= 0 && v.routes()[i].Folders
}

// ShowsAll reports whether all that the distribution shows lies below the
// target's prefix: then "/*" touches nothing else.
func (v View) ShowsAll() bool {
	for _, r := range v.routes() {
		root := "" // of the route, in the bucket
		if o := strings.Trim(r.OriginPath, "/"); o != "" {
			root = o + "/"
		}
		if !r.Bucket || !strings.HasPrefix(root, v.Prefix) {
			return false
		}
	}
	return true
}

// shownBy maps a key of the bucket to the path that viewers see through an
// origin path.
func shownBy(full, originPath string) (site.Key, bool) {
	origin := strings.Trim(originPath, "/")
	if origin == "" {
		return site.Key(full), true
	}
	rest, ok := strings.CutPrefix(full, origin+"/")
	return site.Key(rest), ok && rest != ""
}

// normalized is path as behaviours are chosen by: without dot segments and
// double slashes (fact sheet 4.6).
func normalized(path string) string {
	var out []string
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, seg)
		}
	}
	clean := "/" + strings.Join(out, "/")
	if strings.HasSuffix(path, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// matches applies a path pattern of a behaviour: "*" is any run of characters,
// slashes included, "?" is exactly one, case counts and a leading slash is
// implied (fact sheet 5.3).
func matches(pattern, path string) bool {
	p, s := "/"+strings.TrimPrefix(pattern, "/"), path
	i, star, mark := 0, -1, 0
	j := 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "*") == ""
}
