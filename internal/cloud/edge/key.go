package edge

import (
	"net/http"
	"slices"
	"strings"
)

// cacheKey identifies a cached object. Method is not part of it, except that OPTIONS has a variant of its own.
// spec: cloudfront 4.1: neither origin nor origin path nor the viewer's protocol are in it
type cacheKey struct {
	uri     string // path as received, after root object and rewrite, with "?" and the selected query if there is one
	variant string // selected headers, cookies, normalised Accept-Encoding; "" where the policy takes none
}

// key makes the cache key of a request for path under b.
func (b *behavior) key(rq *request, path string) cacheKey {
	uri := path
	if q := selectParts(rq.query, "&", b.Policy.Query); q != "" {
		uri += "?" + q
	}
	return cacheKey{uri: uri, variant: b.variant(rq)}
}

func (b *behavior) variant(rq *request) string {
	encoding := acceptEncoding(rq, b.Policy)
	if len(b.headers) == 0 && !b.cookies && encoding == "" && rq.method != http.MethodOptions {
		return ""
	}
	var v strings.Builder
	if rq.method == http.MethodOptions {
		v.WriteString("OPTIONS\n")
	}
	for _, name := range b.headers {
		v.WriteString(name + ": " + strings.Join(rq.values(name), ",") + "\n")
	}
	if cookies := b.cookieHeader(rq); cookies != "" {
		v.WriteString("Cookie: " + cookies + "\n")
	}
	if encoding != "" {
		v.WriteString(acceptLine(encoding))
	}
	return v.String()
}

// acceptLine is the last line of a variant, where the key has an Accept-Encoding.
func acceptLine(encoding string) string { return "Accept-Encoding: " + encoding + "\n" }

// cookieHeader is the Cookie header with the selected cookies only.
func (b *behavior) cookieHeader(rq *request) string {
	if !b.cookies {
		return ""
	}
	return selectParts(strings.Join(rq.header["Cookie"], "; "), ";", b.Policy.Cookies)
}

// selectParts keeps those name=value parts of list that the selection takes, as they stand and in their order.
// spec: cloudfront 4.5: order and case matter, "&" is the only delimiter
func selectParts(list, separator string, s Selection) string {
	if list == "" || s.Mode == SelectNone {
		return ""
	}
	if s.Mode == SelectAll {
		return list
	}
	var kept []string
	for part := range strings.SplitSeq(list, separator) {
		part = strings.TrimSpace(part)
		if name, _, _ := strings.Cut(part, "="); s.takes(name) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, separator)
}

// acceptEncoding normalises the viewer's Accept-Encoding: "br,gzip", "br", "gzip", or "" for nothing in the key.
// spec: cloudfront 4.3
func acceptEncoding(rq *request, p CachePolicy) string {
	if !p.EnableGzip && !p.EnableBrotli {
		return ""
	}
	accepted := rq.header["Accept-Encoding"]
	if len(accepted) == 0 || rq.http10 {
		return ""
	}
	br := p.EnableBrotli && accepts(accepted, "br")
	gzip := p.EnableGzip && accepts(accepted, "gzip")
	switch {
	case br && gzip:
		return "br,gzip"
	case br:
		return "br"
	case gzip:
		return "gzip"
	}
	return ""
}

// accepts says whether the Accept-Encoding values name coding with a quality above zero.
func accepts(values []string, coding string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), coding) {
				return !zeroQuality(params)
			}
		}
	}
	return false
}

// zeroQuality says whether params is "q=0", with any number of zeros after the point.
func zeroQuality(params string) bool {
	value, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
	return ok && strings.HasPrefix(value, "0") && strings.Trim(value, "0.") == ""
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}
