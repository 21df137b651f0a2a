package edge

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ResponseHeaders changes the headers that viewers see, after the cache: what is stored stays as the origin sent it.
// Redirects to HTTPS and refusals of the edge itself go out without it.
// spec: cloudfront 5.5; CloudFront guide, "Understand response headers policies", read 2026-11
type ResponseHeaders struct {
	Remove []string     // headers of the origin; one that Set names too is replaced
	Set    []HeaderRule // at most one for each name
	CORS   *CORS        // nil adds none
	// ServerTiming is the percentage of answers that get a Server-Timing header, 0 to 100; nil is off.
	// While it is on, a request with "Pragma: server-timing" always gets it.
	ServerTiming *float64
}

// HeaderRule adds a header. Override replaces the origin's header of the same name; without it the origin's stays.
type HeaderRule struct {
	Name, Value string
	Override    bool
}

// CORS answers requests with an Origin header. The guide is silent on an Origin that no pattern allows: nothing is added.
type CORS struct {
	Origins     []string      // "*" for all; else "https://example.org", "*.example.org", "http://*.example.org:8080"; scheme and port count if given
	Methods     []string      // to preflight requests
	Headers     []string      // to preflight requests
	Expose      []string      // to others
	MaxAge      time.Duration // to preflight requests, whole seconds; negative sends none
	Credentials bool
	Override    bool // replace the origin's CORS headers; without it an origin that sends any of them has the last word
}

// corsHeaders are what CORS is about.
var corsHeaders = []string{
	"Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Max-Age",
}

// viewerAsk is what of a request the policy looks at.
type viewerAsk struct {
	method, origin string
	preflight      bool // it has Access-Control-Request-Method
}

// apply changes h, the header that one viewer is about to see, whose values may be shared with the cache.
func (p *ResponseHeaders) apply(h http.Header, ask viewerAsk) {
	for _, name := range p.Remove {
		h.Del(name)
	}
	if p.CORS != nil {
		p.CORS.apply(h, ask)
	}
	for _, rule := range p.Set {
		if rule.Override || len(h.Values(rule.Name)) == 0 {
			h.Set(rule.Name, rule.Value)
		}
	}
}

func (c *CORS) apply(h http.Header, ask viewerAsk) {
	allowed := c.allow(ask.origin)
	if ask.origin == "" || allowed == "" {
		return
	}
	sent := func(name string) bool { return len(h[name]) > 0 }
	if !c.Override && slices.ContainsFunc(corsHeaders, sent) {
		return
	}
	h.Set("Access-Control-Allow-Origin", allowed)
	if allowed != "*" {
		addVary(h, "Origin")
	}
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if ask.method == http.MethodOptions && ask.preflight {
		setList(h, "Access-Control-Allow-Methods", c.Methods)
		setList(h, "Access-Control-Allow-Headers", c.Headers)
		if c.MaxAge >= 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge.Seconds())))
		}
		return
	}
	setList(h, "Access-Control-Expose-Headers", c.Expose)
}

// setList sets a header to a list; an empty list sets nothing.
func setList(h http.Header, name string, values []string) {
	if len(values) > 0 {
		h.Set(name, strings.Join(values, ", "))
	}
}

// addVary adds a name to Vary unless it is there.
func addVary(h http.Header, name string) {
	for _, v := range h["Vary"] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.EqualFold(part, name) {
				return
			}
		}
	}
	h["Vary"] = append(slices.Clone(h["Vary"]), name)
}

// allow is the value of Access-Control-Allow-Origin for an Origin; "" allows it not.
func (c *CORS) allow(origin string) string {
	if slices.Contains(c.Origins, "*") {
		return "*"
	}
	if slices.ContainsFunc(c.Origins, func(pattern string) bool { return matchOrigin(pattern, origin) }) {
		return origin
	}
	return ""
}

// matchOrigin compares an Origin with a pattern: scheme, host and port. A scheme or port that the pattern leaves out
// may be any; "*." before the host is one or more labels, a port "*" any port.
func matchOrigin(pattern, origin string) bool {
	scheme, rest, ok := strings.Cut(origin, "://")
	if !ok {
		return false
	}
	want, wantRest, ok := strings.Cut(pattern, "://")
	if !ok {
		want, wantRest = scheme, pattern
	}
	host, port := cutPort(rest)
	wantHost, wantPort := cutPort(wantRest)
	if !strings.EqualFold(scheme, want) || wantPort != "" && wantPort != "*" && wantPort != port {
		return false
	}
	if tail, wild := strings.CutPrefix(wantHost, "*"); wild && strings.HasPrefix(tail, ".") {
		return len(host) > len(tail) && strings.EqualFold(host[len(host)-len(tail):], tail)
	}
	return strings.EqualFold(host, wantHost)
}

// cutPort splits "host:port"; the brackets of an IPv6 address stay with the host.
func cutPort(s string) (host, port string) {
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// shape lets the behaviour's policy change the header of an answer.
func (e *Edge) shape(h http.Header, rq *request, a *answer) {
	p := a.policy
	if p == nil {
		return
	}
	p.apply(h, viewerAsk{
		method: rq.method, origin: rq.header.Get("Origin"), preflight: rq.header.Get("Access-Control-Request-Method") != "",
	})
	if p.ServerTiming != nil && (asksTiming(rq.header) || e.sampled(*p.ServerTiming)) {
		e.addTiming(h, rq, a)
	}
}

// asksTiming says whether the viewer wants a Server-Timing header.
func asksTiming(h http.Header) bool {
	return slices.ContainsFunc(h["Pragma"], func(v string) bool { return strings.EqualFold(strings.TrimSpace(v), "server-timing") })
}

// sampled is true for so many of a hundred calls.
func (e *Edge) sampled(percent float64) bool {
	if percent <= 0 || percent >= 100 {
		return percent >= 100
	}
	var b [4]byte
	if _, err := io.ReadFull(e.opts.Rand, b[:]); err != nil {
		return false
	}
	return float64(binary.BigEndian.Uint32(b[:])) < percent/100*(1<<32)
}

// addTiming adds CloudFront's metrics. The origin's own stay on a miss and are dropped on a hit.
// spec: cloudfront 6
func (e *Edge) addTiming(h http.Header, rq *request, a *answer) {
	passed := float64(e.opts.Now().Sub(rq.start).Microseconds()) / 1000
	layer := fmt.Sprintf(`cdn-pop;desc="%s",cdn-rid;desc="%s"`, e.opts.POP, rq.id)
	first := fmt.Sprintf("cdn-downstream-fbl;dur=%.3f", passed)
	var ours string
	switch a.result {
	case Hit:
		ours = `cdn-cache-hit,` + layer + `,cdn-hit-layer;desc="EDGE",` + first
	case RefreshHit:
		ours = `cdn-cache-refresh,` + layer + `,cdn-hit-layer;desc="EDGE",` + first
	default:
		ours = `cdn-cache-miss,` + layer + `,cdn-upstream-layer;desc="EDGE",` + fmt.Sprintf("cdn-upstream-fbl;dur=%.3f,", passed) + first
	}
	if theirs := h["Server-Timing"]; len(theirs) > 0 && a.result != Hit {
		ours = strings.Join(theirs, ",") + "," + ours
	}
	h["Server-Timing"] = []string{ours}
}
