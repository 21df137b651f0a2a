package edge

import (
	"net/http"
	"strings"
	"time"
)

// demands is what a request asks of the cache by its own Cache-Control; nil asks nothing. RFC 9111 5.2.1
// Pragma is deprecated (5.4); net/http turns "Pragma: no-cache" into "Cache-Control: no-cache" where the latter is missing.
type demands struct {
	noCache      bool
	noStore      bool
	onlyIfCached bool
	maxAge       time.Duration // never if absent
	minFresh     time.Duration // 0 if absent
	maxStale     time.Duration // 0 if absent; maxSeconds without a value
}

// parseDemands reads a request's Cache-Control as leniently as a response's. Numbers that are none count as the strictest.
func parseDemands(h http.Header) *demands {
	values := h["Cache-Control"]
	if len(values) == 0 {
		return nil
	}
	d, asked := demands{maxAge: never}, false
	for _, value := range values {
		for value != "" {
			var directive string
			directive, value = cutDirective(value)
			asked = d.take(directive) || asked
		}
	}
	if !asked {
		return nil
	}
	return &d
}

// take applies one directive and says whether it is known.
func (d *demands) take(directive string) bool {
	name, value, hasValue := strings.Cut(directive, "=")
	number := seconds(strings.Trim(trimBlanks(value), `"`))
	switch strings.ToLower(trimBlanks(name)) {
	case "no-cache":
		d.noCache = true
	case "no-store":
		d.noStore = true
	case "only-if-cached":
		d.onlyIfCached = true
	case "max-age":
		if d.maxAge == never || number < d.maxAge {
			d.maxAge = number
		}
	case "min-fresh":
		d.minFresh = max(d.minFresh, number)
	case "max-stale":
		d.maxStale = number
		if !hasValue {
			d.maxStale = maxSeconds * time.Second
		}
	default:
		return false
	}
	return true
}

// bypass says whether the request is neither answered from the cache nor its response stored.
func (d *demands) bypass() bool { return d != nil && d.noStore }

// cacheOnly says whether the request wants a 504 rather than an answer from the origin. RFC 9111 5.2.1.7
func (d *demands) cacheOnly() bool { return d != nil && d.onlyIfCached }

// use says what a request may do with a stored object.
type use int

const (
	ask          use = iota // confirm it, or fetch anew
	serve                   // answer with it
	serveExpired            // answer with it although it has expired, because the request allows it
	serveRenewed            // answer with it and have it confirmed in the background, because the origin allows it
)

// use decides by age and lifetime. Want nil is a request without demands.
// RFC 9111 4.2, 4.2.4, 5.2.1; RFC 5861 3
func (o *object) use(want *demands, now time.Time) use {
	left := o.expires.Sub(now)
	if want == nil {
		switch {
		case left > 0:
			return serve
		case o.renewable(now):
			return serveRenewed
		}
		return ask
	}
	if want.noCache || want.maxAge != never && o.age(now) > want.maxAge {
		return ask
	}
	switch {
	case left > 0 && left >= want.minFresh:
		return serve
	case left > 0 || want.minFresh > 0:
		return ask
	case want.maxStale > 0 && -left <= want.maxStale && !o.verdict.stale.forbidden:
		return serveExpired
	case o.renewable(now):
		return serveRenewed
	}
	return ask
}

// renewable says whether the expired object may be served while it is being confirmed.
func (o *object) renewable(now time.Time) bool {
	s := &o.verdict.stale
	return now.Sub(o.expires) < s.revalidate && now.Sub(o.born) <= s.maxAge
}

// age is how long ago the origin made or confirmed the object, as far as the rules count it.
func (o *object) age(now time.Time) time.Duration {
	return max(0, now.Sub(o.born)+o.verdict.age)
}
