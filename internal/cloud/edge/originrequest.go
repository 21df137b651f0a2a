package edge

import (
	"net/http"
	"slices"
	"strings"
)

// or is the selection that takes what s or t takes.
func (s Selection) or(t Selection) Selection {
	if s.Mode > t.Mode {
		s, t = t, s
	}
	switch {
	case s.Mode == SelectNone || t.Mode == SelectAll:
		return t
	case t.Mode == SelectListed: // both are
		return Selection{SelectListed, slices.Concat(s.Names, t.Names)}
	}
	// What t leaves out stays out where s leaves it out, too.
	return Selection{SelectAllExcept, slices.DeleteFunc(slices.Clone(t.Names), s.takes)}
}

// originCookieHeader is the Cookie header for the origin: what is in the key, and what goes there besides.
func (b *behavior) originCookieHeader(rq *request) string {
	return selectParts(strings.Join(rq.header["Cookie"], "; "), ";", b.originCookies)
}

// originQuery is the query string for the origin.
func (b *behavior) originQuery(rq *request) string {
	return selectParts(rq.query, "&", b.originQueries)
}

// addViewerHeaders adds the viewer's headers to h where the behaviour sends all, or all but some. Those that the edge
// makes itself stay, but for User-Agent; so do conditions, ranges and what belongs to the connection.
// A bucket answers to its own host name only, so it never gets the viewer's.
func (b *behavior) addViewerHeaders(h http.Header, rq *request) {
	if b.OriginHeaderMode != SelectAll && b.OriginHeaderMode != SelectAllExcept {
		return
	}
	takes := func(name string) bool { return b.OriginHeaderMode == SelectAll || !contains(b.listed, name) }
	for name, values := range rq.header {
		_, made := h[name]
		if made && name != "User-Agent" || name == "Cookie" || contains(conditions, name) || !takes(name) {
			continue
		}
		if values != nil {
			h[name] = values
		}
	}
	if takes("Host") && !b.origin.S3 {
		h["Host"] = []string{rq.host}
	}
	delete(h, "Expect")
	delete(h, "Content-Length")
	removeHopByHop(h)
}
