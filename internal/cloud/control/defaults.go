package control

// fillDefaults adds what a DistributionConfig document may leave out and CloudFront answers all the same, so that
// clients which read such elements unchecked find them; spec: cloudfront 5.9. What is there stays as it is.
func fillDefaults(doc *node) {
	doc.defaults(
		list("Aliases"), leaf("DefaultRootObject", ""), list("OriginGroups"), list("CacheBehaviors"),
		list("CustomErrorResponses"),
		el("Logging", boolean("Enabled", false), boolean("IncludeCookies", false), leaf("Bucket", ""), leaf("Prefix", "")),
		leaf("PriceClass", "PriceClass_All"),
		el("ViewerCertificate", boolean("CloudFrontDefaultCertificate", true)),
		el("Restrictions", el("GeoRestriction", leaf("RestrictionType", "none"), number("Quantity", 0))),
		leaf("WebACLId", ""), leaf("HttpVersion", "http2"), boolean("IsIPV6Enabled", true),
		leaf("ContinuousDeploymentPolicyId", ""), boolean("Staging", false))
	for _, o := range doc.child("Origins").child("Items").children() {
		o.defaults(leaf("OriginPath", ""), list("CustomHeaders"), number("ConnectionAttempts", 3),
			number("ConnectionTimeout", 10), el("OriginShield", boolean("Enabled", false)),
			leaf("OriginAccessControlId", ""))
	}
	fillBehavior(doc.child("DefaultCacheBehavior"))
	for _, b := range doc.child("CacheBehaviors").child("Items").children() {
		fillBehavior(b)
	}
	for _, r := range doc.child("CustomErrorResponses").child("Items").children() {
		// CloudFront guide, custom-error-pages-expiration: 10 seconds; spec: cloudfront 3.4.
		r.defaults(leaf("ResponsePagePath", ""), leaf("ResponseCode", ""), number("ErrorCachingMinTTL", 10))
	}
}

func fillBehavior(b *node) {
	if b == nil {
		return
	}
	read := []string{"HEAD", "GET"}
	b.defaults(
		el("TrustedSigners", boolean("Enabled", false), number("Quantity", 0)),
		el("TrustedKeyGroups", boolean("Enabled", false), number("Quantity", 0)),
		leaves("AllowedMethods", "Method", read),
		boolean("SmoothStreaming", false), boolean("Compress", false),
		list("LambdaFunctionAssociations"), list("FunctionAssociations"), leaf("FieldLevelEncryptionId", ""))
	b.child("AllowedMethods").defaults(leaves("CachedMethods", "Method", read))
}

// defaults adds each element whose name the node does not have yet.
func (n *node) defaults(elements ...*node) {
	for _, e := range elements {
		if n.child(e.name) == nil {
			n.kids = append(n.kids, e)
		}
	}
}
