package rules

import (
	"path"
	"strings"

	"github.com/freshet/freshet/internal/site"
)

// KindOf tells what an object is from its name and its content type.
func KindOf(key site.Key, contentType string) site.Kind {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	base := strings.ToLower(key.Base())
	switch {
	case isFeed(base):
		return site.KindFeed
	case media == "text/html" || media == "application/xhtml+xml":
		return site.KindPage
	case hasContentHash(key):
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
	case "robots.txt", "llms.txt", "index.xml", "feed.json",
		"search.json", "search_index.json", "searchindex.js": // of MkDocs and Sphinx
		return true
	}
	switch stem := strings.TrimSuffix(base, ".gz"); path.Ext(stem) {
	case ".atom", ".rss":
		return true
	case ".xml":
		for _, word := range strings.FieldsFunc(strings.TrimSuffix(stem, ".xml"), isSeparator) {
			switch word = strings.TrimRight(word, digits); {
			case word == "feed", word == "atom", word == "rss", strings.HasPrefix(word, "sitemap"):
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
	case ".css", ".js", ".mjs", ".cjs", ".map", ".json", ".webmanifest", ".wasm", ".eot":
		return true
	}
	return false
}
