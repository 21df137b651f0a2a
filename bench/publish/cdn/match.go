package cdn

import (
	"net/url"
	"strings"
)

// covering is a set of invalidation paths, ready to be asked.
type covering struct {
	exact    map[string]bool
	prefixes map[string]bool // what stands before a trailing *
	lengths  []int           // of the prefixes
}

// cover reads invalidation paths. Only a * at the end is a wildcard; escapes stand for their bytes; a query string is part of no object's name.
// CloudFront guide, "Invalidate files", read 2026-11.
func cover(items []string) covering {
	c := covering{exact: map[string]bool{}, prefixes: map[string]bool{}}
	seen := map[int]bool{}
	for _, item := range items {
		prefix, wild := strings.CutSuffix(item, "*")
		text := decoded(prefix)
		if !wild {
			text, _, _ = strings.Cut(text, "?")
			c.exact[text] = true
			continue
		}
		c.prefixes[text] = true
		if !seen[len(text)] {
			seen[len(text)] = true
			c.lengths = append(c.lengths, len(text))
		}
	}
	return c
}

// has says whether a path, decoded, is covered.
func (c covering) has(path string) bool {
	if c.exact[path] {
		return true
	}
	for _, n := range c.lengths {
		if n <= len(path) && c.prefixes[path[:n]] {
			return true
		}
	}
	return false
}

// Covered counts the objects with the given keys of which a URL is covered by one of the invalidation paths. An object has the URL of its key; an
// index.html also has that of its folder, with the last slash and without.
func Covered(keys, items []string) (n int) {
	c := cover(items)
	for _, key := range keys {
		if c.has("/"+key) || c.hasFolder(key) {
			n++
		}
	}
	return n
}

// hasFolder says whether the folder that an index.html shows is covered.
func (c covering) hasFolder(key string) bool {
	folder, index := strings.CutSuffix("/"+key, "/index.html")
	return index && (c.has(folder+"/") || folder != "" && c.has(folder))
}

// decoded is a path without escapes; one whose escapes are not valid stands for itself.
func decoded(path string) string {
	text, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return text
}
