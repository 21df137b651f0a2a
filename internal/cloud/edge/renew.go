package edge

import (
	"net/http"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/purge"
)

// confirm stores what the origin's 304 says of the prior object, and returns the object to serve.
func (e *Edge) confirm(f *flight, resp *http.Response, asked, now time.Time) *object {
	o := f.renew(f.prior, now)
	if update := f.target.d.rules.update; update != nil {
		sure := e.freshen(o, f.target, update, resp, asked, now)
		switch {
		case !sure:
			return f.prior // the 304 is about another version: it serves, but tells nothing that could be kept
		case !o.verdict.store:
			e.store.drop(f.prior)
			return o
		}
		f.head.verdict = o.verdict
	}
	if f.target.d.rules.vary { // the note may have been evicted meanwhile
		o.key = e.learn(f)
	}
	e.store.put(o)
	return o
}

// freshen gives o, which nobody else has yet, the headers of a response that confirms it, and the lifetime that follows from them.
func (e *Edge) freshen(o *object, t *target, update func(stored, confirmed http.Header) (http.Header, bool), resp *http.Response, asked, now time.Time) bool {
	merged, sure := update(o.header, t.d.rules.show(resp, t.b, now))
	if !sure {
		return false
	}
	o.evidence = o.evidence.after(o.header, merged)
	o.redress(merged)
	judged := merged.Clone()
	copyHeader(judged, "Age", resp.Header["Age"])
	o.header, o.tags = merged, purge.Tags(t.d.TagHeader, merged.Values(t.d.TagHeader))
	o.verdict = e.verdictOn(t, response{o.status, judged, now}, asked)
	for _, name := range o.verdict.withhold {
		o.header.Del(name)
	}
	o.expires = now.Add(o.verdict.lifetime - o.verdict.age)
	return true
}

// renew is p with a new lifetime, after the origin has confirmed it.
//
// Its stamp is the flight's. A prior object was clean up to the stamp when the flight started (see board), and the origin has confirmed the
// bytes after that; a former one was covered, but has been proved after that, bytes and headers (see prove). So an invalidation
// up to the stamp does not cover the object, and one after it does, as with a fetch.
func (f *flight) renew(p *object, now time.Time) *object {
	o := &object{
		key: p.key, fill: f.number, stamp: f.stamp, status: p.status, header: p.header, body: p.body, below: p.below, tags: p.tags,
		born: now, verdict: p.verdict, evidence: p.evidence,
	}
	o.expires = now.Add(p.verdict.lifetime)
	o.original = p.original
	o.hits.Store(p.hits.Load())
	return o
}
