package s3_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/site"
)

// recorder notes requests on their way to next.
type recorder struct {
	next http.Handler
	mu   sync.Mutex // held for one append or look
	seen []*http.Request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, req.Clone(req.Context()))
	r.mu.Unlock()
	r.next.ServeHTTP(w, req)
}

func (r *recorder) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, req := range r.seen {
		names := []string{}
		for name := range req.URL.Query() {
			if name != "x-id" && name != "uploadId" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		out = append(out, strings.TrimSpace(req.Method+" "+strings.Join(names, "&")))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestPutSendsChecksumAndPlainBody(t *testing.T) {
	isolate(t)
	r := &recorder{next: serve(t)}
	server := httptest.NewTLSServer(r)
	t.Cleanup(server.Close)
	store := openAt(t, server, "")
	h := site.Headers{ContentType: "text/html; charset=utf-8", CacheControl: "no-cache"}
	if _, err := store.Put(t.Context(), remotetest.NewPut("a", []byte("hello"), h)); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{"X-Amz-Content-Sha256", "X-Amz-Checksum-Sha256", "X-Amz-Checksum-Crc32", "X-Amz-Trailer",
		"Content-Encoding", "Content-Type", "Cache-Control", "Content-Language", "If-None-Match"} {
		if v, ok := r.seen[0].Header[http.CanonicalHeaderKey(name)]; ok {
			got[name] = strings.Join(v, "|")
		}
	}
	want := map[string]string{
		"X-Amz-Content-Sha256":  "UNSIGNED-PAYLOAD",
		"X-Amz-Checksum-Sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
		"Content-Type":          h.ContentType, "Cache-Control": h.CacheControl,
	}
	if diff := cmp.Diff(got, want); diff != "" || len(r.seen) != 1 {
		t.Errorf("%d requests, headers (-got +want):\n%s", len(r.seen), diff)
	}
}

// TestAddressing looks at where requests would go.
func TestAddressing(t *testing.T) {
	isolate(t)
	profile := filepath.Join(t.TempDir(), "config")
	text := "[profile minio]\nregion = eu-west-3\nservices = local\n[services local]\ns3 =\n  endpoint_url = http://store.example:9\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name string
		o    s3.Options
		env  [2]string
		want string
	}{
		{"AWS", s3.Options{Region: "eu-central-1"}, [2]string{}, "https://site.s3.eu-central-1.amazonaws.com/p/a"},
		{"AWS without a region", s3.Options{}, [2]string{}, "https://site.s3.us-east-1.amazonaws.com/p/a"},
		{"region from the environment", s3.Options{}, [2]string{"AWS_REGION", "ap-south-1"}, "https://site.s3.ap-south-1.amazonaws.com/p/a"},
		{"endpoint", s3.Options{Endpoint: "http://store.example:9"}, [2]string{}, "http://store.example:9/site/p/a"},
		{"AWS_ENDPOINT_URL", s3.Options{}, [2]string{"AWS_ENDPOINT_URL", "http://store.example:8"}, "http://store.example:8/site/p/a"},
		{"AWS_ENDPOINT_URL_S3", s3.Options{}, [2]string{"AWS_ENDPOINT_URL_S3", "http://store.example:7"}, "http://store.example:7/site/p/a"},
		{"option over environment", s3.Options{Endpoint: "http://127.0.0.1:9"}, [2]string{"AWS_ENDPOINT_URL_S3", "http://127.0.0.1:7"}, "http://127.0.0.1:9/site/p/a"},
		{"profile", s3.Options{Profile: "minio"}, [2]string{"AWS_CONFIG_FILE", profile}, "http://store.example:9/site/p/a"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if r.env[0] != "" {
				t.Setenv(r.env[0], r.env[1])
			}
			var url string
			r.o.Bucket, r.o.Prefix, r.o.Credentials = bucket, "p/", keys
			r.o.HTTPClient = clientFunc(func(req *http.Request) (*http.Response, error) {
				req.URL.RawQuery = ""
				url = req.URL.String()
				return &http.Response{StatusCode: 404, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
			})
			store, err := s3.Open(t.Context(), r.o)
			if err != nil {
				t.Fatal(err)
			}
			if url != "" {
				t.Errorf("Open asked for %s", url)
			}
			_, err = store.Head(t.Context(), "a")
			wantOnly(t, err, remote.ErrNotFound)
			if url != r.want {
				t.Errorf("asked for %s, want %s", url, r.want)
			}
		})
	}
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestOpenRefuses(t *testing.T) {
	isolate(t)
	for _, o := range []s3.Options{
		{}, {Bucket: "a/b"}, {Bucket: "b", Prefix: "p"}, {Bucket: "b", Prefix: "/"}, {Bucket: "b", Prefix: "/p/"},
		{Bucket: "b", Prefix: "p//"}, {Bucket: "b", Prefix: "../"},
	} {
		if store, err := s3.Open(t.Context(), o); err == nil {
			t.Errorf("Open(%+v) = %s", o, store)
		}
	}
}

// plainSeeker hides ReadAt.
type plainSeeker struct{ io.ReadSeeker }

func TestMultipart(t *testing.T) {
	isolate(t)
	data := make([]byte, 49<<20)
	rand.Read(data)
	h := site.Headers{ContentType: "video/mp4", CacheControl: "public"}
	r := &recorder{next: serve(t)}
	store := open(t, r, "")
	p := remotetest.NewPut("film", data, h)
	p.Body = plainSeeker{bytes.NewReader(data)}
	if _, err := store.Put(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got, _, err := store.Get(t.Context(), "film")
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("Get = %d bytes, %v", len(got), err)
	}
	if head, err := store.Head(t.Context(), "film"); err != nil || head.Headers != h {
		t.Errorf("Head = %+v, %v", head, err)
	}
	want := []string{"GET", "HEAD", "POST", "POST uploads", "PUT partNumber"}
	if diff := cmp.Diff(r.lines(), want); diff != "" {
		t.Errorf("requests (-got +want):\n%s", diff)
	}
}

// TestMultipartFails checks that nothing stays behind: neither an object nor
// parts that would be billed.
func TestMultipartFails(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	data := make([]byte, 33<<20)
	rows := []struct {
		name string
		fail func(*http.Request) bool
		put  func(*remote.Put)
		want error
	}{
		{"a part", func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "2" }, func(*remote.Put) {}, remote.ErrTemporary},
		{"the completion", func(r *http.Request) bool { return r.Method == "POST" && r.URL.Query().Has("uploadId") }, func(*remote.Put) {}, remote.ErrTemporary},
		{"the digest", nil, func(p *remote.Put) { p.Digest[0]++ }, remote.ErrContent},
		{"the condition", nil, func(p *remote.Put) { p.If.ETag = "0123" }, remote.ErrPrecondition},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			inner := serve(t)
			r := &recorder{next: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if row.fail != nil && row.fail(req) {
					io.Copy(io.Discard, req.Body)
					refuse(500, "InternalError", "broken")(w, req)
					return
				}
				inner.ServeHTTP(w, req)
			})}
			store := open(t, r, "")
			p := remotetest.NewPut("film", data, site.Headers{})
			row.put(&p)
			_, err := store.Put(t.Context(), p)
			wantOnly(t, err, row.want)
			if !slices.Contains(r.lines(), "DELETE") {
				t.Errorf("the upload was not aborted: %q", r.lines())
			}
			_, err = store.Head(t.Context(), "film")
			wantOnly(t, err, remote.ErrNotFound)
		})
	}
}

func TestDeleteReadsItems(t *testing.T) {
	isolate(t)
	store := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<DeleteResult>
			<Error><Key>p/z</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>
			<Error><Key>p/b&amp;c</Key><Code>InternalError</Code><Message>again</Message></Error>
		</DeleteResult>`)
	}), "p/")
	err := store.Delete(t.Context(), []site.Key{"z", "a", "b&c"})
	var keys []site.Key
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var item *remote.KeyError
		if !errors.As(e, &item) {
			t.Fatalf("%v is no KeyError", e)
		}
		keys = append(keys, item.Key)
		wantOnly(t, item, map[site.Key]error{"z": remote.ErrDenied, "b&c": remote.ErrTemporary}[item.Key])
	}
	if diff := cmp.Diff(keys, []site.Key{"b&c", "z"}); diff != "" {
		t.Errorf("failed keys (-got +want):\n%s", diff)
	}
	if !strings.Contains(err.Error(), "s3:DeleteObject on arn:aws:s3:::site/p/z") {
		t.Errorf("error %q does not name the right", err)
	}
}

func TestDeleteFailsAsAWhole(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	keys := make([]site.Key, 1200)
	for i := range keys {
		keys[i] = site.Key(fmt.Sprintf("%04d", i))
	}
	err := open(t, refuse(503, "SlowDown", ""), "").Delete(t.Context(), keys)
	wantOnly(t, err, remote.ErrTemporary)
	if got := len(err.(interface{ Unwrap() []error }).Unwrap()); got != len(keys) {
		t.Errorf("%d failures, want %d", got, len(keys))
	}
	if len(err.Error()) > 2000 || !strings.Contains(err.Error(), "and 1195 more") {
		t.Errorf("error %q", err)
	}
}

func TestListIsWholeOrFails(t *testing.T) {
	isolate(t)
	object := func(key string) string { return "<Contents><Key>" + key + "</Key><Size>1</Size></Contents>" }
	rows := []struct {
		name, body string
		want       []site.Key // nil: an error
	}{
		{"truncated without a token", `<IsTruncated>true</IsTruncated>` + object("p/a"), nil},
		{"an endless page", `<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>` + object("p/a"), nil},
		{"out of order", object("p/b") + object("p/a"), nil},
		{"outside the prefix", object("q/a"), nil},
		{"bad encoding", `<EncodingType>url</EncodingType>` + object("p/%zz"), nil},
		{"encoded", `<EncodingType>url</EncodingType>` + object("p/a+b%2Bc%25") + object("p/%E6%97%A5"), []site.Key{"a b+c%", "日"}},
		{"not encoded", object("p/a+b%2Bc") + object("p/日"), []site.Key{"a+b%2Bc", "日"}},
		{"the prefix itself", object("p/") + object("p/a"), []site.Key{"a"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			store := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, "<ListBucketResult>%s</ListBucketResult>", r.body)
			}), "p/")
			var keys []site.Key
			err := store.List(t.Context(), "", "", func(page []remote.Info) error {
				for _, info := range page {
					keys = append(keys, info.Key)
				}
				return nil
			})
			if (err != nil) != (r.want == nil) {
				t.Fatalf("List = %q, %v", keys, err)
			}
			if r.want != nil {
				if diff := cmp.Diff(keys, r.want); diff != "" {
					t.Errorf("keys (-got +want):\n%s", diff)
				}
			}
		})
	}
}
