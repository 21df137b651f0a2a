package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/freshet/freshet/internal/site"
)

// stage is a server whose answers a test changes while viewers come.
type stage struct {
	*httptest.Server
	mu      sync.Mutex // guards answers
	answers map[string]answer
}

type answer struct {
	status int // 0 means 200
	media  string
	body   string
}

func newStage(t *testing.T, answers map[string]answer) *stage {
	s := &stage{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		a, ok := s.answers[r.URL.Path]
		s.mu.Unlock()
		if !ok {
			a = answer{404, "text/html", `<link rel=stylesheet href="/of-the-error-page.css">`}
		}
		if a.status == http.StatusFound {
			w.Header().Set("Location", a.body)
		}
		w.Header().Set("Content-Type", a.media)
		w.Header().Set("X-Cache", "Miss from cloudfront")
		w.WriteHeader(max(a.status, 200))
		fmt.Fprint(w, a.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *stage) set(path string, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = a
}

func (s *stage) drop(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.answers, path)
}

// named puts the hash of body into a name: "/app.%s.css".
func named(format, body string) string {
	sum := sha256.Sum256([]byte(body))
	return fmt.Sprintf(format, hex.EncodeToString(sum[:4]))
}

const fontBody = "font"

var (
	fontPath = named("/assets/text.%s.woff2", fontBody)
	cssBody  = "@import 'more.css'; @font-face{src:url(" + fontPath + ")}"
	cssPath  = named("/assets/site-%s.css", cssBody)
)

// probeSite has two pages, one of which can be reached by a link only.
func probeSite() map[string]answer {
	return map[string]answer{
		"/": {media: "text/html; charset=utf-8", body: `<link rel="stylesheet" href="` + cssPath + `"><a href="/deep/page/#top">x</a>
			<a href="/gone/">x</a><a href="https://elsewhere.example/">x</a><a href="mailto:a@b.c">x</a><img src=data:image/png,x>`},
		"/deep/page/":      {media: "text/html", body: `<script type="module" src="../app.js"></script><img src="a.png" srcset="a.png 1x, b.png 2x">`},
		"/deep/app.js":     {media: "text/javascript", body: `import {x} from "./part.js"`},
		"/deep/part.js":    {media: "text/javascript", body: `export const x = 1`},
		"/deep/page/a.png": {media: "image/png", body: "a"},
		"/deep/page/b.png": {status: 302, media: "image/png", body: "/deep/page/a.png"},
		cssPath:            {media: "text/css", body: cssBody},
		"/assets/more.css": {media: "text/css", body: "a{}"},
		fontPath:           {media: "font/woff2", body: fontBody},
	}
}

// wait lets viewers come until done, for half a minute at most.
func (p *Prober) wait(t *testing.T, what string, done func(Probed) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(p.So()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in half a minute; so far %+v", what, p.So())
		}
	}
}

// TestProberSabotage breaks what pages name, in each way: the prober, which
// found nothing before, finds exactly that, once.
func TestProberSabotage(t *testing.T) {
	rows := []struct {
		name     string
		sabotage func(*stage)
		want     []Broken
	}{
		{"nothing", func(*stage) {}, nil},
		{"a style sheet is gone", func(s *stage) { s.drop(cssPath) }, []Broken{{"/", cssPath, "status 404", "Miss from cloudfront"}}},
		{"a style sheet names a font that is gone", func(s *stage) { s.drop(fontPath) }, []Broken{{"/", fontPath, "status 404", "Miss from cloudfront"}}},
		{"an imported style sheet is forbidden", func(s *stage) { s.set("/assets/more.css", answer{403, "text/css", ""}) },
			[]Broken{{"/", "/assets/more.css", "status 403", "Miss from cloudfront"}}},
		{"a module fails", func(s *stage) { s.set("/deep/part.js", answer{500, "text/javascript", ""}) },
			[]Broken{{"/deep/page/", "/deep/part.js", "status 500", "Miss from cloudfront"}}},
		{"an image is redirected to nothing", func(s *stage) { s.set("/deep/page/b.png", answer{302, "", "/nothing"}) },
			[]Broken{{"/deep/page/", "/deep/page/b.png", "status 404", "Miss from cloudfront"}}},
		{"old bytes under a hashed name", func(s *stage) { s.set(fontPath, answer{200, "font/woff2", "old font"}) },
			[]Broken{{"/", fontPath, "other bytes than its name says", "Miss from cloudfront"}}},
		{"other bytes under a plain name", func(s *stage) { s.set("/assets/more.css", answer{200, "text/css", "b{}"}) }, nil},
		{"a page is gone", func(s *stage) { s.drop("/deep/page/") }, nil},
		{"a page fails", func(s *stage) { s.set("/deep/page/", answer{503, "text/html", ""}) },
			[]Broken{{"/deep/page/", "", "status 503", "Miss from cloudfront"}}},
		{"a page names what was never there", func(s *stage) { s.set("/deep/page/", answer{200, "text/html", `<img src="x.png">`}) },
			[]Broken{{"/deep/page/", "/deep/page/x.png", "status 404", "Miss from cloudfront"}}},
		{"a page names what is no URL", func(s *stage) { s.set("/deep/page/", answer{200, "text/html", `<img src="%zz">`}) },
			[]Broken{{"/deep/page/", "%zz", "it is no URL", ""}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, probeSite())
			r := &recorder{TB: t}
			p := Probe(r, s.URL, 3, nil)
			p.wait(t, "probe the whole site", func(n Probed) bool { return n.Pages > 20 && n.Gone > 10 && n.References > 60 })
			if found := p.So().Broken; len(found) > 0 {
				t.Errorf("found in a site in order: %v", found)
			}
			row.sabotage(s)
			before := p.So()
			p.wait(t, "probe again", func(n Probed) bool { return n.Pages > before.Pages+20 && n.Gone > before.Gone+10 })
			found := p.Stop()
			if diff := cmp.Diff(found.Broken, row.want, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("broken (-got +want):\n%s", diff)
			}
			if p.Stop(); len(r.errors) != len(row.want) {
				t.Errorf("reported to the test: %q", r.errors)
			}
			for _, msg := range r.errors {
				if !strings.HasPrefix(msg, "P3: "+row.want[0].Page) {
					t.Errorf("reported %q", msg)
				}
			}
		})
	}
}

// A server that goes away is a page that fails, not silence.
func TestProberWithoutServer(t *testing.T) {
	t.Parallel()
	s := newStage(t, probeSite())
	s.Close()
	p := Probe(&recorder{TB: t}, s.URL, 2, func() []string { return []string{"/", "/deep/page/"} })
	p.wait(t, "two broken pages", func(n Probed) bool { return len(n.Broken) == 2 })
	if found := p.Stop(); found.Pages != 0 || !strings.Contains(found.Broken[0].Why, "refused") {
		t.Errorf("found %+v", found)
	}
}

func TestProberLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := newStage(t, probeSite())
	p := Probe(t, s.URL, 3, nil)
	p.wait(t, "some pages", func(n Probed) bool { return n.Pages > 5 })
	p.Stop()
	s.Close()
	if a, b := p.So(), p.Stop(); a.Pages != b.Pages {
		t.Errorf("pages were probed after Stop: %d, then %d", a.Pages, b.Pages)
	}
}

// The edge, and a publisher who deletes an asset too early.
func TestProberAtTheEdge(t *testing.T) {
	t.Parallel()
	e := New(t)
	r := &recorder{TB: t}
	p := Probe(r, e.Info().Edge, 2, nil)
	p.wait(t, "an edge without a site", func(n Probed) bool { return n.Gone > 5 })
	old, now := named("a.%s.css", "a{}"), named("a.%s.css", "b{}")
	e.Write(map[string]string{"index.html": `<link rel=stylesheet href=` + old + `><a href=b/>`, old: "a{}", "b/index.html": html()})
	e.MustDeploy()
	e.Write(map[string]string{"index.html": `<link rel=stylesheet href=` + now + `><a href=b/>`, now: "b{}"})
	e.MustDeploy()
	p.wait(t, "both versions", func(n Probed) bool { return n.Pages > 100 })
	if found := p.So().Broken; len(found) > 0 {
		t.Errorf("two good deploys broke %v", found)
	}
	if err := e.Bucket().Delete(context.Background(), []site.Key{site.Key(now)}); err != nil {
		t.Fatal(err)
	}
	e.purge("/*")
	p.wait(t, "the missing style sheet", func(n Probed) bool { return len(n.Broken) > 0 })
	if found := p.Stop(); len(found.Broken) != 1 || !strings.Contains(r.errors[0], "P3: / names /"+now+": status 404 (X-Cache: Error from cloudfront)") {
		t.Errorf("reported %q", r.errors)
	}
}

func TestReferences(t *testing.T) {
	rows := []struct {
		name, media, body string
		want              references
	}{
		{"links by type", "text/html", `<link rel="stylesheet" href="a.css"><LINK REL='Shortcut Icon' HREF='i.ico'><link rel=preload as=font href=f.woff2>
			<link rel="modulepreload" href="m.js"><link rel=canonical href="/c"><link rel=alternate href="feed.xml"><link rel=manifest href=site.webmanifest>`,
			references{assets: []string{"a.css", "f.woff2", "i.ico", "m.js", "site.webmanifest"}}},
		{"embedded content", "text/html", "<img\n alt='a > b' src=\"a.png\"/><video poster=p.jpg src=v.mp4><source src=w.webm><track src=t.vtt></video><audio src=a.ogg></audio><object data=o.svg></object><embed src=e.svg><svg><image href=s.png></svg>",
			references{assets: []string{"a.ogg", "a.png", "e.svg", "o.svg", "p.jpg", "s.png", "t.vtt", "v.mp4", "w.webm"}}},
		{"srcset", "text/html", `<img srcset="a.png 1x,b.png 2x"><source srcset="  c,d.png 100w,  e.png , f.png,"><link rel=preload imagesrcset="g.png">`,
			references{assets: []string{"a.png", "b.png", "c,d.png", "e.png", "f.png", "g.png"}}},
		{"styles inside a page", "text/html", `<style media=x>a{background:url("a.png")}</style><p style="background:url('b.png')">`,
			references{assets: []string{"a.png", "b.png"}}},
		{"scripts inside a page", "text/html", `<script type=module>import "./a.js"; document.write('<img src="no.png">')</script><script src="/b.js" defer></script>`,
			references{assets: []string{"./a.js", "/b.js"}}},
		{"pages", "text/html", `<a class=x href="/a/?q=1&amp;r=2#h">x</a><area href=b.html><iframe src=c.html></iframe><a href="#top">x</a><a>x</a>`,
			references{pages: []string{"/a/?q=1&r=2", "b.html", "c.html"}}},
		{"comments", "text/html", `<!-- <img src=a.png> --><img src=b.png>`, references{assets: []string{"b.png"}}},
		{"a style sheet", "text/css", `@import "a.css"; @import url(b.css) screen; /* url(no.png) */ a{background:url( "c d.png" ),url('e.png'),url(f.png);mask:url(#id)}`,
			references{assets: []string{"a.css", "b.css", "c d.png", "e.png", "f.png"}}},
		{"a module", "application/javascript", `import a from "./a.js"; import {b} from '../b.js'; export * from "/c.js"; const d = await import("./d.js"); import "react"; import"./e.js"`,
			references{assets: []string{"../b.js", "./a.js", "./d.js", "./e.js", "/c.js"}}},
		{"anything else", "image/svg+xml", `<image href="a.png"/>`, references{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := referencesOf(row.media, row.body)
			for i, p := range got.pages {
				got.pages[i], _, _ = strings.Cut(p, "#")
			}
			if diff := cmp.Diff(got, row.want, cmp.AllowUnexported(references{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("references (-got +want):\n%s", diff)
			}
		})
	}
}

// FuzzReferences: whatever a page says, reading it ends, and what it names is
// one trimmed text.
func FuzzReferences(f *testing.F) {
	for _, body := range []string{
		`<img srcset="a 1x,b 2x, ,">`, `<script>`, `<style>@import url('`, `<link rel=icon href="`, `<a href=" x ">`, `<img srcset=",,,">`, `import("./a`, `/*`,
	} {
		f.Add("text/html", body)
		f.Add("text/css", body)
		f.Add("text/javascript", body)
	}
	f.Fuzz(func(t *testing.T, media, body string) {
		got := referencesOf(media, body)
		for _, ref := range append(got.assets, got.pages...) {
			if ref == "" || ref != strings.TrimSpace(ref) {
				t.Errorf("%s %q names %q", media, body, ref)
			}
		}
	})
}
