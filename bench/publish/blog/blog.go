// Package blog makes the sites that publishing is measured with: one that looks like the output of a blog's generator, with
// pages, images, style sheets and scripts with hashes in their names, feeds, and names that are hard on tools; and a flat one
// of very many small pages.
//
// It promises the same bytes for the same seed and size on every machine of one architecture, and that a site with one more post differs from the one
// before as a rebuild's would: the post, its neighbour, every list that names it, feeds and search index. Sizes are log-normal,
// a page's median is 15 KB and an image's 30 KB. It leaves out real text and real pictures: no tool under test looks inside.
package blog

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Smallest is the least number of files that a Site can have.
const Smallest = 100

// File is one file of a site.
type File struct {
	Key    string              // its path below the site's folder, with slashes
	Render func(*bytes.Buffer) // appends its bytes, the same each time; safe for concurrent use
}

// Site is one build of a blog. It is safe for concurrent use.
type Site struct {
	seed   uint64
	old    int // how many posts there were before the last was written
	posts  []post
	tags   []tag
	images []string
	style  string // the keys of the style sheet and the script that every page names
	script string
	files  []File
}

type post struct {
	folder, title, date string
	tags                []int
}

type tag struct {
	name  string
	posts []int // oldest first
}

var firstDay = time.Date(2014, 1, 3, 0, 0, 0, 0, time.UTC)

const (
	between   = 132 * time.Hour           // of two posts, while the blog is younger than
	lifetime  = 12 * 365 * 24 * time.Hour // this
	perPage   = 10                        // posts on a page of the archive
	perList   = 20                        // posts on any other list, at most
	talkBytes = 12 << 20                  // of the one large file: past the line at which most tools send in parts
)

// New is the site of n files for a seed; n is at least Smallest.
func New(seed uint64, n int) *Site {
	s := write(seed, max(n, Smallest), 0)
	s.addImages(n - len(s.files))
	return s.sorted()
}

// WithPost is the site of New(seed, n) after one more post was written: n+1 files, and lists where the post begins a month or a year.
func WithPost(seed uint64, n int) *Site {
	s := write(seed, max(n, Smallest), 1)
	s.addImages(len(New(seed, n).images))
	return s.sorted()
}

// Files are all files, by key in byte order.
func (s *Site) Files() []File { return s.files }

// write makes the site of n files and some more posts, all but the images.
func write(seed uint64, n, more int) *Site {
	s := &Site{seed: seed, old: n * 40 / 100}
	s.nameTags(n * 8 / 100)
	s.writePosts(s.old + more)
	s.addAssets(max(4, n*4/100))
	s.addPages(n / 100)
	s.addFeeds()
	s.addHardNames()
	return s
}

func (s *Site) sorted() *Site {
	slices.SortFunc(s.files, func(a, b File) int { return strings.Compare(a.Key, b.Key) })
	return s
}

func (s *Site) add(key string, render func(*bytes.Buffer)) {
	s.files = append(s.files, File{key, render})
}

func (s *Site) addText(key, text string) {
	s.add(key, func(b *bytes.Buffer) { b.WriteString(text) })
}

// oddTags are names that must be escaped in a URL, a shell or XML.
var oddTags = []string{"c++", "c#", "日本語", "q&a", "it's"}

func (s *Site) nameTags(n int) {
	r := s.source("tags")
	for i := range max(n, len(oddTags)) {
		name := fmt.Sprintf("%s-%d", r.word(), i)
		if i < len(oddTags) {
			name = oddTags[i]
		}
		s.tags = append(s.tags, tag{name: name})
	}
}

// writePosts writes n posts at the pace of the old ones.
func (s *Site) writePosts(n int) {
	step := min(between, lifetime/time.Duration(s.old))
	for i := range n {
		r := s.source("post", i)
		day := firstDay.Add(time.Duration(i) * step)
		p := post{title: r.word() + " " + r.word() + " " + r.word(), date: day.Format(time.DateOnly)}
		p.folder = fmt.Sprintf("posts/%s/%s-%d", day.Format("2006/01"), strings.ReplaceAll(p.title, " ", "-"), i)
		for len(p.tags) < 4 {
			if t := r.rank(len(s.tags)); !slices.Contains(p.tags, t) {
				p.tags = append(p.tags, t)
				s.tags[t].posts = append(s.tags[t].posts, i)
			}
		}
		s.posts = append(s.posts, p)
		s.add(p.folder+"/index.html", func(b *bytes.Buffer) { s.renderPost(b, i) })
	}
}

// addAssets adds n files whose names hold a hash of their bytes. The first two are what every page names.
func (s *Site) addAssets(n int) {
	for i := range n {
		ext := []string{"css", "js", "js.map", "woff2", "svg"}[i%5]
		render := func(b *bytes.Buffer) { s.renderAsset(b, i, ext) }
		var body bytes.Buffer
		render(&body)
		sum := sha256.Sum256(body.Bytes())
		key := fmt.Sprintf("assets/%s-%d.%x.%s", s.source("asset", i).word(), i, sum[:4], ext)
		switch i {
		case 0:
			s.style = key
		case 1:
			s.script = key
		}
		s.add(key, render)
	}
}

// addImages adds n images, spread over the months. Their names hold what would be a hash.
func (s *Site) addImages(n int) {
	for i := range n {
		r := s.source("image", i)
		month := s.posts[i*s.old/n].date[:len("2006-01")]
		ext := []string{"jpg", "jpg", "webp", "png", "avif"}[i%5]
		key := fmt.Sprintf("images/%s/%s-%d.%08x.%s", strings.ReplaceAll(month, "-", "/"), r.word(), i, r.Uint32(), ext)
		s.images = append(s.images, key)
		s.add(key, func(b *bytes.Buffer) {
			r := s.source("picture", i)
			r.noise(b, r.size(30_000, 1, 900, 500_000))
		})
	}
}

// addPages adds every page that is no post; archive is how many pages the archive has after the first.
func (s *Site) addPages(archive int) {
	all := make([]int, len(s.posts))
	under := map[string][]int{} // year or month → posts
	var folders []string
	for i, p := range s.posts {
		all[i] = i
		for _, length := range []int{len("posts/2006"), len("posts/2006/01")} {
			folder := p.folder[:length]
			if under[folder] == nil {
				folders = append(folders, folder)
			}
			under[folder] = append(under[folder], i)
		}
	}
	for _, folder := range folders {
		s.addList(folder+"/index.html", folder, under[folder], perList)
	}
	for _, t := range s.tags {
		s.addList("tags/"+t.name+"/index.html", t.name, t.posts, perList)
	}
	for k := range archive {
		s.addList(fmt.Sprintf("page/%d/index.html", k+2), fmt.Sprint("Page ", k+2), all[:max(1, len(all)-(k+1)*perPage)], perPage)
	}
	s.addList("index.html", "Blog", all, perList)
	s.addList("posts/index.html", "Posts", all, perList)
	s.addList("posts/reindex.html", "Lately", all, 5) // ends in index.html and is not an index
	s.add("tags/index.html", func(b *bytes.Buffer) {
		s.page(b, "Tags", func() {
			for _, t := range s.tags {
				fmt.Fprintf(b, "<a href=\"/tags/%s/\">%s</a> (%d)\n", t.name, t.name, len(t.posts))
			}
		})
	})
	for key, size := range map[string]int{"404.html": 900, "about.html": 700, "about/index.html": 6000} {
		s.add(key, func(b *bytes.Buffer) { s.page(b, "About", func() { s.source(key).text(b, size) }) })
	}
}

// addHardNames adds names that tools have got wrong, and the one large file.
func (s *Site) addHardNames() {
	for _, key := range []string{
		"files/Annual Report 2025.pdf", "files/résumé.pdf", "files/100% cotton.txt", "files/it's (final).txt",
		"files/a~b.txt", "files/a+b=c;d,e@f.txt", "files/ふりかえり/読む.html", "LICENSE",
	} {
		s.add(key, func(b *bytes.Buffer) { s.source(key).text(b, 2000) })
	}
	s.addText(".well-known/security.txt", "Contact: mailto:security@example.org\n")
	s.addText("robots.txt", "User-agent: *\nAllow: /\nSitemap: https://example.org/sitemap.xml\n")
	s.addText("manifest.webmanifest", "{\"name\": \"Blog\"}\n")
	s.add("favicon.ico", func(b *bytes.Buffer) { s.source("favicon").noise(b, 4096) })
	s.add("downloads/talk.mp4", func(b *bytes.Buffer) { s.source("talk").noise(b, talkBytes) })
}
