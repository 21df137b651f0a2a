package control

// OriginRequestPolicy says what of a viewer's request goes to the origin besides what is in the cache key.
type OriginRequestPolicy struct {
	ID      string
	Name    string
	Comment string
	// Headers has the behavior none, whitelist, allExcept, allViewer or allViewerAndWhitelistCloudFront; the names of
	// the last are headers that CloudFront makes itself.
	Headers KeyPart
	// Cookies and QueryStrings have the behavior none, whitelist, allExcept or all.
	Cookies, QueryStrings KeyPart
}

func (p OriginRequestPolicy) id() string { return p.ID }

// configNode is the policy's configuration, OriginRequestPolicyConfig of the service model.
func (p OriginRequestPolicy) configNode() *node {
	return el("OriginRequestPolicyConfig",
		leaf("Comment", p.Comment), leaf("Name", p.Name),
		p.Headers.node("HeadersConfig", "HeaderBehavior", "Headers"),
		p.Cookies.node("CookiesConfig", "CookieBehavior", "Cookies"),
		p.QueryStrings.node("QueryStringsConfig", "QueryStringBehavior", "QueryStrings"))
}

// ManagedOriginRequestPolicies returns the origin request policies that AWS manages, in the order of the guide.
// CloudFront guide, "Use managed origin request policies", read 2026-11.
func ManagedOriginRequestPolicies() []OriginRequestPolicy {
	all := KeyPart{Behavior: "allViewer"}
	cloudFront := KeyPart{Behavior: "allViewerAndWhitelistCloudFront", Names: []string{
		"CloudFront-Forwarded-Proto", "CloudFront-Is-Android-Viewer", "CloudFront-Is-Desktop-Viewer", "CloudFront-Is-IOS-Viewer",
		"CloudFront-Is-Mobile-Viewer", "CloudFront-Is-SmartTV-Viewer", "CloudFront-Is-Tablet-Viewer", "CloudFront-Viewer-Address",
		"CloudFront-Viewer-ASN", "CloudFront-Viewer-City", "CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name",
		"CloudFront-Viewer-Country-Region", "CloudFront-Viewer-Country-Region-Name", "CloudFront-Viewer-Http-Version",
		"CloudFront-Viewer-Latitude", "CloudFront-Viewer-Longitude", "CloudFront-Viewer-Metro-Code",
		"CloudFront-Viewer-Postal-Code", "CloudFront-Viewer-Time-Zone", "CloudFront-Viewer-TLS",
	}}
	mediaTailor := keyOnly("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method", "User-Agent", "X-Forwarded-For")
	cors := keyOnly("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method")
	return []OriginRequestPolicy{
		{"216adef6-5c7f-47e4-b989-5492eafa07d3", "AllViewer", "", all, keyAll(), keyAll()},
		{"33f36d7e-f396-46d9-90e0-52428a34d9dc", "AllViewerAndCloudFrontHeaders-2022-06", "", cloudFront, keyAll(), keyAll()},
		{"b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader", "", KeyPart{Behavior: "allExcept", Names: []string{"Host"}}, keyAll(), keyAll()},
		{"59781a5b-3903-41f3-afcb-af62929ccde1", "CORS-CustomOrigin", "", keyOnly("Origin"), keyNone(), keyNone()},
		{"88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "CORS-S3Origin", "", cors, keyNone(), keyNone()},
		{"775133bc-15f2-49f9-abea-afb2e0bf67d2", "Elemental-MediaTailor-PersonalizedManifests", "", mediaTailor, keyNone(), keyAll()},
		{"bf0718e1-ba1e-49d1-88b1-f726733018ae", "HostHeaderOnly", "", keyOnly("Host"), keyNone(), keyNone()},
		{"acba4595-bd28-49b8-b9fe-13317c0390fa", "UserAgentRefererHeaders", "", keyOnly("User-Agent", "Referer"), keyNone(), keyNone()},
	}
}

// checkOriginRequestPolicy checks an OriginRequestPolicyConfig document; its three parts are required.
func checkOriginRequestPolicy(doc *node) error {
	for _, part := range []string{"HeadersConfig", "CookiesConfig", "QueryStringsConfig"} {
		if doc.child(part) == nil {
			return invalidArgument("The parameter %s is required.", part)
		}
	}
	p := decodeOriginRequestPolicy("", doc)
	const policy = "OriginRequestPolicy"
	if err := checkKeyPart("Header", policy, p.Headers, "none", "whitelist", "allExcept", "allViewer", "allViewerAndWhitelistCloudFront"); err != nil {
		return err
	}
	if err := checkKeyPart("Cookie", policy, p.Cookies, "none", "whitelist", "allExcept", "all"); err != nil {
		return err
	}
	return checkKeyPart("QueryString", policy, p.QueryStrings, "none", "whitelist", "allExcept", "all")
}

// decodeOriginRequestPolicy reads an OriginRequestPolicyConfig document.
func decodeOriginRequestPolicy(id string, doc *node) OriginRequestPolicy {
	return OriginRequestPolicy{
		ID: id, Name: doc.value("Name"), Comment: doc.value("Comment"),
		Headers:      keyPart(doc.child("HeadersConfig"), "HeaderBehavior", "Headers"),
		Cookies:      keyPart(doc.child("CookiesConfig"), "CookieBehavior", "Cookies"),
		QueryStrings: keyPart(doc.child("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"),
	}
}
