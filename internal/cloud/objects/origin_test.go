package objects

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// ask reads from an origin.
func ask(t *testing.T, o http.RoundTripper, method, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://origin"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if header == nil {
		r.Header = http.Header{}
	}
	resp, err := o.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestOrigin(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 500e6, time.UTC)
	s, err := Open(t.TempDir(), Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ts := serveStore(t, s, true)
	etag := ts.put(t, "page", "0123456789")
	ts.put(t, "a b", "space")
	ts.put(t, "a+b", "plus")
	ts.put(t, "日本", "japan")
	ts.put(t, "//x/../y", "slashes")
	ts.put(t, "empty", "")
	ts.put(t, ".state/secret", "secret")
	lm := "Sun, 01 Nov 2026 12:00:00 GMT"
	earlier := "Sun, 01 Nov 2026 11:59:59 GMT"
	one := func(k, v string) http.Header { return http.Header{k: {v}} }
	tests := map[string]struct {
		method, path string
		header       http.Header
		status       int
		body         string // the whole body, or a part of it for errors
	}{
		"get":                           {"GET", "/page", nil, 200, "0123456789"},
		"head":                          {"HEAD", "/page", nil, 200, ""},
		"query is not looked at":        {"GET", "/page?v=1", nil, 200, "0123456789"},
		"sub-resource":                  {"GET", "/page?acl", nil, 403, "AccessDenied"},
		"raw plus is a space":           {"GET", "/a+b", nil, 200, "space"},
		"encoded plus":                  {"GET", "/a%2Bb", nil, 200, "plus"},
		"encoded space":                 {"GET", "/a%20b", nil, 200, "space"},
		"utf-8":                         {"GET", "/%E6%97%A5%e6%9c%ac", nil, 200, "japan"},
		"slashes and dots stay":         {"GET", "///x/../y", nil, 200, "slashes"},
		"encoded letters":               {"GET", "/%70age", nil, 200, "0123456789"},
		"not utf-8":                     {"GET", "/%ff", nil, 400, "InvalidURI"},
		"empty object":                  {"GET", "/empty", nil, 200, ""},
		"root is no listing":            {"GET", "/", nil, 403, "AccessDenied"},
		"root with a list query":        {"GET", "/?list-type=2", nil, 403, "AccessDenied"},
		"missing":                       {"GET", "/none", nil, 404, "<Code>NoSuchKey</Code>"},
		"missing head":                  {"HEAD", "/none", nil, 404, ""},
		"hidden":                        {"GET", "/.state/secret", nil, 404, "<Code>NoSuchKey</Code>"},
		"hidden, encoded":               {"GET", "/%2Estate/secret", nil, 404, "<Code>NoSuchKey</Code>"},
		"hidden, with a validator":      {"GET", "/.state/secret", one("If-None-Match", "*"), 404, "NoSuchKey"},
		"put":                           {"PUT", "/page", nil, 405, "MethodNotAllowed"},
		"if-none-match":                 {"GET", "/page", one("If-None-Match", etag), 304, ""},
		"if-none-match list":            {"GET", "/page", one("If-None-Match", `"x", W/`+etag), 304, ""},
		"if-none-match other":           {"GET", "/page", one("If-None-Match", `"x"`), 200, "0123456789"},
		"etag beats date":               {"GET", "/page", http.Header{"If-None-Match": {`"x"`}, "If-Modified-Since": {lm}}, 200, "0123456789"},
		"etag beats date, other way":    {"GET", "/page", http.Header{"If-None-Match": {etag}, "If-Modified-Since": {earlier}}, 304, ""},
		"if-modified-since, same":       {"GET", "/page", one("If-Modified-Since", lm), 304, ""},
		"if-modified-since, earlier":    {"GET", "/page", one("If-Modified-Since", earlier), 200, "0123456789"},
		"if-modified-since, no date":    {"GET", "/page", one("If-Modified-Since", "yesterday"), 200, "0123456789"},
		"if-match":                      {"GET", "/page", one("If-Match", etag), 200, "0123456789"},
		"if-match other":                {"GET", "/page", one("If-Match", `"x"`), 412, "PreconditionFailed"},
		"if-unmodified-since":           {"GET", "/page", one("If-Unmodified-Since", earlier), 412, "PreconditionFailed"},
		"if-match beats date":           {"GET", "/page", http.Header{"If-Match": {etag}, "If-Unmodified-Since": {earlier}}, 200, "0123456789"},
		"range":                         {"GET", "/page", one("Range", "bytes=2-4"), 206, "234"},
		"range, one byte":               {"GET", "/page", one("Range", "bytes=0-0"), 206, "0"},
		"range, open end":               {"GET", "/page", one("Range", "bytes=7-"), 206, "789"},
		"range, suffix":                 {"GET", "/page", one("Range", "bytes=-3"), 206, "789"},
		"range, long suffix":            {"GET", "/page", one("Range", "bytes=-99"), 206, "0123456789"},
		"range, end too far":            {"GET", "/page", one("Range", "bytes=8-99"), 206, "89"},
		"range, behind the end":         {"GET", "/page", one("Range", "bytes=10-"), 416, "InvalidRange"},
		"range, empty suffix":           {"GET", "/page", one("Range", "bytes=-0"), 416, "InvalidRange"},
		"range of an empty object":      {"GET", "/empty", one("Range", "bytes=0-"), 416, "InvalidRange"},
		"ranges, several":               {"GET", "/page", one("Range", "bytes=0-1,3-4"), 200, "0123456789"},
		"range, backwards":              {"GET", "/page", one("Range", "bytes=4-2"), 200, "0123456789"},
		"range, other unit":             {"GET", "/page", one("Range", "lines=1-2"), 200, "0123456789"},
		"range, signs":                  {"GET", "/page", one("Range", "bytes=+1-2"), 200, "0123456789"},
		"if-range holds":                {"GET", "/page", http.Header{"Range": {"bytes=2-4"}, "If-Range": {etag}}, 206, "234"},
		"if-range by date":              {"GET", "/page", http.Header{"Range": {"bytes=2-4"}, "If-Range": {lm}}, 206, "234"},
		"if-range does not hold":        {"GET", "/page", http.Header{"Range": {"bytes=2-4"}, "If-Range": {`"x"`}}, 200, "0123456789"},
		"head of a range":               {"HEAD", "/page", one("Range", "bytes=2-4"), 206, ""},
		"precondition before the range": {"GET", "/page", http.Header{"Range": {"bytes=99-"}, "If-None-Match": {etag}}, 304, ""},
	}
	origin := s.Origin(testBucket, OriginOptions{Hide: func(key string) bool { return strings.HasPrefix(key, ".state/") }})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp, body := ask(t, origin, tt.method, tt.path, tt.header)
			if resp.StatusCode != tt.status {
				t.Fatalf("status %d, want %d (%s)", resp.StatusCode, tt.status, body)
			}
			if tt.status >= 400 && !strings.Contains(body, tt.body) || tt.status < 400 && body != tt.body {
				t.Errorf("body %q, want %q", body, tt.body)
			}
			if tt.method == "GET" && resp.ContentLength >= 0 && resp.ContentLength != int64(len(body)) {
				t.Errorf("content length %d of %d bytes", resp.ContentLength, len(body))
			}
			if resp.Header.Get("Server") != "AmazonS3" || resp.Header.Get("X-Amz-Request-Id") == "" {
				t.Errorf("header %v", resp.Header)
			}
			if (tt.status == 200 || tt.status == 206 || tt.status == 304) && tt.path == "/page" && (resp.Header.Get("ETag") != etag || resp.Header.Get("Last-Modified") != lm) {
				t.Errorf("validators %v", resp.Header)
			}
		})
	}
}

func TestOriginContentRange(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "0123456789")
	o := ts.store.Origin(testBucket, OriginOptions{})
	for spec, want := range map[string]string{"bytes=2-4": "bytes 2-4/10", "bytes=-1": "bytes 9-9/10", "bytes=10-": "bytes */10"} {
		resp, _ := ask(t, o, "GET", "/page", http.Header{"Range": {spec}})
		if got := resp.Header.Get("Content-Range"); got != want {
			t.Errorf("%s: %q, want %q", spec, got, want)
		}
	}
}

// A missing and a hidden key cannot be told apart, whatever the bucket grants.
func TestOriginDenyMissing(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "hidden", "x")
	hide := func(key string) bool { return key == "hidden" }
	for _, deny := range []bool{false, true} {
		o := ts.store.Origin(testBucket, OriginOptions{DenyMissing: deny, Hide: hide})
		_, missing := ask(t, o, "GET", "/absent", nil)
		resp, hidden := ask(t, o, "GET", "/hidden", nil)
		if want := map[bool]int{false: 404, true: 403}[deny]; resp.StatusCode != want {
			t.Errorf("deny %v: status %d, want %d", deny, resp.StatusCode, want)
		}
		if diff := cmp.Diff(anonymous(hidden, "hidden"), anonymous(missing, "absent")); diff != "" {
			t.Errorf("deny %v: hidden and missing differ:\n%s", deny, diff)
		}
	}
	resp, body := ask(t, ts.store.Origin("no-such-bucket", OriginOptions{}), "GET", "/x", nil)
	if resp.StatusCode != 404 || !strings.Contains(body, "NoSuchBucket") {
		t.Errorf("no bucket: %d %s", resp.StatusCode, body)
	}
}

// anonymous takes out of an error body what differs between any two answers.
func anonymous(body, key string) string {
	body = regexp.MustCompile(`[0-9A-F]{16}`).ReplaceAllString(body, "ID")
	return strings.ReplaceAll(body, key, "KEY")
}

// A reader that has begun gets its version to the end.
func TestOriginReadsOneVersion(t *testing.T) {
	ts := newTestServer(t)
	old := string(noise(1, 1<<20))
	ts.put(t, "page", old)
	o := ts.store.Origin(testBucket, OriginOptions{})
	for _, change := range []func(){
		func() { ts.put(t, "page", strings.Repeat("new", 10_000)) },
		func() {
			_, err := ts.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(testBucket), Key: aws.String("page")})
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		ts.put(t, "page", old)
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://origin/page", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := o.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 1000)
		if _, err := io.ReadFull(resp.Body, head); err != nil {
			t.Fatal(err)
		}
		change()
		rest, err := io.ReadAll(resp.Body)
		if err != nil || string(head)+string(rest) != old {
			t.Errorf("%d bytes, %v", len(head)+len(rest), err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func FuzzOriginKey(f *testing.F) {
	for _, seed := range []string{"/", "", "/a+b", "/a%2Bb", "/%", "/%4", "/%zz", "/%+1", "/%E6%97%A5", "//a/../b", "/%ff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		key, err := originKey(path)
		if err != nil {
			return
		}
		if len(key) > len(path) {
			t.Errorf("%q grew to %q", path, key)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-", "bytes=-1", "bytes=1-2", "bytes=--1", "bytes=9223372036854775807-", "bytes=0-9223372036854775807", "bytes=,", "x"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, spec string, size int64) {
		if size < 0 {
			return
		}
		got, partial, err := parseRange(spec, size)
		if err != nil {
			return
		}
		if got.offset < 0 || got.length < 0 || got.offset+got.length > size || got.offset+got.length < 0 || partial && got.length == 0 {
			t.Errorf("%q of %d bytes: %+v", spec, size, got)
		}
	})
}
