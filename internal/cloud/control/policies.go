package control

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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

func (p CachePolicy) id() string { return p.ID }

// configNode is the policy's configuration, CachePolicyConfig of the service model.
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

// maxTTL is the longest lifetime that is accepted: 100 years in seconds. CloudFront Developer Guide, "Maximum TTL",
// read 2026-11.
const maxTTL = 3_153_600_000

// maxKeyNames and maxKeyBytes bound the names that a policy lists of one kind; spec: cloudfront 4.2.
const (
	maxKeyNames = 10
	maxKeyBytes = 1024
)

// checkCachePolicy completes and checks a CachePolicyConfig document.
func checkCachePolicy(doc *node) error {
	if doc.child("MinTTL") == nil {
		return invalidArgument("The parameter MinTTL is required.")
	}
	if err := fillTTLs(doc); err != nil {
		return err
	}
	p, err := decodeCachePolicy("", doc)
	if err != nil {
		return err
	}
	if p.MinTTL > p.DefaultTTL || p.DefaultTTL > p.MaxTTL {
		return invalidArgument("The parameters MinTTL, DefaultTTL and MaxTTL must not decrease in this order.")
	}
	if err := checkKeyPart("Header", "CachePolicy", p.Headers, "none", "whitelist"); err != nil {
		return err
	}
	if err := checkKeyPart("Cookie", "CachePolicy", p.Cookies, "none", "whitelist", "allExcept", "all"); err != nil {
		return err
	}
	if err := checkKeyPart("QueryString", "CachePolicy", p.QueryStrings, "none", "whitelist", "allExcept", "all"); err != nil {
		return err
	}
	return checkDisabled(p)
}

// checkDisabled refuses a key for what is never cached, as CloudFront does.
func checkDisabled(p CachePolicy) error {
	if p.MaxTTL > 0 {
		return nil
	}
	for name, used := range map[string]bool{
		"EnableAcceptEncodingGzip": p.EnableGzip, "EnableAcceptEncodingBrotli": p.EnableBrotli,
		"HeaderBehavior": p.Headers.Behavior != "none", "CookieBehavior": p.Cookies.Behavior != "none",
		"QueryStringBehavior": p.QueryStrings.Behavior != "none",
	} {
		if used {
			return invalidArgument("The parameter %s is invalid for policy with caching disabled.", name)
		}
	}
	return nil
}

// fillTTLs adds the default and the maximum where they are left out: a day and a year, or what is set if that is
// more. CloudFront API Reference, CachePolicyConfig.
func fillTTLs(doc *node) error {
	var set CacheBehavior
	var err error
	for name, to := range map[string]**int64{"MinTTL": &set.MinTTL, "DefaultTTL": &set.DefaultTTL, "MaxTTL": &set.MaxTTL} {
		if *to, err = doc.wholeSeconds(name); err != nil {
			return err
		}
	}
	_, def, upper := set.legacyTTLs()
	doc.defaults(number("DefaultTTL", def), number("MaxTTL", upper))
	return nil
}

// wholeSeconds reads a number of seconds; nil without the element.
func (n *node) wholeSeconds(name string) (*int64, error) {
	c := n.child(name)
	if c == nil {
		return nil, nil
	}
	v, err := strconv.ParseInt(strings.TrimSpace(c.text), 10, 64)
	if err != nil {
		return nil, errMalformed(fmt.Errorf("%s is not a number", name))
	}
	if v < 0 || v > maxTTL {
		return nil, invalidArgument("The parameter %s is invalid: %d.", name, v)
	}
	return &v, nil
}

// decodeCachePolicy reads a complete CachePolicyConfig document.
func decodeCachePolicy(id string, doc *node) (CachePolicy, error) {
	p := CachePolicy{ID: id, Name: doc.value("Name"), Comment: doc.value("Comment")}
	for name, to := range map[string]*time.Duration{"MinTTL": &p.MinTTL, "DefaultTTL": &p.DefaultTTL, "MaxTTL": &p.MaxTTL} {
		v, err := doc.wholeSeconds(name)
		if err != nil {
			return p, err
		}
		if v != nil {
			*to = seconds(*v)
		}
	}
	key := doc.child("ParametersInCacheKeyAndForwardedToOrigin")
	var err error
	if p.EnableGzip, err = key.flag("EnableAcceptEncodingGzip"); err != nil {
		return p, err
	}
	if p.EnableBrotli, err = key.flag("EnableAcceptEncodingBrotli"); err != nil {
		return p, err
	}
	p.Headers = keyPart(key.child("HeadersConfig"), "HeaderBehavior", "Headers")
	p.Cookies = keyPart(key.child("CookiesConfig"), "CookieBehavior", "Cookies")
	p.QueryStrings = keyPart(key.child("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings")
	return p, nil
}

// keyPart reads what KeyPart.node writes; none without it.
func keyPart(config *node, behavior, names string) KeyPart {
	k := KeyPart{Behavior: config.value(behavior), Names: config.child(names).items()}
	if k.Behavior == "" {
		k.Behavior = "none"
	}
	return k
}

// items are the texts of a list.
func (n *node) items() []string {
	var out []string
	for _, item := range n.child("Items").children() {
		out = append(out, item.text)
	}
	return out
}

// flag reads a boolean; false without the element.
func (n *node) flag(name string) (bool, error) {
	switch v := strings.TrimSpace(n.value(name)); v {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	default:
		return false, errMalformed(fmt.Errorf("%s is neither true nor false", name))
	}
}

// checkKeyPart wants a behavior of those allowed, names where it needs them, and not too many; what is Header,
// Cookie or QueryString.
func checkKeyPart(what, policy string, k KeyPart, allowed ...string) error {
	if !slices.Contains(allowed, k.Behavior) {
		return invalidArgument("The parameter %sBehavior is invalid: %s.", what, k.Behavior)
	}
	named := k.Behavior == "whitelist" || k.Behavior == "allExcept" || k.Behavior == "allViewerAndWhitelistCloudFront"
	if named != (len(k.Names) > 0) {
		return invalidArgument("The parameter %ss must have names if and only if %sBehavior lists some.", what, what)
	}
	if len(k.Names) > maxKeyNames {
		return badRequest("TooMany"+what+"sIn"+policy, fmt.Sprintf("The number of names (%d) exceeds the maximum of %d.", len(k.Names), maxKeyNames))
	}
	bytes := 0
	for _, name := range k.Names {
		bytes += len(name)
		if name == "" || what == "Header" && !validHeaderName(name) {
			return invalidArgument("The parameter %ss contains an invalid name: %q.", what, name)
		}
	}
	if bytes > maxKeyBytes {
		return invalidArgument("The names of %ss have more than %d characters together.", what, maxKeyBytes)
	}
	return nil
}
