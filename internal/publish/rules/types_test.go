package rules

import (
	"mime"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/site"
)

func TestContentType(t *testing.T) {
	for key, want := range map[site.Key]string{
		"index.html":                             "text/html; charset=utf-8",
		"a/INDEX.HTM":                            "text/html; charset=utf-8",
		"theme/main.css":                         "text/css; charset=utf-8",
		"app.js":                                 "text/javascript; charset=utf-8",
		"app.mjs":                                "text/javascript; charset=utf-8",
		"app.js.map":                             "application/json",
		"data.json":                              "application/json",
		"site.webmanifest":                       "application/manifest+json",
		"feed.xml":                               "application/xml",
		"feeds/all.atom":                         "application/atom+xml",
		"feeds/all.rss":                          "application/rss+xml",
		"robots.txt":                             "text/plain; charset=utf-8",
		"notes.md":                               "text/markdown; charset=utf-8",
		"table.csv":                              "text/csv; charset=utf-8",
		"calendar.ics":                           "text/calendar; charset=utf-8",
		"subtitles.vtt":                          "text/vtt; charset=utf-8",
		"logo.svg":                               "image/svg+xml",
		"photo.avif":                             "image/avif",
		"photo.webp":                             "image/webp",
		"photo.JPG":                              "image/jpeg",
		"photo.jpeg":                             "image/jpeg",
		"icon.png":                               "image/png",
		"favicon.ico":                            "image/vnd.microsoft.icon",
		"font.woff2":                             "font/woff2",
		"font.woff":                              "font/woff",
		"module.wasm":                            "application/wasm",
		"film.mp4":                               "video/mp4",
		"talk.mp3":                               "audio/mpeg",
		"paper.pdf":                              "application/pdf",
		"src.tar.gz":                             "application/gzip",
		"CNAME":                                  "text/plain; charset=utf-8",
		".well-known/security.txt":               "text/plain; charset=utf-8",
		".well-known/assetlinks.json":            "application/json",
		".well-known/acme-challenge/x7":          "application/octet-stream",
		"_redirects":                             "text/plain; charset=utf-8",
		"a.b/README":                             "application/octet-stream",
		"what.unknown":                           "application/octet-stream",
		".htaccess":                              "application/octet-stream",
		"files/日本.html":                          "text/html; charset=utf-8",
		"files/100%.html":                        "text/html; charset=utf-8",
		"trailing.":                              "application/octet-stream",
		"apple-app-site-association":             "application/json",
		".well-known/apple-app-site-association": "application/json",
	} {
		if got := ContentType(key); got != want {
			t.Errorf("ContentType(%q) = %q, want %q", key, got, want)
		}
	}
}

// Every entry is a valid media type, extensions are lower case, and exactly
// the text types carry a charset.
func TestTypeTable(t *testing.T) {
	if len(typesByExt) == 0 {
		t.Fatal("the table is empty")
	}
	for ext, typ := range typesByExt {
		media, params, err := mime.ParseMediaType(typ)
		if err != nil || ext != strings.ToLower(ext) || ext[0] != '.' || strings.Count(ext, ".") != 1 {
			t.Errorf("%q: %q, %v", ext, typ, err)
		}
		if isText := strings.HasPrefix(media, "text/"); isText != (params["charset"] == "utf-8") {
			t.Errorf("%q: %q, want a charset exactly with text types", ext, typ)
		}
	}
}
