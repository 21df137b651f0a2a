package control

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		os.Exit(applyAsChild(path))
	}
	// net/http waits half a second before it closes a connection that it has refused.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

var testCredentials = Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "test/secret+key"}

// applied is one call that edges saw through.
type applied struct {
	Distribution string
	Sequence     uint64
	Items        []string
}

// fakeEdges records what reached it. While held, calls wait; while failing, they fail.
type fakeEdges struct {
	mu       sync.Mutex
	held     chan struct{} // nil: not held
	failing  error
	calls    int // Invalidate calls, failed ones included
	applied  []applied
	configs  []DistributionConfig
	refusing error // of Configure
}

func (e *fakeEdges) Invalidate(ctx context.Context, distribution string, sequence uint64, items []string) error {
	e.mu.Lock()
	e.calls++
	held := e.held
	e.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failing != nil {
		return e.failing
	}
	e.applied = append(e.applied, applied{distribution, sequence, items})
	return nil
}

func (e *fakeEdges) Configure(_ context.Context, _ string, cfg DistributionConfig) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refusing != nil {
		return e.refusing
	}
	e.configs = append(e.configs, cfg)
	return nil
}

// hold makes invalidations wait until the returned function is called.
func (e *fakeEdges) hold() (release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := make(chan struct{})
	e.held = held
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.held = nil
		close(held)
	})
}

func (e *fakeEdges) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failing = err
}

func (e *fakeEdges) refuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refusing = err
}

func (e *fakeEdges) seen() []applied {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.applied)
}

func (e *fakeEdges) lastConfig() DistributionConfig {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.configs[len(e.configs)-1]
}

// siteConfig is a distribution as `freshet local` makes it.
func siteConfig() DistributionConfig {
	return DistributionConfig{
		CallerReference: "site", Comment: "a site", Enabled: true, DefaultRootObject: "index.html",
		Origins: []Origin{{ID: "bucket", DomainName: "site.s3.local", S3Origin: &S3Origin{}}},
		DefaultCacheBehavior: CacheBehavior{
			TargetOriginID: "bucket", ViewerProtocolPolicy: "allow-all", Compress: true,
			CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
		},
		CustomErrorResponses: []CustomErrorResponse{{ErrorCode: 404, ResponsePagePath: "/404.html", ResponseCode: 404, ErrorCachingMinTTL: 10}},
	}
}

// fixture is a running control API with one distribution.
type fixture struct {
	*Server
	edges  *fakeEdges
	dist   Distribution
	url    string
	client *cloudfront.Client
	path   string
}

// start runs a server on a new file; stop ends it at the end of the test.
func start(t *testing.T, opts Options) *fixture {
	t.Helper()
	return startAt(t, filepath.Join(t.TempDir(), "control.db"), &fakeEdges{}, opts)
}

func startAt(t *testing.T, path string, edges *fakeEdges, opts Options) *fixture {
	t.Helper()
	s, err := Open(path, edges, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	dist, err := s.EnsureDistribution(t.Context(), siteConfig())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(web.Close)
	f := &fixture{Server: s, edges: edges, dist: dist, url: web.URL, path: path}
	f.client = newClient(web.URL, testCredentials)
	return f
}

func newClient(url string, c Credentials) *cloudfront.Client {
	return cloudfront.New(cloudfront.Options{
		BaseEndpoint: aws.String(url), Region: "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		Retryer:     aws.NopRetryer{},
		HTTPClient:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
}

// invalidate sends a batch through the SDK.
func (f *fixture) invalidate(ctx context.Context, reference string, items ...string) (*cloudfront.CreateInvalidationOutput, error) {
	return f.client.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
		DistributionId: &f.dist.ID,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference,
			Paths:           &types.Paths{Quantity: aws.Int32(int32(len(items))), Items: items},
		},
	})
}

// await polls until the invalidation is Completed.
func (f *fixture) await(t *testing.T, id string) {
	t.Helper()
	waiter := cloudfront.NewInvalidationCompletedWaiter(f.client, func(o *cloudfront.InvalidationCompletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 2*time.Millisecond, 20*time.Millisecond
	})
	if err := waiter.Wait(t.Context(), &cloudfront.GetInvalidationInput{DistributionId: &f.dist.ID, Id: &id}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

// list returns the ids of the distribution's invalidations as the API pages them.
func (f *fixture) list(t *testing.T, pageSize int32) (ids []string, pages int) {
	t.Helper()
	p := cloudfront.NewListInvalidationsPaginator(f.client, &cloudfront.ListInvalidationsInput{DistributionId: &f.dist.ID},
		func(o *cloudfront.ListInvalidationsPaginatorOptions) { o.Limit = pageSize })
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, item := range out.InvalidationList.Items {
			ids = append(ids, *item.Id)
		}
	}
	return ids, pages
}

// wantCode fails unless err is an API error with the code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("error %v, want the code %s", err, code)
	}
}

// answer is a raw answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// send makes an unsigned request as it stands.
func (f *fixture) send(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(data)}
}

// between returns what stands between two marks, "" without them.
func between(s, from, to string) string {
	_, rest, ok := strings.Cut(s, from)
	in, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		return ""
	}
	return in
}
