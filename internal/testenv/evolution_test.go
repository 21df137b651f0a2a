package testenv_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/publish/rules"
	"github.com/freshet/freshet/internal/testenv"
)

// step is one thing that happens to a site.
type step struct {
	Files  map[string]string
	Rule   string // Cache-Control of the style sheets, "" for the default
	Fault  int    // the request at which the run is killed; 0 for none
	Late   bool
	Browse bool
}

var names = []string{
	"index.html", "a/index.html", "a/b/index.html", "about.html", "it's.html", "日本/index.html", "main.css", "app.3f2a9c1b.js", "pic 1.png", "feed.xml", "c++.txt", "a~b.js",
}

// steps draws twenty of them.
var steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
	s := step{Files: map[string]string{"robots.txt": "User-agent: *"}, Browse: rapid.Bool().Draw(t, "browse")}
	var links []string
	for _, name := range names {
		if rapid.IntRange(0, 3).Draw(t, "has "+name) == 0 {
			continue
		}
		version := rapid.IntRange(1, 2).Draw(t, "version")
		s.Files[name] = fmt.Sprint(name, " version ", version)
		if name == "main.css" || name == "app.3f2a9c1b.js" {
			links = append(links, "/"+name)
		}
	}
	for name, body := range s.Files {
		if len(name) > 5 && name[len(name)-5:] == ".html" {
			s.Files[name] = page(body, links...)
		}
	}
	s.Rule = rapid.SampledFrom([]string{"", "", "public, max-age=31536000"}).Draw(t, "rule")
	if rapid.IntRange(0, 2).Draw(t, "killed") == 0 {
		s.Fault, s.Late = rapid.IntRange(4, 24).Draw(t, "at"), rapid.Bool().Draw(t, "late")
	}
	return s
}), 20, 20)

// TestEvolution lets a site change at random, with runs that are killed at
// random requests, and checks every promise after each step.
func TestEvolution(t *testing.T) {
	for seed := range 4 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			for i, s := range steps.Example(seed) {
				evolve(t, e, s)
				if t.Failed() {
					t.Fatalf("step %d of seed %d: %+v", i, seed, s)
				}
			}
			e.Fault = nil
			e.MustDeploy()
			testenv.CheckSite(t, e)
		})
	}
}

func evolve(t *testing.T, e *testenv.Env, s step) {
	if s.Browse {
		e.Browse()
	}
	e.Rules, e.Fault = nil, nil
	if s.Rule != "" {
		e.Rules = []rules.Rule{{Match: "**/*.css", CacheControl: &s.Rule}}
	}
	if s.Fault > 0 {
		e.Fault = func(c testenv.Call) testenv.Outcome {
			switch {
			case c.N == s.Fault && s.Late:
				return testenv.KillLate
			case c.N == s.Fault:
				return testenv.Kill
			}
			return testenv.Pass
		}
	}
	e.Write(s.Files)
	if _, err := e.Deploy(); err != nil && s.Fault == 0 {
		t.Errorf("deploy: %v", err)
	}
	testenv.CheckSite(t, e)
}
