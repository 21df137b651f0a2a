package control

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// checkDocument refuses a document that lacks a required element or whose quantities are wrong;
// spec: cloudfront 5.9.
func checkDocument(doc *node) error {
	if doc.name != "DistributionConfig" {
		return errMalformed(errUnexpectedRoot(doc.name, "DistributionConfig"))
	}
	for _, name := range []string{"CallerReference", "Origins", "DefaultCacheBehavior", "Comment", "Enabled"} {
		if doc.child(name) == nil {
			return invalidArgument("The parameter %s is required.", name)
		}
	}
	return doc.checkQuantities()
}

// checkConfig refuses what CloudFront refuses and a local edge could not carry out either; codes by the service
// model; spec: cloudfront 5.1 to 5.4.
func checkConfig(cfg DistributionConfig) error {
	if err := checkCounts(cfg); err != nil {
		return err
	}
	if strings.TrimSpace(cfg.CallerReference) == "" {
		return invalidArgument("The parameter CallerReference is required.")
	}
	if !validRootObject(cfg.DefaultRootObject) {
		return badRequest("InvalidDefaultRootObject", "The default root object file name is too big or contains an invalid character.")
	}
	if err := checkOrigins(cfg.Origins); err != nil {
		return err
	}
	if err := checkBehavior(cfg.DefaultCacheBehavior, cfg.Origins); err != nil {
		return err
	}
	if err := checkBehaviors(cfg); err != nil {
		return err
	}
	for _, r := range cfg.CustomErrorResponses {
		if err := checkErrorResponse(r); err != nil {
			return err
		}
	}
	if t := cfg.CacheTagConfig; t != nil && !validHeaderName(t.HeaderName) {
		return invalidArgument("The parameter HeaderName of CacheTagConfig is not a header name.")
	}
	return nil
}

// checkCounts refuses more than CloudFront has room for; spec: cloudfront 5.3.
func checkCounts(cfg DistributionConfig) error {
	for _, c := range []struct {
		have, most int
		code       string
	}{
		{len(cfg.CacheBehaviors), 75, "TooManyCacheBehaviors"},
		{len(cfg.Origins), 100, "TooManyOrigins"},
		{len(cfg.Aliases), 100, "TooManyDistributionCNAMEs"},
	} {
		if c.have > c.most {
			return badRequest(c.code, fmt.Sprintf("A distribution has at most %d of these, not %d.", c.most, c.have))
		}
	}
	return nil
}

// validRootObject follows the guide's DefaultRootObject: at most 255 characters of a small set; a leading slash is
// accepted, as there.
func validRootObject(name string) bool {
	return len(name) <= 255 && onlyBytes(name, `_-.*$/~"'&`)
}

func checkOrigins(origins []Origin) error {
	if len(origins) == 0 {
		return invalidArgument("The parameter Origins is required: a distribution has at least one origin.")
	}
	seen := map[string]bool{}
	for _, o := range origins {
		switch {
		case o.ID == "" || o.DomainName == "":
			return invalidArgument("The parameters Id and DomainName of an origin are required.")
		case seen[o.ID]:
			return invalidArgument("The origin id %s is used twice.", o.ID)
		case o.OriginPath != "" && (o.OriginPath[0] != '/' || strings.HasSuffix(o.OriginPath, "/")):
			return invalidArgument("The parameter OriginPath must begin with a slash and not end with one: %s.", o.OriginPath)
		case (o.S3Origin == nil) == (o.CustomOrigin == nil):
			return invalidArgument("The origin %s needs either S3OriginConfig or CustomOriginConfig.", o.ID)
		}
		if err := checkCustomOrigin(o); err != nil {
			return err
		}
		seen[o.ID] = true
	}
	return nil
}

// checkCustomOrigin refuses a host, port, protocol or header that no request could be sent with.
func checkCustomOrigin(o Origin) error {
	if !onlyBytes(o.DomainName, "-._:[]") {
		return invalidArgument("The parameter DomainName of an origin is not a host name: %s.", o.DomainName)
	}
	if len(o.CustomHeaders) > 30 { // CloudFront Developer Guide, "Quotas on custom headers", read 2026-11
		return badRequest("TooManyOriginCustomHeaders", "Your request contains too many origin custom headers.")
	}
	for _, h := range o.CustomHeaders {
		if !validHeaderName(h.Name) || !validHeaderValue(h.Value) || untouchable(h.Name) {
			return invalidArgument("The origin header %q is invalid.", h.Name)
		}
	}
	c := o.CustomOrigin
	if c == nil {
		return nil
	}
	if !slices.Contains([]string{"http-only", "match-viewer", "https-only"}, c.ProtocolPolicy) {
		return invalidArgument("The parameter OriginProtocolPolicy is invalid: %s.", c.ProtocolPolicy)
	}
	for _, port := range []int{c.HTTPPort, c.HTTPSPort} {
		if port < 1 || port > 65535 {
			return invalidArgument("The parameter HTTPPort or HTTPSPort is invalid: %d.", port)
		}
	}
	return nil
}

func checkBehaviors(cfg DistributionConfig) error {
	seen := map[string]bool{}
	for _, b := range cfg.CacheBehaviors {
		switch {
		case !validPattern(b.PathPattern):
			return invalidArgument("The parameter PathPattern is invalid: %s.", b.PathPattern)
		case seen[b.PathPattern]:
			return invalidArgument("The path pattern %s is used twice.", b.PathPattern)
		}
		seen[b.PathPattern] = true
		if err := checkBehavior(b, cfg.Origins); err != nil {
			return err
		}
	}
	return nil
}

// validPattern follows spec: cloudfront 5.3.
func validPattern(p string) bool {
	return p != "" && len(p) <= 255 && onlyBytes(p, `_-.*$/~"'@:+&?`)
}

func checkBehavior(b CacheBehavior, origins []Origin) error {
	if !slices.ContainsFunc(origins, func(o Origin) bool { return o.ID == b.TargetOriginID }) {
		return notFound("NoSuchOrigin", "One or more of your origins or origin groups do not exist.")
	}
	if !slices.Contains([]string{"allow-all", "https-only", "redirect-to-https"}, b.ViewerProtocolPolicy) {
		return invalidArgument("The parameter ViewerProtocolPolicy is invalid: %s.", b.ViewerProtocolPolicy)
	}
	if err := checkMethods(b); err != nil {
		return err
	}
	for _, f := range b.FunctionAssociations {
		if f.FunctionARN == "" || (f.EventType != "viewer-request" && f.EventType != "viewer-response") {
			return badRequest("InvalidFunctionAssociation", "The specified function association is invalid.")
		}
	}
	return checkPolicy(b)
}

// checkMethods knows the three sets that CloudFront offers; CloudFront API Reference, AllowedMethods.
func checkMethods(b CacheBehavior) error {
	const read, options = "GET HEAD", "GET HEAD OPTIONS"
	if set := methodSet(b.AllowedMethods); set != read && set != options && set != "DELETE GET HEAD OPTIONS PATCH POST PUT" {
		return invalidArgument("The parameter AllowedMethods is invalid: %s.", set)
	}
	if set := methodSet(b.CachedMethods); set != read && set != options {
		return invalidArgument("The parameter CachedMethods is invalid: %s.", set)
	}
	return nil
}

func methodSet(methods []string) string {
	return strings.Join(slices.Sorted(slices.Values(methods)), " ")
}

// checkPolicy wants a cache policy or the legacy settings, not both; spec: cloudfront 5.3.
func checkPolicy(b CacheBehavior) error {
	legacy := b.ForwardedValues != nil
	if (b.CachePolicyID != "") == legacy {
		return invalidArgument("The parameters CachePolicyId and ForwardedValues exclude each other, and one of them is required.")
	}
	if legacy {
		if lower, def, upper := b.legacyTTLs(); lower < 0 || lower > def || def > upper {
			return badRequest("InvalidTTLOrder", "The TTL order specified is not valid.")
		} else if upper > maxTTL {
			return invalidArgument("The parameter MaxTTL is invalid: %d.", upper)
		}
	}
	return nil
}

// checkResolved refuses policies that do not go with an origin. A bucket answers to its own host name only;
// spec: cloudfront 4.2.
func checkResolved(cfg DistributionConfig) error {
	for _, b := range append([]CacheBehavior{cfg.DefaultCacheBehavior}, cfg.CacheBehaviors...) {
		if err := checkS3Headers(b, cfg.Origins); err != nil {
			return err
		}
	}
	return nil
}

func checkS3Headers(b CacheBehavior, origins []Origin) error {
	names := b.Policies.Cache.Headers.Names
	if p := b.Policies.OriginRequest; p != nil && p.Headers.Behavior == "whitelist" {
		names = slices.Concat(names, p.Headers.Names)
	}
	bucket := func(o Origin) bool { return o.ID == b.TargetOriginID && o.S3Origin != nil }
	host := func(name string) bool { return strings.EqualFold(name, "Host") }
	if slices.ContainsFunc(origins, bucket) && slices.ContainsFunc(names, host) {
		return badRequest("InvalidHeadersForS3Origin", "The headers specified are not valid for an Amazon S3 origin.")
	}
	return nil
}

// checkErrorResponse follows spec: cloudfront 5.4.
func checkErrorResponse(r CustomErrorResponse) error {
	codes := []int{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
	switch {
	case !slices.Contains(codes, r.ErrorCode):
		return badRequest("InvalidErrorCode", "An invalid error code was specified.")
	case r.ResponseCode != 0 && r.ResponseCode != http.StatusOK && !slices.Contains(codes, r.ResponseCode):
		return badRequest("InvalidResponseCode", "A response code is not valid.")
	case (r.ResponseCode == 0) != (r.ResponsePagePath == ""):
		return invalidArgument("The parameters ResponseCode and ResponsePagePath need each other.")
	case r.ResponsePagePath != "" && r.ResponsePagePath[0] != '/':
		return invalidArgument("The parameter ResponsePagePath must begin with a slash: %s.", r.ResponsePagePath)
	case r.ErrorCachingMinTTL < 0 || r.ErrorCachingMinTTL > maxTTL:
		return invalidArgument("The parameter ErrorCachingMinTTL is invalid: %d.", r.ErrorCachingMinTTL)
	}
	return nil
}

// validHeaderName is whether the name is a token of RFC 9110, 5.6.2.
func validHeaderName(name string) bool {
	return name != "" && onlyBytes(name, "!#$%&'*+-.^_`|~")
}

// onlyBytes is whether s has only ASCII letters, digits and the bytes of extra.
func onlyBytes(s, extra string) bool {
	for _, c := range []byte(s) {
		if !alphanumeric(c) && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
