package control

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"
)

func sdkCachePolicy(name string) *types.CachePolicyConfig {
	return &types.CachePolicyConfig{
		Name: &name, MinTTL: aws.Int64(5), Comment: aws.String("mine"),
		ParametersInCacheKeyAndForwardedToOrigin: &types.ParametersInCacheKeyAndForwardedToOrigin{
			EnableAcceptEncodingGzip: aws.Bool(true),
			HeadersConfig:            &types.CachePolicyHeadersConfig{HeaderBehavior: types.CachePolicyHeaderBehaviorWhitelist, Headers: &types.Headers{Quantity: aws.Int32(1), Items: []string{"Origin"}}},
			CookiesConfig:            &types.CachePolicyCookiesConfig{CookieBehavior: types.CachePolicyCookieBehaviorNone},
			QueryStringsConfig:       &types.CachePolicyQueryStringsConfig{QueryStringBehavior: types.CachePolicyQueryStringBehaviorAllExcept, QueryStrings: &types.QueryStringNames{Quantity: aws.Int32(1), Items: []string{"utm"}}},
		},
	}
}

// The life of a cache policy, by the SDK: spec: cloudfront 4.2 and 5.9.
func TestCachePolicyLife(t *testing.T) {
	f := start(t, Options{})
	ctx := t.Context()
	made, err := f.client.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: sdkCachePolicy("mine")})
	if err != nil {
		t.Fatal(err)
	}
	id := made.CachePolicy.Id
	if c := made.CachePolicy.CachePolicyConfig; *c.DefaultTTL != 86400 || *c.MaxTTL != 31536000 || *made.Location != f.url+"/2020-05-31/cache-policy/"+*id {
		t.Errorf("default %d, maximum %d, at %s", *c.DefaultTTL, *c.MaxTTL, *made.Location)
	}
	_, err = f.client.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: sdkCachePolicy("mine")})
	wantCode(t, err, "CachePolicyAlreadyExists")

	cfg := sdkConfig("uses it")
	cfg.DefaultCacheBehavior.CachePolicyId = id
	used := f.create(t, cfg)
	want := CachePolicy{
		ID: *id, Name: "mine", Comment: "mine", MinTTL: seconds(5), DefaultTTL: seconds(86400), MaxTTL: seconds(31536000), EnableGzip: true,
		Headers: keyOnly("Origin"), Cookies: keyNone(), QueryStrings: KeyPart{"allExcept", []string{"utm"}},
	}
	if diff := cmp.Diff(f.edges.lastConfig().DefaultCacheBehavior.Policies.Cache, want); diff != "" {
		t.Errorf("edges have (-got +want):\n%s", diff)
	}
	by, err := f.client.ListDistributionsByCachePolicyId(ctx, &cloudfront.ListDistributionsByCachePolicyIdInput{CachePolicyId: id})
	if err != nil || len(by.DistributionIdList.Items) != 1 || by.DistributionIdList.Items[0] != *used.Distribution.Id {
		t.Errorf("used by %v, %v", by, err)
	}

	change := sdkCachePolicy("renamed")
	change.MinTTL = aws.Int64(100_000)
	put, err := f.client.UpdateCachePolicy(ctx, &cloudfront.UpdateCachePolicyInput{Id: id, IfMatch: made.ETag, CachePolicyConfig: change})
	if err != nil {
		t.Fatal(err)
	}
	f.deployed(t, *used.Distribution.Id) // Deployed only with the policy as it is now
	if got := f.edges.lastConfig().DefaultCacheBehavior.Policies.Cache; got.Name != "renamed" || got.DefaultTTL != seconds(100_000) {
		t.Errorf("edges have %+v", got)
	}
	_, err = f.client.UpdateCachePolicy(ctx, &cloudfront.UpdateCachePolicyInput{Id: id, IfMatch: made.ETag, CachePolicyConfig: change})
	wantCode(t, err, "PreconditionFailed")
	_, err = f.client.DeleteCachePolicy(ctx, &cloudfront.DeleteCachePolicyInput{Id: id, IfMatch: put.ETag})
	wantCode(t, err, "CachePolicyInUse")
	got, err := f.client.GetCachePolicyConfig(ctx, &cloudfront.GetCachePolicyConfigInput{Id: id})
	if err != nil || *got.ETag != *put.ETag || *got.CachePolicyConfig.Name != "renamed" {
		t.Errorf("config %v, %v", got, err)
	}
}

// Policies survive a restart, page through lists, and go when nobody uses them.
func TestPoliciesAreKept(t *testing.T) {
	f := start(t, Options{})
	ctx := t.Context()
	for i := range maxPolicies {
		if _, err := f.client.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: sdkCachePolicy(fmt.Sprint("p", i))}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.client.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: sdkCachePolicy("one more")})
	wantCode(t, err, "TooManyCachePolicies")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g := startAt(t, f.path, &fakeEdges{}, Options{})
	types := map[string]int{}
	in := &cloudfront.ListCachePoliciesInput{MaxItems: aws.Int32(6)}
	for {
		out, err := g.client.ListCachePolicies(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range out.CachePolicyList.Items {
			types[string(item.Type)]++
			in.Marker = item.CachePolicy.Id
		}
		if out.CachePolicyList.NextMarker == nil {
			break
		}
		in.Marker = out.CachePolicyList.NextMarker
	}
	if diff := cmp.Diff(types, map[string]int{"managed": 7, "custom": maxPolicies}); diff != "" {
		t.Errorf("listed (-got +want):\n%s", diff)
	}
	id := in.Marker
	got, err := g.client.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.DeleteCachePolicy(ctx, &cloudfront.DeleteCachePolicyInput{Id: id, IfMatch: got.ETag}); err != nil {
		t.Error(err)
	}
	_, err = g.client.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: id})
	wantCode(t, err, "NoSuchCachePolicy")
}

// The other two kinds are the same, with their own names and codes.
func TestOriginRequestPolicyLife(t *testing.T) {
	f := start(t, Options{})
	ctx := t.Context()
	cfg := &types.OriginRequestPolicyConfig{
		Name:               aws.String("mine"),
		HeadersConfig:      &types.OriginRequestPolicyHeadersConfig{HeaderBehavior: types.OriginRequestPolicyHeaderBehaviorAllViewer},
		CookiesConfig:      &types.OriginRequestPolicyCookiesConfig{CookieBehavior: types.OriginRequestPolicyCookieBehaviorAll},
		QueryStringsConfig: &types.OriginRequestPolicyQueryStringsConfig{QueryStringBehavior: types.OriginRequestPolicyQueryStringBehaviorAll},
	}
	made, err := f.client.CreateOriginRequestPolicy(ctx, &cloudfront.CreateOriginRequestPolicyInput{OriginRequestPolicyConfig: cfg})
	if err != nil {
		t.Fatal(err)
	}
	id := made.OriginRequestPolicy.Id
	dist := sdkConfig("uses it")
	dist.DefaultCacheBehavior.OriginRequestPolicyId = id
	f.create(t, dist)
	if p := f.edges.lastConfig().DefaultCacheBehavior.Policies.OriginRequest; p == nil || p.Headers.Behavior != "allViewer" || p.QueryStrings.Behavior != "all" {
		t.Errorf("edges have %+v", p)
	}
	_, err = f.client.DeleteOriginRequestPolicy(ctx, &cloudfront.DeleteOriginRequestPolicyInput{Id: id, IfMatch: made.ETag})
	wantCode(t, err, "OriginRequestPolicyInUse")
	cfg.HeadersConfig = &types.OriginRequestPolicyHeadersConfig{HeaderBehavior: types.OriginRequestPolicyHeaderBehaviorWhitelist, Headers: &types.Headers{Quantity: aws.Int32(1), Items: []string{"Host"}}}
	_, err = f.client.UpdateOriginRequestPolicy(ctx, &cloudfront.UpdateOriginRequestPolicyInput{Id: id, IfMatch: made.ETag, OriginRequestPolicyConfig: cfg})
	wantCode(t, err, "InvalidHeadersForS3Origin") // the distribution that uses it has a bucket
	if _, err := f.client.GetOriginRequestPolicyConfig(ctx, &cloudfront.GetOriginRequestPolicyConfigInput{Id: id}); err != nil {
		t.Error(err)
	}
	by, err := f.client.ListDistributionsByOriginRequestPolicyId(ctx, &cloudfront.ListDistributionsByOriginRequestPolicyIdInput{OriginRequestPolicyId: id})
	if err != nil || len(by.DistributionIdList.Items) != 1 {
		t.Errorf("used by %v, %v", by, err)
	}
	all, err := f.client.ListOriginRequestPolicies(ctx, &cloudfront.ListOriginRequestPoliciesInput{Type: types.OriginRequestPolicyTypeManaged})
	if err != nil || len(all.OriginRequestPolicyList.Items) != 8 {
		t.Errorf("managed: %v, %v", all, err)
	}
	_, err = f.client.GetOriginRequestPolicy(ctx, &cloudfront.GetOriginRequestPolicyInput{Id: aws.String("none")})
	wantCode(t, err, "NoSuchOriginRequestPolicy")
}

func sdkHeadersPolicy(name string) *types.ResponseHeadersPolicyConfig {
	return &types.ResponseHeadersPolicyConfig{
		Name: &name,
		CorsConfig: &types.ResponseHeadersPolicyCorsConfig{
			AccessControlAllowCredentials: aws.Bool(false), OriginOverride: aws.Bool(true), AccessControlMaxAgeSec: aws.Int32(60),
			AccessControlAllowHeaders:  &types.ResponseHeadersPolicyAccessControlAllowHeaders{Quantity: aws.Int32(1), Items: []string{"*"}},
			AccessControlAllowMethods:  &types.ResponseHeadersPolicyAccessControlAllowMethods{Quantity: aws.Int32(1), Items: []types.ResponseHeadersPolicyAccessControlAllowMethodsValues{"ALL"}},
			AccessControlAllowOrigins:  &types.ResponseHeadersPolicyAccessControlAllowOrigins{Quantity: aws.Int32(1), Items: []string{"https://*.example.org"}},
			AccessControlExposeHeaders: &types.ResponseHeadersPolicyAccessControlExposeHeaders{Quantity: aws.Int32(1), Items: []string{"X-A"}},
		},
		CustomHeadersConfig: &types.ResponseHeadersPolicyCustomHeadersConfig{Quantity: aws.Int32(1), Items: []types.ResponseHeadersPolicyCustomHeader{
			{Header: aws.String("Cache-Control"), Value: aws.String("no-store"), Override: aws.Bool(true)}}},
		RemoveHeadersConfig: &types.ResponseHeadersPolicyRemoveHeadersConfig{Quantity: aws.Int32(1), Items: []types.ResponseHeadersPolicyRemoveHeader{{Header: aws.String("Server")}}},
		SecurityHeadersConfig: &types.ResponseHeadersPolicySecurityHeadersConfig{
			ContentSecurityPolicy:   &types.ResponseHeadersPolicyContentSecurityPolicy{ContentSecurityPolicy: aws.String("default-src 'self'"), Override: aws.Bool(true)},
			ContentTypeOptions:      &types.ResponseHeadersPolicyContentTypeOptions{Override: aws.Bool(true)},
			FrameOptions:            &types.ResponseHeadersPolicyFrameOptions{FrameOption: types.FrameOptionsListDeny, Override: aws.Bool(false)},
			ReferrerPolicy:          &types.ResponseHeadersPolicyReferrerPolicy{ReferrerPolicy: types.ReferrerPolicyListOrigin, Override: aws.Bool(false)},
			StrictTransportSecurity: &types.ResponseHeadersPolicyStrictTransportSecurity{AccessControlMaxAgeSec: aws.Int32(60), IncludeSubdomains: aws.Bool(true), Preload: aws.Bool(true), Override: aws.Bool(true)},
			XSSProtection:           &types.ResponseHeadersPolicyXSSProtection{Protection: aws.Bool(true), ModeBlock: aws.Bool(true), Override: aws.Bool(true)},
		},
		ServerTimingHeadersConfig: &types.ResponseHeadersPolicyServerTimingHeadersConfig{Enabled: aws.Bool(true), SamplingRate: aws.Float64(12.5)},
	}
}

func TestResponseHeadersPolicyLife(t *testing.T) {
	f := start(t, Options{})
	ctx := t.Context()
	made, err := f.client.CreateResponseHeadersPolicy(ctx, &cloudfront.CreateResponseHeadersPolicyInput{ResponseHeadersPolicyConfig: sdkHeadersPolicy("mine")})
	if err != nil {
		t.Fatal(err)
	}
	id := made.ResponseHeadersPolicy.Id
	dist := sdkConfig("uses it")
	dist.DefaultCacheBehavior.ResponseHeadersPolicyId = id
	f.create(t, dist)
	rate, age := 12.5, int64(60)
	want := &ResponseHeadersPolicy{
		ID: *id, Name: "mine", Remove: []string{"Server"}, ServerTiming: &rate,
		Set: []HeaderRule{
			{"Content-Security-Policy", "default-src 'self'", true}, {"X-Content-Type-Options", "nosniff", true}, {"X-Frame-Options", "DENY", false},
			{"Referrer-Policy", "origin", false}, {"Strict-Transport-Security", "max-age=60; includeSubDomains; preload", true},
			{"X-XSS-Protection", "1; mode=block", true}, {"Cache-Control", "no-store", true},
		},
		CORS: &CORSRule{
			Origins: []string{"https://*.example.org"}, Methods: []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"},
			Headers: []string{"*"}, ExposeHeaders: []string{"X-A"}, MaxAge: &age, Override: true,
		},
	}
	if diff := cmp.Diff(f.edges.lastConfig().DefaultCacheBehavior.Policies.ResponseHeaders, want); diff != "" {
		t.Errorf("edges have (-got +want):\n%s", diff)
	}
	_, err = f.client.DeleteResponseHeadersPolicy(ctx, &cloudfront.DeleteResponseHeadersPolicyInput{Id: id, IfMatch: made.ETag})
	var used *types.ResponseHeadersPolicyInUse
	if !errors.As(err, &used) {
		t.Errorf("delete: %v, want ResponseHeadersPolicyInUse", err)
	}
	got, err := f.client.GetResponseHeadersPolicyConfig(ctx, &cloudfront.GetResponseHeadersPolicyConfigInput{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*got.ResponseHeadersPolicyConfig.SecurityHeadersConfig.StrictTransportSecurity.AccessControlMaxAgeSec, int32(60)); diff != "" {
		t.Error(diff)
	}
	if _, err := f.client.UpdateResponseHeadersPolicy(ctx, &cloudfront.UpdateResponseHeadersPolicyInput{Id: id, IfMatch: made.ETag, ResponseHeadersPolicyConfig: got.ResponseHeadersPolicyConfig}); err != nil {
		t.Error(err)
	}
	by, err := f.client.ListDistributionsByResponseHeadersPolicyId(ctx, &cloudfront.ListDistributionsByResponseHeadersPolicyIdInput{ResponseHeadersPolicyId: id})
	if err != nil || len(by.DistributionIdList.Items) != 1 {
		t.Errorf("used by %v, %v", by, err)
	}
}

// Every managed policy of the guide can be read by the SDK, and none be changed.
func TestManagedPolicies(t *testing.T) {
	f := start(t, Options{})
	ctx := t.Context()
	all, err := f.client.ListResponseHeadersPolicies(ctx, &cloudfront.ListResponseHeadersPoliciesInput{})
	if err != nil || len(all.ResponseHeadersPolicyList.Items) != 5 {
		t.Fatalf("%v, %v; want 5", all, err)
	}
	for _, item := range all.ResponseHeadersPolicyList.Items {
		p := item.ResponseHeadersPolicy
		got, err := f.client.GetResponseHeadersPolicy(ctx, &cloudfront.GetResponseHeadersPolicyInput{Id: p.Id})
		if err != nil || *got.ETag == "" || *got.ResponseHeadersPolicy.ResponseHeadersPolicyConfig.Name != *p.ResponseHeadersPolicyConfig.Name {
			t.Errorf("%s: %v, %v", *p.Id, got, err)
		}
		_, err = f.client.DeleteResponseHeadersPolicy(ctx, &cloudfront.DeleteResponseHeadersPolicyInput{Id: p.Id, IfMatch: aws.String("E1")})
		wantCode(t, err, "IllegalDelete")
		_, err = f.client.UpdateResponseHeadersPolicy(ctx, &cloudfront.UpdateResponseHeadersPolicyInput{Id: p.Id, IfMatch: aws.String("E1"), ResponseHeadersPolicyConfig: p.ResponseHeadersPolicyConfig})
		wantCode(t, err, "IllegalUpdate")
	}
	for _, k := range policyKinds() {
		for _, rec := range k.managed() {
			doc, err := parseXML(rec.Document)
			if err != nil || k.check(doc) != nil && !strings.Contains(doc.value("Name"), "CloudFrontHeaders") { // more names than users may list
				t.Errorf("%s %s: %v, %v", k.noun, rec.ID, err, k.check(doc))
			}
		}
	}
}

// What no edge could carry out is refused, with CloudFront's codes.
func TestPolicyRefusals(t *testing.T) {
	f := start(t, Options{})
	cache := func(inner string) string {
		return "<CachePolicyConfig><Name>n</Name>" + inner + "</CachePolicyConfig>"
	}
	headers := func(inner string) string {
		return "<ResponseHeadersPolicyConfig><Name>n</Name>" + inner + "</ResponseHeadersPolicyConfig>"
	}
	custom := func(n int, name, value string) string {
		one := func(i int) string {
			return "<ResponseHeadersPolicyCustomHeader><Header>" + strings.ReplaceAll(name, "%", fmt.Sprint(i)) + "</Header><Value>" + value + "</Value><Override>true</Override></ResponseHeadersPolicyCustomHeader>"
		}
		var items strings.Builder
		for i := range n {
			items.WriteString(one(i))
		}
		return headers(fmt.Sprintf("<CustomHeadersConfig><Quantity>%d</Quantity><Items>%s</Items></CustomHeadersConfig>", n, items.String()))
	}
	names := func(n int) string {
		return fmt.Sprintf("<Quantity>%d</Quantity><Items>%s</Items>", n, strings.Repeat("<Name>X-A</Name>", n))
	}
	key := func(inner string) string {
		return cache("<MinTTL>1</MinTTL><ParametersInCacheKeyAndForwardedToOrigin>" + inner + "</ParametersInCacheKeyAndForwardedToOrigin>")
	}
	rows := []struct{ name, path, body, code string }{
		{"no body", "cache-policy", "", "MissingBody"},
		{"another root", "cache-policy", headers(""), "MalformedXML"},
		{"no name", "cache-policy", "<CachePolicyConfig/>", "InvalidArgument"},
		{"no minimum", "cache-policy", cache(""), "InvalidArgument"},
		{"a minimum that is no number", "cache-policy", cache("<MinTTL>x</MinTTL>"), "MalformedXML"},
		{"TTL order", "cache-policy", cache("<MinTTL>5</MinTTL><DefaultTTL>4</DefaultTTL>"), "InvalidArgument"},
		{"beyond 100 years", "cache-policy", cache("<MinTTL>1</MinTTL><MaxTTL>3153600001</MaxTTL>"), "InvalidArgument"},
		{"a key without caching", "cache-policy", cache("<MinTTL>0</MinTTL><DefaultTTL>0</DefaultTTL><MaxTTL>0</MaxTTL><ParametersInCacheKeyAndForwardedToOrigin><EnableAcceptEncodingGzip>true</EnableAcceptEncodingGzip></ParametersInCacheKeyAndForwardedToOrigin>"), "InvalidArgument"},
		{"all headers in the key", "cache-policy", key("<HeadersConfig><HeaderBehavior>allViewer</HeaderBehavior></HeadersConfig>"), "InvalidArgument"},
		{"a list without names", "cache-policy", key("<HeadersConfig><HeaderBehavior>whitelist</HeaderBehavior></HeadersConfig>"), "InvalidArgument"},
		{"eleven headers", "cache-policy", key("<HeadersConfig><HeaderBehavior>whitelist</HeaderBehavior><Headers>" + names(11) + "</Headers></HeadersConfig>"), "TooManyHeadersInCachePolicy"},
		{"eleven cookies", "cache-policy", key("<CookiesConfig><CookieBehavior>whitelist</CookieBehavior><Cookies>" + names(11) + "</Cookies></CookiesConfig>"), "TooManyCookiesInCachePolicy"},
		{"a wrong quantity", "cache-policy", key("<CookiesConfig><CookieBehavior>whitelist</CookieBehavior><Cookies><Quantity>2</Quantity><Items><Name>a</Name></Items></Cookies></CookiesConfig>"), "InconsistentQuantities"},
		{"half an origin request policy", "origin-request-policy", "<OriginRequestPolicyConfig><Name>n</Name></OriginRequestPolicyConfig>", "InvalidArgument"},
		{"a line break in a value", "response-headers-policy", custom(1, "X-A", "a&#13;&#10;X-B: b"), "InvalidArgument"},
		{"a header of the connection", "response-headers-policy", custom(1, "Transfer-Encoding", "chunked"), "InvalidArgument"},
		{"a header of CloudFront", "response-headers-policy", custom(1, "x-amz-cf-id", "1"), "InvalidArgument"},
		{"a security header as a custom one", "response-headers-policy", custom(1, "x-frame-options", "DENY"), "InvalidArgument"},
		{"a header twice", "response-headers-policy", custom(2, "X-A", "1"), "InvalidArgument"},
		{"eleven custom headers", "response-headers-policy", custom(11, "X-%", "1"), "TooManyCustomHeadersInResponseHeadersPolicy"},
		{"removing Via", "response-headers-policy", headers("<RemoveHeadersConfig><Quantity>1</Quantity><Items><ResponseHeadersPolicyRemoveHeader><Header>Via</Header></ResponseHeadersPolicyRemoveHeader></Items></RemoveHeadersConfig>"), "InvalidArgument"},
		{"a long policy", "response-headers-policy", headers("<SecurityHeadersConfig><ContentSecurityPolicy><ContentSecurityPolicy>" + strings.Repeat("x", 1784) + "</ContentSecurityPolicy><Override>true</Override></ContentSecurityPolicy></SecurityHeadersConfig>"), "TooLongCSPInResponseHeadersPolicy"},
		{"a frame option", "response-headers-policy", headers("<SecurityHeadersConfig><FrameOptions><FrameOption>ALLOW</FrameOption></FrameOptions></SecurityHeadersConfig>"), "InvalidArgument"},
		{"half a CORS", "response-headers-policy", headers("<CorsConfig><OriginOverride>true</OriginOverride></CorsConfig>"), "InvalidArgument"},
		{"a sampling rate", "response-headers-policy", headers("<ServerTimingHeadersConfig><Enabled>true</Enabled><SamplingRate>101</SamplingRate></ServerTimingHeadersConfig>"), "InvalidArgument"},
		{"no rate at all", "response-headers-policy", headers("<ServerTimingHeadersConfig><Enabled>true</Enabled><SamplingRate>NaN</SamplingRate></ServerTimingHeadersConfig>"), "InvalidArgument"},
		{"not a boolean", "response-headers-policy", headers("<ServerTimingHeadersConfig><Enabled>yes!</Enabled></ServerTimingHeadersConfig>"), "MalformedXML"},
	}
	for _, row := range rows {
		a := f.send(t, http.MethodPost, "/2020-05-31/"+row.path, row.body)
		if got := between(a.body, "<Code>", "</Code>"); got != row.code {
			t.Errorf("%s: answered %d %s, want %s", row.name, a.status, a.body, row.code)
		}
	}
	a := f.send(t, http.MethodPut, "/2020-05-31/cache-policy/none", cache("<MinTTL>1</MinTTL>"), "If-Match", "E1")
	if got := between(a.body, "<Code>", "</Code>"); got != "NoSuchCachePolicy" {
		t.Errorf("update of nothing: %s", a.body)
	}
}

// Legacy settings that send more to the origin than is in the key.
func TestLegacyOriginRequest(t *testing.T) {
	for _, row := range []struct {
		f             *ForwardedValues
		headers, some string
	}{
		{nil, "", ""},
		{&ForwardedValues{QueryString: true}, "", ""},
		{&ForwardedValues{QueryString: true, QueryStringCacheKeys: []string{"q"}}, "none", "all"},
		{&ForwardedValues{Headers: []string{"*"}}, "allViewer", "none"},
	} {
		p := CacheBehavior{ForwardedValues: row.f}.legacyOriginRequest()
		if row.headers == "" {
			if p != nil {
				t.Errorf("%+v: %+v, want nothing", row.f, p)
			}
		} else if p.Headers.Behavior != row.headers || p.QueryStrings.Behavior != row.some {
			t.Errorf("%+v: %+v", row.f, p)
		}
	}
}
