package testenv

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	entities "html"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Prober is viewers that come without pause: they load pages and, like a
// browser, at once everything that each page names, and what that names in
// turn. It watches promise P3: every page that is served finds the assets that
// it names.
//
// A reference is broken when a page that was served with 200 names it, the
// page lies on the same server, and it does not answer 200; or when its name
// carries a hash ("site.3f2a9c1b.css", eight hexadecimal digits between dots
// or behind a dash) that is not how the SHA-256 of the answer begins. Sites to
// be probed must name their files so, or without any hash.
//
// Links to other pages are followed and are no references: a deploy may remove
// a page, and a page that answers 404 or 410 is gone, not broken. A page that
// answers anything else but 200 is broken. The bodies of error pages are not
// looked into, nor is <base>.
type Prober struct {
	tb    testing.TB
	edge  *url.URL
	seeds func() []string
	end   context.CancelFunc
	group sync.WaitGroup
	once  sync.Once

	mu    sync.Mutex // guards what follows; held to count one answer
	count Probed
	seen  map[Broken]bool // without X-Cache, so that each is reported once
}

// Probed counts what a Prober has asked for.
type Probed struct {
	Pages      int // served with 200
	Gone       int // answered 404 or 410
	References int // asked for
	Broken     []Broken
}

// Broken is a reference that a viewer found broken.
type Broken struct {
	Page      string // URL path, as it was asked for
	Reference string // URL path, "" where the page itself is broken
	Why       string // "status 404", "other bytes than its name says"
	Cache     string // X-Cache of the first such answer
}

func (b Broken) String() string {
	if b.Reference == "" {
		return fmt.Sprintf("%s: %s (X-Cache: %s)", b.Page, b.Why, b.Cache)
	}
	return fmt.Sprintf("%s names %s: %s (X-Cache: %s)", b.Page, b.Reference, b.Why, b.Cache)
}

// Probe starts a Prober at the edge with the given base URL: so many viewers,
// each of whom asks one question at a time. They begin at the URL paths that
// pages returns each time, nil for "/" alone, and follow links from there, over
// and over until Stop, which the end of the test calls too.
func Probe(tb testing.TB, edge string, viewers int, pages func() []string) *Prober {
	tb.Helper()
	base, err := url.Parse(edge)
	if err != nil || base.Host == "" {
		tb.Fatalf("probe %q: it is no base URL (%v)", edge, err)
	}
	if pages == nil {
		pages = func() []string { return []string{"/"} }
	}
	ctx, end := context.WithCancel(context.Background())
	p := &Prober{tb: tb, edge: base, seeds: pages, end: end, seen: map[Broken]bool{}}
	for i := range viewers {
		p.group.Go(func() { p.view(ctx, i) })
	}
	tb.Cleanup(func() { p.Stop() })
	return p
}

// Stop ends the viewers, waits for them, and reports to the test everything
// that they found broken, each once. Further calls only count.
func (p *Prober) Stop() Probed {
	p.tb.Helper()
	p.end()
	p.group.Wait()
	found := p.So()
	p.once.Do(func() {
		for _, b := range found.Broken {
			p.tb.Errorf("P3: %s", b)
		}
	})
	return found
}

// So is what was found so far, in the order in which it was found.
func (p *Prober) So() Probed {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.count
	out.Broken = slices.Clone(out.Broken)
	return out
}

// view is one viewer. Half of them take compressed answers, which an edge may
// keep as another variant, and half walk the site the other way round.
func (p *Prober) view(ctx context.Context, number int) {
	transport := &http.Transport{MaxConnsPerHost: 1, DisableCompression: number%2 == 0}
	defer transport.CloseIdleConnections()
	v := viewing{Prober: p, client: &http.Client{Transport: transport, Timeout: time.Minute}, last: number%2 == 1}
	for ctx.Err() == nil {
		v.walk(ctx)
	}
}

// viewing is a viewer with its connection.
type viewing struct {
	*Prober
	client *http.Client
	last   bool // takes the last link first
}

// walk loads every page that can be reached once.
func (v *viewing) walk(ctx context.Context) {
	var queue []*url.URL
	known := map[string]bool{}
	add := func(u *url.URL) {
		if u = v.local(u); u != nil && !known[u.String()] {
			known[u.String()] = true
			queue = append(queue, u)
		}
	}
	for _, seed := range v.seeds() {
		if u, err := v.edge.Parse(seed); err == nil {
			add(u)
		}
	}
	for len(queue) > 0 && ctx.Err() == nil {
		at := 0
		if v.last {
			at = len(queue) - 1
		}
		next := queue[at]
		queue = slices.Delete(queue, at, at+1)
		for _, link := range v.page(ctx, next) {
			add(link)
		}
	}
}

// local is u without its fragment, nil for a URL of another server.
func (p *Prober) local(u *url.URL) *url.URL {
	if u.Host != p.edge.Host || u.Scheme != p.edge.Scheme {
		return nil
	}
	u.Fragment, u.RawFragment = "", ""
	return u
}

// page loads a page and all that it names, and returns its links.
func (v *viewing) page(ctx context.Context, u *url.URL) []*url.URL {
	res, err := v.load(ctx, u)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		v.broken(Broken{Page: u.RequestURI(), Why: err.Error()})
		return nil
	case res.status == http.StatusNotFound || res.status == http.StatusGone:
		v.add(Probed{Gone: 1})
		return nil
	case res.status != http.StatusOK:
		v.broken(Broken{Page: u.RequestURI(), Why: fmt.Sprint("status ", res.status), Cache: res.cache})
		return nil
	}
	v.add(Probed{Pages: 1})
	names := referencesOf(res.media, res.body)
	asked := map[string]bool{}
	for _, name := range names.assets {
		v.asset(ctx, u.RequestURI(), res.url, name, asked)
	}
	var links []*url.URL
	for _, name := range names.pages {
		if to, err := res.url.Parse(name); err == nil {
			links = append(links, to)
		}
	}
	return links
}

// asset loads what page names, directly or by way of the style sheet or module
// at base, and what that names in turn.
func (v *viewing) asset(ctx context.Context, page string, base *url.URL, name string, asked map[string]bool) {
	to, err := base.Parse(name)
	if err != nil {
		v.broken(Broken{Page: page, Reference: name, Why: "it is no URL"})
		return
	}
	if to = v.local(to); to == nil || asked[to.String()] {
		return
	}
	asked[to.String()] = true
	res, err := v.load(ctx, to)
	if ctx.Err() != nil {
		return
	}
	v.add(Probed{References: 1})
	if why := fault(to, res, err); why != "" {
		v.broken(Broken{Page: page, Reference: to.RequestURI(), Why: why, Cache: res.cache})
		return
	}
	for _, next := range referencesOf(res.media, res.body).assets {
		v.asset(ctx, page, res.url, next, asked)
	}
}

// fault says what is wrong with the answer for an asset, "" for nothing.
func fault(u *url.URL, res loaded, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case res.status != http.StatusOK:
		return fmt.Sprint("status ", res.status)
	}
	sum := sha256.Sum256([]byte(res.body))
	if m := hashInName.FindStringSubmatch(path.Base(u.Path)); m != nil && !strings.HasPrefix(hex.EncodeToString(sum[:]), m[1]) {
		return "other bytes than its name says"
	}
	return ""
}

var hashInName = regexp.MustCompile(`[.-]([0-9a-f]{8})\.`)

// loaded is an answer.
type loaded struct {
	url    *url.URL // after redirects
	status int
	media  string // "text/html"
	cache  string // X-Cache
	body   string
}

func (v *viewing) load(ctx context.Context, u *url.URL) (out loaded, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return out, err
	}
	res, err := v.client.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return loaded{res.Request.URL, res.StatusCode, media, res.Header.Get("X-Cache"), string(body)}, err
}

func (p *Prober) add(n Probed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.Pages, p.count.Gone, p.count.References = p.count.Pages+n.Pages, p.count.Gone+n.Gone, p.count.References+n.References
}

func (p *Prober) broken(b Broken) {
	p.mu.Lock()
	defer p.mu.Unlock()
	once := b
	once.Cache = ""
	if !p.seen[once] {
		p.seen[once] = true
		p.count.Broken = append(p.count.Broken, b)
	}
}

// references are the URL references in a body, each once, in sorted order.
type references struct {
	assets []string // what a browser loads to show it
	pages  []string // what a viewer may open next
}

// referencesOf reads what a browser loads for a page, a style sheet or a
// module; anything else names nothing. It follows the HTML standard, "Links"
// and "Embedded content", as far as static site generators go, CSS Values 4.5
// (url) and CSS Cascade 2 (@import), and ECMAScript 16.2 (import), read
// 2026-11.
func referencesOf(media, body string) references {
	r := collected{assets: map[string]bool{}, pages: map[string]bool{}}
	switch media {
	case "text/html", "application/xhtml+xml":
		r.html(body)
	case "text/css":
		r.css(body)
	case "text/javascript", "application/javascript":
		r.script(body)
	}
	return references{slices.Sorted(maps.Keys(r.assets)), slices.Sorted(maps.Keys(r.pages))}
}

type collected struct{ assets, pages map[string]bool }

var (
	htmlComment   = regexp.MustCompile(`(?s)<!--.*?-->`)
	htmlTag       = regexp.MustCompile(`(?is)<([a-z][a-z0-9]*)((?:\s+|/)(?:"[^"]*"|'[^']*'|[^"'>])*)?>`)
	htmlAttr      = regexp.MustCompile(`(?is)([a-z][a-z-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))`)
	styleElement  = regexp.MustCompile(`(?is)<style\b[^>]*>(.*?)</style>`)
	scriptElement = regexp.MustCompile(`(?is)<script\b([^>]*)>(.*?)</script>`)
	cssComment    = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssURL        = regexp.MustCompile(`(?i)url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"'\s]+))\s*\)`)
	cssImport     = regexp.MustCompile(`(?i)@import\s+(?:"([^"]*)"|'([^']*)')`)
	moduleImport  = regexp.MustCompile(`\b(?:import|from)\s*\(?\s*(?:"(\.{0,2}/[^"]*)"|'(\.{0,2}/[^']*)')`)
)

// loadedRels are the link types that make a browser load something.
var loadedRels = map[string]bool{
	"stylesheet": true, "icon": true, "apple-touch-icon": true, "mask-icon": true, "preload": true, "modulepreload": true,
	"prefetch": true, "manifest": true,
}

// loadedAttrs are attributes that make a browser load one thing.
var loadedAttrs = map[string][]string{
	"script": {"src"}, "img": {"src"}, "source": {"src"}, "video": {"src", "poster"}, "audio": {"src"}, "track": {"src"},
	"input": {"src"}, "embed": {"src"}, "object": {"data"}, "image": {"href"},
}

func (r collected) html(body string) {
	body = htmlComment.ReplaceAllString(body, "")
	for _, m := range styleElement.FindAllStringSubmatch(body, -1) {
		r.css(m[1])
	}
	for _, m := range scriptElement.FindAllStringSubmatch(body, -1) {
		r.script(m[2])
	}
	body = scriptElement.ReplaceAllString(body, "<script$1>")
	for _, m := range htmlTag.FindAllStringSubmatch(body, -1) {
		tag, attrs := strings.ToLower(m[1]), map[string]string{}
		for _, a := range htmlAttr.FindAllStringSubmatch(m[2], -1) {
			attrs[strings.ToLower(a[1])] = entities.UnescapeString(cmp.Or(a[2], a[3], a[4]))
		}
		r.element(tag, attrs)
	}
}

func (r collected) element(tag string, attrs map[string]string) {
	for _, name := range loadedAttrs[tag] {
		r.asset(attrs[name])
	}
	r.srcset(attrs["srcset"])
	r.srcset(attrs["imagesrcset"])
	r.css(attrs["style"])
	switch tag {
	case "a", "area":
		r.page(attrs["href"])
	case "iframe":
		r.page(attrs["src"])
	case "link":
		if slices.ContainsFunc(strings.Fields(strings.ToLower(attrs["rel"])), func(rel string) bool { return loadedRels[rel] }) {
			r.asset(attrs["href"])
		}
	}
}

// srcset reads candidates, "a.png 1x, b.png 2x"; a URL may have commas inside.
func (r collected) srcset(list string) {
	for list = strings.Trim(list, ", \t\n\r\f"); list != ""; list = strings.TrimLeft(list, ", \t\n\r\f") {
		end := strings.IndexAny(list, " \t\n\r\f")
		if end < 0 {
			end = len(list)
		}
		ref := strings.TrimRight(list[:end], ",")
		r.asset(ref)
		if list = list[end:]; len(ref) == end {
			_, list, _ = strings.Cut(list, ",") // what describes the candidate
		}
	}
}

func (r collected) css(text string) {
	text = cssComment.ReplaceAllString(text, "")
	for _, pattern := range []*regexp.Regexp{cssURL, cssImport} {
		for _, m := range pattern.FindAllStringSubmatch(text, -1) {
			r.asset(cmp.Or(m[1:]...))
		}
	}
}

func (r collected) script(text string) {
	for _, m := range moduleImport.FindAllStringSubmatch(text, -1) {
		r.asset(cmp.Or(m[1], m[2]))
	}
}

// asset notes a reference; what begins with "#" is inside the same document.
func (r collected) asset(ref string) {
	if ref = strings.TrimSpace(ref); ref != "" && ref[0] != '#' {
		r.assets[ref] = true
	}
}

func (r collected) page(ref string) {
	if ref = strings.TrimSpace(ref); ref != "" && ref[0] != '#' {
		r.pages[ref] = true
	}
}
