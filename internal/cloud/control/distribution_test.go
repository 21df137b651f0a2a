package control

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"
)

func (f *fixture) configPath() string { return "/2020-05-31/distribution/" + f.dist.ID + "/config" }

// put sends a configuration with the version that is current.
func (f *fixture) put(t *testing.T, doc string) answer {
	t.Helper()
	etag := f.send(t, http.MethodGet, f.configPath(), "").header.Get("ETag")
	return f.send(t, http.MethodPut, f.configPath(), doc, "If-Match", etag)
}

// contains is whether every element of want stands in have: same texts, same children in the same order, but have
// may have more children.
func contains(have, want *node) bool {
	if have == nil || have.name != want.name || len(want.kids) == 0 && have.text != want.text {
		return false
	}
	next := 0
	for _, w := range want.kids {
		for next < len(have.kids) && !contains(have.kids[next], w) {
			next++
		}
		if next == len(have.kids) {
			return false
		}
		next++
	}
	return true
}

// spec: cloudfront 5.9: the sample survives, elements that nobody here knows included.
func TestConfigRoundTrip(t *testing.T) {
	f := start(t, Options{})
	if a := f.put(t, sampleConfig); a.status != http.StatusOK {
		t.Fatalf("update answered %d %s", a.status, a.body)
	}
	got := f.send(t, http.MethodGet, f.configPath(), "")
	have, err := parseXML([]byte(got.body))
	if err != nil {
		t.Fatal(err)
	}
	want, err := parseXML([]byte(sampleConfig))
	if err != nil {
		t.Fatal(err)
	}
	if !contains(have, want) {
		t.Errorf("the configuration lost something:\n%s", got.body)
	}
	if again := f.put(t, got.body); again.status != http.StatusOK {
		t.Fatalf("sending back what was read answered %d %s", again.status, again.body)
	}
	if twice := f.send(t, http.MethodGet, f.configPath(), ""); twice.body != got.body {
		t.Errorf("a round trip changed the document:\n%s", cmp.Diff(twice.body, got.body))
	}
	whole := f.send(t, http.MethodGet, "/2020-05-31/distribution/"+f.dist.ID, "")
	if !strings.Contains(whole.body, "<FutureOriginThing><Deep>kept &amp; escaped</Deep></FutureOriginThing>") {
		t.Errorf("GetDistribution lost an unknown element:\n%s", whole.body)
	}
}

func TestDecodeSample(t *testing.T) {
	doc, err := parseXML([]byte(sampleConfig))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeConfig(doc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, sampleDecoded()); diff != "" {
		t.Errorf("decoded (-got +want):\n%s", diff)
	}
}

// What is written from the struct reads back as the struct, all fields set.
func TestDocumentReadsBack(t *testing.T) {
	want := sampleDecoded()
	want.Origins = append(want.Origins, Origin{
		ID: "server", DomainName: "example.org", OriginPath: "/v1",
		CustomHeaders: []OriginHeader{{"X-A", "b"}},
		CustomOrigin:  &CustomOrigin{HTTPPort: 80, HTTPSPort: 443, ProtocolPolicy: "https-only"},
	})
	want.CacheBehaviors = append(want.CacheBehaviors, CacheBehavior{
		PathPattern: "old/?.html", TargetOriginID: "server", ViewerProtocolPolicy: "allow-all",
		AllowedMethods: []string{"GET", "HEAD"}, OriginRequestPolicyID: "some-id",
		ForwardedValues: &ForwardedValues{
			QueryString: true, QueryStringCacheKeys: []string{"q"}, CookiesForward: "whitelist",
			CookieNames: []string{"c"}, Headers: []string{"Origin"},
		},
		MinTTL: aws.Int64(0), DefaultTTL: aws.Int64(5), MaxTTL: aws.Int64(9),
	})
	got, err := decodeConfig(want.document())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("read back (-got +want):\n%s", diff)
	}
}

// The SDK sees what it needs: defaults are filled in, OriginPath is there even if empty; spec: cloudfront 5.9.
func TestGetAndUpdateBySDK(t *testing.T) {
	f := start(t, Options{Domain: func(string) string { return "127.0.0.1:8080" }})
	got, err := f.client.GetDistribution(t.Context(), &cloudfront.GetDistributionInput{Id: &f.dist.ID})
	if err != nil {
		t.Fatal(err)
	}
	d := got.Distribution
	if *d.DomainName != "127.0.0.1:8080" || *d.Status != "Deployed" || *d.ARN != "arn:aws:cloudfront::000000000000:distribution/"+f.dist.ID {
		t.Errorf("domain %s, status %s, ARN %s", *d.DomainName, *d.Status, *d.ARN)
	}
	if p := d.DistributionConfig.Origins.Items[0].OriginPath; p == nil || *p != "" {
		t.Errorf("OriginPath %v, want an empty string", p)
	}
	cfg := d.DistributionConfig
	cfg.Comment = aws.String("changed <&>")
	cfg.CustomErrorResponses = nil // replaced as a whole: what is left out is gone
	put, err := f.client.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: &f.dist.ID, IfMatch: got.ETag, DistributionConfig: cfg})
	if err != nil {
		t.Fatal(err)
	}
	if *put.ETag == *got.ETag || *put.Distribution.DistributionConfig.Comment != "changed <&>" {
		t.Errorf("ETag %s after %s, comment %q", *put.ETag, *got.ETag, *put.Distribution.DistributionConfig.Comment)
	}
	waiter := cloudfront.NewDistributionDeployedWaiter(f.client, func(o *cloudfront.DistributionDeployedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 2*time.Millisecond, 20*time.Millisecond
	})
	if err := waiter.Wait(t.Context(), &cloudfront.GetDistributionInput{Id: &f.dist.ID}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if c := f.edges.lastConfig(); c.Comment != "changed <&>" || c.CustomErrorResponses != nil {
		t.Errorf("edges have %+v", c)
	}
	_, err = f.client.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: &f.dist.ID, IfMatch: got.ETag, DistributionConfig: cfg})
	var failed *types.PreconditionFailed
	if !errors.As(err, &failed) {
		t.Errorf("an old version: error %v, want PreconditionFailed", err)
	}
	_, err = f.client.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: &f.dist.ID, DistributionConfig: cfg})
	var missing *types.InvalidIfMatchVersion
	if !errors.As(err, &missing) {
		t.Errorf("no version: error %v, want InvalidIfMatchVersion", err)
	}
}

func TestUpdateRefuses(t *testing.T) {
	f := start(t, Options{CheckConfig: func(c DistributionConfig) error {
		if c.Comment == "no" {
			return errors.New("no such comment")
		}
		return nil
	}})
	second := siteConfig()
	second.CallerReference, second.Aliases = "second", []string{"Taken.example.org"}
	if _, err := f.EnsureDistribution(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	const managed = "<CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId>\n    <Resp"
	legacy := func(lower, def, upper string) string {
		return "<ForwardedValues><QueryString>false</QueryString><Cookies><Forward>none</Forward></Cookies></ForwardedValues><MinTTL>" +
			lower + "</MinTTL><DefaultTTL>" + def + "</DefaultTTL><MaxTTL>" + upper + "</MaxTTL><Resp"
	}
	rows := []struct{ name, old, new, code string }{
		{"nothing changed", "static site", "static site", ""},
		{"legacy settings", managed, legacy("1", "2", "3"), ""},
		{"another caller reference", ">site<", ">new<", "IllegalUpdate"},
		{"no comment element", "<Comment>static site</Comment>", "", "InvalidArgument"},
		{"wrong quantity", "</Origin></Items><Quantity>1<", "</Origin></Items><Quantity>2<", "InconsistentQuantities"},
		{"quantity is a word", "</Origin></Items><Quantity>1<", "</Origin></Items><Quantity>one<", "MalformedXML"},
		{"not a boolean", "<Enabled>true</Enabled>", "<Enabled>maybe</Enabled>", "MalformedXML"},
		{"another root", "DistributionConfig", "DistributionKonfig", "MalformedXML"},
		{"unknown origin", "<TargetOriginId>site", "<TargetOriginId>other", "NoSuchOrigin"},
		{"unknown policy", "<CachePolicyId>658327ea", "<CachePolicyId>00000000", "NoSuchCachePolicy"},
		{"policy with Host on a bucket", "658327ea-f89d-4fab-a63d-7e88639e58f6", "83da9c7e-98b4-4e11-a168-04f0df8e2c65", "InvalidHeadersForS3Origin"},
		{"neither policy nor legacy", managed, "<Resp", "InvalidArgument"},
		{"policy and legacy", managed, managed[:len(managed)-5] + legacy("1", "2", "3"), "InvalidArgument"},
		{"TTL order", managed, legacy("3", "2", "5"), "InvalidTTLOrder"},
		{"root object", ">index.html<", ">index page.html<", "InvalidDefaultRootObject"},
		{"path pattern", "/assets/*", "/assets/{a}", "InvalidArgument"},
		{"viewer protocol", "redirect-to-https", "http", "InvalidArgument"},
		{"methods", "<Method>HEAD</Method><Method>GET</Method></Items>\n", "<Method>PUT</Method><Method>GET</Method></Items>\n", "InvalidArgument"},
		{"error code", "<ErrorCode>404", "<ErrorCode>412", "InvalidErrorCode"},
		{"response code", "<ResponseCode>404", "<ResponseCode>302", "InvalidResponseCode"},
		{"page without code", "<ResponseCode>404", "<ResponseCode>", "InvalidArgument"},
		{"relative error page", "/404.html", "404.html", "InvalidArgument"},
		{"origin path with a slash at its end", "<OriginPath>", "<OriginPath>/a/", "InvalidArgument"},
		{"event type", "viewer-request", "origin-request", "InvalidFunctionAssociation"},
		{"tag header", "x-amz-meta-cache-tag", "x amz", "InvalidArgument"},
		{"alias of another distribution", "www.example.org", "taken.example.ORG", "CNAMEAlreadyExists"},
		{"refused by the edges", ">static site<", ">no<", "InvalidArgument"},
		{"not XML", "<DistributionConfig", "DistributionConfig", "MalformedXML"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if !strings.Contains(sampleConfig, row.old) {
				t.Fatalf("the sample does not contain %q", row.old)
			}
			a := f.put(t, strings.ReplaceAll(sampleConfig, row.old, row.new))
			if got := between(a.body, "<Code>", "</Code>"); got != row.code {
				t.Errorf("answered %d %s, want the code %q", a.status, a.body, row.code)
			}
		})
	}
	if a := f.put(t, ""); between(a.body, "<Code>", "</Code>") != "MissingBody" {
		t.Errorf("no body: answered %s", a.body)
	}
	if a := f.send(t, http.MethodPut, f.configPath(), sampleConfig, "If-Match", `"E1"`); between(a.body, "<Code>", "</Code>") != "InvalidIfMatchVersion" {
		t.Errorf("a quoted version: answered %s", a.body)
	}
}

// What a client leaves out comes back with CloudFront's default; spec: cloudfront 5.9 on OriginPath, 3.4 on the TTL.
func TestDefaults(t *testing.T) {
	f := start(t, Options{})
	sparse := strings.NewReplacer("<OriginPath></OriginPath>", "", "<ErrorCachingMinTTL>10</ErrorCachingMinTTL>", "",
		"<PriceClass>PriceClass_All</PriceClass>", "").Replace(sampleConfig)
	a := f.put(t, sparse)
	for _, want := range []string{"<OriginPath></OriginPath>", "<ErrorCachingMinTTL>10</ErrorCachingMinTTL>", "<PriceClass>PriceClass_All</PriceClass>"} {
		if strings.Count(a.body, want) != 1 {
			t.Errorf("answered %d without %s:\n%s", a.status, want, a.body)
		}
	}
}

func TestListDistributions(t *testing.T) {
	f := start(t, Options{})
	ids := map[string]bool{f.dist.ID: true}
	for _, ref := range []string{"b", "c"} {
		cfg := siteConfig()
		cfg.CallerReference = ref
		d, err := f.EnsureDistribution(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		ids[d.ID] = true
	}
	p := cloudfront.NewListDistributionsPaginator(f.client, &cloudfront.ListDistributionsInput{MaxItems: aws.Int32(2)})
	pages := 0
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, d := range out.DistributionList.Items {
			if !ids[*d.Id] || *d.Origins.Items[0].DomainName != "site.s3.local" || *d.ETag == "" {
				t.Errorf("listed %s with origin %s and ETag %s", *d.Id, *d.Origins.Items[0].DomainName, *d.ETag)
			}
			delete(ids, *d.Id)
		}
	}
	if pages != 2 || len(ids) > 0 {
		t.Errorf("%d pages, not listed: %v", pages, ids)
	}
	all, err := f.Distributions()
	if err != nil || len(all) != 3 {
		t.Errorf("Distributions: %d, %v; want 3", len(all), err)
	}
}

// The first call makes the distribution; later ones find it as it has become.
func TestEnsureDistribution(t *testing.T) {
	f := start(t, Options{})
	if a := f.put(t, sampleConfig); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	again, err := f.EnsureDistribution(t.Context(), siteConfig())
	if err != nil {
		t.Fatal(err)
	}
	if again.ID != f.dist.ID || again.Config.Comment != "static site" || again.Status != "Deployed" {
		t.Errorf("found %s %q %s", again.ID, again.Config.Comment, again.Status)
	}
	bad := siteConfig()
	bad.CallerReference, bad.Origins = "bad", nil
	if _, err := f.EnsureDistribution(t.Context(), bad); err == nil {
		t.Error("a configuration without an origin was accepted")
	}
}

// Without the edges' consent EnsureDistribution ends with its context, and the distribution stays InProgress.
func TestEnsureDistributionWaits(t *testing.T) {
	f := start(t, Options{})
	f.edges.refuse(errors.New("edge is away"))
	cfg := siteConfig()
	cfg.CallerReference = "second"
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.EnsureDistribution(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
	f.edges.refuse(nil)
	d, err := f.EnsureDistribution(t.Context(), cfg)
	if err != nil || d.Status != "Deployed" {
		t.Errorf("status %s, %v; want Deployed", d.Status, err)
	}
}
