package testenv_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/freshet/freshet/internal/testenv"
)

// The embedded distribution compresses. Deploys verify the bytes all the same, and reach what is cached in every coding.
func TestDeployWithCompression(t *testing.T) {
	e := testenv.New(t)
	before := with(blog(), "about.html", page("about "+strings.Repeat("the thaw ", 2000), "/"))
	after := with(before, "about.html", page("about "+strings.Repeat("the frost ", 2000), "/"))
	for _, files := range []map[string]string{before, after} {
		if res := publish(t, e, files); res.Verified.Checked == 0 || res.Verified.Checked != res.Verified.Of || len(res.Verified.Stale) > 0 {
			t.Errorf("verified %+v", res.Verified)
		}
		for _, want := range []string{"Miss from cloudfront", "Hit from cloudfront"} {
			got, result := brotlied(t, e.Info().Edge+"/about.html")
			if got != files["about.html"] || result != want {
				t.Errorf("a viewer who takes br sees %d bytes by %q, want the %d of the live page by %q", len(got), result, len(files["about.html"]), want)
			}
		}
	}
}

// brotlied is what a viewer who takes br sees, and X-Cache.
func brotlied(t *testing.T, url string) (body, result string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "br")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if coding := res.Header.Get("Content-Encoding"); coding != "br" {
		t.Errorf("%s has the coding %q", url, coding)
	}
	text, err := io.ReadAll(brotli.NewReader(res.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), res.Header.Get("X-Cache")
}
