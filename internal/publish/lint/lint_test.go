package lint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/lint"
	"github.com/freshet/freshet/internal/site"
)

// object has the media type of its ending.
func object(key string, size int64) site.Object {
	media := "image/png"
	switch {
	case strings.HasSuffix(key, ".html"):
		media = "text/html; charset=utf-8"
	case strings.HasSuffix(key, ".css"):
		media = "text/css; charset=utf-8"
	}
	return site.Object{Key: site.Key(key), Size: size, Headers: site.Share(site.Headers{ContentType: media})}
}

func manifest(t testing.TB, keys ...string) site.Manifest {
	t.Helper()
	var objects []site.Object
	for _, k := range keys {
		objects = append(objects, object(k, 1))
	}
	m, err := site.NewManifest(objects)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// plainFolders is a distribution without a function: folders are not answered.
func plainFolders(k site.Key) []site.URLPath { return []site.URLPath{k.URLPath()} }

var keys = []string{
	"index.html", "a.html", "docs/index.html", "docs/b.html", "css/main.css", "css/more.css", "img/Logo.png", "img/a b.png", "img/é.png", "fonts/f.png",
}

func TestPage(t *testing.T) {
	hosts := lint.Options{Hosts: []string{"www.example.org"}}
	rows := []struct {
		name string
		opts lint.Options
		key  string
		text string
		want []string // "kind path line near"
	}{
		{"what is there", hosts, "docs/b.html", `<a href="../a.html#x"> <a href=/docs/> <a href='/docs'> <a href="./"> <a href=".."> <a href="index.html?x=1">
			<img src="/img/a%20b.png"><img src="/img/a b.png"><img src="../img/é.png"><img src="/img/%C3%A9.png"> <a href="https://WWW.example.org/a.html"> <a href="//www.example.org">`, nil},
		{"what is not", hosts, "docs/b.html", "<a href=gone.html>\n<img src=/img/gone.png>\n<a href='https://www.example.org/x/'>", []string{
			"asset /img/gone.png 2", "link /docs/gone.html 1", "link /x/ 3"}},
		{"another case", hosts, "a.html", `<img src="img/logo.png"><a href="/Docs/">`, []string{"case /Docs/ 1 docs/index.html", "case /img/logo.png 1 img/Logo.png"}},
		{"every element", hosts, "a.html", `<link rel="shortcut icon" href=1.ico><link rel=stylesheet href=2.css><script src=3.js></script><source src=4.webm>
			<video src=5.mp4 poster=6.png></video><audio src=7.mp3><object data=8.svg></object><input type=image src=9.png><svg><use xlink:href="10.svg#i"></svg>
			<iframe src=11.html></iframe><area href=12.html><link rel=alternate href=13.xml><p style="background:url(14.png)"><style>b{background:url('15.png')}</style><link rel="alternate stylesheet" href=16.css>`,
			[]string{"asset /1.ico 1", "asset /10.svg 2", "asset /14.png 3", "asset /15.png 3", "asset /2.css 1", "asset /3.js 1", "asset /4.webm 1", "asset /5.mp4 2",
				"asset /6.png 2", "asset /7.mp3 2", "asset /8.svg 2", "asset /9.png 2", "link /11.html 3", "link /12.html 3", "link /13.xml 3", "link /16.css 3"}},
		{"srcset", hosts, "a.html", `<img srcset="a1.png 1x, a2.png 2x,a3.png, /img/Logo.png 4x"><source srcset=a4.png>`,
			[]string{"asset /a1.png 1", "asset /a2.png 1", "asset /a3.png 1", "asset /a4.png 1"}},
		{"nobody's business", hosts, "a.html", `<a href="#x"><a href=""><a href="?q"><a href="mailto:x@y"><a href="javascript:void(0)"><a href="tel:1"><img src="data:image/png;base64,x">
			<a href="http://other.org/x"><a href="//other.org/x"><a href="{{ url }}"><a href="${x}"><a href="<%= x %>"><a href="\x"><a href="%zz">
			<!-- <a href=gone1> --><script>var x = '<a href="gone2">'</script><template><a href=gone3></template><textarea><a href=gone4></textarea>
			<link rel=canonical href=/gone5><link rel=preconnect href=/gone6><form action=/gone7><img data-src=gone8.png><a name=x title="<a href=gone9>">`, nil},
		{"broken off", hosts, "a.html", `<a href="gone`, nil},
		{"entities", hosts, "a.html", `<a href="/x&amp;y&#x2F;z">`, []string{"link /x&y/z 1"}},
		{"a base", hosts, "a.html", `<base href="/docs/"><a href="b.html"><a href="a.html">`, []string{"link /docs/a.html 1"}},
		{"a base elsewhere", hosts, "a.html", `<base href="https://other.org/"><a href="gone.html"><img src="/gone.png">`, nil},
		{"above the top", hosts, "docs/b.html", `<a href="../../../a.html"><a href="../../gone.html">`, []string{"link /gone.html 1"}},
		{"folders that nothing answers", lint.Options{URLs: plainFolders}, "a.html", `<a href="/"><a href="docs/"><a href="/docs"><a href=/docs/index.html>`,
			[]string{"folder /docs 1 docs/index.html", "folder /docs/ 1 docs/index.html"}},
		{"clean URLs that nothing answers", hosts, "index.html", `<a href="/a">`, []string{"link /a 1 a.html"}},
		{"clean URLs that may be answered", lint.Options{Clean: true}, "index.html", `<a href="/a"><a href="/gone">`, []string{"link /gone 1"}},
		{"an application", lint.Options{Fallback: true}, "index.html", `<a href="/users/1"><script src="/app.js"></script>`, []string{"asset /app.js 1"}},
		{"another origin", lint.Options{Elsewhere: func(p site.URLPath) bool { return strings.HasPrefix(string(p), "/api/") }}, "index.html",
			`<a href="/api/x"><img src="/api/y.png"><a href="/apix">`, []string{"link /apix 1"}},
		{"a style sheet", hosts, "css/main.css", "/* url(gone.png) */ @import 'more.css'; @import \"less.css\";\n@import url(least.css);\n" +
			`a { background: url(../img/Logo.png) } b { src: url( "../fonts/gone.woff" ) format("woff"), url('../fonts/f.png') } c { content: "url(no.png)" } d { x: my-url(no.png); fill: url(#g) }`,
			[]string{"asset /css/least.css 2", "asset /css/less.css 1", "asset /fonts/gone.woff 3"}},
		{"another type", hosts, "img/Logo.png", `<a href=gone>`, nil},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s := lint.New(manifest(t, keys...), r.opts)
			var got []string
			for _, p := range lint.Merge([][]lint.Hit{s.Page(object(r.key, 1), []byte(r.text))}) {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", p.Kind, p.Path, p.Line, p.Near)))
			}
			if diff := cmp.Diff(got, r.want); diff != "" {
				t.Errorf("problems (-got +want):\n%s", diff)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	got := lint.Merge([][]lint.Hit{
		{{lint.BrokenAsset, "c.html", 7, "/x.png", ""}, {lint.BrokenLink, "c.html", 8, "/y", ""}},
		{{lint.BrokenAsset, "a.html", 3, "/x.png", ""}},
		{{lint.BrokenAsset, "b.html", 1, "/a.png", ""}},
	})
	want := []lint.Problem{
		{Kind: lint.BrokenAsset, Path: "/x.png", First: "a.html", Line: 3, Pages: 2},
		{Kind: lint.BrokenAsset, Path: "/a.png", First: "b.html", Line: 1, Pages: 1},
		{Kind: lint.BrokenLink, Path: "/y", First: "c.html", Line: 8, Pages: 1},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("Merge (-got +want):\n%s", diff)
	}
}

func TestKeys(t *testing.T) {
	objects := []site.Object{object("big.bin", lint.LargeBytes+1), object("huge.bin", lint.MaxBytes+1), object("A.html", 1), object("a.html", 1),
		object("js/run.js", 1), object("js/run~main.js", 1), object("just.bin", lint.LargeBytes)}
	m, err := site.NewManifest(objects)
	if err != nil {
		t.Fatal(err)
	}
	want := []lint.Problem{
		{Kind: lint.NoIndex, Key: "index.html"},
		{Kind: lint.Large, Key: "big.bin", Bytes: lint.LargeBytes + 1},
		{Kind: lint.TooLarge, Key: "huge.bin", Bytes: lint.MaxBytes + 1},
		{Kind: lint.Twins, Key: "a.html", Near: "A.html"},
		{Kind: lint.Unnameable, Key: "js/run~main.js", Near: "/js/run*", Drops: 1},
	}
	if diff := cmp.Diff(lint.New(m, lint.Options{}).Keys(), want); diff != "" {
		t.Errorf("Keys (-got +want):\n%s", diff)
	}
	if got := lint.New(manifest(t, keys...), lint.Options{}).Keys(); len(got) != 0 {
		t.Errorf("a good site has %+v", got)
	}
}

// FuzzPage: no page makes it fail, and every line that is named is there.
func FuzzPage(f *testing.F) {
	for _, text := range []string{`<a href="x">`, `<img srcset="a 1x,b">`, "<style>@import 'x';a{b:url(c)}</style>", "<!--", "<a href='", "<a =b=c/>", "</", "<script></SCRIPT><a href=y>", "<base href=//x><a href=/../..>", "<a href=%%>", "<a href=&#0;>"} {
		f.Add(text)
	}
	m := manifest(f, keys...)
	f.Fuzz(func(t *testing.T, text string) {
		s := lint.New(m, lint.Options{})
		for _, key := range []string{"docs/b.html", "css/main.css"} {
			for _, h := range s.Page(object(key, 1), []byte(text)) {
				if h.Line < 1 || h.Line > 1+strings.Count(text, "\n") || !strings.HasPrefix(h.Path, "/") {
					t.Errorf("%+v", h)
				}
			}
		}
	})
}

// BenchmarkSite looks through 2,000 pages of 20 KB with 150 references each.
func BenchmarkSite(b *testing.B) {
	var names []string
	var text strings.Builder
	for i := range 2000 {
		names = append(names, fmt.Sprintf("posts/%d/index.html", i))
	}
	for i := range 150 {
		fmt.Fprintf(&text, "<p class=\"text\" id=p%d>Some words of a page, which is longer than its links are.</p>\n<a class=link href=\"/posts/%d/\" title='a title'>there</a> <img alt=x src=\"../../img/%d.png\">", i, i, i)
	}
	page := []byte(text.String())
	m := manifest(b, names...)
	b.SetBytes(int64(len(page) * len(names)))
	for b.Loop() {
		s := lint.New(m, lint.Options{})
		pages := make([][]lint.Hit, 0, m.Len())
		for _, o := range m.Objects() {
			pages = append(pages, s.Page(o, page))
		}
		if got := lint.Merge(pages); len(got) != 150 {
			b.Fatalf("%d problems", len(got))
		}
	}
}
