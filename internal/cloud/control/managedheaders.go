package control

// managedResponseHeaders are the response headers policies that AWS manages, in the order of the guide.
// CloudFront guide, "Use managed response headers policies", read 2026-11; spec: cloudfront 5.5.
func managedResponseHeaders() []policyRecord {
	// The guide gives no methods and headers for the simple ones, which no preflight asks about; the model wants some.
	simple := corsNode([]string{"GET", "HEAD"}, nil)
	preflight := corsNode([]string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"}, []string{"*"})
	return []policyRecord{
		managedHeaders("5cc3b908-e619-4b99-88e5-2cf7f45965bd", "CORS-With-Preflight", preflight, nil),
		managedHeaders("60669652-455b-4ae9-85a4-c4c02393f86c", "SimpleCORS", simple, nil),
		managedHeaders("67f7725c-6f97-4210-82d7-5512b31e9d03", "SecurityHeadersPolicy", nil, securityNode()),
		managedHeaders("e61eb60c-9c35-4d20-a928-2b84e02af89c", "CORS-and-SecurityHeadersPolicy", simple, securityNode()),
		managedHeaders("eaab4381-ed33-4a86-88ca-d9558dc6cd63", "CORS-with-preflight-and-SecurityHeadersPolicy", preflight, securityNode()),
	}
}

func managedHeaders(id, name string, cors, security *node) policyRecord {
	return managedRecord(id, el("ResponseHeadersPolicyConfig", leaf("Comment", ""), leaf("Name", name), cors, security))
}

// corsNode allows every origin and leaves the origin's own headers alone.
func corsNode(methods, expose []string) *node {
	n := el("CorsConfig",
		leaves("AccessControlAllowOrigins", "Origin", []string{"*"}),
		leaves("AccessControlAllowHeaders", "Header", []string{"*"}),
		leaves("AccessControlAllowMethods", "Method", methods),
		boolean("AccessControlAllowCredentials", false))
	if len(expose) > 0 {
		n.kids = append(n.kids, leaves("AccessControlExposeHeaders", "Header", expose))
	}
	n.kids = append(n.kids, boolean("OriginOverride", false))
	return n
}

func securityNode() *node {
	keep := func() *node { return boolean("Override", false) }
	return el("SecurityHeadersConfig",
		el("XSSProtection", keep(), boolean("Protection", true), boolean("ModeBlock", true)),
		el("FrameOptions", keep(), leaf("FrameOption", "SAMEORIGIN")),
		el("ReferrerPolicy", keep(), leaf("ReferrerPolicy", "strict-origin-when-cross-origin")),
		el("ContentTypeOptions", boolean("Override", true)),
		el("StrictTransportSecurity", keep(), boolean("IncludeSubdomains", false), boolean("Preload", false),
			number("AccessControlMaxAgeSec", 31536000)))
}
