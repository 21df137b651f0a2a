package console

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge"
)

// hostile is what viewers and publishers may choose for a path or a header.
const hostile = `/"'><script>alert(1)</script><img src=x onerror=alert(2)>`

// The page holds nothing that comes from outside; the answers that hold it are JSON, in which no browser sees markup.
func TestHostileText(t *testing.T) {
	f := newFixture()
	f.cache.objects = []edge.ObjectInfo{{URI: hostile, Variant: hostile, Type: hostile, ETag: hostile, Tags: []string{hostile}}}
	f.invalidations.list = []control.Recent{{ID: hostile, Status: hostile, Reference: hostile, Items: []string{hostile}}}
	f.events.Add(Request{Time: noon, Method: hostile, Path: hostile, Cache: hostile})
	before := newFixture().send(t, "GET", "/").Body.String()
	if got := f.send(t, "GET", "/?q=%22%3E%3Cscript%3E").Body.String(); got != before || strings.Contains(got, "alert") {
		t.Error("the page depends on what is outside")
	}
	for _, target := range []string{"/api/state", "/api/objects", "/api/objects?q=status:%3Cb%3E", "/api/dry?item=%3Cb%3E", "/api/invalidations"} {
		w := f.send(t, "GET", target)
		if w.Header().Get("Content-Type") != "application/json" || strings.Contains(w.Body.String(), "<") {
			t.Errorf("%s has markup: %s", target, w.Body)
		}
	}
}

// Scripts put text in as text: there is no way in that takes markup, and nothing that makes code of text.
func TestScriptsTakeNoMarkup(t *testing.T) {
	found, err := fs.Glob(assets, "assets/*.js")
	if err != nil || len(found) < 5 {
		t.Fatalf("%d scripts, %v", len(found), err)
	}
	for _, name := range found {
		text, err := fs.ReadFile(assets, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, mark := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "createContextualFragment", "javascript:"} {
			if strings.Contains(string(text), mark) {
				t.Errorf("%s uses %s", name, mark)
			}
		}
		if n := strings.Count(string(text), "\n"); n > 500 {
			t.Errorf("%s has %d lines", name, n)
		}
	}
}

// The policy forbids inline code; the page must not need any, nor anything from elsewhere.
func TestPageNeedsNothingElse(t *testing.T) {
	f := newFixture()
	w := f.send(t, "GET", "/")
	page := w.Body.String()
	if w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", w.Header())
	}
	if !strings.Contains(page, "<title>freshet local</title>") || strings.Contains(page, "{{") {
		t.Error("the page does not say what it shows")
	}
	for _, mark := range []string{"<style", " style=", " onclick=", "javascript:", "//cdn", "https://"} {
		if strings.Contains(page, mark) {
			t.Errorf("the page has %s", mark)
		}
	}
	asked := named(page)
	if len(asked) != 3 {
		t.Fatalf("the page names %v", asked)
	}
	for i := 0; i < len(asked); i++ {
		w := f.send(t, "GET", asked[i])
		tag := w.Header().Get("ETag")
		if w.Code != 200 || w.Body.Len() == 0 || tag == "" || strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s answered %d %v", asked[i], w.Code, w.Header())
		}
		if again := f.send(t, "GET", asked[i], "If-None-Match", tag); again.Code != 304 {
			t.Errorf("%s again answered %d, want 304", asked[i], again.Code)
		}
		for _, more := range imported(w.Body.String()) {
			if !slices.Contains(asked, more) {
				asked = append(asked, more)
			}
		}
	}
	all, err := fs.ReadDir(assets, "assets")
	if err != nil || len(asked) != len(all)-1 {
		t.Errorf("the page and its scripts ask for %v, of %d files", asked, len(all))
	}
}

func named(page string) (out []string) {
	for _, one := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(out, one[1]) {
			out = append(out, one[1])
		}
	}
	return out
}

func imported(script string) (out []string) {
	for _, one := range regexp.MustCompile(`from '\./([^']*)'`).FindAllStringSubmatch(script, -1) {
		out = append(out, "/assets/"+one[1])
	}
	return out
}
