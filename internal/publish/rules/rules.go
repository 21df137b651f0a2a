// Package rules decides what a file is once it is published: its kind, its
// response headers, and the URLs under which viewers may hold it.
//
// It is pure: the same names and rules give the same answer on every machine
// and every day. It never looks into a file, and it never asks the operating
// system's table of types. Defaults follow DESIGN's config section: because
// freshet purges exactly, edges may keep everything.
package rules

import (
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/freshet/freshet/internal/site"
)

// Cache-Control of what no rule names.
const (
	// CacheMutable lets edges keep an object until it is purged while browsers
	// ask each time: no invalidation reaches a browser's cache (fact sheet 1.2).
	CacheMutable = "public, max-age=0, s-maxage=31536000"
	// CacheImmutable is for names that change with their content.
	CacheImmutable = "public, max-age=31536000, immutable"
)

// Rule gives headers to the keys that Match names, a doublestar pattern over
// the whole key: "theme/**", "**/*.pdf". A header that is nil keeps its
// default; one that points to "" is not sent.
type Rule struct {
	Match              string
	ContentType        *string
	CacheControl       *string
	ContentEncoding    *string
	ContentDisposition *string
	ContentLanguage    *string
}

// Set is an ordered list of rules; the first that matches wins. The zero Set
// has none.
type Set struct{ rules []Rule }

// NewSet checks the patterns.
func NewSet(rules []Rule) (Set, error) {
	for _, r := range rules {
		if !doublestar.ValidatePattern(r.Match) {
			return Set{}, fmt.Errorf("the pattern %q is malformed", r.Match)
		}
	}
	return Set{rules}, nil
}

// Describe is the kind and the headers of the object named key.
func (s Set) Describe(key site.Key) (site.Kind, site.Headers) {
	rule := s.first(key)
	h := site.Headers{ContentType: ContentType(key)}
	override(&h.ContentType, rule.ContentType)
	override(&h.ContentEncoding, rule.ContentEncoding)
	override(&h.ContentDisposition, rule.ContentDisposition)
	override(&h.ContentLanguage, rule.ContentLanguage)
	kind := KindOf(key, h.ContentType)
	h.CacheControl = CacheMutable
	if kind == site.KindImmutable {
		h.CacheControl = CacheImmutable
	}
	override(&h.CacheControl, rule.CacheControl)
	return kind, h
}

func (s Set) first(key site.Key) Rule {
	for _, r := range s.rules {
		if doublestar.MatchUnvalidated(r.Match, string(key)) {
			return r
		}
	}
	return Rule{}
}

func override(dst, src *string) {
	if src != nil {
		*dst = *src
	}
}

// KindOf tells what an object is from its name and its content type.
func KindOf(key site.Key, contentType string) site.Kind {
	media, _, _ := strings.Cut(contentType, ";")
	base := strings.ToLower(key.Base())
	switch {
	case isFeed(base):
		return site.KindFeed
	case media == "text/html" || media == "application/xhtml+xml":
		return site.KindPage
	case hasContentHash(key.Base()):
		return site.KindImmutable
	case isAsset(media, path.Ext(base)):
		return site.KindAsset
	}
	return site.KindOther
}

// isFeed recognises lists of pages, which go last so that nobody is led to a
// page that is not there yet.
func isFeed(base string) bool {
	switch base {
	case "robots.txt", "index.xml", "feed.json", "search.json", "llms.txt":
		return true
	}
	switch path.Ext(base) {
	case ".atom", ".rss":
		return true
	case ".xml":
		stem := strings.TrimSuffix(base, ".xml")
		for _, word := range []string{"feed", "atom", "rss", "sitemap"} {
			if strings.Contains(stem, word) {
				return true
			}
		}
	}
	return false
}

func isAsset(media, ext string) bool {
	top, _, _ := strings.Cut(media, "/")
	switch top {
	case "image", "font", "audio", "video":
		return true
	}
	switch ext {
	case ".css", ".js", ".mjs", ".map", ".json", ".webmanifest", ".wasm":
		return true
	}
	return false
}

// hasContentHash reports whether a name carries a hash of its content, as in
// app.3f2a9c1b.js or index-DkF3x9aB.css. A date such as 20260102 is no hash:
// the wrong guess here would pin old bytes in browsers for a year, so a hash
// in hexadecimal needs a letter and a digit, and the mixed-case form counts
// only for the files that bundlers make.
func hasContentHash(base string) bool {
	parts := strings.FieldsFunc(base, func(r rune) bool { return strings.ContainsRune(".-_~", r) })
	if len(parts) < 3 {
		return false // a hash stands between a name and an extension
	}
	for _, p := range parts[1 : len(parts)-1] {
		if len(p) >= 8 && len(p) <= 64 && isHexHash(p) {
			return true
		}
	}
	return bundlerExts[path.Ext(base)] && isMixedHash(parts[len(parts)-2])
}

var bundlerExts = map[string]bool{
	".js": true, ".mjs": true, ".css": true, ".map": true, ".wasm": true, ".woff": true, ".woff2": true,
}

func isHexHash(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == "" &&
		strings.ContainsAny(s, "0123456789") && strings.ContainsAny(s, "abcdef")
}

// isMixedHash recognises the eight characters of base64 that Vite, Rollup and
// esbuild put into names.
func isMixedHash(s string) bool {
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	return len(s) == 8 && strings.Trim(s, lower+upper+digits) == "" &&
		strings.ContainsAny(s, lower) && strings.ContainsAny(s, upper) && strings.ContainsAny(s, digits)
}
