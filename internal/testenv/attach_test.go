package testenv

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/site"
)

// elsewhere is a cloud that announces itself, as one in another process does.
func elsewhere(t *testing.T, dir string) (stop func()) {
	t.Helper()
	c, err := cloud.Start(context.Background(), cloud.Options{
		Dir: dir, Addresses: cloud.Addresses{S3: "127.0.0.1:0", Control: "127.0.0.1:0", Edge: "127.0.0.1:0"}, Announce: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := c.Close(); err != nil {
			t.Errorf("close the cloud: %v", err)
		}
	}
}

// publisher deploys e's folder as somebody else and gives the plan's items.
func publisher(t *testing.T, e *Env, dataDir string) func() []string {
	return func() []string {
		t.Helper()
		other := Attach(t, dataDir)
		other.Dir = e.Dir
		other.MustDeploy()
		return other.Plan.Purges[0].Cover.Paths()
	}
}

// TestAttached: deploys by somebody else are checked like one's own, and every
// promise that is broken on purpose is noticed.
func TestAttached(t *testing.T) {
	rows := []struct {
		name    string
		do      func(e *Env, publish func() []string)
		promise string // how the report begins, "" for none
		text    string
	}{
		{"all is well", func(e *Env, publish func() []string) {
			e.change("old/index.html", "", "new/index.html", html(), "main.css", "b{}")
			e.Ran(publish(), nil)
		}, "", ""},
		{"nothing was published", func(e *Env, _ func() []string) {
			e.change("main.css", "b{}")
			e.Ran([]string{"/main.css"}, nil)
		}, "P1", "/main.css answers 200"},
		{"nothing was published, but the run says that it failed", func(e *Env, _ func() []string) {
			e.change("main.css", "b{}")
			e.Ran([]string{"/main.css"}, errors.New("killed"))
		}, "", ""},
		{"more was invalidated than was planned", func(e *Env, publish func() []string) {
			e.change("main.css", "b{}")
			publish()
			e.Ran([]string{"/x"}, nil)
		}, "P2", "is on no plan"},
		{"less was invalidated than was planned", func(e *Env, publish func() []string) {
			e.change("main.css", "b{}")
			e.Ran(append(publish(), "/x"), nil)
		}, "P2", "1 successful plans had the items"},
		{"a foreign object is lost", func(e *Env, _ func() []string) { e.lose("theirs/x.txt") }, "P6", "theirs/x.txt"},
		{"an unfinished run's page is left", func(e *Env, publish func() []string) {
			e.change("half/index.html", html())
			e.Ran(publish(), errors.New("killed"))
			e.Write(small())
			e.Ran(nil, nil)
		}, "P1", "/half/index.html was removed, but it answers 200"},
		{"an unfinished run's version of a page is left", func(e *Env, publish func() []string) {
			e.change("old/index.html", html("/"))
			e.Ran(publish(), errors.New("killed"))
			e.change("old/index.html", "")
			e.Ran(nil, nil)
		}, "P1", "/old/index.html was removed, but it answers 200"},
		{"an unfinished run's page, which the next run has too", func(e *Env, publish func() []string) {
			e.change("half/index.html", html())
			items := publish()
			e.Ran(items, errors.New("killed"))
			e.Ran(items, nil)
		}, "", ""},
		{"an unfinished run's page, which the next run removes", func(e *Env, publish func() []string) {
			e.change("half/index.html", html())
			e.Ran(publish(), errors.New("killed"))
			e.Write(small())
			e.Ran(publish(), nil)
		}, "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			t.Cleanup(elsewhere(t, dir))
			r := &recorder{TB: t}
			e := Attach(t, dir)
			e.Put("theirs/x.txt", "x", site.Headers{ContentType: "text/plain"})
			publish := publisher(t, e, dir)
			e.Write(small())
			e.Ran(publish(), nil)
			CheckSite(t, e)
			e.Browse()
			row.do(e, publish)
			CheckSite(r, e)
			all := strings.Join(r.errors, "\n")
			if row.promise == "" && all != "" {
				t.Errorf("CheckSite reports on a site in order:\n%s", all)
			}
			if !strings.Contains(all, row.text) || !strings.Contains("\n"+all, "\n"+row.promise) {
				t.Errorf("CheckSite does not report %s %q, but:\n%s", row.promise, row.text, all)
			}
		})
	}
}

// A cloud that starts anew is found again, and what its edge forgot is no
// broken promise.
func TestReattach(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := elsewhere(t, dir)
	e := Attach(t, dir)
	e.Write(small())
	e.Ran(publisher(t, e, dir)(), nil)
	CheckSite(t, e)
	e.Browse()
	stop()
	t.Cleanup(elsewhere(t, dir))
	e.Reattach(dir)
	CheckSite(t, e)
}

// What a warm edge hides is seen at a cold one.
func TestColdEdge(t *testing.T) {
	t.Parallel()
	e := New(t)
	e.Write(small())
	e.MustDeploy()
	CheckSite(t, e) // fills the edge
	r := &recorder{TB: t}
	p := Probe(r, e.ColdEdge(), 2, nil)
	p.wait(t, "the whole site", func(n Probed) bool { return n.Pages > 20 })
	if found := p.So().Broken; len(found) > 0 {
		t.Errorf("found in a site in order: %v", found)
	}
	e.change("index.html", `<link rel=stylesheet href="new.css">`) // and the style sheet is forgotten
	e.MustDeploy()
	p.wait(t, "the missing style sheet", func(n Probed) bool { return len(n.Broken) > 0 })
	if p.Stop(); len(r.errors) != 1 || r.errors[0] != "P3: / names /new.css: status 404 (X-Cache: )" {
		t.Errorf("reported %q", r.errors)
	}
	for path, want := range map[string]int{"/about": 200, "/about/": 200, "/about/index.html": 200, "/nothing": 404, "/img/a%20b.png": 200} {
		res, err := http.Get(e.ColdEdge() + path)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, res.StatusCode, want)
		}
	}
}

// lose deletes a foreign object without telling e.
func (e *Env) lose(key site.Key) {
	if err := e.Bucket().Delete(context.Background(), []site.Key{key}); err != nil {
		e.tb.Fatal(err)
	}
}
