//go:build unix

package main

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// blog is a generated site: pages, and assets whose names carry the hash of
// their content, so that a change to a font renames the style sheet that names
// it, and so changes every page. Its values are versions; the zero value is no
// site, newBlog makes one.
type blog struct {
	posts                               map[int]int // version of the text, by number
	next                                int         // number of the next new post
	font, css, module, script           int         // under hashed names
	theme, print, picture, feed, sheets int         // under fixed names
}

func newBlog() blog {
	b := blog{posts: map[int]int{}}
	for b.next < 10 {
		b.posts[b.next] = 1
		b.next++
	}
	return b
}

// changed is the next version of b, as an author would make it: some posts are
// edited, and perhaps posts come and go, and assets change. Something always
// does.
func (b blog) changed(r *rand.Rand) blog {
	b.posts = maps.Clone(b.posts)
	perhaps := func(p float64, version *int) {
		if r.Float64() < p {
			*version++
		}
	}
	numbers := slices.Sorted(maps.Keys(b.posts))
	for range 1 + r.IntN(4) {
		b.posts[numbers[r.IntN(len(numbers))]]++
	}
	if r.Float64() < 0.4 && len(b.posts) < 14 {
		b.posts[b.next] = 1
		b.next++
	}
	if r.Float64() < 0.4 && len(b.posts) > 7 {
		delete(b.posts, numbers[r.IntN(len(numbers))])
	}
	perhaps(0.15, &b.font)
	perhaps(0.2, &b.css)
	perhaps(0.15, &b.module)
	perhaps(0.2, &b.script)
	perhaps(0.3, &b.theme)
	perhaps(0.2, &b.print)
	perhaps(0.2, &b.picture)
	perhaps(0.5, &b.feed)
	perhaps(0.3, &b.sheets)
	return b
}

// files are the site's bodies by name.
func (b blog) files() map[string]string {
	out := map[string]string{
		"theme/print.css": fmt.Sprintf("@page{margin:%dmm}", b.print),
		fmt.Sprintf("img/ground-%d.svg", b.picture): fmt.Sprintf("<svg id='ground%d'/>", b.picture),
		"theme/main.css": fmt.Sprintf("@import 'print.css';body{--v:%d;background:url(../img/ground-%d.svg)}", b.theme, b.picture),
		"favicon.ico":    "icon",
		"files/data.csv": fmt.Sprintf("version\n%d\n", b.sheets),
		"robots.txt":     "User-agent: *\n",
	}
	add := func(format, body string) string {
		name := fmt.Sprintf(format, fmt.Sprintf("%x", sha256.Sum256([]byte(body)))[:8])
		out[name] = body
		return name
	}
	font := add("assets/text.%s.woff2", fmt.Sprint("font ", b.font))
	css := add("assets/site-%s.css", fmt.Sprintf("@font-face{src:url(/%s)}a{--v:%d}", font, b.css))
	module := add("assets/part.%s.js", fmt.Sprintf("export const part = %d", b.module))
	script := add("assets/app.%s.js", fmt.Sprintf("import {part} from './%s'; console.log(part, %d)", strings.TrimPrefix(module, "assets/"), b.script))
	page := func(name, body string) {
		out[name] = fmt.Sprintf(`<!doctype html><title>%s</title><link rel="icon" href="/favicon.ico"><link rel="stylesheet" href="/%s"><link rel="stylesheet" href="/theme/main.css"><script type="module" src="/%s"></script>%s`,
			name, css, script, body)
	}
	var list, items strings.Builder
	for _, n := range slices.Sorted(maps.Keys(b.posts)) {
		photo := add(fmt.Sprintf("posts/%d/photo.%%s.svg", n), fmt.Sprintf("<svg id='p%d-%d'/>", n, b.posts[n]/2))
		page(fmt.Sprintf("posts/%d/index.html", n), fmt.Sprintf(`<a href="/">home</a><p>post %d, version %d<img src="%s" srcset="/%s 2x">`,
			n, b.posts[n], strings.TrimPrefix(photo, fmt.Sprintf("posts/%d/", n)), photo))
		fmt.Fprintf(&list, `<a href="posts/%d/">post</a>`, n)
		fmt.Fprintf(&items, "<item>%d</item>", n)
	}
	page("index.html", list.String()+`<a href="about.html">about</a><a href="404.html">lost</a>`)
	page("about.html", `<a href="./">home</a>`)
	page("404.html", "not found")
	out["feed.xml"] = fmt.Sprintf("<feed version='%d'>%s</feed>", b.feed, items.String())
	out["sitemap.xml"] = "<urlset>" + items.String() + "</urlset>"
	return out
}
