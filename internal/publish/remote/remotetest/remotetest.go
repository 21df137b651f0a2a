// Package remotetest is the contract of package remote as a test suite: each
// sentence of the contract is a named subtest, run on every implementation.
//
// It promises that an implementation that passes can stand in for any other.
// It leaves out what only a fault can show, such as throttling or a lost
// answer: those tests stand beside each implementation.
//
// The adapters run the suite on the embedded cloud. Where these variables are
// set they run it on a real service too, with credentials from the AWS SDK's
// own chain:
//
//	FRESHET_TEST_S3_BUCKET                a bucket to write in, below a prefix of its own that is removed again
//	FRESHET_TEST_S3_ENDPOINT              the service, when it is not AWS
//	FRESHET_TEST_S3_REGION                the bucket's region, when the chain has another
//	FRESHET_TEST_CLOUDFRONT_DISTRIBUTION  a distribution to invalidate about 30 paths on, all below /freshet-test/; AWS bills them beyond the first 1,000 a month
//	FRESHET_TEST_CLOUDFRONT_ENDPOINT      the service, when it is not AWS
//
// It follows package remote; the keys and paths come from the fact sheet,
// sections 1.1 and 7.4.
package remotetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// The variables that name a real service; see the package comment.
const (
	EnvBucket             = "FRESHET_TEST_S3_BUCKET"
	EnvEndpoint           = "FRESHET_TEST_S3_ENDPOINT"
	EnvRegion             = "FRESHET_TEST_S3_REGION"
	EnvDistribution       = "FRESHET_TEST_CLOUDFRONT_DISTRIBUTION"
	EnvCloudFrontEndpoint = "FRESHET_TEST_CLOUDFRONT_ENDPOINT"
)

var html = site.Headers{ContentType: "text/html; charset=utf-8", CacheControl: "public, max-age=0, s-maxage=31536000"}

// allHeaders uses every field.
var allHeaders = site.Headers{
	ContentType:        "text/css; charset=utf-8",
	CacheControl:       "public, max-age=31536000, immutable",
	ContentEncoding:    "gzip",
	ContentDisposition: `attachment; filename="a b.css"`,
	ContentLanguage:    "en, de",
}

// NewPut is an unconditional write of data.
func NewPut(key site.Key, data []byte, h site.Headers) remote.Put {
	return remote.Put{
		Key: key, Size: int64(len(data)), Digest: sha256.Sum256(data), Headers: h, Body: bytes.NewReader(data),
	}
}

// oddKeys are keys that some encoding on the way may damage. The last is as
// long as the store takes, which counts its prefix.
func oddKeys(s remote.Store) []site.Key {
	_, prefix, _ := strings.Cut(strings.TrimPrefix(s.String(), "s3://"), "/")
	long := strings.Repeat("0123456789abcde/", 64)[:site.MaxKeyBytes-len(prefix)-1] + "z"
	return []site.Key{
		"a b/c  d.html", "plus+sign+.html", "100%.html", "%41%2F.html", "hash#tag.html", "til~de.html",
		"quote'single.html", `quote"double.html`, "amp&lt;.html", "semi;colon,comma.html", "<angle>.html",
		"question?x=1&y=2.html", "back\\slash.html", "equals=at@dollar$.html", "(paren)[bracket]{brace}.html",
		"caret^pipe|tick`.html", "star*.html", "colon:.html", "日本語/ページ.html", "emoji-😀.html", "é-composed.html",
		"e\u0301-combining.html", " leading-space", "trailing-space ", ".well-known/x", "a/b/c", "a.b...c",
		site.Key(long),
	}
}

func put(t *testing.T, s remote.Store, p remote.Put) string {
	t.Helper()
	etag, err := s.Put(t.Context(), p)
	if err != nil {
		t.Fatalf("Put(%q): %v", p.Key, err)
	}
	if etag == "" || strings.Contains(etag, `"`) {
		t.Fatalf("Put(%q) returned the ETag %q", p.Key, etag)
	}
	return etag
}

func head(t *testing.T, s remote.Store, key site.Key) remote.Head {
	t.Helper()
	h, err := s.Head(t.Context(), key)
	if err != nil {
		t.Fatalf("Head(%q): %v", key, err)
	}
	return h
}

func wantData(t *testing.T, s remote.Store, key site.Key, want string) {
	t.Helper()
	data, _, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	if string(data) != want {
		t.Errorf("Get(%q) = %.40q (%d bytes), want %.40q (%d bytes)", key, data, len(data), want, len(want))
	}
}

func wantIs(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func wantKeys(t *testing.T, got, want []site.Key) {
	t.Helper()
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("keys (-got +want):\n%s", diff)
	}
}

// list is the whole listing, with every rule about pages checked.
func list(t *testing.T, s remote.Store, prefix, after string) []remote.Info {
	t.Helper()
	var all []remote.Info
	err := s.List(t.Context(), prefix, after, func(page []remote.Info) error {
		if len(page) == 0 || len(page) > 1000 {
			t.Errorf("a page has %d objects", len(page))
		}
		for _, info := range page {
			if len(all) > 0 && info.Key <= all[len(all)-1].Key {
				t.Errorf("%q comes after %q", info.Key, all[len(all)-1].Key)
			}
			all = append(all, info)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("List(%q, %q): %v", prefix, after, err)
	}
	return all
}

func listKeys(t *testing.T, s remote.Store, prefix, after string) []site.Key {
	t.Helper()
	var keys []site.Key
	for _, info := range list(t, s, prefix, after) {
		keys = append(keys, info.Key)
	}
	return keys
}

// fill writes n small objects and returns their keys in order.
func fill(t *testing.T, s remote.Store, prefix string, n int) []site.Key {
	t.Helper()
	keys := make([]site.Key, n)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range keys {
		keys[i] = site.Key(fmt.Sprintf("%s%05d", prefix, i))
		group.Go(func() error {
			_, err := s.Put(ctx, NewPut(keys[i], []byte(keys[i]), html))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("fill: %v", err)
	}
	return keys
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
