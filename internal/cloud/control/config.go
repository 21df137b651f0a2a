package control

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"time"
)

// DistributionConfig is what the embedded cloud uses of a distribution's configuration. Elements that it does not
// name are kept by the Server and returned by the API. CloudFront API Reference, DistributionConfig.
type DistributionConfig struct {
	// CallerReference names the distribution for EnsureDistribution; required, never changes.
	CallerReference string `xml:"CallerReference"`
	Comment         string `xml:"Comment"`
	Enabled         bool   `xml:"Enabled"`
	// DefaultRootObject is the object name, without a leading slash, that answers "/"; "" is none.
	DefaultRootObject string   `xml:"DefaultRootObject"`
	Aliases           []string `xml:"Aliases>Items>CNAME"`
	// Origins has at least one; a behavior names one by its ID.
	Origins              []Origin      `xml:"Origins>Items>Origin"`
	DefaultCacheBehavior CacheBehavior `xml:"DefaultCacheBehavior"`
	// CacheBehaviors are asked in order before the default; the first whose PathPattern matches is used.
	CacheBehaviors       []CacheBehavior       `xml:"CacheBehaviors>Items>CacheBehavior"`
	CustomErrorResponses []CustomErrorResponse `xml:"CustomErrorResponses>Items>CustomErrorResponse"`
	// CacheTagConfig is nil where cache tags are off.
	CacheTagConfig *CacheTagConfig `xml:"CacheTagConfig"`
}

// Origin is where a behavior fetches from: a bucket (S3Origin) or any server (CustomOrigin), exactly one of them.
type Origin struct {
	ID         string `xml:"Id"`
	DomainName string `xml:"DomainName"` // host name, without a scheme
	// OriginPath is put before every path that the origin is asked for; "" or "/a/b".
	OriginPath            string         `xml:"OriginPath"`
	CustomHeaders         []OriginHeader `xml:"CustomHeaders>Items>OriginCustomHeader"`
	S3Origin              *S3Origin      `xml:"S3OriginConfig"`
	CustomOrigin          *CustomOrigin  `xml:"CustomOriginConfig"`
	OriginAccessControlID string         `xml:"OriginAccessControlId"` // "" is none
}

// OriginHeader is a header that every request to the origin carries.
type OriginHeader struct {
	Name  string `xml:"HeaderName"`
	Value string `xml:"HeaderValue"`
}

// S3Origin marks an origin as a bucket.
type S3Origin struct {
	OriginAccessIdentity string `xml:"OriginAccessIdentity"` // "" is none
}

// CustomOrigin is how a server that is not a bucket is reached.
type CustomOrigin struct {
	HTTPPort       int    `xml:"HTTPPort"`
	HTTPSPort      int    `xml:"HTTPSPort"`
	ProtocolPolicy string `xml:"OriginProtocolPolicy"` // http-only, match-viewer, https-only
}

// CacheBehavior says how one part of the URL space is answered. Either CachePolicyID or ForwardedValues is set.
type CacheBehavior struct {
	// PathPattern has the wildcards * (0 or more characters) and ? (one); "" in the default behavior only.
	PathPattern          string   `xml:"PathPattern"`
	TargetOriginID       string   `xml:"TargetOriginId"`
	ViewerProtocolPolicy string   `xml:"ViewerProtocolPolicy"` // allow-all, https-only, redirect-to-https
	AllowedMethods       []string `xml:"AllowedMethods>Items>Method"`
	CachedMethods        []string `xml:"AllowedMethods>CachedMethods>Items>Method"`
	Compress             bool     `xml:"Compress"`

	CachePolicyID           string                `xml:"CachePolicyId"`
	OriginRequestPolicyID   string                `xml:"OriginRequestPolicyId"`
	ResponseHeadersPolicyID string                `xml:"ResponseHeadersPolicyId"`
	FunctionAssociations    []FunctionAssociation `xml:"FunctionAssociations>Items>FunctionAssociation"`

	// The legacy settings, used without a CachePolicyID. TTLs are whole seconds; nil is CloudFront's default: 0,
	// 86,400 and 31,536,000.
	ForwardedValues *ForwardedValues `xml:"ForwardedValues"`
	MinTTL          *int64           `xml:"MinTTL"`
	DefaultTTL      *int64           `xml:"DefaultTTL"`
	MaxTTL          *int64           `xml:"MaxTTL"`

	// Policies are what the IDs above name, or the legacy settings come to. They are filled in for Edges and
	// Options.CheckConfig, and ignored elsewhere.
	Policies BehaviorPolicies `xml:"-"`
}

// BehaviorPolicies are the policies of one behavior.
type BehaviorPolicies struct {
	Cache           CachePolicy
	OriginRequest   *OriginRequestPolicy   // nil: nothing but what is in the cache key
	ResponseHeaders *ResponseHeadersPolicy // nil: none
}

// FunctionAssociation runs a function at an event.
type FunctionAssociation struct {
	FunctionARN string `xml:"FunctionARN"`
	EventType   string `xml:"EventType"` // viewer-request, viewer-response
}

// ForwardedValues is the legacy way to say what enters the cache key and reaches the origin.
type ForwardedValues struct {
	QueryString          bool     `xml:"QueryString"`
	QueryStringCacheKeys []string `xml:"QueryStringCacheKeys>Items>Name"` // none with QueryString: all of them
	CookiesForward       string   `xml:"Cookies>Forward"`                 // none, whitelist, all
	CookieNames          []string `xml:"Cookies>WhitelistedNames>Items>Name"`
	Headers              []string `xml:"Headers>Items>Name"` // "*" is all, and turns caching off
}

// CustomErrorResponse replaces an error answer, or only sets how long it is cached.
type CustomErrorResponse struct {
	ErrorCode        int    `xml:"ErrorCode"`
	ResponsePagePath string `xml:"ResponsePagePath"` // "" keeps the origin's body
	ResponseCode     int    `xml:"ResponseCode"`     // 0 without a page
	// ErrorCachingMinTTL is in whole seconds; absent in a request it becomes 10.
	ErrorCachingMinTTL int64 `xml:"ErrorCachingMinTTL"`
}

// CacheTagConfig turns cache tags on.
type CacheTagConfig struct {
	HeaderName string `xml:"HeaderName"` // the origin's response header that carries the tags
}

// legacyPolicy translates ForwardedValues. Brotli needs a cache policy; CloudFront guide, ServingCompressedFiles.
func (b CacheBehavior) legacyPolicy() CachePolicy {
	lower, def, upper := b.legacyTTLs()
	p := CachePolicy{
		MinTTL: seconds(lower), DefaultTTL: seconds(def), MaxTTL: seconds(upper),
		Headers: keyNone(), Cookies: keyNone(), QueryStrings: keyNone(), EnableGzip: b.Compress,
	}
	f := b.ForwardedValues
	if f == nil {
		return p
	}
	if f.QueryString {
		p.QueryStrings = keyAll()
		if len(f.QueryStringCacheKeys) > 0 {
			p.QueryStrings = keyOnly(f.QueryStringCacheKeys...)
		}
	}
	switch f.CookiesForward {
	case "all":
		p.Cookies = keyAll()
	case "whitelist":
		p.Cookies = keyOnly(f.CookieNames...)
	}
	if len(f.Headers) == 1 && f.Headers[0] == "*" {
		// Every header forwarded means that nothing is cached; CloudFront guide, header-caching.
		p.MinTTL, p.DefaultTTL, p.MaxTTL = 0, 0, 0
	} else if len(f.Headers) > 0 {
		p.Headers = keyOnly(f.Headers...)
	}
	return p
}

// legacyOriginRequest is what the legacy settings send to the origin besides what is in the key: all query strings
// where only some are in the key, and all headers where they turn caching off. nil is nothing.
func (b CacheBehavior) legacyOriginRequest() *OriginRequestPolicy {
	f := b.ForwardedValues
	if f == nil {
		return nil
	}
	p := &OriginRequestPolicy{Headers: keyNone(), Cookies: keyNone(), QueryStrings: keyNone()}
	if f.QueryString && len(f.QueryStringCacheKeys) > 0 {
		p.QueryStrings = keyAll()
	}
	if len(f.Headers) == 1 && f.Headers[0] == "*" {
		p.Headers.Behavior = "allViewer"
	}
	if p.QueryStrings.Behavior == "none" && p.Headers.Behavior == "none" {
		return nil
	}
	return p
}

// legacyTTLs are the behavior's own TTLs in seconds with CloudFront's defaults filled in: an absent default or
// maximum is never below what is set.
func (b CacheBehavior) legacyTTLs() (lower, def, upper int64) {
	const day, year = 86400, 31536000
	if b.MinTTL != nil {
		lower = *b.MinTTL
	}
	def = max(day, lower)
	if b.DefaultTTL != nil {
		def = *b.DefaultTTL
	} else if b.MaxTTL != nil {
		def = min(def, *b.MaxTTL)
	}
	upper = max(year, def)
	if b.MaxTTL != nil {
		upper = *b.MaxTTL
	}
	return lower, def, upper
}

// decodeConfig reads the fields that the package knows out of a DistributionConfig document.
func decodeConfig(doc *node) (DistributionConfig, error) {
	var cfg DistributionConfig
	if err := xml.Unmarshal(doc.render(), &cfg); err != nil {
		return DistributionConfig{}, fmt.Errorf("read distribution configuration: %w", err)
	}
	return cfg, nil
}

// document writes the configuration as a DistributionConfig document; fillDefaults adds what it does not name.
func (c DistributionConfig) document() *node {
	var origins, behaviors, responses []*node
	for _, o := range c.Origins {
		origins = append(origins, o.node())
	}
	for _, b := range c.CacheBehaviors {
		behaviors = append(behaviors, b.node("CacheBehavior"))
	}
	for _, r := range c.CustomErrorResponses {
		responses = append(responses, r.node())
	}
	doc := el("DistributionConfig",
		leaf("CallerReference", c.CallerReference),
		leaves("Aliases", "CNAME", c.Aliases),
		leaf("DefaultRootObject", c.DefaultRootObject),
		list("Origins", origins...),
		c.DefaultCacheBehavior.node("DefaultCacheBehavior"),
		list("CacheBehaviors", behaviors...),
		list("CustomErrorResponses", responses...),
		leaf("Comment", c.Comment),
		boolean("Enabled", c.Enabled))
	if c.CacheTagConfig != nil {
		doc.kids = append(doc.kids, el("CacheTagConfig", leaf("HeaderName", c.CacheTagConfig.HeaderName)))
	}
	return doc
}

func (o Origin) node() *node {
	var headers []*node
	for _, h := range o.CustomHeaders {
		headers = append(headers, el("OriginCustomHeader", leaf("HeaderName", h.Name), leaf("HeaderValue", h.Value)))
	}
	n := el("Origin", leaf("Id", o.ID), leaf("DomainName", o.DomainName), leaf("OriginPath", o.OriginPath),
		list("CustomHeaders", headers...))
	if o.S3Origin != nil {
		n.kids = append(n.kids, el("S3OriginConfig", leaf("OriginAccessIdentity", o.S3Origin.OriginAccessIdentity)))
	}
	if c := o.CustomOrigin; c != nil {
		n.kids = append(n.kids, el("CustomOriginConfig", number("HTTPPort", int64(c.HTTPPort)),
			number("HTTPSPort", int64(c.HTTPSPort)), leaf("OriginProtocolPolicy", c.ProtocolPolicy)))
	}
	n.kids = append(n.kids, leaf("OriginAccessControlId", o.OriginAccessControlID))
	return n
}

func (b CacheBehavior) node(name string) *node {
	var functions []*node
	for _, f := range b.FunctionAssociations {
		functions = append(functions, el("FunctionAssociation", leaf("FunctionARN", f.FunctionARN), leaf("EventType", f.EventType)))
	}
	n := el(name)
	n.addText("PathPattern", b.PathPattern)
	n.kids = append(n.kids, leaf("TargetOriginId", b.TargetOriginID), leaf("ViewerProtocolPolicy", b.ViewerProtocolPolicy))
	if len(b.AllowedMethods) > 0 {
		methods := leaves("AllowedMethods", "Method", b.AllowedMethods)
		if len(b.CachedMethods) > 0 {
			methods.kids = append(methods.kids, leaves("CachedMethods", "Method", b.CachedMethods))
		}
		n.kids = append(n.kids, methods)
	}
	n.kids = append(n.kids, boolean("Compress", b.Compress), list("FunctionAssociations", functions...))
	n.addText("CachePolicyId", b.CachePolicyID)
	n.addText("OriginRequestPolicyId", b.OriginRequestPolicyID)
	n.addText("ResponseHeadersPolicyId", b.ResponseHeadersPolicyID)
	n.addLegacy(b)
	return n
}

// addLegacy adds the settings of a behavior without a cache policy.
func (n *node) addLegacy(b CacheBehavior) {
	if f := b.ForwardedValues; f != nil {
		cookies := el("Cookies", leaf("Forward", f.CookiesForward))
		if len(f.CookieNames) > 0 {
			cookies.kids = append(cookies.kids, leaves("WhitelistedNames", "Name", f.CookieNames))
		}
		n.kids = append(n.kids, el("ForwardedValues", boolean("QueryString", f.QueryString), cookies,
			leaves("Headers", "Name", f.Headers), leaves("QueryStringCacheKeys", "Name", f.QueryStringCacheKeys)))
	}
	n.addSeconds("MinTTL", b.MinTTL)
	n.addSeconds("DefaultTTL", b.DefaultTTL)
	n.addSeconds("MaxTTL", b.MaxTTL)
}

func (r CustomErrorResponse) node() *node {
	code := ""
	if r.ResponseCode != 0 {
		code = strconv.Itoa(r.ResponseCode)
	}
	return el("CustomErrorResponse", number("ErrorCode", int64(r.ErrorCode)),
		leaf("ResponsePagePath", r.ResponsePagePath), leaf("ResponseCode", code),
		number("ErrorCachingMinTTL", r.ErrorCachingMinTTL))
}

// addText adds an element unless its text is empty.
func (n *node) addText(name, text string) {
	if text != "" {
		n.kids = append(n.kids, leaf(name, text))
	}
}

// addSeconds adds an element unless the value is nil.
func (n *node) addSeconds(name string, v *int64) {
	if v != nil {
		n.kids = append(n.kids, number(name, *v))
	}
}

// Distribution is one distribution as the API shows it.
type Distribution struct {
	ID         string
	ARN        string
	DomainName string
	// Status is Deployed once every edge has the configuration, InProgress before.
	Status string
	// ETag is the version of Config that UpdateDistribution asks for, a bare token.
	ETag             string
	LastModifiedTime time.Time
	// InProgressInvalidationBatches counts the invalidations that are not yet Completed.
	InProgressInvalidationBatches int
	Config                        DistributionConfig
}
