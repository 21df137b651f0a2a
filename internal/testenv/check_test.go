package testenv

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/site"
)

// recorder is a testing.TB that remembers errors instead of failing.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func html(links ...string) string {
	body := "<!doctype html><title>page</title>"
	for _, l := range links {
		body += `<a href="` + l + `">x</a>`
	}
	return body
}

func small() map[string]string {
	return map[string]string{
		"index.html": html("/about/", "main.css", "https://elsewhere.example/"), "about/index.html": html("../", "../main.css"),
		"old/index.html": html(), "main.css": "a{}", "feed.xml": "<feed/>", "img/a b.png": "png",
	}
}

// TestSabotage breaks each promise on purpose: CheckSite must notice, and must
// name the promise. Before that the same site must be found to be in order.
func TestSabotage(t *testing.T) {
	css := site.Headers{ContentType: "text/css; charset=utf-8", CacheControl: "public, max-age=0, s-maxage=31536000"}
	rows := []struct {
		name     string
		sabotage func(e *Env)
		promise  string
		text     string
	}{
		{"nothing is broken", func(*Env) {}, "", ""},
		{"an object is written behind freshet's back, and purged", func(e *Env) {
			e.write("main.css", "b{}", css)
			e.purge("/main.css")
		}, "P1", "/main.css answers 200"},
		{"another type behind freshet's back, and a purge", func(e *Env) {
			e.write("main.css", "a{}", site.Headers{ContentType: "text/plain", CacheControl: css.CacheControl})
			e.purge("/main.css")
		}, "P1", `Content-Type: "text/plain"`},
		{"a page is deleted and purged", func(e *Env) {
			e.Delete("about/index.html")
			e.purge("/about*")
		}, "P1", "/about/ answers 404"},
		{"a removed page is still cached", func(e *Env) {
			e.alter = func(p *plan.Plan) { cutShort(p) } // drops all but one item
			e.redeploy("old/index.html", "", "feed.xml", "<feed>2</feed>")
		}, "P1", "was removed, but it answers 200"},
		{"an item of the plan was not sent", func(e *Env) {
			e.alter = func(p *plan.Plan) { cutShort(p) }
			e.redeploy("main.css", "b{}", "feed.xml", "<feed>2</feed>")
		}, "P2", "1 successful plans had the items"},
		{"an edited page is still cached", func(e *Env) {
			e.alter = func(p *plan.Plan) { cutShort(p) }
			e.redeploy("main.css", "b{}", "feed.xml", "<feed>2</feed>")
		}, "P1", "/main.css answers 200"},
		{"somebody purges what is on no plan", func(e *Env) { e.purge("/feed.xml") }, "P2", "is on no plan"},
		{"what is cached was thrown out", func(e *Env) { e.purge("/img/*") }, "P2", `/img/a%20b.png was cached and no plan covers it, but the edge answers "`},
		{"an asset is deleted", func(e *Env) {
			e.Delete("main.css")
			e.purge("/main.css")
		}, "P3", "/about/index.html names ../main.css, which answers 404"},
		{"a journal is left", func(e *Env) {
			e.Fault = func(c Call) Outcome {
				if c.Invalidates() {
					return Deny
				}
				return Pass
			}
			e.redeployBroken("main.css", "b{}")
			e.lastErr = nil // as if the run had not said so
		}, "P4", "the journal of release r2-"},
		{"a foreign object is overwritten", func(e *Env) { e.write("theirs/x.txt", "!", site.Headers{ContentType: "text/plain"}) }, "P6", "theirs/x.txt is now"},
		{"a foreign object loses a header", func(e *Env) { e.write("theirs/x.txt", "x", site.Headers{ContentType: "text/html"}) }, "P6", "theirs/x.txt is now"},
		{"a foreign object is deleted", func(e *Env) {
			if err := e.Bucket().Delete(context.Background(), []site.Key{"theirs/x.txt"}); err != nil {
				e.tb.Fatal(err)
			}
		}, "P6", "not found"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := New(t)
			e.Put("theirs/x.txt", "x", site.Headers{ContentType: "text/plain"})
			e.Write(small())
			e.MustDeploy()
			CheckSite(t, e)
			e.Browse()
			row.sabotage(e)
			r := &recorder{TB: t}
			CheckSite(r, e)
			all := strings.Join(r.errors, "\n")
			if row.promise == "" && all != "" {
				t.Errorf("CheckSite reports on a site in order:\n%s", all)
			}
			for _, msg := range r.errors {
				if strings.HasPrefix(msg, row.promise+": ") && strings.Contains(msg, row.text) {
					return
				}
			}
			if row.promise != "" {
				t.Errorf("CheckSite does not report %s %q, but:\n%s", row.promise, row.text, all)
			}
		})
	}
}

// TestSabotageByTag: a tag that no plan has sent throws out what is cached, and
// CheckSite notices; one that a plan has sent may.
func TestSabotageByTag(t *testing.T) {
	t.Parallel()
	e := New(t)
	e.EnableTags("x-amz-meta-cache-tag")
	e.Write(small())
	e.MustDeploy()
	CheckSite(t, e)
	e.Browse()
	if got := e.Get("/img/a%20b.png").Header.Get("X-Amz-Meta-Cache-Tag"); !strings.HasPrefix(got, "fr.asset,fr.asset.") {
		t.Fatalf("the image carries the tags %q", got)
	}
	e.purge("#fr.asset")
	r := &recorder{TB: t}
	CheckSite(r, e)
	all := strings.Join(r.errors, "\n")
	for _, want := range []string{"of [#fr.asset] is on no plan", "P2: /img/a%20b.png was cached and no plan covers it"} {
		if !strings.Contains(all, want) {
			t.Errorf("CheckSite does not report %q, but:\n%s", want, all)
		}
	}
	if strings.Contains(all, "/about/") {
		t.Errorf("CheckSite reports a page, which carries another tag:\n%s", all)
	}
}

// cutShort leaves only the first item of a plan to be sent.
func cutShort(p *plan.Plan) { p.Purges[0].Cover.Items = p.Purges[0].Cover.Items[:1] }

// write is Put by somebody who pays no attention.
func (e *Env) write(key, body string, h site.Headers) {
	if _, err := e.Bucket().Put(context.Background(), newPut(site.Key(key), body, h)); err != nil {
		e.tb.Fatal(err)
	}
}

// purge invalidates as somebody else, and waits.
func (e *Env) purge(items ...string) {
	inv, err := e.CDN().Invalidate(context.Background(), e.shared.info.Distribution, fmt.Sprint("else-", items), items)
	for err == nil && inv.Status != "Completed" {
		inv, err = e.CDN().Invalidation(context.Background(), e.shared.info.Distribution, inv.ID)
	}
	if err != nil {
		e.tb.Fatal(err)
	}
}

func (e *Env) change(pairs ...string) {
	files := small()
	for i := 0; i < len(pairs); i += 2 {
		if files[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(files, pairs[i])
		}
	}
	e.Write(files)
}

func (e *Env) redeploy(pairs ...string) {
	e.change(pairs...)
	e.MustDeploy()
}

func (e *Env) redeployBroken(pairs ...string) {
	e.change(pairs...)
	if _, err := e.Deploy(); err == nil {
		e.tb.Fatal("the deploy did not fail")
	}
}
