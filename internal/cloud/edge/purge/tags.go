package purge

import (
	"slices"
	"strings"
)

// CloudFront Developer Guide, "Specify cache tags", read 2026-11.
const (
	maxTags      = 50  // per object; the rest is dropped silently
	maxTagLength = 256 // bytes
)

// Tags returns the tags that an object carries, from the values of its tag header, in the form that Covered wants.
// Values are comma-separated; blanks around a tag do not count, case does not count, what cannot be a tag is skipped,
// and at most 50 tags are kept. Scope is the name of the tag header; "" means that tags are off and gives none.
// spec: cloudfront 2, cache-tag invalidation.
func Tags(scope string, values []string) []string {
	if scope == "" {
		return nil
	}
	var tags []string
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			tag := strings.Trim(part, " \t")
			if len(tags) == maxTags {
				return tags
			}
			if key := scopedTag(scope, tag); validTag(tag) && !slices.Contains(tags, key) {
				tags = append(tags, key)
			}
		}
	}
	return tags
}

// AnyScope stands for every scope there was: for an invalidation by tag that is made up for later, when nobody knows under which header the cached objects are
// tagged. It is the name of no header.
const AnyScope = "\x00"

// unscoped is the key that scopedTag gives a tag in AnyScope, from the one that it gives it in another.
func unscoped(key string) string {
	return AnyScope + key[strings.IndexByte(key, 0):]
}

// scopedTag is the map key of a tag: scope and tag are compared without regard to case.
func scopedTag(scope, tag string) string {
	return strings.ToLower(scope) + "\x00" + strings.ToLower(tag)
}

// validTag says whether tag consists of 1 to 256 visible ASCII characters other than the comma.
func validTag(tag string) bool {
	if tag == "" || len(tag) > maxTagLength {
		return false
	}
	for i := range len(tag) {
		if c := tag[i]; c < 33 || c > 126 || c == ',' {
			return false
		}
	}
	return true
}
