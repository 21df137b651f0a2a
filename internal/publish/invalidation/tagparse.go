package invalidation

import "strings"

// maxTag is the longest cache tag, in characters; CloudFront Developer Guide,
// "Invalidating content by cache tags", read 2026-11.
const maxTag = 256

// parseTag reads a cache tag as somebody typed it, with its "#".
func parseTag(s string) (Path, error) {
	name := s[1:]
	switch {
	case name == "":
		return "", &ParseError{s, "a tag has a name behind the #", "type a tag such as '#fr.page'"}
	case len(name) > maxTag:
		return "", &ParseError{s, "a tag has at most 256 characters", "type a shorter one"}
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ',' }):
		return "", &ParseError{s, "a tag is plain ASCII without blanks and commas", "type each tag as an argument of its own"}
	}
	return Path(s), nil
}
