package standalone

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/edge"
)

// sdk is the real client, pointed at the edge.
func sdk(t *testing.T, s *Server, secret string) *cloudfront.Client {
	t.Helper()
	return cloudfront.New(cloudfront.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.Info().Admin), HTTPClient: client(t, nil), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEDGE", secret, ""),
	})
}

func invalidate(ctx context.Context, c *cloudfront.Client, distribution, reference string, paths ...string) error {
	_, err := c.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
		DistributionId: &distribution,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference, Paths: &types.Paths{Items: paths, Quantity: aws.Int32(int32(len(paths)))},
		},
	})
	return err
}

// code is the API's code of err.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func TestInvalidation(t *testing.T) {
	s := run(t, Options{Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}}, Admin: Listener{Address: anyPort}})
	c, api := client(t, nil), sdk(t, s, "any")
	for _, path := range []string{"/a", "/b"} {
		get(t, c, s.Info().Viewers[0]+path)
	}
	if err := invalidate(t.Context(), api, s.Info().Distribution, "1", "/a*"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the invalidation is completed", func() bool {
		list, err := api.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: aws.String(s.Info().Distribution)})
		return err == nil && *list.InvalidationList.Items[0].Status == "Completed"
	})
	got := []string{get(t, c, s.Info().Viewers[0]+"/a").Header.Get("X-Cache"), get(t, c, s.Info().Viewers[0]+"/b").Header.Get("X-Cache")}
	if diff := cmp.Diff(got, []string{"Miss from cloudfront", "Hit from cloudfront"}); diff != "" {
		t.Errorf("/a and /b, got, want:\n%s", diff)
	}
}

// The API shows the edge as a distribution, and changes nothing but by invalidations.
func TestDistributionIsReadOnly(t *testing.T) {
	s := run(t, Options{
		Origin: Origin{URL: "https://origin.example:8443/base"}, Listeners: []Listener{{Address: anyPort}}, Admin: Listener{Address: anyPort},
		Cache: Cache{Rules: edge.RFC9111, RootObject: "index.html", Index: true, TagHeader: "x-tags", ViewerProtocol: edge.RedirectToHTTPS},
	})
	api := sdk(t, s, "any")
	got, err := api.GetDistribution(t.Context(), &cloudfront.GetDistributionInput{Id: aws.String(s.Info().Distribution)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := got.Distribution.DistributionConfig
	o := cfg.Origins.Items[0]
	shown := []any{
		"http://" + *got.Distribution.DomainName, *cfg.DefaultRootObject, *o.DomainName, *o.OriginPath, *o.CustomOriginConfig.HTTPSPort,
		o.CustomOriginConfig.OriginProtocolPolicy, *cfg.DefaultCacheBehavior.CachePolicyId, cfg.DefaultCacheBehavior.ViewerProtocolPolicy,
		*cfg.DefaultCacheBehavior.FunctionAssociations.Items[0].FunctionARN,
	}
	want := []any{
		s.Info().Viewers[0], "index.html", "origin.example", "/base", int32(8443), types.OriginProtocolPolicyHttpsOnly, originCacheQueries,
		types.ViewerProtocolPolicyRedirectToHttps, indexFunction,
	}
	if diff := cmp.Diff(shown, want); diff != "" {
		t.Errorf("shown, want:\n%s", diff)
	}
	cfg.Comment = aws.String("changed")
	_, err = api.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{
		Id: got.Distribution.Id, IfMatch: got.ETag, DistributionConfig: cfg,
	})
	if code(err) != "AccessDenied" {
		t.Errorf("update: %v", err)
	}
	_, err = api.DeleteDistribution(t.Context(), &cloudfront.DeleteDistributionInput{Id: got.Distribution.Id, IfMatch: got.ETag})
	if code(err) != "AccessDenied" {
		t.Errorf("delete: %v", err)
	}
}

// With a state folder, the distribution keeps its id and its history, and shows what the edge was started with last.
func TestStateIsKept(t *testing.T) {
	opts := Options{
		Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}}, Admin: Listener{Address: anyPort},
		State: filepath.Join(t.TempDir(), "new", "state"),
	}
	first, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(invalidate(t.Context(), sdk(t, first, "any"), first.Info().Distribution, "1", "/a"), first.Close()); err != nil {
		t.Fatal(err)
	}
	opts.Cache.RootObject = "home.html"
	second := run(t, opts)
	if first.Info().Distribution != second.Info().Distribution {
		t.Errorf("id %s after %s", second.Info().Distribution, first.Info().Distribution)
	}
	api := sdk(t, second, "any")
	cfg, err := api.GetDistributionConfig(t.Context(), &cloudfront.GetDistributionConfigInput{Id: aws.String(second.Info().Distribution)})
	if err != nil || *cfg.DistributionConfig.DefaultRootObject != "home.html" {
		t.Errorf("config %+v, %v", cfg, err)
	}
	list, err := api.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: aws.String(second.Info().Distribution)})
	if err != nil || len(list.InvalidationList.Items) != 1 || *list.InvalidationList.Items[0].Status != "Completed" {
		t.Errorf("history %+v, %v", list, err)
	}
}

// With credentials every request needs their signature, on loopback too.
func TestSignaturesGuardTheAPI(t *testing.T) {
	s := run(t, Options{
		Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}}, Admin: Listener{Address: "0.0.0.0:0"},
		Credentials: Credentials{AccessKeyID: "AKIDEDGE", SecretAccessKey: "right"},
	})
	s.info.Admin = strings.Replace(s.info.Admin, "0.0.0.0", "127.0.0.1", 1)
	s.info.Admin = strings.Replace(s.info.Admin, "[::]", "127.0.0.1", 1)
	if err := invalidate(t.Context(), sdk(t, s, "right"), s.Info().Distribution, "1", "/a"); err != nil {
		t.Error(err)
	}
	if err := invalidate(t.Context(), sdk(t, s, "wrong"), s.Info().Distribution, "2", "/a"); code(err) != "SignatureDoesNotMatch" {
		t.Errorf("wrong key: %v", err)
	}
	if a := get(t, client(t, nil), s.Info().Admin+"/2020-05-31/distribution"); a.Status != 403 || !strings.Contains(a.Body, "MissingAuthenticationToken") {
		t.Errorf("no signature: %+v", a)
	}
	if a := get(t, client(t, nil), s.Info().Admin+"/healthz"); a.Status != 200 {
		t.Errorf("health: %+v", a)
	}
}

// Without credentials only this machine's programs are let in.
func TestBrowsersAreKeptOut(t *testing.T) {
	s := run(t, Options{Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{{Address: anyPort}}, Admin: Listener{Address: anyPort}})
	rows := []struct {
		name    string
		headers []string
		want    int
	}{
		{"a program", nil, 200},
		{"by name", []string{"Host", "localhost:1"}, 200},
		{"another site's name", []string{"Host", "rebound.example"}, http.StatusMisdirectedRequest},
		{"a page", []string{"Origin", "https://example.org"}, 403},
		{"a page without an origin", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	}
	for _, r := range rows {
		if a := get(t, client(t, nil), s.Info().Admin+"/2020-05-31/distribution", r.headers...); a.Status != r.want {
			t.Errorf("%s: status %d, want %d", r.name, a.Status, r.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	trust, secure := certificate(t, t.TempDir(), 1)
	s := run(t, Options{
		Origin: Origin{URL: origin(t, nil)}, Listeners: []Listener{secure}, Admin: Listener{Address: anyPort}, Cache: Cache{MemoryBytes: 1 << 20},
	})
	c := client(t, trust)
	for range 3 {
		get(t, c, s.Info().Viewers[0]+"/a")
	}
	send(t, c, http.MethodPost, s.Info().Viewers[0]+"/a")
	if err := invalidate(t.Context(), sdk(t, s, "any"), s.Info().Distribution, "1", "/a", "/b*"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`freshet_edge_requests_total{result="hit"} 2`, `freshet_edge_requests_total{result="miss"} 1`, `freshet_edge_requests_total{result="error"} 1`,
		`freshet_edge_responses_total{status="2xx"} 3`, `freshet_edge_responses_total{status="4xx"} 1`, `freshet_edge_responses_total{status="aborted"} 0`,
		`freshet_edge_request_seconds_count{result="hit"} 2`, `freshet_edge_origin_response_seconds_count{status="2xx"} 1`,
		`freshet_edge_origin_requests_total 1`, `freshet_edge_invalidations_total 1`, `freshet_edge_invalidation_items_total 2`,
		`freshet_edge_memory_limit_bytes 1.048576e+06`, `freshet_edge_certificate_expiry_timestamp_seconds{listener="`, `process_start_time_seconds`, `go_goroutines`,
		`freshet_edge_purge_log_items`, `freshet_edge_response_body_bytes_total`, `freshet_edge_access_log_lost_lines_total 0`,
	}
	var text string
	eventually(t, "the figures are all there", func() bool {
		text = get(t, client(t, nil), s.Info().Admin+"/metrics").Body
		for _, line := range want {
			if !strings.Contains(text, line) {
				return false
			}
		}
		return true
	})
}
