package objects

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestSignatures(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "hello")
	good := testKeys()
	tests := map[string]struct {
		keys Credentials
		code string
	}{
		"wrong secret": {Credentials{good.AccessKeyID, "another-secret"}, "SignatureDoesNotMatch"},
		"unknown key":  {Credentials{"AKIANOBODYNOBODY", good.SecretAccessKey}, "InvalidAccessKeyId"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client := newClient(ts.url, tt.keys, http.DefaultClient)
			_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: aws.String("page")})
			wantCode(t, err, 403, tt.code)
			_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("page"), Body: strings.NewReader("x")})
			wantCode(t, err, 403, tt.code)
		})
	}
	if got := ts.get(t, "page"); got != "hello" {
		t.Errorf("the object changed to %q", got)
	}
}

func TestAnonymousIsRefused(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "hello")
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS"} {
		for _, path := range []string{"/", "/site", "/site/page", "/site?policy", "/site/page?acl"} {
			r, err := http.NewRequestWithContext(t.Context(), method, ts.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, _ := ts.do(t, r); resp.StatusCode != 403 {
				t.Errorf("%s %s: %d, want 403", method, path, resp.StatusCode)
			}
		}
	}
}

func TestNoCredentialsRefusesAll(t *testing.T) {
	h := newStore(t, t.TempDir()).Handler(HandlerOptions{})
	r := signed(t.Context(), Credentials{"AKIAEMPTY", ""}, "GET", "http://localhost", "/", emptySHA256, nil, nil)
	r.Host = "localhost"
	w := newRecorder()
	h.ServeHTTP(w, r)
	if w.status != 403 {
		t.Errorf("status %d, want 403", w.status)
	}
}

// recorder keeps the status of an answer.
type recorder struct {
	header http.Header
	status int
}

func newRecorder() *recorder                        { return &recorder{header: http.Header{}} }
func (r *recorder) Header() http.Header             { return r.header }
func (r *recorder) Write(p []byte) (int, error)     { return len(p), nil }
func (r *recorder) WriteHeader(status int)          { r.status = status }
func (r *recorder) WriteString(string) (int, error) { return 0, nil }

func TestTamperedRequests(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "old")
	tests := map[string]struct {
		tamper func(*http.Request)
		status int
		code   string
	}{
		"path":             {func(r *http.Request) { r.URL.Path = "/site/other" }, 403, "SignatureDoesNotMatch"},
		"query":            {func(r *http.Request) { r.URL.RawQuery = "acl" }, 403, "SignatureDoesNotMatch"},
		"method":           {func(r *http.Request) { r.Method = "DELETE" }, 403, "SignatureDoesNotMatch"},
		"signed header":    {func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "2") }, 403, "SignatureDoesNotMatch"},
		"added amz header": {func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "/site/secret") }, 403, "AccessDenied"},
		"body":             {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("bad")) }, 400, "XAmzContentSHA256Mismatch"},
		"old date": {func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().Add(-16*time.Minute).UTC().Format("20060102T150405Z"))
		}, 403, "RequestTimeTooSkewed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := signed(t.Context(), testKeys(), "PUT", ts.url, "/site/page", sumHex([]byte("new")), http.Header{"X-Amz-Meta-A": {"1"}}, []byte("new"))
			tt.tamper(r)
			resp, body := ts.do(t, r)
			if resp.StatusCode != tt.status || !strings.Contains(body, "<Code>"+tt.code+"</Code>") {
				t.Errorf("got %d %s, want %d %s", resp.StatusCode, body, tt.status, tt.code)
			}
			if got := ts.get(t, "page"); got != "old" {
				t.Errorf("the object changed to %q", got)
			}
		})
	}
}

func TestPresigned(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "a+b c/日本.html", "hello")
	in := &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: aws.String("a+b c/日本.html"), ResponseCacheControl: aws.String("no-cache")}
	link, err := s3.NewPresignClient(ts.client).PresignGetObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	get := func(url string) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ts.do(t, r)
	}
	resp, body := get(link.URL)
	if resp.StatusCode != 200 || body != "hello" || resp.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("got %d %q %v", resp.StatusCode, body, resp.Header)
	}
	if resp, _ := get(strings.Replace(link.URL, "no-cache", "public", 1)); resp.StatusCode != 403 {
		t.Errorf("tampered: got %d, want 403", resp.StatusCode)
	}
}

func TestCredentialsHideTheSecret(t *testing.T) {
	c := Credentials{"AKIA", "very-secret"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, c); strings.Contains(got, "very-secret") || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s prints %q", format, got)
		}
	}
}
