package s3_test

import (
	"context"
	"crypto/rand"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/cloud/objects"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/publish/remote/s3"
	"github.com/freshet/freshet/internal/site"
)

const bucket = "site"

var keys = s3.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "test/secret+key"}

// isolate keeps the machine's own AWS configuration out of the tests.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_CA_BUNDLE",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// serve runs the embedded S3 with one empty bucket.
func serve(t *testing.T) http.Handler {
	t.Helper()
	store, err := objects.Open(t.TempDir(), objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := store.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return store.Handler(objects.HandlerOptions{
		Credentials: []objects.Credentials{{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}},
	})
}

// open is a store on a server that h answers for, which is closed at the end.
func open(t *testing.T, h http.Handler, prefix string) *s3.Store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return openAt(t, server, prefix)
}

func openAt(t *testing.T, server *httptest.Server, prefix string) *s3.Store {
	t.Helper()
	store, err := s3.Open(t.Context(), s3.Options{
		Bucket: bucket, Prefix: prefix, Region: "eu-central-1", Endpoint: server.URL, Credentials: keys, HTTPClient: server.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestContractTLS differs in how the body is signed and sent.
func TestContractTLS(t *testing.T) {
	isolate(t)
	remotetest.Store(t, func(t *testing.T) remote.Store {
		server := httptest.NewUnstartedServer(serve(t))
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that were opened ahead and not used
		server.StartTLS()
		t.Cleanup(server.Close)
		return openAt(t, server, "site/")
	})
}

// TestContractReal runs on a real service where the environment names one.
func TestContractReal(t *testing.T) {
	name := os.Getenv(remotetest.EnvBucket)
	if name == "" {
		t.Skip("no real bucket is named: set " + remotetest.EnvBucket + "; see package remotetest")
	}
	remotetest.Store(t, func(t *testing.T) remote.Store {
		store, err := s3.Open(t.Context(), s3.Options{
			Bucket: name, Prefix: "freshet-test-" + rand.Text() + "/",
			Endpoint: os.Getenv(remotetest.EnvEndpoint), Region: os.Getenv(remotetest.EnvRegion),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { empty(t, store) })
		return store
	})
}

// TestContractRealLeavesNothing takes the embedded S3 for a real one.
func TestContractRealLeavesNothing(t *testing.T) {
	isolate(t)
	server := httptest.NewServer(serve(t))
	t.Cleanup(server.Close)
	whole := openAt(t, server, "")
	if _, err := whole.Put(t.Context(), remotetest.NewPut("theirs", []byte("x"), site.Headers{})); err != nil {
		t.Fatal(err)
	}
	t.Setenv(remotetest.EnvBucket, bucket)
	t.Setenv(remotetest.EnvEndpoint, server.URL)
	t.Setenv(remotetest.EnvRegion, "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", keys.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keys.SecretAccessKey)
	t.Run("suite", TestContractReal)
	var left []site.Key
	err := whole.List(t.Context(), "", "", func(page []remote.Info) error {
		for _, info := range page {
			left = append(left, info.Key)
		}
		return nil
	})
	if diff := cmp.Diff(left, []site.Key{"theirs"}); diff != "" || err != nil {
		t.Errorf("error %v; keys that are left (-got +want):\n%s", err, diff)
	}
}

func empty(t *testing.T, store *s3.Store) {
	ctx := context.WithoutCancel(t.Context()) // which ends before the clean-up
	var all []site.Key
	err := store.List(ctx, "", "", func(page []remote.Info) error {
		for _, info := range page {
			all = append(all, info.Key)
		}
		return nil
	})
	if err == nil {
		err = store.Delete(ctx, all)
	}
	if err != nil {
		t.Errorf("clean up %s: %v", store, err)
	}
}
