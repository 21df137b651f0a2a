package testenv

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/site"
)

// CheckSite reports to tb every promise that env can be seen to break. Each
// report begins with the promise: "P1: …".
//
//	P1  every URL form of every file answers at the edge with exactly its
//	    bytes, type and cache-control; what was live once is answered nowhere
//	P2  the invalidations that the control API lists are exactly the items of
//	    the plans that were run, and what was cached and is covered by none of
//	    them is cached still
//	P3  everything that a served page names is served
//	P4  no journal is open after a deploy without an error
//	P6  what somebody else put into the bucket is there as it was
//
// P1, P4 and the first half of P2 are promises about a deploy that succeeded;
// after one that failed only the others are checked. P5 needs two deploys at
// once and has its own tests. Checking P1 and P3 fills caches, so that Browse
// comes after CheckSite.
func CheckSite(tb testing.TB, env *Env) {
	tb.Helper()
	c := checker{tb, env}
	c.stillWarm()
	c.invalidations()
	if env.lastErr == nil {
		c.journal()
		c.fresh()
	}
	c.unbroken()
	c.foreign()
}

type checker struct {
	testing.TB
	env *Env
}

// get is a GET whose failure is reported as one of promise.
func (c checker) get(promise, path string) (Response, bool) {
	c.Helper()
	res, err := c.env.get(path)
	if err != nil {
		c.Errorf("%s: get %s at the edge: %v", promise, path, err)
	}
	return res, err == nil
}

// stillWarm comes first, before any other question fills a cache.
func (c checker) stillWarm() {
	c.Helper()
	s := c.env.shared
	for _, path := range slices.Sorted(maps.Keys(s.warm)) {
		if covered(path, s.warm[path].tags, s.sent[s.warm[path].since:]) {
			delete(s.warm, path)
			continue
		}
		if res, ok := c.get("P2", path); ok && !res.Hit() {
			c.Errorf("P2: %s was cached and no plan covers it, but the edge answers %q", path, res.Header.Get("X-Cache"))
		}
	}
}

// covered reports whether an item covers the object that path answers with.
// Behind an index-rewrite the edge caches a folder under its index page, and
// the root under the default root object; fact sheet 1.2. An item with a "#"
// covers every answer that carries the tag; fact sheet 2.
func covered(path string, tags []string, plans [][]string) bool {
	forms := []string{path}
	if strings.HasSuffix(path, "/") {
		forms = append(forms, path+"index.html")
	} else if !strings.Contains(path[strings.LastIndexByte(path, '/'):], ".") {
		forms = append(forms, path+"/index.html")
	}
	for _, item := range slices.Concat(plans...) {
		if tag, ok := strings.CutPrefix(item, "#"); ok && slices.Contains(tags, strings.ToLower(tag)) {
			return true
		}
		prefix, wildcard := strings.CutSuffix(item, "*")
		for _, form := range forms {
			if form == item || wildcard && strings.HasPrefix(form, prefix) {
				return true
			}
		}
	}
	return false
}

// invalidations holds what was sent against what was planned. A batch counts
// once, however often it was repeated under its caller reference.
func (c checker) invalidations() {
	c.Helper()
	listed, err := c.env.Invalidations()
	if err != nil {
		c.Errorf("P2: %v", err)
		return
	}
	planned, accepted := batches(c.env.shared.sent), map[string]int{}
	for _, inv := range listed {
		name := batchName(inv.Items)
		if accepted[name]++; accepted[name] > planned[name] {
			c.Errorf("P2: invalidation %s of %v is on no plan", inv.ID, inv.Items)
		}
	}
	for name, n := range batches(c.env.shared.whole) {
		if accepted[name] < n && name != "" {
			c.Errorf("P2: %d successful plans had the items %q, but %d such invalidations are listed", n, name, accepted[name])
		}
	}
}

func batches(plans [][]string) map[string]int {
	out := map[string]int{}
	for _, items := range plans {
		out[batchName(items)]++
	}
	return out
}

func batchName(items []string) string { return strings.Join(slices.Sorted(slices.Values(items)), " ") }

func (c checker) journal() {
	c.Helper()
	if j := c.env.State().Journal; j != nil {
		c.Errorf("P4: the deploy succeeded, but the journal of release %s is open with %d URLs", j.Release, len(j.Pending))
	}
}

// fresh asks for every URL form of what is live and of what was.
func (c checker) fresh() {
	c.Helper()
	e := c.env
	own := map[string]bool{} // a URL form may be another file's own name
	for key := range e.last {
		own[e.forms(key)[0]] = true
	}
	for _, key := range slices.Sorted(maps.Keys(e.last)) {
		for i, path := range e.forms(key) {
			if i == 0 || !own[path] {
				c.answers(path, e.last[key])
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.past)) {
		_, live := e.last[key]
		_, foreign := e.shared.foreign[site.Key(e.prefix)+key]
		for i, path := range e.forms(key) {
			if !live && !foreign && (i == 0 || !own[path]) {
				c.gone(path, e.past[key])
			}
		}
	}
}

func (c checker) answers(path string, want published) {
	c.Helper()
	res, ok := c.get("P1", path)
	if !ok || res.Status == http.StatusNotFound && want.object.Kind != site.KindPage && !strings.Contains(want.object.Key.Base(), ".") {
		return // an index-rewrite function takes every name without a dot for a folder; fact sheet 5.6
	}
	if res.Status != http.StatusOK || res.Body != want.body {
		c.Errorf("P1: %s answers %d with %s, want 200 with %s (X-Cache: %s)", path, res.Status, clip(res.Body), clip(want.body), res.Header.Get("X-Cache"))
	}
	for name, value := range map[string]string{
		"Content-Type": want.object.Headers.Get().ContentType, "Cache-Control": want.object.Headers.Get().CacheControl,
	} {
		if got := res.Header.Get(name); got != value {
			c.Errorf("P1: %s answers with %s: %q, want %q", path, name, got, value)
		}
	}
}

// gone: a removed page is answered neither with 200 nor with what it was, a
// kept asset not with what it was before.
func (c checker) gone(path string, h history) {
	c.Helper()
	if !h.removed && len(h.bodies) == 0 {
		return
	}
	if res, ok := c.get("P1", path); ok && (h.removed && res.Status == http.StatusOK || slices.Contains(h.bodies, res.Body)) {
		c.Errorf("P1: %s was removed, but it answers %d with %s (X-Cache: %s)", path, res.Status, clip(res.Body), res.Header.Get("X-Cache"))
	}
}

func clip(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return `"` + s + `"`
}

// reference is an attribute that makes a browser ask for something.
var reference = regexp.MustCompile(`(?i)\b(?:href|src)\s*=\s*"([^"]*)"`)

// unbroken asks for each page and for all that it names.
func (c checker) unbroken() {
	c.Helper()
	for _, key := range slices.Sorted(maps.Keys(c.env.last)) {
		if c.env.last[key].object.Kind == site.KindPage {
			c.page(c.env.forms(key)[0])
		}
	}
}

func (c checker) page(path string) {
	c.Helper()
	page, ok := c.get("P3", path)
	if !ok || page.Status != http.StatusOK {
		return // P1 has an opinion
	}
	base := &url.URL{Scheme: "http", Host: "site.invalid", RawPath: path}
	if decoded, err := url.PathUnescape(path); err == nil {
		base.Path = decoded
	}
	for _, m := range reference.FindAllStringSubmatch(page.Body, -1) {
		to, err := url.Parse(m[1])
		if err != nil {
			c.Errorf("P3: %s names %q, which is no URL", path, m[1])
			continue
		}
		if to = base.ResolveReference(to); to.Host != base.Host || to.Scheme != base.Scheme {
			continue
		}
		if res, ok := c.get("P3", to.EscapedPath()); ok && res.Status != http.StatusOK {
			c.Errorf("P3: %s names %s, which answers %d", path, m[1], res.Status)
		}
	}
}

func (c checker) foreign() {
	c.Helper()
	for _, key := range slices.Sorted(maps.Keys(c.env.shared.foreign)) {
		want := c.env.shared.foreign[key]
		body, etag, err := c.env.shared.bucket.Get(context.Background(), key)
		if err != nil {
			c.Errorf("P6: the foreign object %s: %v", key, err)
			continue
		}
		head, err := c.env.shared.bucket.Head(context.Background(), key)
		if err != nil || string(body) != want.body || etag != want.etag || head.Headers != want.headers {
			c.Errorf("P6: the foreign object %s is now %s with %+v, was %s with %+v (%v)", key, clip(string(body)), head.Headers, clip(want.body), want.headers, err)
		}
	}
}
