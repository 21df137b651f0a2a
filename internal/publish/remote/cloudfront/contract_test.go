package cloudfront_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/cloudfront"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
)

var keys = cloudfront.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "test/secret+key"}

// isolate keeps the machine's own AWS configuration out of the tests.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDFRONT",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// edges accepts everything at once.
type edges struct{}

func (edges) Invalidate(context.Context, string, uint64, []string) error { return nil }
func (edges) Configure(context.Context, string, control.DistributionConfig) error {
	return nil
}

// serve runs the embedded control API with n distributions and returns the
// first one's id.
func serve(t *testing.T, n int) (cdn *cloudfront.CDN, id string) {
	t.Helper()
	var configs []control.DistributionConfig
	for i := range n {
		configs = append(configs, config(i))
	}
	return serveConfig(t, configs...)
}

func serveConfig(t *testing.T, configs ...control.DistributionConfig) (cdn *cloudfront.CDN, id string) {
	t.Helper()
	handler, id := handle(t, configs...)
	front := httptest.NewServer(handler)
	t.Cleanup(front.Close)
	return openAt(t, front.URL), id
}

// handle is the embedded control API with these distributions, and the first
// one's id.
func handle(t *testing.T, configs ...control.DistributionConfig) (handler http.Handler, id string) {
	t.Helper()
	server, err := control.Open(filepath.Join(t.TempDir(), "control.db"), edges{}, control.Options{
		Credentials: control.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, cfg := range configs {
		d, err := server.EnsureDistribution(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			id = d.ID
		}
	}
	return server.Handler(), id
}

func openAt(t *testing.T, url string) *cloudfront.CDN {
	t.Helper()
	cdn, err := cloudfront.Open(t.Context(), cloudfront.Options{Region: "eu-central-1", Endpoint: url, Credentials: keys})
	if err != nil {
		t.Fatal(err)
	}
	return cdn
}

func config(i int) control.DistributionConfig {
	return control.DistributionConfig{
		CallerReference: fmt.Sprint("site-", i), Enabled: true, DefaultRootObject: "index.html",
		Aliases: []string{fmt.Sprintf("www%d.example.org", i)},
		Origins: []control.Origin{{ID: "bucket", DomainName: "site.s3.eu-central-1.amazonaws.com", OriginPath: "/production", S3Origin: &control.S3Origin{}}},
		DefaultCacheBehavior: control.CacheBehavior{
			TargetOriginID: "bucket", ViewerProtocolPolicy: "allow-all", CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
		},
	}
}

// fullConfig has one of everything that Distribution reads and the embedded
// control API can be told.
func fullConfig() control.DistributionConfig {
	cfg := config(0)
	cfg.CacheTagConfig = &control.CacheTagConfig{HeaderName: "x-amz-meta-cache-tag"}
	cfg.Origins = append(cfg.Origins, control.Origin{
		ID: "server", DomainName: "app.example.org",
		CustomOrigin: &control.CustomOrigin{HTTPPort: 80, HTTPSPort: 443, ProtocolPolicy: "https-only"},
	})
	read := []string{"HEAD", "GET"}
	search := control.CacheBehavior{
		PathPattern: "search/*", TargetOriginID: "server", ViewerProtocolPolicy: "allow-all", AllowedMethods: read, CachedMethods: read,
		ForwardedValues: &control.ForwardedValues{QueryString: true, CookiesForward: "none"},
	}
	docs := control.CacheBehavior{
		PathPattern: "/docs/*", TargetOriginID: "bucket", ViewerProtocolPolicy: "allow-all", AllowedMethods: read, CachedMethods: read,
		CachePolicyID:        "658327ea-f89d-4fab-a63d-7e88639e58f6",
		FunctionAssociations: []control.FunctionAssociation{{FunctionARN: "arn:aws:cloudfront::111122223333:function/index", EventType: "viewer-request"}},
	}
	cfg.CacheBehaviors = []control.CacheBehavior{search, docs}
	cfg.CustomErrorResponses = []control.CustomErrorResponse{
		{ErrorCode: 404, ResponsePagePath: "/404.html", ResponseCode: 404, ErrorCachingMinTTL: 60},
		{ErrorCode: 503},
	}
	return cfg
}

// TestContractReal runs on a real distribution where the environment names one.
func TestContractReal(t *testing.T) {
	id := os.Getenv(remotetest.EnvDistribution)
	if id == "" {
		t.Skip("no real distribution is named: set " + remotetest.EnvDistribution + "; see package remotetest")
	}
	remotetest.HarmlessCDN(t, func(t *testing.T) (remote.CDN, string) {
		cdn, err := cloudfront.Open(t.Context(), cloudfront.Options{Endpoint: os.Getenv(remotetest.EnvCloudFrontEndpoint)})
		if err != nil {
			t.Fatal(err)
		}
		return cdn, id
	})
}

// TestContractRealIsHarmless takes the embedded CloudFront for a real one, and
// checks that the suite drops nothing that a viewer may have asked for.
func TestContractRealIsHarmless(t *testing.T) {
	isolate(t)
	handler, id := handle(t, config(0))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Setenv(remotetest.EnvDistribution, id)
	t.Setenv(remotetest.EnvCloudFrontEndpoint, server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", keys.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keys.SecretAccessKey)
	t.Run("suite", TestContractReal)
	cdn := openAt(t, server.URL)
	all, err := cdn.Invalidations(t.Context(), id, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	items := 0
	for _, inv := range all {
		read, err := cdn.Invalidation(t.Context(), id, inv.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range read.Items {
			items++
			if !strings.HasPrefix(item, "/freshet-test/") {
				t.Errorf("%s was invalidated", item)
			}
		}
	}
	if items == 0 || items > 30 {
		t.Errorf("%d paths were invalidated", items)
	}
}

func TestDistribution(t *testing.T) {
	isolate(t)
	cdn, id := serveConfig(t, fullConfig())
	got, err := cdn.Distribution(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	want := remote.Distribution{
		ID: id, Domain: got.Domain, Aliases: []string{"www0.example.org"}, Enabled: true, Deployed: got.Deployed,
		DefaultRootObject: "index.html",
		Origins:           []remote.Origin{{ID: "bucket", Domain: "site.s3.eu-central-1.amazonaws.com", Path: "/production"}},
		TagHeader:         "x-amz-meta-cache-tag",
		Behaviors: []remote.Behavior{
			{Pattern: "/search/*", OriginID: "server", QueryInKey: true},
			{Pattern: "/docs/*", OriginID: "bucket", Rewrites: true},
			{Pattern: "*", OriginID: "bucket"},
		},
		ErrorPages: []remote.ErrorPage{
			{Status: 404, Page: "/404.html", Response: 404, MinTTL: time.Minute},
			{Status: 503, MinTTL: 0},
		},
	}
	want.Origins = append(want.Origins, remote.Origin{ID: "server", Domain: "app.example.org", Website: true})
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("Distribution (-got +want):\n%s", diff)
	}
}

func TestDistributionsPages(t *testing.T) {
	isolate(t)
	const n = 130 // CloudFront and the embedded control API show 100 on a page
	cdn, _ := serve(t, n)
	all, err := cdn.Distributions(t.Context())
	if err != nil || len(all) != n {
		t.Errorf("Distributions: %d, %v; want %d", len(all), err, n)
	}
	seen := map[string]bool{}
	for _, d := range all {
		if seen[d.ID] {
			t.Errorf("%s is listed twice", d.ID)
		}
		seen[d.ID] = true
	}
}
