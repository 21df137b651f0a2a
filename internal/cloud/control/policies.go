package control

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"time"
)

// CachePolicy says what enters the cache key and which lifetimes the edge accepts.
type CachePolicy struct {
	ID      string
	Name    string
	Comment string
	// MinTTL, DefaultTTL and MaxTTL bound the freshness lifetime; whole seconds, 0 is zero seconds.
	MinTTL, DefaultTTL, MaxTTL time.Duration
	// Headers has the behavior none or whitelist; Cookies and QueryStrings also allExcept and all.
	Headers, Cookies, QueryStrings KeyPart
	// EnableGzip and EnableBrotli put the normalised Accept-Encoding into the key.
	EnableGzip, EnableBrotli bool
}

// KeyPart is how headers, cookies or query strings enter the cache key. Names are literal, "*" too.
type KeyPart struct {
	Behavior string   // none, whitelist, allExcept, all
	Names    []string // for whitelist and allExcept
}

func keyNone() KeyPart                           { return KeyPart{Behavior: "none"} }
func keyAll() KeyPart                            { return KeyPart{Behavior: "all"} }
func keyOnly(names ...string) KeyPart            { return KeyPart{Behavior: "whitelist", Names: names} }
func seconds[T ~int | ~int64](n T) time.Duration { return time.Duration(n) * time.Second }

// policiesRead is what managed policies say as their time of modification: when the table was read.
var policiesRead = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// ManagedPolicies returns the cache policies that AWS manages, in the order of the guide.
// CloudFront guide, "Use managed cache policies", read 2026-11; spec: cloudfront 4.2.
func ManagedPolicies() []CachePolicy {
	const day, year = 86400, 31536000
	origin := []string{"Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"}
	return []CachePolicy{
		managed("658327ea-f89d-4fab-a63d-7e88639e58f6", "CachingOptimized", ttls{1, day, year}, keyNone(), keyNone(), keyNone(), true, true),
		managed("b2884449-e4de-46a7-ac36-70bc7f1ddd6d", "CachingOptimizedForUncompressedObjects", ttls{1, day, year}, keyNone(), keyNone(), keyNone(), false, false),
		managed("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled", ttls{0, 0, 0}, keyNone(), keyNone(), keyNone(), false, false),
		managed("83da9c7e-98b4-4e11-a168-04f0df8e2c65", "UseOriginCacheControlHeaders", ttls{0, 0, year}, keyOnly(origin...), keyAll(), keyNone(), true, true),
		managed("4cc15a8a-d715-48a4-82b8-cc0b614638fe", "UseOriginCacheControlHeaders-QueryStrings", ttls{0, 0, year}, keyOnly(origin...), keyAll(), keyAll(), true, true),
		managed("08627262-05a9-4f76-9ded-b50ca2e3a84f", "Elemental-MediaPackage", ttls{0, day, year}, keyOnly("Origin"), keyNone(), keyOnly("aws.manifestfilter", "start", "end", "m"), true, false),
		managed("2e54312d-136d-493c-8eb9-b001f22f67d2", "Amplify", ttls{2, 2, 600}, keyOnly("Authorization", "CloudFront-Viewer-Country", "Host"), keyAll(), keyAll(), true, true),
	}
}

// ttls are a minimum, default and maximum in seconds.
type ttls struct{ min, def, max int }

func managed(id, name string, t ttls, headers, cookies, query KeyPart, gzip, brotli bool) CachePolicy {
	return CachePolicy{
		ID: id, Name: name,
		MinTTL: seconds(t.min), DefaultTTL: seconds(t.def), MaxTTL: seconds(t.max),
		Headers: headers, Cookies: cookies, QueryStrings: query,
		EnableGzip: gzip, EnableBrotli: brotli,
	}
}

// ManagedPolicy returns the managed cache policy with the id, and whether there is one.
func ManagedPolicy(id string) (CachePolicy, bool) {
	all := ManagedPolicies()
	i := slices.IndexFunc(all, func(p CachePolicy) bool { return p.ID == id })
	if i < 0 {
		return CachePolicy{}, false
	}
	return all[i], true
}

// etag is a token that stays the same as long as the policy's document does.
func (p CachePolicy) etag() string {
	sum := sha256.Sum256(p.configNode().render())
	return "E" + base32.StdEncoding.EncodeToString(sum[:])[:13]
}

// node is the policy's document, CachePolicy of the service model.
func (p CachePolicy) node() *node {
	return el("CachePolicy",
		leaf("Id", p.ID), timestamp("LastModifiedTime", policiesRead), p.configNode())
}

func (p CachePolicy) configNode() *node {
	return el("CachePolicyConfig",
		leaf("Comment", p.Comment), leaf("Name", p.Name),
		number("DefaultTTL", int64(p.DefaultTTL/time.Second)),
		number("MaxTTL", int64(p.MaxTTL/time.Second)),
		number("MinTTL", int64(p.MinTTL/time.Second)),
		el("ParametersInCacheKeyAndForwardedToOrigin",
			boolean("EnableAcceptEncodingGzip", p.EnableGzip),
			boolean("EnableAcceptEncodingBrotli", p.EnableBrotli),
			p.Headers.node("HeadersConfig", "HeaderBehavior", "Headers"),
			p.Cookies.node("CookiesConfig", "CookieBehavior", "Cookies"),
			p.QueryStrings.node("QueryStringsConfig", "QueryStringBehavior", "QueryStrings")))
}

func (k KeyPart) node(config, behavior, names string) *node {
	n := el(config, leaf(behavior, k.Behavior))
	if len(k.Names) > 0 {
		n.kids = append(n.kids, leaves(names, "Name", k.Names))
	}
	return n
}

func (s *Server) getCachePolicy(c *call) (*reply, error) {
	p, ok := ManagedPolicy(c.args[0])
	if !ok {
		return nil, errNoSuchCachePolicy()
	}
	return &reply{etag: p.etag(), body: p.node()}, nil
}

func (s *Server) getCachePolicyConfig(c *call) (*reply, error) {
	p, ok := ManagedPolicy(c.args[0])
	if !ok {
		return nil, errNoSuchCachePolicy()
	}
	return &reply{etag: p.etag(), body: p.configNode()}, nil
}

// listCachePolicies lists the managed policies, or nothing for Type=custom.
func (s *Server) listCachePolicies(c *call) (*reply, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	var all []CachePolicy
	switch kind := c.query.Get("Type"); kind {
	case "", "managed":
		all = ManagedPolicies()
	case "custom":
	default:
		return nil, invalidArgument("The parameter Type is invalid: %s.", kind)
	}
	shown, next, err := cut(all, p, func(p CachePolicy) string { return p.ID })
	if err != nil {
		return nil, err
	}
	var items []*node
	for _, policy := range shown {
		items = append(items, el("CachePolicySummary", leaf("Type", "managed"), policy.node()))
	}
	body := list("CachePolicyList", items...)
	body.kids = append(body.kids, number("MaxItems", int64(p.max)))
	if next != "" {
		body.kids = append(body.kids, leaf("NextMarker", next))
	}
	return &reply{body: body}, nil
}

func errNoSuchCachePolicy() *apiError {
	return notFound("NoSuchCachePolicy", "The specified cache policy does not exist.")
}
