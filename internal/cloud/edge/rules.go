package edge

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// response is what the rules see of an origin's response.
type response struct {
	status int
	header http.Header
	now    time.Time // when its head arrived
}

// terms are the settings that a response is judged under.
type terms struct {
	policy         CachePolicy
	cookies        bool          // cookies are forwarded
	errorTTL       time.Duration // error-caching minimum TTL for the response's status
	cacheForbidden bool
	authorized     bool      // the request carried Authorization
	asked          time.Time // when the request was sent
}

// verdict is what the rules say about one response.
type verdict struct {
	store    bool          // keep it, if only for when the origin fails
	lifetime time.Duration // answered without asking the origin for so long
	validate bool          // afterwards, ask with its validators
	share    bool          // requests that were waiting may have it
	stale    staleness
	age      time.Duration // how old the response was on arrival
	vary     []string      // request headers that select it, canonical and sorted; the primary key is the path and query alone
	spare    bool          // what is stored already stays, although this response is not stored
	withhold []string      // headers that the first viewers get and the cache does not keep
}

// staleness says when an expired object may be served all the same.
type staleness struct {
	forbidden   bool          // never, whoever allows it
	revalidate  time.Duration // so long after expiry, while it is being confirmed in the background; 0 means not
	unreachable bool          // where the origin cannot be reached
	failing     bool          // where it answers 5xx
	afterExpiry time.Duration // so long after expiry; never means without such a bound
	maxAge      time.Duration // and no longer than this after it was stored or confirmed
}

// judgeCloudFront is CloudFront's judgement of a response.
// spec: cloudfront 3
func judgeCloudFront(r response, t terms) verdict {
	if t.policy.disabled() {
		return verdict{} // spec: cloudfront 3.1, caching off; 3.8, no collapsing
	}
	cc := parseCacheControl(r.header["Cache-Control"])
	if r.status >= 400 {
		ttl := errorLifetime(r, cc, t)
		return verdict{store: ttl > 0, lifetime: ttl, share: !t.cookies}
	}
	if !storable(r.status, cc) {
		return verdict{share: !t.cookies && collapsible(cc, t.policy.MinTTL)}
	}
	v := verdict{
		lifetime: lifetime(r, cc, t.policy),
		validate: !t.cookies && hasValidator(r.header), // spec: cloudfront 3.2, no conditional requests with cookies
		share:    !t.cookies && collapsible(cc, t.policy.MinTTL),
		stale:    staleRule(cc, t.policy),
		withhold: cc.noCacheOf, // spec: cloudfront 3.9, no-cache="Set-Cookie"
	}
	if t.policy.MinTTL == 0 && (cc.noStore || varyStar(r.header)) {
		// spec: cloudfront 3.1, no-store: every request is a Miss; 3.2, Vary: * is asked every time, without validators
		v.lifetime, v.validate = 0, false
	}
	v.store = v.lifetime > 0 || v.validate || v.stale.unreachable
	return v
}

// lifetime is how long a response below 400 stays fresh.
// spec: cloudfront 3.1
func lifetime(r response, cc cacheControl, p CachePolicy) time.Duration {
	clamp := func(d time.Duration) time.Duration { return min(max(d, p.MinTTL), p.MaxTTL) }
	switch {
	case cc.noCache || cc.noStore || cc.private:
		return p.MinTTL
	case cc.sMaxAge != never:
		return clamp(cc.sMaxAge)
	case cc.maxAge != never:
		return clamp(cc.maxAge)
	case len(r.header["Expires"]) > 0:
		return clamp(untilExpires(r))
	}
	return max(p.DefaultTTL, p.MinTTL)
}

// untilExpires is the time from now to Expires; 0 if that is past or no date.
func untilExpires(r response) time.Duration {
	at, err := http.ParseTime(r.header.Get("Expires"))
	if err != nil {
		return 0
	}
	return max(0, at.Sub(r.now))
}

// storable says whether a status below 400 can be cached at all.
// spec: cloudfront 3.5, redirects: 307 and 308 only with Cache-Control
func storable(status int, cc cacheControl) bool {
	switch status {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return cc.present
	case http.StatusPartialContent, http.StatusNotModified:
		return false
	}
	return status >= 200
}

// collapsible says whether waiting requests may share a response.
// spec: cloudfront 3.8: not with Min TTL 0 and private, no-store, no-cache, or a shared lifetime of 0
func collapsible(cc cacheControl, minTTL time.Duration) bool {
	if minTTL > 0 {
		return true
	}
	shared := cc.sMaxAge
	if shared == never {
		shared = cc.maxAge
	}
	return !cc.private && !cc.noStore && !cc.noCache && shared != 0
}

// staleRule says when an expired response may be served all the same.
// spec: cloudfront 3.3
func staleRule(cc cacheControl, p CachePolicy) staleness {
	s := staleness{
		unreachable: true, failing: true, afterExpiry: cc.staleIfError, maxAge: p.MaxTTL, revalidate: min(cc.staleWhileRevalidate, p.MaxTTL),
	}
	if cc.noCache || cc.noStore || cc.private {
		s.failing = cc.staleIfError > 0 // the guide grants these only the unreachable origin
		s.revalidate = 0
	}
	if cc.staleIfError == 0 {
		s.unreachable, s.failing = false, false
	}
	return s
}

// errorLifetime is how long a response of 400 or more is cached; 0 means not at all.
// spec: cloudfront 3.4, negative caching
func errorLifetime(r response, cc cacheControl, t terms) time.Duration {
	asked, explicit := headerLifetime(r, cc)
	asked = min(asked, t.policy.MaxTTL)
	secret := cc.noStore || cc.noCache || cc.private
	switch r.status {
	case 404, 410, 414, 501:
		if secret {
			return 0
		}
		return max(t.errorTTL, asked)
	case 500, 502, 503, 504:
		return max(t.errorTTL, asked)
	case 403:
		if t.cacheForbidden {
			return max(t.errorTTL, asked)
		}
		fallthrough
	case 400, 405, 412, 415:
		if explicit {
			return max(t.errorTTL, asked)
		}
	}
	return 0
}

// headerLifetime is the lifetime that an error's own headers ask for, and whether max-age or s-maxage asked.
func headerLifetime(r response, cc cacheControl) (lifetime time.Duration, explicit bool) {
	switch {
	case cc.sMaxAge != never:
		return cc.sMaxAge, true
	case cc.maxAge != never:
		return cc.maxAge, true
	case len(r.header["Expires"]) > 0:
		return untilExpires(r), false
	}
	return 0, false
}

func hasValidator(h http.Header) bool {
	return h.Get("Etag") != "" || h.Get("Last-Modified") != ""
}

// varyStar says whether any Vary value contains "*".
func varyStar(h http.Header) bool {
	return slices.ContainsFunc(h["Vary"], func(v string) bool { return strings.Contains(v, "*") })
}
