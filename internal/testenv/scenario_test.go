package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/site"
	"github.com/freshet/freshet/internal/testenv"
)

func page(text string, links ...string) string {
	body := "<!doctype html><title>" + text + "</title><p>" + text
	for _, l := range links {
		body += `<a href="` + l + `">` + l + `</a>`
	}
	return body
}

func blog() map[string]string {
	return map[string]string{
		"index.html":                 page("home", "posts/2026/thaw/", "about.html", "assets/site.3f2a9c1b.css", "https://elsewhere.example/", "mailto:a@b.c", "#top"),
		"about.html":                 page("about", "/", "assets/print.css"),
		"404.html":                   page("not found", "/"),
		"posts/2026/thaw/index.html": page("thaw", "/assets/site.3f2a9c1b.css", "../ice/"),
		"posts/2026/ice/index.html":  page("ice", "../../../img/map%20of%20ice.svg"),
		"assets/site.3f2a9c1b.css":   "body{}",
		"assets/print.css":           "@page{}",
		"img/map of ice.svg":         "<svg/>",
		"feed.xml":                   "<feed/>",
		"files/notes.txt":            "notes",
		".well-known/security.txt":   "Contact: a@b.c",
		"tags/snow/index.html":       page("snow", "/posts/2026/thaw/"),
	}
}

func with(base map[string]string, pairs ...string) map[string]string {
	out := maps.Clone(base)
	for i := 0; i < len(pairs); i += 2 {
		if out[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(out, pairs[i])
		}
	}
	return out
}

// publish writes and deploys files, and checks all promises.
func publish(t *testing.T, e *testenv.Env, files map[string]string) deploy.Result {
	t.Helper()
	e.Write(files)
	res := e.MustDeploy()
	testenv.CheckSite(t, e)
	return res
}

// counts are how many steps of each kind the last plan had.
func counts(e *testenv.Env) string {
	var out []string
	for _, op := range []plan.Op{plan.OpAdd, plan.OpUpdate, plan.OpHeaders, plan.OpRemove, plan.OpRetire} {
		if n, _ := e.Plan.Count(op); n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, op))
		}
	}
	return strings.Join(out, ", ")
}

// items are what a deploy sent to the distribution.
func items(res deploy.Result) []string {
	if len(res.Invalidations) == 0 {
		return nil
	}
	return res.Invalidations[0].Items
}

// TestOneChange publishes a site, lets viewers come, changes one thing, and
// asserts exactly what was sent.
func TestOneChange(t *testing.T) {
	noCache := "public, max-age=60"
	rows := []struct {
		name  string
		files map[string]string
		rules []rules.Rule
		steps string
		items []string
	}{
		{"nothing", blog(), nil, "", nil},
		{"an edited page", with(blog(), "posts/2026/thaw/index.html", page("thaw, edited")), nil, "1 update",
			[]string{"/posts/2026/thaw", "/posts/2026/thaw/", "/posts/2026/thaw/index.html"}},
		{"the home page", with(blog(), "index.html", page("home again", "about.html")), nil, "1 update", []string{"/", "/index.html"}},
		{"the page for what is missing", with(blog(), "404.html", page("gone fishing")), nil, "1 update", []string{"/404.html"}},
		{"a new page", with(blog(), "posts/2026/new/index.html", page("new")), nil, "1 add",
			[]string{"/posts/2026/new", "/posts/2026/new/", "/posts/2026/new/index.html"}},
		{"a header rule", blog(), []rules.Rule{{Match: "assets/print.css", CacheControl: &noCache}}, "1 headers", []string{"/assets/print.css"}},
		{"a removed page", with(blog(), "tags/snow/index.html", ""), nil, "1 remove", []string{"/tags/snow", "/tags/snow/", "/tags/snow/index.html"}},
		{"a removed asset", with(blog(), "files/notes.txt", ""), nil, "1 retire", nil},
		{"a renamed page", with(blog(), "tags/snow/index.html", "", "tags/ice/index.html", page("snow", "/posts/2026/thaw/")), nil, "1 add, 1 remove",
			[]string{"/tags/ice", "/tags/ice/", "/tags/ice/index.html", "/tags/snow", "/tags/snow/", "/tags/snow/index.html"}},
		{"a page becomes a folder", with(blog(), "about.html", "", "about/index.html", page("about"), "index.html", page("home", "about/")), nil, "1 add, 1 update, 1 remove",
			[]string{"/", "/about", "/about.html", "/about/", "/about/index.html", "/index.html"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			publish(t, e, blog())
			e.Get("/posts/2026/new/") // a viewer was too early: the 404 is cached
			e.Browse()
			e.Rules = row.rules
			res := publish(t, e, row.files)
			if got := counts(e); got != row.steps {
				t.Errorf("the plan has %q, want %q", got, row.steps)
			}
			if diff := cmp.Diff(items(res), row.items); diff != "" {
				t.Errorf("items (-got +want):\n%s", diff)
			}
			if drops, _ := e.Plan.Drops(); drops != 0 {
				t.Errorf("the plan drops %d untouched objects", drops)
			}
		})
	}
}

func TestFirstDeploy(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	res := publish(t, e, blog())
	if !cmp.Equal(items(res), []string{"/*"}) || counts(e) != fmt.Sprintf("%d add", len(blog())) {
		t.Errorf("items %v, steps %s", items(res), counts(e))
	}
	again := publish(t, e, blog())
	if again.Changed {
		t.Error("the second deploy changed something")
	}
	if got, err := e.Invalidations(); err != nil || len(got) != 1 {
		t.Errorf("invalidations %v, %v; want one", got, err)
	}
}

// Names as people write them, each linked as browsers need it.
func TestOddNames(t *testing.T) {
	names := map[string]string{
		"a b.html": "a%20b.html", "c++/index.html": "c%2B%2B/", "c#/index.html": "c%23/", "100% snow/index.html": "100%25%20snow/",
		"it's/index.html": "it's/", "js/runtime~main.js": "js/runtime~main.js", "tags/日本語/index.html": "tags/%E6%97%A5%E6%9C%AC%E8%AA%9E/",
		"what?.html": "what%3F.html", "a&b=c;d,e.html": "a&b=c;d,e.html", "(1)!$*.txt": "(1)!$*.txt", "käse.css": "k%C3%A4se.css",
		"a.html": "a.html", "x@y:z.txt": "./x@y:z.txt", `q"q.txt`: "q%22q.txt", "<b>.txt": "%3Cb%3E.txt",
	}
	t.Parallel()
	e := testenv.New(t)
	files := map[string]string{"index.html": page("home", slices.Sorted(maps.Values(names))...), "plain.html": page("plain"), "a": "no dot, so no viewer gets it"}
	for name := range names {
		files[name] = page(name)
	}
	publish(t, e, files)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		e.Browse()
		files[name] = page("second " + name)
		publish(t, e, files)
		if got := counts(e); got != "1 update" {
			t.Errorf("%s: the plan has %q", name, got)
		}
	}
	e.Browse()
	publish(t, e, map[string]string{"index.html": page("home"), "plain.html": page("plain")})
}

// The control API refuses, for a moment or for good; the next run has nothing
// to upload and finishes.
func TestFailedInvalidation(t *testing.T) {
	rows := []struct {
		name    string
		outcome testenv.Outcome
		pending bool
	}{
		{"throttled", testenv.Throttle, true},
		{"denied", testenv.Deny, false},
		{"accepted, but the answer is lost", testenv.Lose, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			publish(t, e, blog())
			e.Browse()
			edited := with(blog(), "about.html", page("edited"), "tags/snow/index.html", "")
			e.Write(edited)
			e.Wait = time.Millisecond
			e.Fault = func(c testenv.Call) testenv.Outcome {
				if c.Invalidates() {
					return row.outcome
				}
				return testenv.Pass
			}
			res, err := e.Deploy()
			if err == nil || errors.Is(err, deploy.ErrPending) != row.pending {
				t.Fatalf("deploy: %v, want pending: %v", err, row.pending)
			}
			testenv.CheckSite(t, e)
			if e.State().Journal == nil {
				t.Fatal("no journal is open")
			}
			e.Wait, e.Fault = 0, nil
			if again := e.MustDeploy(); again.Release != res.Release || counts(e) != "1 remove" {
				t.Errorf("the second run made %s with %q, want %s and nothing to upload", again.Release, counts(e), res.Release)
			}
			testenv.CheckSite(t, e)
		})
	}
}

// The publisher is killed at some requests, and another machine goes on.
func TestInterrupted(t *testing.T) {
	edited := with(blog(), "about.html", page("edited", "assets/site.77ab01cd.css"), "assets/site.77ab01cd.css", "body{color:red}",
		"tags/snow/index.html", "", "feed.xml", "<feed>2</feed>")
	third := with(edited, "about.html", page("third"), "posts/2026/third/index.html", page("third"))
	for name, next := range map[string]map[string]string{"the same site": edited, "the old site": blog(), "a third site": third} {
		for _, outcome := range []testenv.Outcome{testenv.Kill, testenv.KillLate} {
			t.Run(fmt.Sprintf("%s, late %v", name, outcome == testenv.KillLate), func(t *testing.T) {
				t.Parallel()
				e := testenv.New(t)
				e.Put("theirs/x.html", page("theirs"), site.Headers{ContentType: "text/html"})
				publish(t, e, blog())
				for n := 5; ; n += 2 {
					e.Browse()
					e.Write(edited)
					e.Fault = func(c testenv.Call) testenv.Outcome {
						if c.N == n {
							return outcome
						}
						return testenv.Pass
					}
					_, err := e.Deploy()
					testenv.CheckSite(t, e)
					e.Fault = nil
					publish(t, e, next)
					publish(t, e, blog())
					if err == nil {
						return
					}
				}
			})
		}
	}
}

// A bucket that somebody has filled with `aws s3 sync` is adopted: what is
// identical is not sent again, what is not the site's stays.
func TestAdoption(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	set := rules.Set{}
	files := blog()
	for name, body := range files {
		_, h := set.Describe(site.Key(name))
		switch name {
		case "about.html":
			h.CacheControl = "" // the other tool set none
		case "feed.xml":
			body = "<FEED/>" // and this is an older one
		case "index.html":
			continue
		}
		e.Put(name, body, h)
	}
	e.Put("downloads/big.iso", "iso", site.Headers{ContentType: "application/x-iso9660-image"})
	e.Put("old/index.html", page("old"), site.Headers{ContentType: "text/html"})
	for _, path := range []string{"/about.html", "/feed.xml", "/", "/posts/2026/ice/"} {
		e.Get(path)
	}
	publish(t, e, files)
	if got := counts(e); got != "1 add, 1 update, 1 headers" || e.Plan.Foreign != 2 {
		t.Errorf("the plan has %q and %d foreign objects", got, e.Plan.Foreign)
	}
	e.Browse()
	publish(t, e, with(files, "tags/snow/index.html", ""))
	if got := e.Get("/old/"); got.Status != 200 {
		t.Errorf("the foreign page answers %d", got.Status)
	}
}

// Somebody else works in the bucket between two deploys.
func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	publish(t, e, blog())
	e.Browse()
	e.Delete("assets/print.css")
	if _, err := e.Bucket().Copy(context.Background(), remote.Copy{From: "404.html", To: "feed.xml", Headers: site.Headers{ContentType: "text/html"}}); err != nil {
		t.Fatal(err)
	}
	publish(t, e, blog())
	if got := counts(e); got != "1 add, 1 update" {
		t.Errorf("the repair has %q", got)
	}
	// A page that somebody replaces while the site drops it is theirs.
	e.Put("tags/snow/index.html", page("their snow"), site.Headers{ContentType: "text/html"})
	publish(t, e, with(blog(), "tags/snow/index.html", ""))
	if got := e.Get("/tags/snow/"); !strings.Contains(got.Body, "their snow") {
		t.Errorf("/tags/snow/ answers %d %q", got.Status, got.Body)
	}
}

// Two targets in one bucket, one of whose prefixes begins like the other's.
func TestTwoTargets(t *testing.T) {
	t.Parallel()
	base := testenv.New(t)
	live, staging := base.Target("site/"), base.Target("site-staging/")
	small := map[string]string{"index.html": page("home", "a.css", "sub/"), "sub/index.html": page("sub", "../a.css"), "a.css": "a{}", "feed.xml": "<feed/>"}
	publish(t, live, small)
	live.Browse()
	publish(t, staging, small)
	staging.Browse()
	for i := range 3 {
		publish(t, staging, with(small, "index.html", page(fmt.Sprint("staging ", i)), "sub/index.html", ""))
		testenv.CheckSite(t, live)
		live.Browse()
		publish(t, live, with(small, "feed.xml", fmt.Sprint("<feed>", i, "</feed>"), "new~.html", page(fmt.Sprint(i))))
		testenv.CheckSite(t, staging)
		staging.Browse()
	}
}
