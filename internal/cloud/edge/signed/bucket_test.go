package signed

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/objects"
)

// chain makes the SDK's chain see these keys, "" for none, and nothing of the machine.
func chain(t *testing.T, id, secret string, more ...string) {
	t.Helper()
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", id)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	for i := 0; i < len(more); i += 2 {
		t.Setenv(more[i], more[i+1])
	}
}

const keyID, secret = "AKIDEDGE", "an/edge+secret"

// store is the embedded S3 with one bucket, which checks signatures, and the paths and headers that reached it.
type store struct {
	url    string
	client *s3.Client
	seen   []*http.Request
}

func newStore(t *testing.T) *store {
	t.Helper()
	files, err := objects.Open(t.TempDir(), objects.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	if err := files.CreateBucket(t.Context(), "site"); err != nil {
		t.Fatal(err)
	}
	h := files.Handler(objects.HandlerOptions{Credentials: []objects.Credentials{{AccessKeyID: keyID, SecretAccessKey: secret}}})
	s := &store{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seen = append(s.seen, r)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.client = s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &s.url, UsePathStyle: true, HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	})
	return s
}

func (s *store) put(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, err := s.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("site"), Key: &key, Body: strings.NewReader("body of " + key)})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.seen = nil
}

func open(t *testing.T, o Options) *Bucket {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	if o.Next == nil {
		o.Next = transport
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask sends one request as the edge would: the path raw.
func ask(t *testing.T, b *Bucket, method, path, query string, header http.Header) (int, string) {
	t.Helper()
	decoded, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	u := &url.URL{Scheme: b.Scheme(), Host: b.Host(), Path: decoded, RawPath: path, RawQuery: query}
	if u.EscapedPath() != path {
		u.Opaque = path
	}
	if header == nil {
		header = http.Header{}
	}
	r := (&http.Request{Method: method, URL: u, Host: "viewer.example", Header: header}).WithContext(t.Context())
	resp, err := b.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// The real S3 front checks every signature; what must not get there does not.
func TestRequests(t *testing.T) {
	s := newStore(t)
	keys := []string{
		"blog/a.html", "blog/a b", "blog/a+b", "blog/日本", "blog/q?x=1", "blog/tilde~'(!*)", "blog/pipe|", "blog//double",
		"blog/100%", "outside.html", "blog/.freshet-1/current.json",
	}
	s.put(t, keys...)
	chain(t, keyID, secret)
	b := open(t, Options{
		Bucket: "site", Prefix: "blog/", Endpoint: s.url, Hide: func(key string) bool { return strings.Contains(key, ".freshet-") },
	})
	rows := []struct {
		name, method, path, query string
		status                    int
		body                      string // "" for any
		sent                      bool
	}{
		{"an object", "GET", "/a.html", "", 200, "body of blog/a.html", true},
		{"its head", "HEAD", "/a.html", "", 200, "", true},
		{"none", "GET", "/none", "", 404, "", true},
		{"a space", "GET", "/a%20b", "", 200, "body of blog/a b", true},
		{"a plus is a space", "GET", "/a+b", "", 200, "body of blog/a b", true},
		{"an escaped plus", "GET", "/a%2Bb", "", 200, "body of blog/a+b", true},
		{"raw UTF-8", "GET", "/日本", "", 200, "body of blog/日本", true},
		{"escaped UTF-8", "GET", "/%e6%97%a5%E6%9C%AC", "", 200, "body of blog/日本", true},
		{"an escaped question mark", "GET", "/q%3Fx=1", "", 200, "body of blog/q?x=1", true},
		{"unreserved and others", "GET", "/tilde~'(!*)", "", 200, "body of blog/tilde~'(!*)", true},
		{"what no URL may hold", "GET", "/pipe|", "", 200, "body of blog/pipe|", true},
		{"two slashes", "GET", "//double", "", 200, "body of blog//double", true},
		{"a percent sign", "GET", "/100%25", "", 200, "body of blog/100%", true},
		{"a query that means something", "GET", "/a.html", "acl", 200, "body of blog/a.html", true},
		{"not UTF-8", "GET", "/%ff", "", 400, "", false},
		{"out of the prefix", "GET", "/../outside.html", "", 403, "", false},
		{"out of the prefix, escaped", "GET", "/%2e%2e/outside.html", "", 403, "", false},
		{"out of the bucket", "GET", "/a/../../../other/key", "", 403, "", false},
		{"a dot", "GET", "/./a.html", "", 403, "", false},
		{"freshet's record", "GET", "/.freshet-1/current.json", "", 403, "", false},
		{"freshet's record, escaped", "GET", "/%2Efreshet%2D1/current.json", "", 403, "", false},
		{"a write", "PUT", "/a.html", "", 405, "", false},
		{"a deletion", "DELETE", "/a.html", "", 405, "", false},
		{"a form", "POST", "/", "delete", 405, "", false},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s.seen = nil
			status, body := ask(t, b, r.method, r.path, r.query, nil)
			if status != r.status || r.body != "" && body != r.body || (len(s.seen) > 0) != r.sent {
				t.Errorf("status %d, body %q, %d requests", status, body, len(s.seen))
			}
			for _, seen := range s.seen {
				if seen.URL.RawQuery != "" || !strings.HasPrefix(seen.URL.Path, "/site/blog/") {
					t.Errorf("asked for %s", seen.RequestURI)
				}
			}
		})
	}
}

// Without a prefix the bucket's root is its listing.
func TestNoListing(t *testing.T) {
	s := newStore(t)
	chain(t, keyID, secret)
	b := open(t, Options{Bucket: "site", Endpoint: s.url})
	for _, path := range []string{"/", ""} {
		if status, _ := ask(t, b, "GET", path, "list-type=2", nil); status != 403 || len(s.seen) > 0 {
			t.Errorf("%q: status %d, %d requests", path, status, len(s.seen))
		}
	}
}

func TestViewersHeaders(t *testing.T) {
	s := newStore(t)
	s.put(t, "a")
	chain(t, keyID, secret, "AWS_SESSION_TOKEN", "")
	b := open(t, Options{Bucket: "site", Endpoint: s.url})
	header := http.Header{
		"Authorization": {"Basic abc"}, "X-Amz-Date": {"20200101T000000Z"}, "X-Amz-Request-Payer": {"requester"}, "Range": {"bytes=0-3"},
		"If-None-Match": {`"x"`},
	}
	before := header.Clone()
	if status, body := ask(t, b, "GET", "/a", "", header); status != 206 || body != "body" {
		t.Errorf("status %d, body %q", status, body)
	}
	got := s.seen[0].Header
	if !strings.HasPrefix(got.Get("Authorization"), "AWS4-HMAC-SHA256 ") || got.Get("X-Amz-Date") == "20200101T000000Z" || got.Get("X-Amz-Request-Payer") != "" {
		t.Errorf("sent %v", got)
	}
	if signed := got.Get("Authorization"); strings.Contains(signed, "range") {
		t.Errorf("signed more than needed: %s", signed)
	}
	if diff := cmp.Diff(header, before); diff != "" {
		t.Errorf("the edge's own request changed:\n%s", diff)
	}
}

func TestEndpoints(t *testing.T) {
	rows := []struct {
		name             string
		opts             Options
		env              []string
		base, wantRegion string
	}{
		{"AWS", Options{Bucket: "my-site", Region: "eu-central-1"}, nil, "https://my-site.s3.eu-central-1.amazonaws.com", "eu-central-1"},
		{"AWS, region of the chain", Options{Bucket: "my-site"}, []string{"AWS_REGION", "eu-west-1"}, "https://my-site.s3.eu-west-1.amazonaws.com", "eu-west-1"},
		{"AWS, dots in the name", Options{Bucket: "www.example.org", Region: "us-west-2"}, nil, "https://s3.us-west-2.amazonaws.com/www.example.org", "us-west-2"},
		{"AWS in China", Options{Bucket: "my-site", Region: "cn-north-1"}, nil, "https://my-site.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"a store", Options{Bucket: "my-site", Endpoint: "http://minio:9000"}, nil, "http://minio:9000/my-site", "us-east-1"},
		{"a store below a path", Options{Bucket: "my-site", Endpoint: "https://store/s3", Region: "garage"}, nil, "https://store/s3/my-site", "garage"},
		{"a store of the chain", Options{Bucket: "my-site"}, []string{"AWS_ENDPOINT_URL_S3", "http://minio:9000"}, "http://minio:9000/my-site", "us-east-1"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			chain(t, keyID, secret, r.env...)
			b := open(t, r.opts)
			if got := b.base.String(); got != r.base || b.Region() != r.wantRegion {
				t.Errorf("%s in %s, want %s in %s", got, b.Region(), r.base, r.wantRegion)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	chain(t, keyID, secret)
	if _, err := Open(t.Context(), Options{Bucket: "my-site"}); !errors.Is(err, ErrRegion) {
		t.Errorf("without a region: %v", err)
	}
	chain(t, "", "")
	if _, err := Open(t.Context(), Options{Bucket: "my-site", Region: "eu-west-1"}); !errors.Is(err, ErrCredentials) {
		t.Errorf("without credentials: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Options{Bucket: "my-site", Region: "eu-west-1"}); err == nil {
		t.Error("opened after the end of its context")
	}
}

// A bucket of another region is an error that says so, not a redirect for viewers.
func TestOtherRegion(t *testing.T) {
	chain(t, keyID, secret)
	for _, status := range []int{301, 307, 400} {
		b := open(t, Options{Bucket: "my-site", Region: "eu-west-1", Next: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"X-Amz-Bucket-Region": {"us-west-2"}}, Body: http.NoBody}, nil
		})})
		r := (&http.Request{Method: "GET", URL: &url.URL{Path: "/a"}, Header: http.Header{}}).WithContext(t.Context())
		resp, err := b.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, ErrRegion) || !strings.Contains(err.Error(), "us-west-2") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzKey: a key's own spelling means that key, whatever it holds.
func FuzzKey(f *testing.F) {
	for _, key := range []string{"a", "a b+c", "日本/%2F", "\x00", "~'()*!", "//", "."} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		spelled := encodeKey(key)
		got, ok := decodeKey("/" + spelled)
		if valid := strings.ToValidUTF8(key, "") == key; ok != valid || ok && got != key {
			t.Errorf("%q is spelled %q, which means %q, %v", key, spelled, got, ok)
		}
	})
}
