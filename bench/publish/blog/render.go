package blog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
)

// source is the randomness of one thing, drawn from the seed and the thing's name: what else the site has does not change it.
type source struct{ *rand.Rand }

func (s *Site) source(name ...any) source {
	h := fnv.New64a()
	fmt.Fprintln(h, name...)
	return source{rand.New(rand.NewPCG(s.seed, h.Sum64()))}
}

var syllables = strings.Fields("ka lo mi re tan ver so pin dul gra chi es tor ma ne qui ba sel on ur fi th ing er ly con pro de st")

// vocabulary is how many words there are.
const vocabulary = 3000

// rank draws below n, small numbers far more often: with weight about 1/(rank+1).
func (r source) rank(n int) int {
	return min(n-1, int(math.Pow(float64(n)+1, r.Float64()))-1)
}

// word draws a word, common ones often.
func (r source) word() string {
	k := r.rank(vocabulary) + len(syllables)
	var w strings.Builder
	for ; k > 0; k /= len(syllables) {
		w.WriteString(syllables[k%len(syllables)])
	}
	return w.String()
}

// size draws a log-normal size in bytes.
func (r source) size(median, sigma float64, least, most int) int {
	return min(most, max(least, int(median*math.Exp(sigma*r.NormFloat64()))))
}

// text appends paragraphs of at least n bytes.
func (r source) text(b *bytes.Buffer, n int) {
	for end := b.Len() + n; b.Len() < end; {
		b.WriteString("<p>")
		for range 40 + r.IntN(60) {
			b.WriteString(r.word())
			b.WriteByte(' ')
		}
		b.WriteString("</p>\n")
	}
}

// noise appends n bytes that do not compress.
func (r source) noise(b *bytes.Buffer, n int) {
	b.Grow(n + 8)
	end := b.Len() + n
	for b.Len() < end {
		b.Write(binary.LittleEndian.AppendUint64(b.AvailableBuffer(), r.Uint64()))
	}
	b.Truncate(end)
}

// page appends a page around what body appends.
func (s *Site) page(b *bytes.Buffer, title string, body func()) {
	fmt.Fprintf(b, `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>%s</title>
<link rel="stylesheet" href="/%s"><script src="/%s" defer></script></head>
<body><nav><a href="/">Home</a> <a href="/posts/">Posts</a> <a href="/tags/">Tags</a></nav>
<main><h1>%s</h1>
`, title, s.style, s.script, title)
	body()
	b.WriteString("</main></body></html>\n")
}

func (s *Site) renderPost(b *bytes.Buffer, i int) {
	p := s.posts[i]
	s.page(b, p.title, func() {
		r := s.source("text", i)
		fmt.Fprintf(b, "<time>%s</time>\n<img src=\"/%s\" alt=\"\">\n", p.date, s.images[i%len(s.images)])
		r.text(b, r.size(15_000, 0.5, 3000, 120_000))
		for _, t := range p.tags {
			fmt.Fprintf(b, "<a rel=\"tag\" href=\"/tags/%s/\">%s</a>\n", s.tags[t].name, s.tags[t].name)
		}
		s.neighbour(b, "next", i+1)
		s.neighbour(b, "prev", i-1)
	})
}

// neighbour appends a link to post k, if there is one.
func (s *Site) neighbour(b *bytes.Buffer, rel string, k int) {
	if k >= 0 && k < len(s.posts) {
		fmt.Fprintf(b, "<a rel=\"%s\" href=\"/%s/\">%s</a>\n", rel, s.posts[k].folder, s.posts[k].title)
	}
}

// addList adds a page that shows the newest posts of a list, most of them at most.
func (s *Site) addList(key, title string, posts []int, most int) {
	s.add(key, func(b *bytes.Buffer) {
		s.page(b, title, func() { s.summaries(b, posts, most) })
	})
}

// summaries appends the newest posts first.
func (s *Site) summaries(b *bytes.Buffer, posts []int, most int) {
	for k := len(posts) - 1; k >= max(0, len(posts)-most); k-- {
		p := s.posts[posts[k]]
		fmt.Fprintf(b, "<article><h2><a href=\"/%s/\">%s</a></h2><time>%s</time>", p.folder, p.title, p.date)
		s.source("summary", posts[k]).text(b, 300)
		b.WriteString("</article>\n")
	}
}

// addFeeds adds what lists every post, or the newest, for programs.
func (s *Site) addFeeds() {
	all := make([]int, len(s.posts))
	for i := range all {
		all[i] = i
	}
	s.add("feed.xml", func(b *bytes.Buffer) {
		b.WriteString("<?xml version=\"1.0\"?>\n<rss version=\"2.0\"><channel><title>Blog</title>\n")
		s.summaries(b, all, perList)
		b.WriteString("</channel></rss>\n")
	})
	s.add("sitemap.xml", func(b *bytes.Buffer) {
		b.WriteString("<?xml version=\"1.0\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n")
		for _, p := range s.posts {
			fmt.Fprintf(b, "<url><loc>https://example.org/%s/</loc><lastmod>%s</lastmod></url>\n", p.folder, p.date)
		}
		b.WriteString("</urlset>\n")
	})
	s.add("search.json", func(b *bytes.Buffer) {
		b.WriteString("[\n")
		for _, p := range s.posts {
			fmt.Fprintf(b, "{\"title\": %q, \"url\": \"/%s/\"},\n", p.title, p.folder)
		}
		b.WriteString("{}]\n")
	})
}

func (s *Site) renderAsset(b *bytes.Buffer, i int, ext string) {
	r := s.source("asset body", i)
	size := r.size(14_000, 0.9, 500, 300_000)
	switch ext {
	case "woff2":
		r.noise(b, size)
		return
	case "svg":
		b.WriteString("<svg xmlns=\"http://www.w3.org/2000/svg\">")
		defer b.WriteString("</svg>\n")
	case "js.map":
		b.WriteString(`{"version":3,"mappings":"`)
		defer b.WriteString("\"}\n")
	}
	for end := b.Len() + size; b.Len() < end; {
		fmt.Fprintf(b, ".%s{color:#%06x;margin:%dpx}", r.word(), r.IntN(1<<24), r.IntN(64))
	}
}
