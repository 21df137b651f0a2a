package edge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pseudonym names the edge in Via and Cache-Status.
const pseudonym = "freshet"

// proxyOnly headers are between an origin and its proxy, and neither stored nor passed on. RFC 9111 3.1
var proxyOnly = []string{"Proxy-Authentication-Info"}

// forwardedRFC9111 returns the headers that every origin request carries: all that the viewer sent from end to end, but for the conditions
// and ranges, which the edge answers itself.
// RFC 9110 7.6
func forwardedRFC9111(rq *request, _ *target) http.Header {
	h := withoutConditions(rq.header)
	removeHopByHop(h)
	delete(h, "Expect") // RFC 9110 10.1.1: the server has answered it
	received := "HTTP/1.1"
	if rq.http10 {
		received = "HTTP/1.0"
	}
	h["Via"] = appended(h["Via"], via(received))
	h["X-Forwarded-For"] = appended(h["X-Forwarded-For"], rq.remote)
	h["Surrogate-Capability"] = appended(h["Surrogate-Capability"], capability)
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // or net/http would add its own
	}
	return h
}

// appended is the list of values with one more, in one line.
func appended(values []string, value string) []string {
	return []string{strings.Join(slices.Concat(values, []string{value}), ", ")}
}

// via is the edge's member of Via for a message received over protocol, such as "HTTP/1.1"; "" means that.
// RFC 9110 7.6.3
func via(protocol string) string {
	version := strings.TrimPrefix(protocol, "HTTP/")
	if version == "" {
		version = "1.1"
	}
	return version + " " + pseudonym
}

// shownRFC9111 makes the header that viewers see from an origin's response, ready to be stored.
// RFC 9111 3.1; RFC 9110 6.6.1, a missing Date is the time of arrival
func shownRFC9111(resp *http.Response, _ *behavior, now time.Time) http.Header {
	h := resp.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	removeHopByHop(h)
	for _, name := range proxyOnly {
		delete(h, name)
	}
	delete(h, "Content-Length") // set again from what the transport has understood
	if h["Date"] == nil {
		h["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	}
	h["Via"] = appended(h["Via"], via(resp.Proto))
	return h
}

// fixed headers describe the stored bytes themselves; the edge has those bytes from the first response, so a 304 cannot change them.
// RFC 9111 3.2: Content-Length never; others as far as the integrity of what is stored needs it
var fixed = []string{"Content-Length", "Content-Encoding", "Content-Range", "Content-Md5", "Content-Digest", "Age"}

// mergeHeaders updates stored headers from a 304. Not sure means that the 304 names another version: then it updates nothing.
// RFC 9111 3.2 and 4.3.4
func mergeHeaders(stored, confirmed http.Header) (merged http.Header, sure bool) {
	etag, known := confirmed.Get("Etag"), stored.Get("Etag")
	if etag != "" && strings.TrimPrefix(etag, "W/") != strings.TrimPrefix(known, "W/") {
		return stored, false
	}
	merged = stored.Clone()
	for name, values := range confirmed {
		if !contains(fixed, name) {
			merged[name] = values
		}
	}
	return merged, true
}

// signRFC9111 adds the edge's own headers: Age and Cache-Status.
// RFC 9111 4 and 5.1; RFC 9211
func signRFC9111(h http.Header, _ *distribution, o *Options, _ *request, a *answer) {
	if a.made {
		delete(h, "Server")
	}
	delete(h, "Surrogate-Control") // W3C Note "Edge Architecture Specification" 1.0, 2.3: it ends here
	if a.age != never {
		h["Age"] = []string{strconv.FormatInt(int64(a.age/time.Second), 10)}
	}
	h["Cache-Status"] = append(slices.Clone(h["Cache-Status"]), a.trail.String())
}

// trail is how an answer came about, as Cache-Status tells it.
// RFC 9211 2
type trail struct {
	hit       bool
	forward   string        // why the origin was asked; "" if it was not
	status    int           // of the origin's response; 0 if that is the answer's
	ttl       time.Duration // left; never if unknown
	stored    bool
	collapsed bool
}

// String is the edge's member of Cache-Status.
func (t trail) String() string {
	s := pseudonym
	if t.hit {
		s += "; hit"
	}
	if t.forward != "" {
		s += "; fwd=" + t.forward
	}
	if t.status != 0 {
		s += "; fwd-status=" + strconv.Itoa(t.status)
	}
	if t.hit && t.ttl != never {
		s += "; ttl=" + strconv.FormatInt(int64(t.ttl/time.Second), 10)
	}
	if t.stored {
		s += "; stored"
	}
	if t.collapsed {
		s += "; collapsed"
	}
	return s
}
