package rules

import (
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// View is how one distribution shows a bucket to viewers: what stands between
// an object key and the URLs that answer with it.
type View struct {
	// Prefix is the target's prefix in the bucket, "" or "blog/".
	Prefix string
	// OriginPath is the distribution's origin path, "" or "/production".
	OriginPath string
	// RootObject is the default root object, "" for none. Like a key it may lie
	// in a folder, "start/index.html".
	RootObject string
}

// URL is one viewer URL whose answer is an object.
type URL struct {
	Path site.URLPath
	Why  string // for people: "index.html", "the folder of index.html"
}

// URLs lists the viewer URLs that may answer with key, the key's own first. It
// is empty where the distribution does not show the object: a key outside the
// origin path (fact sheet 1.1).
//
// An index page has three: /a/index.html, /a/ and /a. Which of them the
// distribution answers depends on its origin and functions; each may be in
// the cache under its own name (fact sheet 1.2 and 5.6), so all are named.
func (v View) URLs(key site.Key) []URL {
	shown, ok := v.shown(key)
	if !ok {
		return nil
	}
	base := shown.Base()
	urls := []URL{{shown.URLPath(), base}}
	dir := shown.Dir()
	if shown == "index.html" || string(shown) == v.RootObject {
		urls = append(urls, URL{"/", base})
	}
	if base == "index.html" && dir != "" {
		folder := site.DirURLPath(dir)
		urls = append(urls, URL{folder, "the folder of " + base},
			URL{site.URLPath(strings.TrimSuffix(string(folder), "/")), "the folder of " + base + ", without its slash"})
	}
	return urls
}

// shown maps a key below the target's prefix to the path that viewers see.
func (v View) shown(key site.Key) (site.Key, bool) {
	full := v.Prefix + string(key)
	origin := strings.Trim(v.OriginPath, "/")
	if origin == "" {
		return site.Key(full), true
	}
	rest, ok := strings.CutPrefix(full, origin+"/")
	return site.Key(rest), ok && rest != ""
}
