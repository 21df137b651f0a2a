package objects

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

const testBucket = "site"

func testKeys() Credentials {
	return Credentials{AccessKeyID: "AKIATESTTESTTEST", SecretAccessKey: "a-secret-for-tests-only"}
}

// testServer is a store with its S3 API on a loopback port.
type testServer struct {
	store  *Store
	url    string
	client *s3.Client
}

func newStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newTestServer(t testing.TB) *testServer {
	t.Helper()
	return serveStore(t, newStore(t, t.TempDir()), true)
}

func serveStore(t testing.TB, s *Store, makeBucket bool) *testServer {
	t.Helper()
	srv := httptest.NewServer(s.Handler(HandlerOptions{Credentials: []Credentials{testKeys()}}))
	t.Cleanup(srv.Close)
	if makeBucket {
		if err := s.CreateBucket(t.Context(), testBucket); err != nil {
			t.Fatal(err)
		}
	}
	return &testServer{store: s, url: srv.URL, client: newClient(srv.URL, testKeys(), srv.Client())}
}

func newClient(url string, c Credentials, httpClient *http.Client) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(url), UsePathStyle: true, Region: "eu-central-1", HTTPClient: httpClient,
		Credentials:      credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		RetryMaxAttempts: 1,
		// What config.LoadDefaultConfig sets; the zero value would send no checksum.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}

func (ts *testServer) put(t testing.TB, key, body string) string {
	t.Helper()
	out, err := ts.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: &key, Body: strings.NewReader(body)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return aws.ToString(out.ETag)
}

func (ts *testServer) get(t testing.TB, key string) string {
	t.Helper()
	out, err := ts.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: &key})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return string(body)
}

// wantCode fails unless err is the S3 error with that code and status.
func wantCode(t testing.TB, err error, status int, code string) {
	t.Helper()
	var api smithy.APIError
	var resp interface{ HTTPStatusCode() int }
	if !errors.As(err, &api) || !errors.As(err, &resp) {
		t.Errorf("got %v, want %d %s", err, status, code)
		return
	}
	if api.ErrorCode() != code || resp.HTTPStatusCode() != status {
		t.Errorf("got %d %s (%s), want %d %s", resp.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, code)
	}
}

// signed makes a request with an AWS signature, by hand: cheap enough for a
// benchmark, and open to being wrong on purpose. payload is the value of
// x-amz-content-sha256; path is escaped already and has no query.
func signed(ctx context.Context, c Credentials, method, base, path, payload string, header http.Header, body []byte) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		panic(err) // the tests' own paths are legal
	}
	for k, v := range header {
		r.Header[k] = v
	}
	now := time.Now().UTC()
	r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	r.Header.Set("X-Amz-Content-Sha256", payload)
	names := signedNames(r.Header)
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n\n", method, path)
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.URL.Host
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.TrimSpace(value))
	}
	list := strings.Join(names, ";")
	fmt.Fprintf(&canonical, "\n%s\n%s", list, payload)
	scope := now.Format("20060102") + "/us-east-1/s3/aws4_request"
	sum := sha256.Sum256([]byte(canonical.String()))
	mac := hmac.New(sha256.New, signingKey(c, scope))
	fmt.Fprintf(mac, "AWS4-HMAC-SHA256\n%s\n%s\n%s", now.Format("20060102T150405Z"), scope, hex.EncodeToString(sum[:]))
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", c.AccessKeyID, scope, list, hexSum(mac)))
	return r
}

func signedNames(h http.Header) []string {
	names := []string{"host"}
	for k := range h {
		if k = strings.ToLower(k); strings.HasPrefix(k, "x-amz-") || k == "content-md5" {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	return names
}

func signingKey(c Credentials, scope string) []byte {
	key := []byte("AWS4" + c.SecretAccessKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	return key
}

func sumHex(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// send makes a signed request and reads the answer.
func (ts *testServer) send(t testing.TB, method, path, payload string, header http.Header, body []byte) (*http.Response, string) {
	t.Helper()
	return ts.do(t, signed(t.Context(), testKeys(), method, ts.url, path, payload, header, body))
}

func (ts *testServer) do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}
