package control

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// Limits of a response headers policy. CloudFront Developer Guide, "Quotas on response headers policies", read
// 2026-11.
const (
	maxHeaderRules = 10    // custom headers, and headers to remove
	maxHeaderName  = 256   // characters
	maxHeaderValue = 1783  // characters, also of Content-Security-Policy
	maxHeaderBytes = 10240 // of all custom values together
)

// ResponseHeadersPolicy says what becomes of the headers that viewers see; spec: cloudfront 5.5.
type ResponseHeadersPolicy struct {
	ID      string
	Name    string
	Comment string
	// Remove names headers of the origin that viewers do not get.
	Remove []string
	// Set are the security headers, then the custom ones.
	Set []HeaderRule
	// CORS is nil where the policy has none.
	CORS *CORSRule
	// ServerTiming is the percentage of answers with a Server-Timing header, 0 to 100; nil is off. At 0 only requests
	// with "Pragma: server-timing" get it.
	ServerTiming *float64
}

// HeaderRule adds a header. Override replaces one of the same name from the origin, which otherwise stays.
type HeaderRule struct {
	Name, Value string
	Override    bool
}

// CORSRule adds the headers of cross-origin resource sharing. Override replaces the origin's; otherwise an origin
// that sends any has the last word.
type CORSRule struct {
	Origins       []string // "*", "https://example.org", "https://*.example.org", with or without scheme and port
	Methods       []string // ALL is spelled out
	Headers       []string // may be "*"
	ExposeHeaders []string
	MaxAge        *int64 // seconds; nil sends none
	Credentials   bool
	Override      bool
}

// responseHeadersXML is a ResponseHeadersPolicyConfig document of the service model.
type responseHeadersXML struct {
	Name         string           `xml:"Name"`
	Comment      string           `xml:"Comment"`
	CORS         *corsXML         `xml:"CorsConfig"`
	Custom       []customXML      `xml:"CustomHeadersConfig>Items>ResponseHeadersPolicyCustomHeader"`
	Remove       []string         `xml:"RemoveHeadersConfig>Items>ResponseHeadersPolicyRemoveHeader>Header"`
	Security     *securityXML     `xml:"SecurityHeadersConfig"`
	ServerTiming *serverTimingXML `xml:"ServerTimingHeadersConfig"`
}

type corsXML struct {
	Credentials bool     `xml:"AccessControlAllowCredentials"`
	Headers     []string `xml:"AccessControlAllowHeaders>Items>Header"`
	Methods     []string `xml:"AccessControlAllowMethods>Items>Method"`
	Origins     []string `xml:"AccessControlAllowOrigins>Items>Origin"`
	Expose      []string `xml:"AccessControlExposeHeaders>Items>Header"`
	MaxAge      *int64   `xml:"AccessControlMaxAgeSec"`
	Override    bool     `xml:"OriginOverride"`
}

type customXML struct {
	Header   string `xml:"Header"`
	Override bool   `xml:"Override"`
	Value    string `xml:"Value"`
}

type securityXML struct {
	CSP *struct {
		Override bool   `xml:"Override"`
		Value    string `xml:"ContentSecurityPolicy"`
	} `xml:"ContentSecurityPolicy"`
	ContentType *struct {
		Override bool `xml:"Override"`
	} `xml:"ContentTypeOptions"`
	Frame *struct {
		Override bool   `xml:"Override"`
		Value    string `xml:"FrameOption"`
	} `xml:"FrameOptions"`
	Referrer *struct {
		Override bool   `xml:"Override"`
		Value    string `xml:"ReferrerPolicy"`
	} `xml:"ReferrerPolicy"`
	HSTS *hstsXML `xml:"StrictTransportSecurity"`
	XSS  *xssXML  `xml:"XSSProtection"`
}

type hstsXML struct {
	Override   bool  `xml:"Override"`
	MaxAge     int64 `xml:"AccessControlMaxAgeSec"`
	Subdomains bool  `xml:"IncludeSubdomains"`
	Preload    bool  `xml:"Preload"`
}

type xssXML struct {
	Override   bool   `xml:"Override"`
	Protection bool   `xml:"Protection"`
	ModeBlock  bool   `xml:"ModeBlock"`
	ReportURI  string `xml:"ReportUri"`
}

type serverTimingXML struct {
	Enabled bool     `xml:"Enabled"`
	Rate    *float64 `xml:"SamplingRate"`
}

// decodeResponseHeadersPolicy reads a ResponseHeadersPolicyConfig document.
func decodeResponseHeadersPolicy(id string, doc *node) (ResponseHeadersPolicy, error) {
	var x responseHeadersXML
	if err := xml.Unmarshal(doc.render(), &x); err != nil {
		return ResponseHeadersPolicy{}, fmt.Errorf("read response headers policy: %w", err)
	}
	p := ResponseHeadersPolicy{ID: id, Name: x.Name, Comment: x.Comment, Remove: x.Remove}
	if x.Security != nil {
		p.Set = x.Security.rules()
	}
	for _, h := range x.Custom {
		p.Set = append(p.Set, HeaderRule{h.Header, h.Value, h.Override})
	}
	if c := x.CORS; c != nil {
		if slices.Contains(c.Methods, "ALL") {
			c.Methods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
		}
		p.CORS = &CORSRule{c.Origins, c.Methods, c.Headers, c.Expose, c.MaxAge, c.Credentials, c.Override}
	}
	if t := x.ServerTiming; t != nil && t.Enabled {
		p.ServerTiming = new(float64)
		if t.Rate != nil {
			*p.ServerTiming = *t.Rate
		}
	}
	return p, nil
}

// rules are the headers that the security settings stand for. CloudFront guide, "Security headers".
func (s *securityXML) rules() []HeaderRule {
	var out []HeaderRule
	if v := s.CSP; v != nil {
		out = append(out, HeaderRule{"Content-Security-Policy", v.Value, v.Override})
	}
	if v := s.ContentType; v != nil {
		out = append(out, HeaderRule{"X-Content-Type-Options", "nosniff", v.Override})
	}
	if v := s.Frame; v != nil {
		out = append(out, HeaderRule{"X-Frame-Options", v.Value, v.Override})
	}
	if v := s.Referrer; v != nil {
		out = append(out, HeaderRule{"Referrer-Policy", v.Value, v.Override})
	}
	if v := s.HSTS; v != nil {
		out = append(out, HeaderRule{"Strict-Transport-Security", v.value(), v.Override})
	}
	if v := s.XSS; v != nil {
		out = append(out, HeaderRule{"X-XSS-Protection", v.value(), v.Override})
	}
	return out
}

func (h *hstsXML) value() string {
	v := fmt.Sprintf("max-age=%d", h.MaxAge)
	if h.Subdomains {
		v += "; includeSubDomains"
	}
	if h.Preload {
		v += "; preload"
	}
	return v
}

func (x *xssXML) value() string {
	switch {
	case !x.Protection:
		return "0"
	case x.ModeBlock:
		return "1; mode=block"
	case x.ReportURI != "":
		return "1; report=" + x.ReportURI
	}
	return "1"
}

// securityNames are headers that have settings of their own and cannot be custom ones.
var securityNames = []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
	"Strict-Transport-Security", "X-XSS-Protection"}

// untouchable reports whether a policy may neither add nor remove the header: the connection's own, and
// CloudFront's. CloudFront guide, "Remove headers".
func untouchable(name string) bool {
	name = strings.ToLower(name)
	own := []string{"connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
		"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via", "warning", "x-cache",
		"x-forwarded-proto", "x-real-ip"}
	prefixed := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	return slices.Contains(own, name) || slices.ContainsFunc([]string{"x-accel-", "x-amz-cf-", "x-amzn-", "x-edge-"}, prefixed)
}

// checkResponseHeadersPolicy checks a ResponseHeadersPolicyConfig document.
func checkResponseHeadersPolicy(doc *node) error {
	if err := checkSecurity(doc.child("SecurityHeadersConfig")); err != nil {
		return err
	}
	p, err := decodeResponseHeadersPolicy("", doc)
	if err != nil {
		return errMalformed(err)
	}
	custom := len(doc.child("CustomHeadersConfig").child("Items").children())
	if err := checkCustom(p.Set[len(p.Set)-min(custom, len(p.Set)):]); err != nil {
		return err
	}
	if err := checkRemoved(p.Remove); err != nil {
		return err
	}
	if p.CORS != nil {
		if err := checkCORS(*p.CORS, doc.child("CorsConfig")); err != nil {
			return err
		}
	}
	if t := p.ServerTiming; t != nil && !(*t >= 0 && *t <= 100) {
		return invalidArgument("The parameter SamplingRate must be between 0 and 100.")
	}
	return nil
}

func checkSecurity(doc *node) error {
	if v := doc.child("ContentSecurityPolicy").value("ContentSecurityPolicy"); len(v) > maxHeaderValue {
		return badRequest("TooLongCSPInResponseHeadersPolicy", fmt.Sprintf("The Content-Security-Policy has more than %d characters.", maxHeaderValue))
	} else if doc.child("ContentSecurityPolicy") != nil && !validHeaderValue(v) {
		return invalidArgument("The parameter ContentSecurityPolicy is invalid.")
	}
	if f := doc.child("FrameOptions"); f != nil && !slices.Contains([]string{"DENY", "SAMEORIGIN"}, f.value("FrameOption")) {
		return invalidArgument("The parameter FrameOption is invalid: %s.", f.value("FrameOption"))
	}
	referrers := []string{"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin",
		"strict-origin", "strict-origin-when-cross-origin", "unsafe-url"}
	if r := doc.child("ReferrerPolicy"); r != nil && !slices.Contains(referrers, r.value("ReferrerPolicy")) {
		return invalidArgument("The parameter ReferrerPolicy is invalid: %s.", r.value("ReferrerPolicy"))
	}
	if h := doc.child("StrictTransportSecurity"); h != nil {
		if v, err := h.wholeSeconds("AccessControlMaxAgeSec"); err != nil || v == nil {
			return invalidArgument("The parameter AccessControlMaxAgeSec of StrictTransportSecurity is required, in seconds.")
		}
	}
	x := doc.child("XSSProtection")
	if uri := x.value("ReportUri"); uri != "" && (x.value("ModeBlock") == "true" || !validHeaderValue(uri)) {
		return invalidArgument("The parameter ReportUri is invalid, or ModeBlock is true.")
	}
	return nil
}

func checkCustom(rules []HeaderRule) error {
	if len(rules) > maxHeaderRules {
		return badRequest("TooManyCustomHeadersInResponseHeadersPolicy", fmt.Sprintf("A policy has at most %d custom headers.", maxHeaderRules))
	}
	seen, bytes := map[string]bool{}, 0
	for _, r := range rules {
		name := strings.ToLower(r.Name)
		bytes += len(r.Value)
		switch {
		case !validHeaderName(r.Name) || len(r.Name) > maxHeaderName || untouchable(r.Name):
			return invalidArgument("The parameter CustomHeaders contains the header %q, which cannot be set.", r.Name)
		case slices.ContainsFunc(securityNames, func(s string) bool { return strings.EqualFold(s, name) }):
			return invalidArgument("The parameter CustomHeaders contains %s that is a security header and cannot be set as custom header.", r.Name)
		case !validHeaderValue(r.Value) || len(r.Value) > maxHeaderValue:
			return invalidArgument("The parameter CustomHeaders contains an invalid value of %s.", r.Name)
		case seen[name]:
			return invalidArgument("The parameter CustomHeaders contains %s twice.", r.Name)
		}
		seen[name] = true
	}
	if bytes > maxHeaderBytes {
		return invalidArgument("The values of CustomHeaders have more than %d characters together.", maxHeaderBytes)
	}
	return nil
}

func checkRemoved(names []string) error {
	if len(names) > maxHeaderRules {
		return badRequest("TooManyRemoveHeadersInResponseHeadersPolicy", fmt.Sprintf("A policy removes at most %d headers.", maxHeaderRules))
	}
	for _, name := range names {
		if !validHeaderName(name) || untouchable(name) {
			return invalidArgument("The parameter RemoveHeaders contains the header %q, which cannot be removed.", name)
		}
	}
	return nil
}

func checkCORS(c CORSRule, doc *node) error {
	for _, required := range []string{"AccessControlAllowCredentials", "AccessControlAllowHeaders", "AccessControlAllowMethods",
		"AccessControlAllowOrigins", "OriginOverride"} {
		if doc.child(required) == nil {
			return invalidArgument("The parameter %s is required.", required)
		}
	}
	methods := []string{"GET", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
	for _, m := range c.Methods {
		if !slices.Contains(methods, m) {
			return invalidArgument("The parameter AccessControlAllowMethods is invalid: %s.", m)
		}
	}
	for _, name := range slices.Concat(c.Headers, c.ExposeHeaders) {
		if !validHeaderName(name) {
			return invalidArgument("The parameter AccessControlAllowHeaders or AccessControlExposeHeaders is invalid: %q.", name)
		}
	}
	for _, o := range c.Origins {
		if !validHeaderValue(o) || o == "" || strings.ContainsAny(o, " ,") {
			return invalidArgument("The parameter AccessControlAllowOrigins is invalid: %q.", o)
		}
	}
	if c.MaxAge != nil && (*c.MaxAge < 0 || *c.MaxAge > maxTTL) {
		return invalidArgument("The parameter AccessControlMaxAgeSec is invalid: %d.", *c.MaxAge)
	}
	return nil
}

// validHeaderValue is whether the value is printable ASCII with spaces and tabs: what no header can smuggle a line in.
func validHeaderValue(v string) bool {
	for _, c := range []byte(v) {
		if c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}
