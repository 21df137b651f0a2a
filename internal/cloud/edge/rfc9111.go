package edge

import (
	"net/http"
	"slices"
	"time"
)

// maxHeuristic is the longest lifetime that is guessed.
const maxHeuristic = 24 * time.Hour

// heuristicPart is the part of a response's age since its last modification that it is guessed to stay fresh: a tenth.
const heuristicPart = 10 // RFC 9111 4.2.2, "a typical setting of this fraction might be 10%"

// heuristic statuses may be given a lifetime that the origin did not name. RFC 9110 15.1; 206 is never stored here.
var heuristic = []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}

// understood statuses are those whose caching requirements the edge fulfils, for must-understand. RFC 9111 5.2.2.3
var understood = append([]int{
	201, 202, 205, 302, 303, 307, 400, 401, 402, 403, 406, 407, 408, 409, 411, 412, 413, 415, 416, 417, 421, 422, 426,
	500, 502, 503, 504, 505,
}, heuristic...)

// judgeRFC9111 is a shared cache's judgement of a response.
func judgeRFC9111(r response, t terms) verdict {
	cc, targeted := responsePolicy(r.header)
	names, star := varyNames(r.header["Vary"])
	lifetime, known := lifetimeRFC9111(r, cc, targeted)
	v := verdict{
		lifetime: lifetime, age: initialAge(r, t.asked), vary: names,
		spare:    r.status >= 500, // RFC 9111 4.3.3: a server's failure to validate says nothing about what is stored
		withhold: cc.noCacheOf, stale: staleRFC9111(cc, t),
	}
	if len(r.header["Age"]) > 0 {
		v.withhold = append(slices.Clone(v.withhold), "Age") // hits get one of their own
	}
	if star || !storableRFC9111(r, cc, t, known) {
		return v
	}
	v.validate = hasValidator(r.header)
	v.store = v.validate || lifetime > 0
	v.share = lifetime > v.age
	return v
}

// storableRFC9111 says whether a shared cache may store the response. Known says that its lifetime is stated or may be guessed.
// RFC 9111 3
func storableRFC9111(r response, cc cacheControl, t terms, known bool) bool {
	switch {
	case r.status < 200, r.status == http.StatusPartialContent, r.status == http.StatusNotModified:
		return false
	case cc.mustUnderstand && !slices.Contains(understood, r.status):
		return false
	case cc.noStore && !cc.mustUnderstand: // RFC 9111 5.2.2.3: who understands ignores the no-store that is meant for others
		return false
	case cc.private: // with or without field names
		return false
	case t.authorized && !cc.public && !cc.mustRevalidate && cc.sMaxAge == never: // RFC 9111 3.5
		return false
	}
	return known || cc.public || cc.noCache || slices.Contains(heuristic, r.status)
}

// lifetimeRFC9111 is how long a response is fresh, counted from when the origin made it; known says that the response itself states it.
// RFC 9111 4.2.1; of several Expires the first counts, of conflicting directives the strictest
func lifetimeRFC9111(r response, cc cacheControl, targeted bool) (lifetime time.Duration, known bool) {
	switch {
	case cc.noCache:
		return 0, true
	case cc.sMaxAge != never:
		return cc.sMaxAge, true
	case cc.maxAge != never:
		return cc.maxAge, true
	case len(r.header["Expires"]) > 0 && !targeted:
		at, ok := parseDate(r.header.Get("Expires"), r.now)
		if !ok {
			return 0, true // RFC 9111 5.3: an invalid date, such as "0", lies in the past
		}
		return max(0, at.Sub(r.date())), true
	}
	return guessedLifetime(r, cc), false
}

// guessedLifetime is the lifetime of a response that states none.
// RFC 9111 4.2.2
func guessedLifetime(r response, cc cacheControl) time.Duration {
	modified, ok := parseDate(r.header.Get("Last-Modified"), r.now)
	if !ok || !cc.public && !slices.Contains(heuristic, r.status) {
		return 0
	}
	return min(max(0, r.date().Sub(modified)/heuristicPart), maxHeuristic)
}

// date is when the origin made the response: its Date, or its arrival where there is none.
// RFC 9110 6.6.1
func (r response) date() time.Time {
	if at, ok := parseDate(r.header.Get("Date"), r.now); ok {
		return at
	}
	return r.now
}

// initialAge is how old the response was on arrival.
// RFC 9111 4.2.3
func initialAge(r response, asked time.Time) time.Duration {
	apparent := max(0, r.now.Sub(r.date()))
	if len(r.header["Age"]) == 0 {
		return apparent
	}
	value, _ := parseAge(r.header["Age"][0])
	return max(apparent, value+max(0, r.now.Sub(asked)))
}

// parseAge reads an Age: the first member of a list counts. Not ok means that it is no number of seconds, and then it is ignored.
// RFC 9111 5.1
func parseAge(value string) (time.Duration, bool) {
	first, _ := cutDirective(value)
	return parseSeconds(trimBlanks(first))
}

// staleRFC9111 says when an expired response may be served all the same: while the origin cannot be reached, and where it allows more.
// RFC 9111 4.2.4; RFC 5861. s-maxage implies proxy-revalidate, but an explicit permission in the same field beats what is only implied.
func staleRFC9111(cc cacheControl, _ terms) staleness {
	if cc.mustRevalidate || cc.proxyRevalidate || cc.noCache {
		return staleness{forbidden: true}
	}
	if cc.sMaxAge != never && cc.staleIfError == never && cc.staleWhileRevalidate == 0 {
		return staleness{forbidden: true}
	}
	return staleness{
		unreachable: cc.staleIfError != 0 && (cc.sMaxAge == never || cc.staleIfError != never),
		failing:     cc.staleIfError > 0,
		afterExpiry: cc.staleIfError,
		maxAge:      maxSeconds * time.Second,
		revalidate:  cc.staleWhileRevalidate,
	}
}
