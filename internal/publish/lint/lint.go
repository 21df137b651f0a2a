// Package lint finds what is wrong with a site before anybody sees it: links
// and assets that no file answers, names that only a file system without case
// would find, files that are too large, and names that cannot be invalidated
// one by one.
//
// It is pure: it sees a list of objects and the bytes of pages and style sheets.
// It errs on the side of silence, because a false alarm costs more than a miss:
// what a script would make of a page, what stands in templates and comments, what
// another origin answers, and whatever cannot be read with certainty is left
// alone. Nothing is fetched, so that links to other sites are not looked at, and
// neither are fragments and query strings.
//
// References are found as the HTML standard (section 13.2, tokenization) and CSS
// Syntax Level 3 (section 4.3) write them, resolved as the URL standard does, and
// held against paths as the fact sheet has them, sections 1.1, 4.6 and 7.4.
package lint

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// Kind is what is wrong.
type Kind string

// The kinds.
const (
	BrokenLink  Kind = "link"   // a page links to what no object answers
	BrokenAsset Kind = "asset"  // a page or style sheet needs what no object answers
	WrongCase   Kind = "case"   // an object has this name but for its case
	FolderLink  Kind = "folder" // a page links to a folder, and nothing answers it with its index page
	Twins       Kind = "twins"  // two keys differ in case alone
	Large       Kind = "large"  // an object of more than LargeBytes
	TooLarge    Kind = "size"   // one of more than MaxBytes
	Unnameable  Kind = "path"   // no invalidation names the object alone
	NoIndex     Kind = "index"  // the site has no page at its top
)

// The sizes that matter, in bytes: what S3 takes in one request and copies in
// one piece (fact 7.7), and what CloudFront caches at most (fact 3.6).
const (
	LargeBytes = 5 << 30
	MaxBytes   = 50 << 30
)

// Problem is one thing that is wrong, however many pages show it.
type Problem struct {
	Kind Kind     `json:"kind"`
	Key  site.Key `json:"key,omitempty"`  // the object that is the problem; "" for references
	Path string   `json:"path,omitempty"` // what a reference leads to, decoded: "/img/logo 2.png"
	// Near is the object that was probably meant, "" for none; of Twins the other
	// one, of Unnameable the wildcard that covers the object.
	Near string `json:"near,omitempty"`
	// First is where a reference was found first: page and line, from 1.
	First site.Key `json:"first,omitempty"`
	Line  int      `json:"line,omitempty"`
	Pages int      `json:"pages,omitempty"` // in how many pages and style sheets
	Drops int      `json:"drops,omitempty"` // of Unnameable: other objects that the wildcard covers
	Bytes int64    `json:"bytes,omitempty"` // of Large and TooLarge
}

// Options say how viewers see the objects. The zero Options are a web server
// that answers a folder with its index page.
type Options struct {
	// URLs are the paths that answer with an object, encoded. nil means its own,
	// and those of its folder where it is an index page.
	URLs func(site.Key) []site.URLPath
	// Elsewhere is whether something else than these objects answers an encoded
	// path. nil means nothing does.
	Elsewhere func(site.URLPath) bool
	// Clean is whether /x may be answered with x.html.
	Clean bool
	// Fallback is whether paths that no object has are answered with a page, as
	// for applications that route in the browser. Then links cannot be broken.
	Fallback bool
	// Hosts are the names that the site has, in lower case: "www.example.org".
	// References to other hosts are not looked at.
	Hosts []string
}

// Site is what pages are held against. It is safe for concurrent use.
type Site struct {
	options Options
	objects []site.Object
	keys    map[string]site.Key // by decoded path of what answers: "/a/"
	names   map[string]bool     // keys
	folded  map[string]site.Key // by decoded path in lower case
}

// New prepares the objects of a site.
func New(m site.Manifest, o Options) *Site {
	s := &Site{
		options: o, objects: m.Objects(),
		keys: make(map[string]site.Key, 2*m.Len()), names: make(map[string]bool, m.Len()), folded: make(map[string]site.Key, m.Len()),
	}
	if s.options.URLs == nil {
		s.options.URLs = ownURLs
	}
	if s.options.Elsewhere == nil {
		s.options.Elsewhere = func(site.URLPath) bool { return false }
	}
	for _, obj := range s.objects {
		s.names[string(obj.Key)] = true
		for _, u := range s.options.URLs(obj.Key) {
			if path, ok := decoded(string(u)); ok {
				s.keys[path] = obj.Key
				s.folded[strings.ToLower(path)] = obj.Key
			}
		}
	}
	return s
}

// ownURLs are those of a plain web server.
func ownURLs(key site.Key) []site.URLPath {
	urls := []site.URLPath{key.URLPath()}
	if key.Base() == "index.html" {
		folder := site.DirURLPath(key.Dir())
		urls = append(urls, folder, site.URLPath(strings.TrimSuffix(string(folder), "/")))
	}
	return urls
}

// Hit is one reference in one page that leads nowhere.
type Hit struct {
	Kind Kind
	Page site.Key
	Line int
	Path string
	Near string
}

// Page looks through one page or style sheet: an object whose media type is
// text/html, application/xhtml+xml or text/css. Of others there are no hits.
func (s *Site) Page(o site.Object, text []byte) []Hit {
	base, ok := s.base(o.Key)
	headers := o.Headers.Get()
	if !ok || headers.ContentEncoding != "" {
		return nil
	}
	var hits []Hit
	lines := lines{text: text}
	seen := map[string]bool{}
	found := func(r reference) {
		if r.base {
			base, _ = s.resolve(base, r.value) // "" where that fails
			return
		}
		path, ok := s.resolve(base, r.value)
		if !ok || seen[path] {
			return
		}
		seen[path] = true
		if kind, near := s.check(path, r.asset); kind != "" {
			hits = append(hits, Hit{kind, o.Key, lines.at(r.at), path, near})
		}
	}
	switch media, _, _ := strings.Cut(headers.ContentType, ";"); strings.ToLower(strings.TrimSpace(media)) {
	case "text/html", "application/xhtml+xml":
		inHTML(text, found)
	case "text/css":
		inCSS(text, 0, found)
	}
	return hits
}

// lines counts the lines of a text, mostly forwards.
type lines struct {
	text []byte
	seen int // bytes
	line int // complete lines in them
}

// at is the number of the line, from 1, that the byte is in.
func (l *lines) at(i int) int {
	if i < l.seen {
		l.seen, l.line = 0, 0
	}
	l.line += bytes.Count(l.text[l.seen:i], []byte{'\n'})
	l.seen = i
	return l.line + 1
}

// base is what references in an object are relative to: its own path, decoded.
func (s *Site) base(key site.Key) (string, bool) {
	urls := s.options.URLs(key)
	if len(urls) == 0 {
		return "", false // nobody sees it
	}
	return decoded(string(urls[0]))
}

// check says what is wrong with a decoded path, "" for nothing.
func (s *Site) check(path string, asset bool) (kind Kind, near string) {
	if _, ok := s.keys[path]; ok || path == "/" || s.options.Elsewhere(encoded(path)) {
		return "", ""
	}
	if key, ok := s.folded[strings.ToLower(path)]; ok {
		return WrongCase, string(key)
	}
	if asset {
		return BrokenAsset, ""
	}
	bare := strings.Trim(path, "/")
	if s.names[bare+"/index.html"] {
		return FolderLink, bare + "/index.html"
	}
	if s.options.Fallback || s.options.Clean && s.names[bare+".html"] {
		return "", ""
	}
	if s.names[bare+".html"] {
		near = bare + ".html"
	}
	return BrokenLink, near
}

// Merge joins the hits of all pages, in any order, to one problem for each kind
// and path: what most pages show comes first.
func Merge(pages [][]Hit) []Problem {
	type what struct {
		kind Kind
		path string
	}
	found := map[what]*Problem{}
	for _, hits := range pages {
		for _, h := range hits {
			p := found[what{h.Kind, h.Path}]
			if p == nil {
				p = &Problem{Kind: h.Kind, Path: h.Path, Near: h.Near, First: h.Page, Line: h.Line}
				found[what{h.Kind, h.Path}] = p
			}
			p.Pages++
			if h.Page < p.First {
				p.First, p.Line = h.Page, h.Line
			}
		}
	}
	out := make([]Problem, 0, len(found))
	for _, p := range found {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Pages, a.Pages), cmp.Compare(a.Path, b.Path))
	})
	return out
}
