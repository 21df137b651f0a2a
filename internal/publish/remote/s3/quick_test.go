package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/site"
)

// openOwn is a store on a server with freshet's own client, as people have it.
func openOwn(t *testing.T, server *httptest.Server, prefix string) *s3.Store {
	t.Helper()
	store, err := s3.Open(t.Context(), s3.Options{
		Bucket: bucket, Prefix: prefix, Region: "eu-central-1", Endpoint: server.URL, Credentials: keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestContractOwnClient runs the contract with nothing between the store and the
// network, over plain HTTP.
func TestContractOwnClient(t *testing.T) {
	isolate(t)
	remotetest.Store(t, func(t *testing.T) remote.Store {
		server := httptest.NewServer(serve(t))
		t.Cleanup(server.Close)
		return openOwn(t, server, "site/")
	})
}

// wireForm is all of a request that a service can see, but what has to differ:
// the time, the random id and the signature.
func wireForm(r *http.Request, body []byte) string {
	var lines []string
	for name, values := range r.Header {
		value := strings.Join(values, "|")
		switch name {
		case "X-Amz-Date":
			value = regexp.MustCompile(`\d`).ReplaceAllString(value, "0")
		case "Authorization":
			value = regexp.MustCompile(`Signature=[0-9a-f]{64}$`).ReplaceAllString(value, "Signature=")
		case "Amz-Sdk-Invocation-Id":
			value = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).ReplaceAllString(value, "id")
		}
		lines = append(lines, name+": "+value)
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s %s %s %d %v\n%s\n\n%q", r.Method, r.Host, r.RequestURI, r.ContentLength, r.TransferEncoding, strings.Join(lines, "\n"), body)
}

// hidden is a body that the quick way cannot take.
type hidden struct{ io.ReadSeeker }

// TestQuickSendsWhatTheSDKWould compares requests to the last header.
func TestQuickSendsWhatTheSDKWould(t *testing.T) {
	isolate(t)
	all := site.Headers{
		ContentType: "text/html; charset=utf-8", CacheControl: "public,  max-age=0", ContentEncoding: "gzip", ContentDisposition: `attachment; filename="ü.txt"`,
		ContentLanguage: "de", TagHeader: "x-amz-meta-cache-tag", Tags: "fr.page,fr.page.posts",
	}
	rows := []struct {
		key  site.Key
		size int
		h    site.Headers
	}{
		{"a", 0, site.Headers{}},
		{"index.html", 1, all},
		{"100% cotton+wool/ü ~!'()*&=?#;:@,$.txt", 35_000, site.Headers{ContentType: "text/plain"}},
		{"dir//x", 200_000, site.Headers{CacheControl: "no-cache"}},
	}
	for _, tls := range []bool{false, true} {
		var forms []string
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			forms = append(forms, wireForm(r, body))
			w.Header().Set("ETag", `"tag"`)
		})
		server := httptest.NewUnstartedServer(handler)
		if server.Start(); tls {
			server.Close()
			server = httptest.NewTLSServer(handler)
		}
		t.Cleanup(server.Close)
		for _, r := range rows {
			t.Run(fmt.Sprintf("%s, TLS %v", r.key, tls), func(t *testing.T) {
				store := openAt(t, server, "p q/")
				if !tls {
					store = openOwn(t, server, "p q/")
				}
				forms = nil
				for _, hide := range []bool{false, true} {
					p := remotetest.NewPut(r.key, bytes.Repeat([]byte("x"), r.size), r.h)
					if hide {
						p.Body = hidden{p.Body}
					}
					if tag, err := store.Put(t.Context(), p); tag != "tag" || err != nil {
						t.Fatalf("Put = %q, %v", tag, err)
					}
				}
				if len(forms) != 2 {
					t.Fatalf("%d requests", len(forms))
				}
				if diff := cmp.Diff(strings.Split(forms[0], "\n"), strings.Split(forms[1], "\n")); diff != "" {
					t.Errorf("request (-quick +SDK):\n%s", diff)
				}
			})
		}
	}
}

// TestQuickFailsAsTheSDKDoes compares what comes of each answer, with the
// requests that it took.
func TestQuickFailsAsTheSDKDoes(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	rows := map[string]http.HandlerFunc{
		"slow down":   refuse(503, "SlowDown", "less, please"),
		"bare 503":    refuse(503, "", ""),
		"denied":      refuse(403, "AccessDenied", "Access Denied"),
		"bad digest":  refuse(400, "BadDigest", "no"),
		"elsewhere":   refuse(301, "PermanentRedirect", "no", "X-Amz-Bucket-Region", "us-west-2"),
		"no bucket":   refuse(404, "NoSuchBucket", "no"),
		"redirect":    refuse(307, "TemporaryRedirect", "no", "Location", "http://127.0.0.1:1/"),
		"no XML":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>nginx", http.StatusBadGateway) },
		"clock":       refuse(403, "RequestTimeTooSkewed", "no"),
		"hangs up":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"multiple":    refuse(300, "", ""),
		"not changed": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
	}
	for name, answer := range rows {
		t.Run(name, func(t *testing.T) {
			var got [2]string
			for i, hide := range []bool{false, true} {
				var requests atomic.Int64
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					io.Copy(io.Discard, r.Body)
					answer(w, r)
				}))
				t.Cleanup(server.Close)
				p := page("a")
				if hide {
					p.Body = hidden{p.Body}
				}
				_, err := openOwn(t, server, "").Put(t.Context(), p)
				if err == nil {
					t.Fatal("no error")
				}
				text := regexp.MustCompile(`127\.0\.0\.1:\d+|; for the service it is .* UTC`).ReplaceAllString(err.Error(), "")
				got[i] = fmt.Sprintf("%d requests: %s", requests.Load(), text)
				for _, s := range sentinels {
					got[i] += fmt.Sprintf("\n%v: %v", s, strings.Contains(fmt.Sprint(err), s.Error()))
				}
			}
			if diff := cmp.Diff(got[0], got[1]); diff != "" {
				t.Errorf("(-quick +SDK):\n%s", diff)
			}
		})
	}
}

// TestQuickRecovers counts the requests of three uploads to a service that wants
// something else first; the body has to arrive whole each time.
func TestQuickRecovers(t *testing.T) {
	isolate(t)
	const ahead = time.Hour
	rows := []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request, n int64) // to the request with the number n
		want   int64
	}{
		{"nothing", func(http.ResponseWriter, *http.Request, int64) {}, 3},
		{"a pause", func(w http.ResponseWriter, r *http.Request, n int64) {
			if n == 1 {
				refuse(503, "SlowDown", "")(w, r)
			}
		}, 4},
		{"another connection", func(_ http.ResponseWriter, _ *http.Request, n int64) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
		}, 4},
		{"the right time", func(w http.ResponseWriter, r *http.Request, _ int64) {
			now := time.Now().UTC().Add(ahead)
			w.Header().Set("Date", now.Format(http.TimeFormat))
			if signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil || now.Sub(signed).Abs() > 15*time.Minute {
				refuse(403, "RequestTimeTooSkewed", "")(w, r)
			}
		}, 4},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if body, _ := io.ReadAll(req.Body); string(body) != "x" {
					t.Errorf("the body is %q", body)
				}
				r.answer(w, req, requests.Add(1))
			}))
			t.Cleanup(server.Close)
			store := openOwn(t, server, "")
			for range 3 {
				if _, err := store.Put(t.Context(), page("a")); err != nil {
					t.Fatal(err)
				}
			}
			if got := requests.Load(); got != r.want {
				t.Errorf("%d requests, want %d", got, r.want)
			}
		})
	}
}

// TestQuickAddresses looks at where uploads would go.
func TestQuickAddresses(t *testing.T) {
	isolate(t)
	rows := []struct {
		name string
		o    s3.Options
		env  string
		want string
	}{
		{"AWS", s3.Options{Region: "eu-central-1", Bucket: bucket}, "", "https://site.s3.eu-central-1.amazonaws.com/p/a%20b?x-id=PutObject"},
		{"a bucket with dots", s3.Options{Region: "eu-central-1", Bucket: "www.example.org"}, "", "https://s3.eu-central-1.amazonaws.com/www.example.org/p/a%20b?x-id=PutObject"},
		{"two stacks", s3.Options{Region: "eu-west-3", Bucket: bucket}, "AWS_USE_DUALSTACK_ENDPOINT", "https://site.s3.dualstack.eu-west-3.amazonaws.com/p/a%20b?x-id=PutObject"},
		{"an endpoint with a path", s3.Options{Bucket: bucket, Endpoint: "http://store.example:9/s3"}, "", "http://store.example:9/s3/site/p/a%20b?x-id=PutObject"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.env != "" {
				t.Setenv(r.env, "true")
			}
			var urls []string
			r.o.Prefix, r.o.Credentials = "p/", keys
			r.o.HTTPClient = clientFunc(func(req *http.Request) (*http.Response, error) {
				urls = append(urls, req.URL.String())
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
			})
			store, err := s3.Open(t.Context(), r.o)
			if err != nil {
				t.Fatal(err)
			}
			for _, hide := range []bool{false, true} {
				p := page("a b")
				if hide {
					p.Body = hidden{p.Body}
				}
				if _, err := store.Put(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(urls, []string{r.want, r.want}); diff != "" {
				t.Errorf("asked for (-got +want; quick, SDK):\n%s", diff)
			}
		})
	}
}

// TestQuickReadsFromThePosition: the part of a body before its position is not
// sent, neither at first nor again.
func TestQuickReadsFromThePosition(t *testing.T) {
	isolate(t)
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if got = append(got, string(body)); len(got) == 1 {
			refuse(500, "InternalError", "")(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p := remotetest.NewPut("a", []byte("body"), site.Headers{})
	body := strings.NewReader("before body")
	body.Seek(int64(len("before ")), io.SeekStart)
	p.Body = body
	if _, err := openOwn(t, server, "").Put(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, []string{"body", "body"}); diff != "" {
		t.Errorf("bodies (-got +want):\n%s", diff)
	}
}

// TestQuickFollows: an upload without a body is sent where the answer says.
func TestQuickFollows(t *testing.T) {
	isolate(t)
	var there atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { there.Add(1) }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.RequestURI, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	if _, err := openOwn(t, server, "").Put(t.Context(), remotetest.NewPut("a", nil, site.Headers{})); err != nil || there.Load() != 1 {
		t.Errorf("%d requests arrived where they belong; %v", there.Load(), err)
	}
}
