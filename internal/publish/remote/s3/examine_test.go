package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/remotetest"
	"github.com/freshet/freshet/internal/site"
)

// aws answers what Bucket asks, as Amazon S3 does.
type aws struct {
	head, block, read, list int    // statuses
	blocks                  string // the public access block's values: "true", "false"
	code                    string // of errors
}

func (a aws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signed := r.Header.Get("Authorization") != ""
	w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
	status, body := http.StatusTeapot, ""
	switch {
	case r.URL.Query().Has("publicAccessBlock"):
		status = a.block
		for _, name := range []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"} {
			body += fmt.Sprintf("<%s>%s</%s>", name, a.blocks, name)
		}
		body = "<PublicAccessBlockConfiguration>" + body + "</PublicAccessBlockConfiguration>"
	case r.URL.Query().Has("list-type") && !signed:
		status, body = a.list, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
	case r.Method == http.MethodHead && strings.Count(r.URL.Path, "/") == 1:
		status = a.head
	case r.Method == http.MethodHead && !signed:
		status = a.read
	}
	if status >= 400 {
		body = "<Error><Code>" + a.code + "</Code></Error>"
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func TestBucket(t *testing.T) {
	isolate(t)
	known := remote.Bucket{Name: bucket, Region: "eu-central-1"}
	with := func(readable, listable, blocked remote.Known) remote.Bucket {
		b := known
		b.Readable, b.Listable, b.Blocked = readable, listable, blocked
		return b
	}
	rows := []struct {
		name string
		aws  aws
		want remote.Bucket
	}{
		{"private", aws{200, 200, 403, 403, "true", "AccessDenied"}, with(remote.No, remote.No, remote.Yes)},
		{"public", aws{200, 200, 200, 200, "false", ""}, with(remote.Yes, remote.Yes, remote.No)},
		{"without a block", aws{200, 404, 200, 403, "", "NoSuchPublicAccessBlockConfiguration"}, with(remote.Yes, remote.No, remote.No)},
		{"no rights to look", aws{403, 403, 403, 403, "", "AccessDenied"}, remote.Bucket{Name: bucket, Readable: remote.No, Listable: remote.No}},
		{"a service that knows no block", aws{200, 501, 403, 403, "", "NotImplemented"}, with(remote.No, remote.No, remote.Unknown)},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got, err := open(t, r.aws, "").Bucket(t.Context(), "a.html")
			if diff := cmp.Diff(got, r.want); diff != "" || err != nil {
				t.Errorf("error %v; Bucket (-got +want):\n%s", err, diff)
			}
		})
	}
	if _, err := open(t, aws{head: 404}, "").Bucket(t.Context(), ""); !errors.Is(err, remote.ErrNoBucket) {
		t.Errorf("a bucket that is not there: %v", err)
	}
}

// TestBucketOfTheEmbeddedS3: it is private, and that is found out.
func TestBucketOfTheEmbeddedS3(t *testing.T) {
	isolate(t)
	store := open(t, serve(t), "")
	if _, err := store.Put(t.Context(), remotetest.NewPut("a.html", []byte("x"), site.Headers{})); err != nil {
		t.Fatal(err)
	}
	got, err := store.Bucket(t.Context(), "a.html")
	if err != nil || got.Readable != remote.No || got.Listable != remote.No {
		t.Errorf("Bucket = %+v, %v", got, err)
	}
}

func TestKeys(t *testing.T) {
	isolate(t)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	got, err := openAt(t, server, "").Keys(t.Context())
	if diff := cmp.Diff(got, remote.Keys{ID: keys.AccessKeyID, Source: "keys of its own", Expires: time.Time{}}); diff != "" || err != nil {
		t.Errorf("error %v; Keys (-got +want):\n%s", err, diff)
	}
}
