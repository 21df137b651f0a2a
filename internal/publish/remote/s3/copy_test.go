package s3

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/freshet/freshet/internal/cloud/objects"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// partsOnly is a store that refuses whole copies, as S3 does above 5 GiB.
// beforePart is called before each part of a copy.
func partsOnly(t *testing.T, beforePart func()) *Store {
	t.Helper()
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	backend, err := objects.Open(t.TempDir(), objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	if err := backend.CreateBucket(t.Context(), "site"); err != nil {
		t.Fatal(err)
	}
	inner := backend.Handler(objects.HandlerOptions{Credentials: []objects.Credentials{{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret"}}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		copies := r.Header.Get("X-Amz-Copy-Source") != ""
		if copies && r.URL.Query().Get("partNumber") == "" {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "<Error><Code>InvalidRequest</Code><Message>The specified copy source is larger than the maximum allowable size for a copy source: 5368709120</Message></Error>")
			return
		}
		if copies {
			beforePart()
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	store, err := Open(t.Context(), Options{
		Bucket: "site", Prefix: "p+/", Region: "eu-central-1", Endpoint: server.URL,
		Credentials: Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret"}, HTTPClient: server.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	store.copyParts = 5 << 20
	return store
}

func TestCopyInParts(t *testing.T) {
	store := partsOnly(t, func() {})
	data := bytes.Repeat([]byte("0123456789abcdef"), 11<<16+1) // three parts, the last a short one
	put := remote.Put{Key: "a b", Size: int64(len(data)), Digest: sha256.Sum256(data), Body: bytes.NewReader(data)}
	if _, err := store.Put(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	h := site.Headers{ContentType: "video/mp4", CacheControl: "public, max-age=60"}
	for _, dst := range []site.Key{"a b", "c"} {
		tag, err := store.Copy(t.Context(), remote.Copy{From: "a b", To: dst, Headers: h})
		if err != nil {
			t.Fatalf("Copy to %s: %v", dst, err)
		}
		got, etag, err := store.Get(t.Context(), dst)
		if err != nil || !bytes.Equal(got, data) || etag != tag {
			t.Errorf("Get(%s) = %d bytes, %s, %v; want the ETag %s", dst, len(got), etag, err, tag)
		}
		if head, err := store.Head(t.Context(), dst); err != nil || head.Headers != h {
			t.Errorf("Head(%s) = %+v, %v", dst, head, err)
		}
	}
}

// TestCopyInPartsOfOneVersion: the condition holds for the whole copy, also where
// the source changes while its parts are copied.
func TestCopyInPartsOfOneVersion(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 11<<16)
	put := func(t *testing.T, s *Store) string {
		t.Helper()
		tag, err := s.Put(t.Context(), remote.Put{Key: "a", Size: int64(len(data)), Digest: sha256.Sum256(data), Body: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		return tag
	}
	for _, to := range []site.Key{"a", "b"} {
		t.Run("right, to "+string(to), func(t *testing.T) {
			s := partsOnly(t, func() {})
			if _, err := s.Copy(t.Context(), remote.Copy{From: "a", To: to, IfETag: put(t, s)}); err != nil {
				t.Errorf("Copy: %v", err)
			}
		})
		t.Run("wrong, to "+string(to), func(t *testing.T) {
			s := partsOnly(t, func() {})
			put(t, s)
			_, err := s.Copy(t.Context(), remote.Copy{From: "a", To: to, IfETag: "0123"})
			if !errors.Is(err, remote.ErrPrecondition) {
				t.Errorf("error %v", err)
			}
		})
		t.Run("changed meanwhile, to "+string(to), func(t *testing.T) {
			var s *Store
			s = partsOnly(t, sync.OnceFunc(func() {
				small := []byte("x")
				_, err := s.Put(t.Context(), remote.Put{Key: "a", Size: 1, Digest: sha256.Sum256(small), Body: bytes.NewReader(small)})
				if err != nil {
					t.Error(err)
				}
			}))
			_, err := s.Copy(t.Context(), remote.Copy{From: "a", To: to, IfETag: put(t, s)})
			if !errors.Is(err, remote.ErrPrecondition) {
				t.Errorf("error %v", err)
			}
			if got, _, err := s.Get(t.Context(), "a"); err != nil || string(got) != "x" {
				t.Errorf("the source is %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestSourceIsDecodedToItself(t *testing.T) {
	store := &Store{bucket: "site", prefix: "p+ /"}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		source := *store.source(site.Key(key))
		if got, err := url.QueryUnescape(source); err != nil || got != "site/p+ /"+key {
			t.Fatalf("%q decodes to %q, %v", source, got, err)
		}
		if got, err := url.PathUnescape(source); err != nil || got != "site/p+ /"+key {
			t.Fatalf("%q decodes as a path to %q, %v", source, got, err)
		}
	})
}

// FuzzDecode: a listed key is decoded to what was written, whatever S3 escapes,
// and no answer makes decode panic or leave the prefix.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"a+b%2Bc%25", "p+ /a b", "%zz", "", "日本", "%E6%97%A5"} {
		f.Add(seed)
	}
	store := &Store{bucket: "site", prefix: "p+ /"}
	f.Fuzz(func(t *testing.T, key string) {
		escaped := url.QueryEscape(store.prefix + key)
		if got, err := store.decode(&escaped, types.EncodingTypeUrl); err != nil || got != key {
			t.Errorf("%q is decoded to %q, %v", escaped, got, err)
		}
		raw := store.prefix + key
		if got, err := store.decode(&raw, ""); err != nil || got != key {
			t.Errorf("%q became %q, %v", raw, got, err)
		}
		store.decode(&key, types.EncodingTypeUrl)
	})
}
