package testenv_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/plan"
	"github.com/freshet/freshet/internal/testenv"
)

const tagHeader = "x-amz-meta-cache-tag"

// album is a site of n pages in two folders, each beside an image.
func album(n int, theme string) map[string]string {
	out := map[string]string{"index.html": page("home " + theme), "robots.txt": "all"}
	for i := range n {
		name := fmt.Sprintf("%s/p%02d", []string{"posts", "notes"}[i%2], i)
		out[name+"/index.html"], out[name+"/photo.png"] = page(theme, "photo.png"), "png"
	}
	return out
}

// Tags are switched on for a distribution that is in use. Nothing happens until
// something is written; then a theme change is one tag, and not one image
// leaves the cache.
func TestCacheTags(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Spending = plan.Spending{Budget: 100} // naming 61 URLs would be dear
	publish(t, e, album(20, "plain"))
	e.Browse()
	e.EnableTags(tagHeader)
	if res := publish(t, e, album(20, "plain")); res.Changed {
		t.Errorf("switching tags on made the plan %s with %v", counts(e), items(res))
	}
	e.Browse()
	res := publish(t, e, album(20, "first theme"))
	if strings.Contains(strings.Join(items(res), " "), "#") || counts(e) != "21 update" {
		t.Errorf("what is cached carries no tags, yet %v is sent for %s", items(res), counts(e))
	}
	for _, path := range []string{"/posts/p00/", "/robots.txt"} {
		want := path == "/posts/p00/"
		if got := e.Get(path).Header.Get(tagHeader); (got != "") != want {
			t.Errorf("%s answers with the tags %q", path, got)
		}
	}
	e.Browse()
	res = publish(t, e, album(20, "second theme"))
	if diff := cmp.Diff(items(res), []string{"#fr.page"}); diff != "" {
		t.Errorf("items (-got +want):\n%s", diff)
	}
	if drops, _ := e.Plan.Drops(); drops != 0 {
		t.Errorf("the plan drops %d objects", drops)
	}
	e.Browse()
	half := album(20, "second theme")
	for name := range half {
		if strings.HasPrefix(name, "posts/") && strings.HasSuffix(name, ".html") {
			half[name] = page("third theme", "photo.png")
		}
	}
	res = publish(t, e, half)
	if got := items(res); len(got) != 1 || !strings.HasPrefix(got[0], "#fr.page.") {
		t.Errorf("items %v, want the pages of one folder", got)
	}
	e.Browse()
	if got := e.Get("/notes/p01/"); got.Status != http.StatusOK || !got.Hit() {
		t.Errorf("/notes/p01/ answers %d, X-Cache: %s", got.Status, got.Header.Get("X-Cache"))
	}
}

// With tags and little to spend, runs are killed and finished by other machines.
func TestCacheTagsInterrupted(t *testing.T) {
	for _, outcome := range []testenv.Outcome{testenv.Kill, testenv.KillLate} {
		t.Run(fmt.Sprint("late ", outcome == testenv.KillLate), func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			e.Spending = plan.Spending{Budget: 20}
			publish(t, e, album(6, "plain"))
			e.EnableTags(tagHeader)
			for n := 5; n < 40; n += 3 {
				e.Browse()
				e.Write(album(6, fmt.Sprint("theme ", n)))
				e.Fault = func(c testenv.Call) testenv.Outcome {
					if c.N == n {
						return outcome
					}
					return testenv.Pass
				}
				_, _ = e.Deploy() // the last ones outlive the fault
				testenv.CheckSite(t, e)
				e.Browse()
				e.Fault = nil
				publish(t, e, album(6, fmt.Sprint("other theme ", n)))
			}
		})
	}
}
