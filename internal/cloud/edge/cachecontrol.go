package edge

import (
	"strings"
	"time"
)

// maxSeconds is the longest lifetime that a directive can ask for; larger numbers count as this one.
const maxSeconds = 100 * 365 * 24 * 60 * 60 // 100 years; CloudFront Developer Guide, "Manage how long content stays in the cache", read 2026-11

// never is the value of a directive that is absent.
const never = time.Duration(-1)

// cacheControl is a parsed Cache-Control response header: the directives that the rules look at.
type cacheControl struct {
	present      bool // the header was there, whatever it said
	noCache      bool // unqualified
	noStore      bool
	private      bool          // qualified or not
	noCacheOf    []string      // field names of a qualified no-cache
	maxAge       time.Duration // never if absent; 0 if malformed
	sMaxAge      time.Duration
	staleIfError time.Duration

	public               bool
	mustRevalidate       bool
	proxyRevalidate      bool
	mustUnderstand       bool
	noTransform          bool
	staleWhileRevalidate time.Duration // 0 if absent
}

// parseCacheControl reads Cache-Control values leniently: any case, blanks anywhere, quoted numbers,
// unknown and broken directives skipped. The first of several equal directives counts.
// A max-age, s-maxage or stale-if-error that is no number counts as 0: safe, and RFC 9111 4.2.1 encourages it.
func parseCacheControl(values []string) cacheControl {
	cc := cacheControl{present: len(values) > 0, maxAge: never, sMaxAge: never, staleIfError: never}
	for _, value := range values {
		for value != "" {
			var directive string
			directive, value = cutDirective(value)
			cc.take(directive)
		}
	}
	return cc
}

// take applies one directive, "name" or "name=value".
func (cc *cacheControl) take(directive string) {
	name, value, hasValue := strings.Cut(directive, "=")
	value = strings.Trim(value, " \t")
	switch strings.ToLower(strings.Trim(name, " \t")) {
	case "no-cache":
		fields := fieldNames(value)
		cc.noCache = cc.noCache || len(fields) == 0
		cc.noCacheOf = append(cc.noCacheOf, fields...)
	case "no-store":
		cc.noStore = true
	case "private":
		cc.private = true
	case "max-age":
		setSeconds(&cc.maxAge, value, hasValue)
	case "s-maxage":
		setSeconds(&cc.sMaxAge, value, hasValue)
	case "stale-if-error":
		setSeconds(&cc.staleIfError, value, hasValue)
	case "stale-while-revalidate":
		if cc.staleWhileRevalidate == 0 {
			cc.staleWhileRevalidate = seconds(strings.Trim(value, `"`))
		}
	case "public":
		cc.public = true
	case "must-revalidate":
		cc.mustRevalidate = true
	case "proxy-revalidate":
		cc.proxyRevalidate = true
	case "must-understand":
		cc.mustUnderstand = true
	case "no-transform":
		cc.noTransform = true
	}
}

// cutDirective splits list at its first comma outside a quoted string.
func cutDirective(list string) (first, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// setSeconds stores value unless the directive was there before.
func setSeconds(to *time.Duration, value string, hasValue bool) {
	if *to != never {
		return
	}
	*to = 0
	if hasValue {
		*to = seconds(strings.Trim(value, `"`))
	}
}

// seconds is a decimal number of seconds, at most maxSeconds; 0 if it is no number.
func seconds(digits string) time.Duration {
	d, _ := parseSeconds(digits)
	return d
}

// parseSeconds reads a decimal number of seconds, at most maxSeconds. Not ok means that it is no number.
func parseSeconds(digits string) (d time.Duration, ok bool) {
	n := 0
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), maxSeconds)
	}
	return time.Duration(n) * time.Second, digits != ""
}

// fieldNames splits the value of a qualified directive, `"a, b"`.
func fieldNames(value string) []string {
	var names []string
	for part := range strings.SplitSeq(strings.Trim(value, `"`), ",") {
		if name := strings.Trim(part, " \t"); name != "" {
			names = append(names, name)
		}
	}
	return names
}
