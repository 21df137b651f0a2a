package rules

import (
	"testing"

	"github.com/freshet/freshet/internal/site"
)

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		kind site.Kind
		keys []site.Key
	}{
		{site.KindPage, []site.Key{
			"index.html", "a/index.html", "404.html", "a.htm", "a.xhtml", "posts/日本.html",
			"posts/3f2a9c1b.html", "posts/a.3f2a9c1b.html", "feed.html", "sitemap/index.html",
		}},
		{site.KindFeed, []site.Key{
			"feed.xml", "index.xml", "posts/index.xml", "atom.xml", "rss.xml", "rss2.xml", "feeds/all.atom.xml", "feeds/tag.rss.xml",
			"all.atom", "all.rss", "sitemap.xml", "sitemap-0.xml", "sitemap1.xml", "sitemap_index.xml", "sitemapindex.xml",
			"sitemap.xml.gz", "SITEMAP.XML", "robots.txt", "llms.txt", "feed.json", "search.json", "search/search_index.json", "searchindex.js",
		}},
		{site.KindAsset, []site.Key{
			"theme/main.css", "app.js", "app.mjs", "app.js.map", "data.json", "site.webmanifest", "a.wasm",
			"logo.svg", "photo.avif", "photo.jpg", "font.woff2", "font.eot", "film.mp4", "talk.mp3", "sw.js", "search.js",
		}},
		{site.KindOther, []site.Key{
			"paper.pdf", "humans.txt", "CNAME", "a.zip", "data.csv", "calendar.ics", "notes.md", "README", "opml.xml",
			"anatomy.xml", "feedback.xml", "chapter.xml", ".well-known/security.txt",
		}},
	} {
		for _, key := range tt.keys {
			if got := KindOf(key, ContentType(key)); got != tt.kind {
				t.Errorf("KindOf(%q) = %q, want %q", key, got, tt.kind)
			}
		}
	}
}

func TestKindFollowsTheContentType(t *testing.T) {
	for _, tt := range []struct {
		key  site.Key
		typ  string
		want site.Kind
	}{
		{"about", "text/html; charset=utf-8", site.KindPage},
		{"about", "Text/HTML ;charset=utf-8", site.KindPage},
		{"about", "", site.KindOther},
		{"about", "text/html-like", site.KindOther},
		{"logo", "image/png", site.KindAsset},
		{"page.html", "text/plain", site.KindOther},
		{"app.3f2a9c1b.js", "", site.KindImmutable},
		{"feed.xml", "text/html", site.KindFeed},
	} {
		if got := KindOf(tt.key, tt.typ); got != tt.want {
			t.Errorf("KindOf(%q, %q) = %q, want %q", tt.key, tt.typ, got, tt.want)
		}
	}
}

// Names as the tools write them, whose content cannot change under the name.
func TestHashedNames(t *testing.T) {
	const sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for _, tt := range []struct {
		tool string
		keys []site.Key
	}{
		{"webpack", []site.Key{"app.3f2a9c1b.js", "vendors~main.3f2a9c1b4d5e6f708192.js", "main.3f2a9c1b.css", "main.3f2a9c1b.js.map", "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg"}},
		{"Vite", []site.Key{"assets/index-DkF3x9aB.css", "assets/index-B4xQ9aZk.js", "assets/index-B4xQ9aZk.js.map", "assets/inter-D2bJ5OIk.woff2"}},
		{"Rollup", []site.Key{"chunk.a1B2c3D4.js"}},
		{"esbuild", []site.Key{"chunk-KH3F2ZQR.js", "app-5HD7F3ZQ.css"}},
		{"Hugo", []site.Key{"css/main.min." + sha256 + ".css", "js/a." + sha256 + sha256 + ".js", "posts/sunset_hu_59e56ffff1bc1d8d.webp"}},
		{"Next.js", []site.Key{
			"_next/static/chunks/framework-3f2a9c1b4d5e6f70.js", "_next/static/chunks/117-3f2a9c1b4d5e6f70.js", "_next/static/css/3f2a9c1b4d5e6f70.css",
			"_next/static/media/4473ecc91f70f139-s.p.woff2", "docs/_next/static/chunks/app/layout-3f2a9c1b4d5e6f70.js",
		}},
		{"Astro", []site.Key{"_astro/index.DkF3x9aB.css", "_astro/client.BxYz_-ab.js", "_astro/photo.Dab_cdEf_Z1xyz.webp", "docs/_astro/hoisted.abcdefgh.js"}},
		{"SvelteKit", []site.Key{"_app/immutable/chunks/CwMfIRRU.js", "_app/immutable/entry/start.DkF3x9aB.js"}},
		{"Parcel", []site.Key{"index.db538051.js", "logo.a392b965.png"}},
		{"MkDocs Material", []site.Key{"assets/stylesheets/main.3cba04c6.min.css"}},
		{"Gatsby", []site.Key{"app-3a7f8b9c0d1e2f304152.js"}},
		{"Jekyll", []site.Key{"assets/style-6ce24c58023cc2f8fd88fe9d219db6c6.css"}},
		{"this repository's example", []site.Key{"assets/site.020bf3c9.js", "assets/site.db538051.css", "images/vesla-basin.820c1770.svg"}},
	} {
		for _, key := range tt.keys {
			if got := KindOf(key, ContentType(key)); got != site.KindImmutable {
				t.Errorf("%s: KindOf(%q) = %q, want immutable", tt.tool, key, got)
			}
		}
	}
}

// Names that people give. One of these taken for a hash would keep old bytes
// in browsers for a year.
func TestNamesWithoutHash(t *testing.T) {
	for _, tt := range []struct {
		what string
		keys []site.Key
	}{
		{"dates", []site.Key{
			"photo-20260102.jpg", "photo.20260102.jpg", "IMG_20260102_101112.jpg", "report-2025-12-31.pdf", "log.2026-11-22.txt",
			"backup-20260102ab.js", "photo-20251231abcd.jpg", "Screenshot 2026-11-22.png", "dump-202601021011.js",
		}},
		{"versions", []site.Key{"bootstrap-5.3.3.min.js", "jquery-3.7.1.min.js", "app-1.2.3.css", "lib.v20.10.0.js", "a-10.0.12345678.js", "app-v2-Final.js", "x-rc1.js"}},
		{"words", []site.Key{
			"font-awesome.min.css", "my-deadbeef.js", "my.deadbeef.css", "app.facade.js", "defaced-feedface.png", "jquery.dataTables.min.js",
			"lib-MyWidget.js", "theme-DarkMode.css", "theme.Overview.css", "a.production.js",
		}},
		{"words and numbers", []site.Key{
			"menu-cafe2024.pdf", "menu.cafe2024.js", "photo-2024face.jpg", "decade-facade01.css", "chart-Version2.js", "lib-MyPhoto2.js", "docs-README25.js", "grid-2Columns.css", "grid-12COLUMN.css",
		}},
		{"short or odd hexadecimal", []site.Key{"a.3f2a9c1.js", "a.3f2a9.css", "icon-ff00aa.svg", "a.3f2a9c1b4.js"}},
		{"numbers", []site.Key{"invoice-1234567890.pdf", "img.12345678.png"}},
		{"identifiers", []site.Key{"img-3f2a9c1b-12f4-4abc-9def-0123456789ab.png", "3f2a9c1b-12f4-4abc-9def-0123456789ab.png", "a.3F2A9C1B-12F4-4ABC-9DEF-0123456789AB.js"}},
		{"hash alone", []site.Key{"avatars/6ce24c58023cc2f8fd88fe9d219db6c6.png", "3f2a9c1b.js", "content/3f2a9c1b4d5e6f70"}},
		{"not where bundlers write", []site.Key{"photos/trip-aB3dE6fG.jpg", "papers/draft-aB3dE6fG.pdf"}},
		{"beside the hashed folders", []site.Key{"_next/static/fixed/_buildManifest.js", "_app/version.json", "my_astro/a.css", "_nuxt/builds/latest.json"}},
		{"service workers", []site.Key{"sw.js", "service-worker.js", "firebase-messaging-sw.js"}},
	} {
		for _, key := range tt.keys {
			if got := KindOf(key, ContentType(key)); got == site.KindImmutable {
				t.Errorf("%s: KindOf(%q) = %q", tt.what, key, got)
			}
		}
	}
}
