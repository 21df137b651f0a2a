package edge

import (
	"net/http"
	"time"
)

// learnFromHead updates the stored response with the answer to a HEAD that went through: its headers, where they are about the same version;
// otherwise the stored response counts as expired.
// RFC 9111 4.3.5
func (e *Edge) learnFromHead(t *target, resp *http.Response, h head, asked time.Time) {
	stamp := e.log.Current() // before the look-up, so that the object is clean up to it
	prior := e.store.get(t.key)
	if prior == nil || resp.StatusCode != prior.status {
		return
	}
	if !sameVersion(prior.received(), h.header) {
		e.store.drop(prior)
		return
	}
	o := &object{
		key: prior.key, fill: prior.fill, stamp: stamp, status: prior.status, header: prior.header, body: prior.body, below: prior.below, tags: prior.tags,
		born: h.at, verdict: prior.verdict, evidence: prior.evidence,
	}
	o.original = prior.original
	if e.freshen(o, t, t.d.rules.update, resp, asked, h.at) && o.verdict.store {
		e.store.put(o)
	}
}

// sameVersion says whether a HEAD's headers are about the stored response: validators and length that it has are the same.
func sameVersion(stored, fresh http.Header) bool {
	for _, name := range []string{"Etag", "Last-Modified", "Content-Length"} {
		if v := fresh.Get(name); v != "" && v != stored.Get(name) {
			return false
		}
	}
	return true
}
