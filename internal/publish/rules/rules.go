// Package rules decides what a file is once it is published: its kind, its
// response headers, and the URLs under which viewers may hold it.
//
// It is pure: the same names and rules give the same answer on every machine
// and every day. It never looks into a file, and it never asks the operating
// system's table of types. Defaults follow DESIGN's config section: because
// freshet purges exactly, edges may keep everything.
//
// URLs follow sections 1.2, 4.6, 5.1 to 5.3 and 5.6 of the fact sheet. Left out:
// URLs that show an object only through error pages, and what a function does
// beyond index pages and clean URLs (/x for x.html).
package rules

import (
	"fmt"
	"slices"
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
// the whole key: "theme/**", "**/*.pdf". A leading slash is ignored. A header
// that is nil keeps its default; one that points to "" is not sent.
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

// NewSet checks the patterns. An empty one is an error, since it would match
// nothing.
func NewSet(rules []Rule) (Set, error) {
	rules = slices.Clone(rules)
	for i, r := range rules {
		pattern := strings.TrimPrefix(r.Match, "/")
		if pattern == "" || !doublestar.ValidatePattern(pattern) {
			return Set{}, fmt.Errorf("the pattern %q is malformed", r.Match)
		}
		rules[i].Match = pattern
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
