//go:build unix

package fleetenv

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
)

// Pages is how many pages an Origin has: /p/0 to /p/299.
const Pages = 300

// Origin is an HTTP server whose pages have versions, from 0 up. Everything may be cached for a day.
type Origin struct {
	server   *httptest.Server
	pages    [Pages]page
	requests atomic.Int64
	whole    atomic.Int64 // answers with a body: those that were no 304
}

type page struct {
	version atomic.Int64 // what the origin answers
	floor   atomic.Int64 // the newest version whose invalidation was seen Completed
}

// NewOrigin starts one.
func NewOrigin() *Origin {
	o := &Origin{}
	o.server = httptest.NewServer(o)
	return o
}

// Close ends it.
func (o *Origin) Close() { o.server.Close() }

// Requests is how many it has answered.
func (o *Origin) Requests() int64 { return o.requests.Load() }

// path is a page's.
func path(n int) string { return "/p/" + strconv.Itoa(n) }

// ServeHTTP answers "PAGE VERSION" and filling, so that a body is more than its head. Before /p/ there may be /vN, the path of a Configurer's origin.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	if o.configured(w, r) {
		return
	}
	n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/p/"))
	if err != nil || n < 0 || n >= Pages {
		http.NotFound(w, r)
		return
	}
	version := o.pages[n].version.Load()
	tag := fmt.Sprintf(`"%d-%d"`, n, version)
	w.Header().Set("Cache-Control", "max-age=86400")
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	o.whole.Add(1)
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "%d %d %s\n", n, version, strings.Repeat("freshet ", 100))
}

// configured answers /vN/e/M and /vN/t/M with "config M N" and the X-Config header's number, and takes /vN from other paths.
func (o *Origin) configured(w http.ResponseWriter, r *http.Request) bool {
	version, path, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	if _, err := strconv.Atoi(version); err != nil || !ok {
		return false
	}
	r.URL.Path = "/" + path
	kind, number, _ := strings.Cut(path, "/")
	if kind != "e" && kind != "t" {
		return false
	}
	if kind == "e" {
		w.Header().Set("Cache-Control", "max-age=86400")
	}
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "config %s %s %s\n", number, version, r.Header.Get("X-Config"))
	return true
}

// versionOf reads the version out of a page's body.
func versionOf(body []byte, n int) (version int64, err error) {
	var got int
	if _, err := fmt.Sscan(string(body[:min(len(body), 40)]), &got, &version); err != nil || got != n {
		return 0, fmt.Errorf("page %d answers with other words: %.60q", n, body)
	}
	return version, nil
}
