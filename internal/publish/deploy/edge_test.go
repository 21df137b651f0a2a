package deploy_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/memory"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
)

// edge is a cache that keeps everything, negative answers too, until an
// accepted invalidation covers it.
type edge struct {
	id    string     // of its distribution
	view  rules.View // what it shows
	store *memory.Store
	cdn   *memory.CDN
	mu    sync.Mutex // held for one request
	cache map[site.URLPath]entry
	// stuck, if not nil, says which URLs no invalidation reaches.
	stuck func(path site.URLPath, batches int) bool
	hides func(path site.URLPath) bool // answers 404 whatever the bucket holds; nil for nothing
	asked []site.URLPath
	down  int // how many more questions get no answer
}

type entry struct {
	answer  remote.Answer
	body    []byte
	tags    string // that it carries
	batches int    // accepted before it was fetched
}

func (e *edge) String() string {
	if e.id != dist {
		return "http://" + e.id
	}
	return "http://edge"
}

func (e *edge) Ask(ctx context.Context, path site.URLPath) (remote.Answer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return remote.Answer{}, err
	}
	if e.asked = append(e.asked, path); e.down > 0 {
		e.down--
		return remote.Answer{}, errors.New("connection reset")
	}
	return e.now().get(path).answer, nil
}

// moment is the edge with what bucket and CDN hold now. It needs mu to be held.
type moment struct {
	*edge
	objects map[site.Key]memory.Object
	batches []remote.Invalidation
}

func (e *edge) now() moment { return moment{e, e.store.Objects(), e.cdn.Accepted(e.id)} }

func (m moment) get(path site.URLPath) entry {
	if have, ok := m.cache[path]; ok && !m.purged(path, have.tags, m.batches[have.batches:]) {
		have.answer.Cache = "Hit"
		return have
	}
	got := m.origin(path)
	if m.hides != nil && m.hides(path) {
		got = m.origin("/nothing")
	}
	m.cache[path] = got
	return got
}

func (m moment) purged(path site.URLPath, tags string, since []remote.Invalidation) bool {
	if m.stuck != nil && m.stuck(path, len(m.batches)) {
		return false
	}
	for _, inv := range since {
		for _, item := range inv.Items {
			if tag, ok := strings.CutPrefix(item, "#"); ok {
				if slices.Contains(strings.Split(tags, ","), tag) {
					return true
				}
				continue
			}
			prefix, wildcard := strings.CutSuffix(item, "*")
			if wildcard && strings.HasPrefix(string(path), prefix) || item == string(path) {
				return true
			}
		}
	}
	return false
}

// origin is the bucket behind an index-rewrite function.
func (m moment) origin(path site.URLPath) entry {
	key, err := url.PathUnescape(strings.TrimPrefix(m.view.OriginPath+string(path), "/"))
	if err != nil {
		panic(err)
	}
	for _, k := range []string{key, strings.TrimSuffix(key, "/") + "/index.html", key + "index.html"} {
		if o, ok := m.objects[site.Key(k)]; ok {
			a := remote.Answer{Status: 200, ContentType: o.Headers.ContentType, CacheControl: o.Headers.CacheControl, Digest: o.Digest}
			return entry{a, o.Data, o.Headers.Tags, len(m.batches)}
		}
	}
	return entry{remote.Answer{Status: 404, Digest: sha256.Sum256([]byte("not found"))}, nil, "", len(m.batches)}
}

// browse fills the edge with every URL of every key.
func (e *edge) browse(keys ...site.Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.now()
	for _, k := range keys {
		for _, u := range e.view.URLs(k) {
			m.get(u.Path)
		}
	}
}

// stale lists the URLs of keys whose answer at the edge is not the origin's.
func (e *edge) stale(keys ...site.Key) []site.URLPath {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.now()
	var out []site.URLPath
	for _, k := range keys {
		for _, u := range e.view.URLs(k) {
			got, want := m.get(u.Path).answer, m.origin(u.Path).answer
			if got.Cache = ""; got != want {
				out = append(out, u.Path)
			}
		}
	}
	return out
}

// broken names a page that a reader gets and that names something which this
// reader does not get: "<a.css>" in a page names a.css. A reader asks for pages,
// be they there or not, and for what the pages name; nobody asks for an asset
// that no page has named yet. Broken too is a page in the bucket that names
// something which is not there, whether anybody asks for it or not.
func (e *edge) broken(keys ...site.Key) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.now()
	if why := m.inBucket(); why != "" {
		return why
	}
	for _, k := range keys {
		if !strings.HasSuffix(string(k), ".html") {
			continue
		}
		page := m.get(k.URLPath())
		for _, name := range named(page.body) {
			if got := m.get(name.URLPath()); got.answer.Status != 200 {
				return fmt.Sprintf("%s is served as %q, and %s answers %d %s", k, page.body, name, got.answer.Status, got.answer.Cache)
			}
		}
	}
	return ""
}

var href = regexp.MustCompile(`<([^>]+)>`)

func named(page []byte) []site.Key {
	var out []site.Key
	for _, m := range href.FindAllSubmatch(page, -1) {
		out = append(out, site.Key(m[1]))
	}
	return out
}

// inBucket names a page in the bucket that names something which is not there.
func (m moment) inBucket() string {
	for k, o := range m.objects {
		if !strings.HasSuffix(string(k), ".html") {
			continue
		}
		for _, name := range named(o.Data) {
			if _, ok := m.objects[name]; !ok {
				return fmt.Sprintf("%s names %s, which is not there", k, name)
			}
		}
	}
	return ""
}
