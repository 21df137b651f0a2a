package control

import (
	"strings"
)

// maxPath is the length of an item in characters; CloudFront guide, "What you need to know when invalidating
// files", read 2026-11; spec: cloudfront 1.1.
const maxPath = 4000

// maxTag is the length of a cache tag in characters, without its #; spec: cloudfront 2.
const maxTag = 256

// validItem is whether an item of a batch is accepted: a path, or a tag after a #.
func validItem(item string) bool {
	if tag, ok := strings.CutPrefix(item, "#"); ok {
		return validTag(tag)
	}
	return validPath(item)
}

// validTag is whether the tag is 1 to 256 visible ASCII characters other than a comma; spec: cloudfront 2. A star
// is a character like any other there.
func validTag(tag string) bool {
	if tag == "" || len(tag) > maxTag {
		return false
	}
	for _, c := range []byte(tag) {
		if c < 33 || c > 126 || c == ',' {
			return false
		}
	}
	return true
}

// validPath is whether CloudFront accepts the path: a leading slash, at most 4,000 characters, and nothing that
// RFC 1738 calls unsafe unless it is percent-encoded; spec: cloudfront 1.1. A star that is not last is a literal
// star, %2A and %7E are accepted and match nothing.
func validPath(path string) bool {
	if len(path) == 0 || path[0] != '/' || len(path) > maxPath {
		return false
	}
	for i := range len(path) {
		if c := path[i]; unsafe(c) || c == '%' && !escapeAt(path, i) {
			return false
		}
	}
	return true
}

// unsafe is whether RFC 1738, 2.2, wants the byte encoded: controls, space, non-ASCII and some punctuation. The
// percent sign is judged by escapeAt.
func unsafe(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"#{}|\\^~[]`", c) >= 0
}

// escapeAt is whether a percent sign and two hexadecimal digits stand at i.
func escapeAt(s string, i int) bool {
	return i+2 < len(s) && s[i] == '%' && hexDigit(s[i+1]) && hexDigit(s[i+2])
}

func hexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' || 'a' <= c && c <= 'f'
}

// effective are the items that reach the edges. A tilde cannot be invalidated in either spelling, so an item with
// an encoded one is left out; spec: cloudfront 1.1.
func effective(items []string) []string {
	var out []string
	for _, item := range items {
		if item[0] != '#' && (strings.Contains(item, "%7E") || strings.Contains(item, "%7e")) {
			continue
		}
		out = append(out, item)
	}
	return out
}
