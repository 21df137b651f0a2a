package cloud_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/freshet/freshet/internal/cloud"
)

// clients are the SDK's, pointed at a cloud. They do not retry.
type clients struct {
	t   *testing.T
	cf  *cloudfront.Client
	s3  *s3.Client
	url string // the edge
}

func reach(t *testing.T, c *cloud.Cloud) *clients {
	i := c.Info()
	keys := credentials.NewStaticCredentialsProvider(i.AccessKeyID, i.SecretAccessKey, "")
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return &clients{t, cloudfront.New(cloudfront.Options{BaseEndpoint: &i.Control, Region: "eu-central-1", Credentials: keys, Retryer: aws.NopRetryer{}, HTTPClient: once}),
		s3.New(s3.Options{BaseEndpoint: &i.S3, Region: cloud.Region, Credentials: keys, Retryer: aws.NopRetryer{}, HTTPClient: once, UsePathStyle: true}), i.Edge}
}

func (c *clients) put(bucket, key, body string) error {
	_, err := c.s3.PutObject(c.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body), ContentType: aws.String("text/html")})
	return err
}

func (c *clients) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// config is a distribution in front of one origin.
func config(reference string, origin types.Origin, aliases ...string) *types.DistributionConfig {
	origin.Id = aws.String("o")
	return &types.DistributionConfig{
		CallerReference: &reference, Comment: aws.String(""), Enabled: aws.Bool(true), DefaultRootObject: aws.String("home.html"),
		Aliases: &types.Aliases{Quantity: aws.Int32(int32(len(aliases))), Items: aliases},
		Origins: &types.Origins{Quantity: aws.Int32(1), Items: []types.Origin{origin}},
		DefaultCacheBehavior: &types.DefaultCacheBehavior{
			TargetOriginId: aws.String("o"), ViewerProtocolPolicy: types.ViewerProtocolPolicyAllowAll, CachePolicyId: aws.String("658327ea-f89d-4fab-a63d-7e88639e58f6"),
		},
	}
}

func bucket(name, path string) types.Origin {
	return types.Origin{DomainName: aws.String(name + ".s3.eu-west-1.amazonaws.com"), OriginPath: &path, S3OriginConfig: &types.S3OriginConfig{OriginAccessIdentity: aws.String("")}}
}

// create makes a distribution and waits until it is served.
func (c *clients) create(cfg *types.DistributionConfig) *types.Distribution {
	c.t.Helper()
	out, err := c.cf.CreateDistribution(c.t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: cfg})
	c.must(err)
	c.deployed(out.Distribution.Id)
	return out.Distribution
}

func (c *clients) deployed(id *string) {
	c.t.Helper()
	w := cloudfront.NewDistributionDeployedWaiter(c.cf, func(o *cloudfront.DistributionDeployedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 2*time.Millisecond, 20*time.Millisecond
	})
	c.must(w.Wait(c.t.Context(), &cloudfront.GetDistributionInput{Id: id}, time.Minute))
}

// get asks the edge for a path as host.
func (c *clients) get(host, path string, headers ...string) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.url+path, nil)
	c.must(err)
	req.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	c.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	c.must(err)
	return res, string(body)
}

func (c *clients) want(host, path string, status int, body string) {
	c.t.Helper()
	if res, got := c.get(host, path); res.StatusCode != status || body != "" && got != body {
		c.t.Errorf("%s%s: %d %q, want %d %q", host, path, res.StatusCode, got, status, body)
	}
}

// Each distribution answers to its domain name and aliases, with its own bucket, origin path, root object and cache;
// the default one to everything else, also after a restart.
func TestDistributionsByHost(t *testing.T) {
	dir := t.TempDir()
	running := start(t, options(dir))
	c := reach(t, running)
	_, err := c.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("docs")})
	c.must(err)
	c.must(c.put(cloud.Bucket, "index.html", "default"))
	c.must(c.put("docs", "v1/home.html", "docs 1"))
	c.must(c.put("docs", ".freshet-x/y", "secret"))
	d := c.create(config("docs", bucket("docs", "/v1"), "www.example.org", "*.example.com"))
	check := func(c *clients) {
		t.Helper()
		for _, host := range []string{*d.DomainName, "www.example.org", "WWW.Example.ORG.:8080", "a.example.com", "a.b.example.com:1"} {
			c.want(host, "/", 200, "docs 1")
		}
		for _, host := range []string{"127.0.0.1", "example.com", "example.org", "nobody", "[::1]:80"} {
			c.want(host, "/", 200, "default")
		}
		c.want("www.example.org", "/../.freshet-x/y", 404, "")
	}
	check(c)
	if !strings.HasPrefix(*d.DomainName, "d") || !strings.Contains(*d.DomainName, ".cloudfront.localhost:") {
		t.Errorf("domain name %s", *d.DomainName)
	}

	// Another alias wins over a wildcard, and invalidations reach their own distribution only.
	c.must(c.put("docs", "v2/home.html", "docs 2"))
	c.create(config("second", bucket("docs", "/v2"), "b.example.com"))
	c.want("b.example.com", "/", 200, "docs 2")
	c.want("a.example.com", "/", 200, "docs 1")
	c.must(c.put("docs", "v1/home.html", "docs 1, new"))
	c.must(c.put("docs", "v2/home.html", "docs 2, new"))
	c.invalidate(d.Id, "x", "/*")
	c.want("www.example.org", "/", 200, "docs 1, new")
	c.want("b.example.com", "/", 200, "docs 2")
	c.must(c.put("docs", "v1/home.html", "docs 1"))
	c.invalidate(d.Id, "y", "/home.html")

	before, err := c.cf.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: d.Id})
	c.must(err)
	stop(t, running)
	running = start(t, options(dir))
	defer stop(t, running)
	c = reach(t, running)
	c.deployed(d.Id)
	check(c)
	after, err := c.cf.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: d.Id})
	c.must(err)
	if len(after.InvalidationList.Items) != 2 || *after.InvalidationList.Items[0].Id != *before.InvalidationList.Items[0].Id || *after.InvalidationList.Items[0].Status != "Completed" {
		t.Errorf("history after a restart: %v", after.InvalidationList.Items)
	}
}

// invalidate sends a batch and waits for it.
func (c *clients) invalidate(id *string, reference string, items ...string) {
	c.t.Helper()
	out, err := c.send(id, reference, items...)
	c.must(err)
	w := cloudfront.NewInvalidationCompletedWaiter(c.cf, func(o *cloudfront.InvalidationCompletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 2*time.Millisecond, 20*time.Millisecond
	})
	c.must(w.Wait(c.t.Context(), &cloudfront.GetInvalidationInput{DistributionId: id, Id: out.Invalidation.Id}, time.Minute))
}

func (c *clients) send(id *string, reference string, items ...string) (*cloudfront.CreateInvalidationOutput, error) {
	return c.cf.CreateInvalidation(c.t.Context(), &cloudfront.CreateInvalidationInput{DistributionId: id, InvalidationBatch: &types.InvalidationBatch{
		CallerReference: &reference, Paths: &types.Paths{Quantity: aws.Int32(int32(len(items))), Items: items}}})
}

// Disabled, a distribution answers 403; deleted, its names are the default's again.
func TestDisableAndDelete(t *testing.T) {
	running := start(t, options(t.TempDir()))
	defer stop(t, running)
	c := reach(t, running)
	c.must(c.put(cloud.Bucket, "index.html", "default"))
	c.must(c.put(cloud.Bucket, "home.html", "second"))
	cfg := config("second", bucket(cloud.Bucket, ""), "www.example.org")
	d := c.create(cfg)
	c.want("www.example.org", "/", 200, "second")
	got, err := c.cf.GetDistributionConfig(t.Context(), &cloudfront.GetDistributionConfigInput{Id: d.Id})
	c.must(err)
	got.DistributionConfig.Enabled = aws.Bool(false)
	put, err := c.cf.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: d.Id, IfMatch: got.ETag, DistributionConfig: got.DistributionConfig})
	c.must(err)
	c.deployed(d.Id)
	c.want("www.example.org", "/", 403, "")
	_, err = c.cf.DeleteDistribution(t.Context(), &cloudfront.DeleteDistributionInput{Id: d.Id, IfMatch: put.ETag})
	c.must(err)
	for until := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // the worker tells the edges
		if res, _ := c.get("www.example.org", "/"); res.StatusCode == 200 || time.Now().After(until) {
			break
		}
	}
	c.want("www.example.org", "/", 200, "default")
	own := running.Info().Distribution
	mine, err := c.cf.GetDistribution(t.Context(), &cloudfront.GetDistributionInput{Id: &own})
	c.must(err)
	_, err = c.cf.DeleteDistribution(t.Context(), &cloudfront.DeleteDistributionInput{Id: &own, IfMatch: mine.ETag})
	var used *types.ResourceInUse
	if !errors.As(err, &used) {
		t.Errorf("delete the default distribution: %v, want ResourceInUse", err)
	}
}

// A server that is no bucket: its port, its headers, what policies send it, and what viewers see of its headers.
func TestCustomOrigin(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r)
		w.Header().Set("Server", "mine")
		_, _ = io.WriteString(w, "from "+r.URL.RequestURI())
	}))
	defer server.Close()
	running := start(t, options(t.TempDir()))
	defer stop(t, running)
	c := reach(t, running)
	policy, err := c.cf.CreateResponseHeadersPolicy(t.Context(), &cloudfront.CreateResponseHeadersPolicyInput{ResponseHeadersPolicyConfig: &types.ResponseHeadersPolicyConfig{
		Name:                aws.String("mine"),
		RemoveHeadersConfig: &types.ResponseHeadersPolicyRemoveHeadersConfig{Quantity: aws.Int32(1), Items: []types.ResponseHeadersPolicyRemoveHeader{{Header: aws.String("Server")}}},
	}})
	c.must(err)
	port := int32(server.Listener.Addr().(*net.TCPAddr).Port)
	cfg := config("custom", types.Origin{
		DomainName: aws.String("127.0.0.1"), OriginPath: aws.String("/app"),
		CustomHeaders:      &types.CustomHeaders{Quantity: aws.Int32(1), Items: []types.OriginCustomHeader{{HeaderName: aws.String("X-Key"), HeaderValue: aws.String("k")}}},
		CustomOriginConfig: &types.CustomOriginConfig{HTTPPort: &port, HTTPSPort: aws.Int32(443), OriginProtocolPolicy: types.OriginProtocolPolicyMatchViewer},
	}, "app.example.org")
	cfg.DefaultCacheBehavior.ResponseHeadersPolicyId = policy.ResponseHeadersPolicy.Id
	cfg.DefaultCacheBehavior.OriginRequestPolicyId = aws.String("216adef6-5c7f-47e4-b989-5492eafa07d3") // AllViewer
	d := c.create(cfg)
	res, body := c.get("app.example.org", "/a?q=1", "X-Mine", "m")
	r := seen.Load()
	if body != "from /app/a?q=1" || r.Host != "app.example.org" || r.Header.Get("X-Key") != "k" || r.Header.Get("X-Mine") != "m" || res.Header.Get("Server") != "" {
		t.Errorf("%q, Host %s, %v; viewers see %v", body, r.Host, r.Header, res.Header)
	}

	// A change of the policy reaches viewers without a change of the distribution.
	_, err = c.cf.UpdateResponseHeadersPolicy(t.Context(), &cloudfront.UpdateResponseHeadersPolicyInput{
		Id: policy.ResponseHeadersPolicy.Id, IfMatch: policy.ETag, ResponseHeadersPolicyConfig: &types.ResponseHeadersPolicyConfig{Name: aws.String("mine")},
	})
	c.must(err)
	c.deployed(d.Id)
	if res, _ := c.get("app.example.org", "/a?q=1"); res.Header.Get("Server") != "mine" || res.Header.Get("X-Cache") != "Hit from cloudfront" {
		t.Errorf("after the policy changed: %v", res.Header)
	}
}

// Legacy settings: the query that is in the key, and the whole of it at the origin.
func TestLegacySettings(t *testing.T) {
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.RawQuery }))
	defer server.Close()
	running := start(t, options(t.TempDir()))
	defer stop(t, running)
	c := reach(t, running)
	port := int32(server.Listener.Addr().(*net.TCPAddr).Port)
	cfg := config("legacy", types.Origin{
		DomainName: aws.String("127.0.0.1"), OriginPath: aws.String(""),
		CustomOriginConfig: &types.CustomOriginConfig{HTTPPort: &port, HTTPSPort: aws.Int32(443), OriginProtocolPolicy: types.OriginProtocolPolicyHttpOnly},
	}, "legacy.example.org")
	cfg.DefaultCacheBehavior.CachePolicyId = nil
	//lint:ignore SA1019 the AWS CLI still sends it
	cfg.DefaultCacheBehavior.MinTTL = aws.Int64(0)
	//lint:ignore SA1019 the AWS CLI still sends it
	cfg.DefaultCacheBehavior.ForwardedValues = &types.ForwardedValues{
		QueryString: aws.Bool(true), Cookies: &types.CookiePreference{Forward: types.ItemSelectionNone},
		QueryStringCacheKeys: &types.QueryStringCacheKeys{Quantity: aws.Int32(1), Items: []string{"k"}},
	}
	c.create(cfg)
	c.want("legacy.example.org", "/a?k=1&x=2", 200, "")
	c.want("legacy.example.org", "/a?k=1&x=3", 200, "")
	c.want("legacy.example.org", "/a?k=2", 200, "")
	if got := []string{<-asked, <-asked}; got[0] != "k=1&x=2" || got[1] != "k=2" || len(asked) != 0 {
		t.Errorf("the origin was asked for %q, and %d more", got, len(asked))
	}
}

// Faults come in their order and as often as asked for, and then the cloud works.
func TestFaults(t *testing.T) {
	faults, err := cloud.ParseFaults("throttle=1, too-many=1,unavailable=1,lost=1,poll-unavailable=1,read-unavailable=1,s3-slowdown=1,s3-reset=1,s3-lost=1,slow=0s,already-exists")
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t.TempDir())
	opts.Faults = faults
	running := start(t, opts)
	defer stop(t, running)
	c := reach(t, running)
	id := running.Info().Distribution
	code := func(err error) string {
		var api smithy.APIError
		if errors.As(err, &api) {
			return api.ErrorCode()
		}
		return ""
	}
	for _, want := range []string{"SlowDown", "", ""} { // then a reset and a lost answer, which have no code
		if err := c.put(cloud.Bucket, "index.html", "page"); err == nil || code(err) != want {
			t.Errorf("put: %v, want an error with the code %q", err, want)
		}
	}
	c.want("", "/", 200, "page") // what was lost was done
	c.must(c.put(cloud.Bucket, "index.html", "page"))
	for _, want := range []string{"Throttling", "TooManyInvalidationsInProgress", "ServiceUnavailable", ""} {
		if _, err := c.send(&id, "a", "/*"); err == nil || code(err) != want {
			t.Errorf("invalidate: %v, want an error with the code %q", err, want)
		}
	}
	out, err := c.send(&id, "a", "/*")
	c.must(err)
	all, err := c.cf.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: &id})
	if err != nil || len(all.InvalidationList.Items) != 1 {
		t.Errorf("listed %v, %v; want the one whose answer was lost", all, err)
	}
	_, err = c.send(&id, "a", "/b")
	if code(err) != "InvalidationBatchAlreadyExists" {
		t.Errorf("reference used again: %v", err)
	}
	in := &cloudfront.GetInvalidationInput{DistributionId: &id, Id: out.Invalidation.Id}
	if _, err := c.cf.GetInvalidation(t.Context(), in); code(err) != "ServiceUnavailable" {
		t.Errorf("poll: %v", err)
	}
	_, err = c.cf.GetInvalidation(t.Context(), in)
	c.must(err)
	read := &cloudfront.GetDistributionInput{Id: &id}
	if _, err := c.cf.GetDistribution(t.Context(), read); code(err) != "ServiceUnavailable" {
		t.Errorf("read: %v", err)
	}
	_, err = c.cf.GetDistribution(t.Context(), read)
	c.must(err)
}

// Slow completion: viewers see the old page until the invalidation is Completed.
func TestSlowAndLimits(t *testing.T) {
	opts := options(t.TempDir())
	opts.Limits, opts.Faults = cloud.LimitsLegacy, cloud.Faults{Slow: 300 * time.Millisecond}
	running := start(t, opts)
	defer stop(t, running)
	c := reach(t, running)
	id := running.Info().Distribution
	c.must(c.put(cloud.Bucket, "index.html", "old"))
	c.want("", "/", 200, "old")
	c.must(c.put(cloud.Bucket, "index.html", "new"))
	began := time.Now()
	c.invalidate(&id, "a", "/*")
	if took := time.Since(began); took < opts.Faults.Slow {
		t.Errorf("completed after %s", took)
	}
	c.want("", "/", 200, "new")
	var wildcards []string
	for i := range 16 {
		wildcards = append(wildcards, strings.Repeat("/w", i+1)+"*")
	}
	_, err := c.send(&id, "b", wildcards...)
	var busy *types.TooManyInvalidationsInProgress
	if !errors.As(err, &busy) {
		t.Errorf("sixteen wildcards: %v", err)
	}
}

func TestParseFaults(t *testing.T) {
	for list, want := range map[string]string{
		"throtle=3": "no such fault", "throttle": "a number", "throttle=x": "a number", "throttle=-1": "a number",
		"slow=20": "a duration", "slow=-1s": "a duration", "already-exists=1": "no value", "throttle=1,,s3-reset=a": `"s3-reset=a"`,
	} {
		if _, err := cloud.ParseFaults(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", list, err, want)
		}
	}
	if f, err := cloud.ParseFaults(""); f != (cloud.Faults{}) || err != nil {
		t.Errorf("nothing: %+v, %v", f, err)
	}
	if _, err := cloud.ParseLimits("old"); err == nil {
		t.Error("limits old")
	}
}
