package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// ErrConfig is the cause of an error about a Config that no edge can serve.
var ErrConfig = errors.New("invalid edge config")

// distribution is a Config made ready for requests.
type distribution struct {
	Config
	rules     *rules
	via       string
	behaviors []*behavior // the default behaviour is last and matches everything
	errors    map[int]ErrorResponse
}

// behavior is a Behavior made ready for requests.
type behavior struct {
	Behavior
	origin  Origin
	headers []string // Policy.Headers, canonical and sorted
	forward []string // headers and OriginHeaders, canonical
	listed  []string // OriginHeaders, canonical
	open    bool     // every method and every body is passed on
	cached  bool     // false with caching disabled
	cookies bool     // cookies are forwarded

	originQueries, originCookies Selection // in the key or not

	noProof atomic.Int64 // until when, in Unix nanoseconds, its origin is not asked to prove anything
}

// compile checks cfg and makes it ready.
func compile(cfg Config) (*distribution, error) {
	id := sha256.Sum256([]byte(cfg.Domain))
	d := &distribution{
		Config: cfg,
		rules:  cfg.Rules.rules(),
		via:    "1.1 " + hex.EncodeToString(id[:16]) + ".cloudfront.net (CloudFront)",
		errors: map[int]ErrorResponse{},
	}
	rest := cfg.Default
	rest.PathPattern = "*"
	for _, b := range append(slices.Clone(cfg.Behaviors), rest) {
		if d.rules.policy != nil {
			b.Policy = *d.rules.policy
			b.Policy.EnableGzip, b.Policy.EnableBrotli = b.Compress, b.Compress
		}
		ready, err := compileBehavior(b, cfg.Origins)
		if err != nil {
			return nil, fmt.Errorf("check behaviour %q: %w", b.PathPattern, err)
		}
		ready.open = d.rules.open && len(b.AllowedMethods) == 0
		d.behaviors = append(d.behaviors, ready)
	}
	for _, r := range cfg.ErrorResponses {
		if r.PagePath != "" && r.PagePath[0] != '/' {
			return nil, fmt.Errorf("check error page %q of %d, no leading slash: %w", r.PagePath, r.Status, ErrConfig)
		}
		d.errors[r.Status] = r
	}
	return d, nil
}

func compileBehavior(b Behavior, origins map[string]Origin) (*behavior, error) {
	origin, ok := origins[b.OriginID]
	if !ok || origin.Transport == nil {
		return nil, fmt.Errorf("find origin %q with a transport: %w", b.OriginID, ErrConfig)
	}
	if !ordered(b.Policy) {
		return nil, fmt.Errorf("order TTLs %v, %v, %v: %w", b.Policy.MinTTL, b.Policy.DefaultTTL, b.Policy.MaxTTL, ErrConfig)
	}
	if origin.Scheme == "" {
		origin.Scheme = "http"
	}
	if len(b.AllowedMethods) == 0 {
		b.AllowedMethods = []string{http.MethodGet, http.MethodHead}
	}
	ready := &behavior{
		Behavior: b, origin: origin,
		cached:  !b.Policy.disabled(),
		cookies: b.Policy.Cookies.Mode != SelectNone,

		originQueries: b.Policy.Query.or(b.OriginQuery), originCookies: b.Policy.Cookies.or(b.OriginCookies),
	}
	for _, name := range b.Policy.Headers {
		ready.headers = append(ready.headers, textproto.CanonicalMIMEHeaderKey(name))
	}
	slices.Sort(ready.headers)
	ready.forward = slices.Clone(ready.headers)
	for _, name := range b.OriginHeaders {
		ready.listed = append(ready.listed, textproto.CanonicalMIMEHeaderKey(name))
	}
	if b.OriginHeaderMode != SelectAllExcept {
		ready.forward = append(ready.forward, ready.listed...)
	}
	return ready, nil
}

// ordered says whether 0 <= Min <= Default <= Max.
// spec: cloudfront 5.3, InvalidTTLOrder; 5.9
func ordered(p CachePolicy) bool {
	return 0 <= p.MinTTL && p.MinTTL <= p.DefaultTTL && p.DefaultTTL <= p.MaxTTL
}

// route finds the behaviour of a path: the first whose pattern matches the normalised path.
// spec: cloudfront 5.3, first match wins; 4.6, normalised for matching only
func (d *distribution) route(path string) *behavior {
	normal := ""
	for _, b := range d.behaviors[:len(d.behaviors)-1] {
		if normal == "" {
			normal = normalize(path)
		}
		if matchPattern(b.PathPattern, normal) {
			return b
		}
	}
	return d.behaviors[len(d.behaviors)-1]
}

// hides says whether the decoded path, or what is left of it without dot segments, lies under a hidden prefix.
func (d *distribution) hides(path string) bool {
	if len(d.Hidden) == 0 {
		return false
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path
	}
	under := func(prefix string) bool {
		return strings.HasPrefix(decoded, prefix) || strings.HasPrefix(normalize(decoded), prefix)
	}
	return slices.ContainsFunc(d.Hidden, under)
}

// errorTTL is the error-caching minimum TTL of a status from an origin.
// spec: cloudfront 3.4
func (d *distribution) errorTTL(status int, origin *Origin) time.Duration {
	ttl := DefaultErrorTTL
	if r, ok := d.errors[status]; ok {
		ttl = r.MinTTL
	}
	if origin.S3 {
		ttl = max(ttl, time.Second)
	}
	return ttl
}

// normalize merges slashes and removes dot segments, for matching.
// spec: cloudfront 4.6
func normalize(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	segments := strings.Split(path, "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "..":
			kept = kept[:max(0, len(kept)-1)]
		case s != "" && s != ".":
			kept = append(kept, s)
			continue
		}
		if last && len(kept) > 0 { // "/a/", "/a/." and "/a/b/.." all end in a slash
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// matchPattern says whether a behaviour's path pattern matches path.
// spec: cloudfront 5.3: "*" is 0 or more characters, slashes too, "?" exactly one; a leading slash is implied
func matchPattern(pattern, path string) bool {
	pattern, path = strings.TrimPrefix(pattern, "/"), strings.TrimPrefix(path, "/")
	star, mark := -1, 0
	p, s := 0, 0
	for s < len(path) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, s
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == path[s]):
			p++
			s++
		case star >= 0:
			mark++
			p, s = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
