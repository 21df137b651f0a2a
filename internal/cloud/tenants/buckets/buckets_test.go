package buckets

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/control"
	"github.com/freshet/freshet/internal/cloud/edge/signed"
)

// alone keeps the machine's own AWS configuration out of a test.
func alone(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_WEB_IDENTITY_TOKEN_FILE",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
}

// wire remembers what is sent.
type wire struct{ sent []*http.Request }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.sent = append(w.sent, r)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x")), Request: r}, nil
}

func get(path string) *http.Request {
	return &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: "origin", Path: path}, Header: http.Header{}}
}

var site = control.Origin{ID: "site", DomainName: "site.s3.eu-west-1.amazonaws.com", S3Origin: &control.S3Origin{}}

func TestBucket(t *testing.T) {
	for _, test := range []struct {
		name, endpoint, want string
		dated                bool
	}{
		{"AWS", "", "https://site.s3.eu-west-1.amazonaws.com/a/b.html", true},
		{"a store of one's own", "http://127.0.0.1:9", "http://127.0.0.1:9/site/a/b.html", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			alone(t)
			t.Setenv("AWS_ACCESS_KEY_ID", "key")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
			w := &wire{}
			o, err := Origins(Options{Endpoint: test.endpoint})(site, w)
			if err != nil || !o.S3 || o.Dated != test.dated {
				t.Fatalf("%+v, %v", o, err)
			}
			if resp, err := o.Transport.RoundTrip(get("/a/b.html")); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			r := w.sent[0]
			if r.URL.String() != test.want || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/aws4_request") {
				t.Errorf("sent %s with %v", r.URL, r.Header)
			}
			if resp, err := o.Transport.RoundTrip(get("/.freshet-0/lock.json")); err != nil || resp.StatusCode != 403 || len(w.sent) != 1 {
				t.Errorf("the record: %v, %v", resp, err)
			}
		})
	}
}

// A bucket without credentials is configured all the same, and opens once they are there; not every viewer's request looks for them.
func TestBucketOpensLater(t *testing.T) {
	alone(t)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	o, err := Origins(Options{Now: func() time.Time { return now }})(site, &wire{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Transport.RoundTrip(get("/a")); !errors.Is(err, signed.ErrCredentials) {
		t.Fatalf("got %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	if _, err := o.Transport.RoundTrip(get("/a")); !errors.Is(err, signed.ErrCredentials) {
		t.Errorf("tried again at once: %v", err)
	}
	now = now.Add(openPause)
	if _, err := o.Transport.RoundTrip(get("/a")); err != nil {
		t.Error(err)
	}
}

// An endpoint that nobody named to the edge may be any store, whose dates tell less than Amazon's.
func TestBucketAtAnotherEndpoint(t *testing.T) {
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
	o, err := Origins(Options{})(site, &wire{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Transport.RoundTrip(get("/a")); !errors.Is(err, ErrEndpoint) {
		t.Errorf("got %v", err)
	}
}

func TestRegionOf(t *testing.T) {
	for domain, want := range map[string]string{
		"site.s3.eu-west-1.amazonaws.com":           "eu-west-1",
		"site.s3-us-west-2.amazonaws.com":           "us-west-2",
		"site.s3.dualstack.us-east-2.amazonaws.com": "us-east-2",
		"a.s3.b.s3.cn-north-1.amazonaws.com.cn":     "cn-north-1",
		"site.s3.amazonaws.com":                     "",
		"site":                                      "",
	} {
		if got := regionOf(domain); got != want {
			t.Errorf("regionOf(%q) = %q, want %q", domain, got, want)
		}
	}
}

func TestOtherServers(t *testing.T) {
	o, err := Origins(Options{})(control.Origin{DomainName: "www.example.org", CustomOrigin: &control.CustomOrigin{HTTPPort: 8080, ProtocolPolicy: "http-only"}}, &wire{})
	if err != nil || o.S3 || o.Host != "www.example.org:8080" {
		t.Errorf("%+v, %v", o, err)
	}
}
