package edge

import (
	"net/http"
	"net/url"
	"strings"
)

// isSafe says whether a method only reads.
// RFC 9110 9.2.1; an unknown method counts as unsafe (RFC 9111 4.4)
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// writeThrough invalidates what an unsafe request has changed: its URI, and those that Location and Content-Location name on the same host.
// All variants go, and so do fills that began before the response came.
// RFC 9111 4.4
func (e *Edge) writeThrough(rq *request, t *target, resp *http.Response) {
	if !t.d.rules.writes || isSafe(rq.method) || resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return
	}
	uris := []string{t.key.uri}
	for _, name := range []string{"Location", "Content-Location"} {
		if uri := sameOrigin(resp.Header.Get(name), rq, t); uri != "" && uri != t.key.uri {
			uris = append(uris, uri)
		}
	}
	e.log.AcceptExact(uris)
	e.wishSweep()
}

// sameOrigin resolves a reference against the request's URI and returns the cache key's URI of what it names; "" if that is not this edge's to know.
func sameOrigin(reference string, rq *request, t *target) string {
	if reference == "" {
		return ""
	}
	path, query, _ := strings.Cut(t.key.uri, "?")
	base := &url.URL{Scheme: "http", Host: rq.host, Opaque: "", Path: path, RawQuery: query}
	if decoded, err := url.PathUnescape(path); err == nil {
		base.Path, base.RawPath = decoded, path
	}
	to, err := base.Parse(reference)
	if err != nil || to.Host != rq.host && to.Host != t.b.origin.Host {
		return ""
	}
	uri := to.EscapedPath()
	if uri == "" {
		uri = "/"
	}
	if to.RawQuery != "" {
		uri += "?" + to.RawQuery
	}
	return uri
}
