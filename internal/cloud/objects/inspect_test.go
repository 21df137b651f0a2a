package objects

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

func TestInspect(t *testing.T) {
	srv := newTestServer(t)
	for _, key := range []string{".x-1/a", ".x-1/b/c", ".x-2/a", ".x-claim", ".x-3/a", "other/a"} {
		if _, err := srv.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: &key, Body: strings.NewReader("body of " + key)}); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int][]string{0: nil, 1: {".x-1/"}, 2: {".x-1/", ".x-2/"}, 9: {".x-1/", ".x-2/", ".x-3/"}} {
		got, err := srv.store.Folders(t.Context(), testBucket, ".x-", limit)
		if diff := cmp.Diff(got, want); diff != "" || err != nil {
			t.Errorf("at most %d: %v (-got +want):\n%s", limit, err, diff)
		}
	}
	body, err := srv.store.Read(t.Context(), testBucket, ".x-1/a")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil || string(data) != "body of .x-1/a" {
		t.Errorf("read %q, %v", data, err)
	}
	first, err := srv.store.ETag(t.Context(), testBucket, ".x-1/a")
	second, err2 := srv.store.ETag(t.Context(), testBucket, ".x-2/a")
	if err != nil || err2 != nil || len(first) != 34 || first == second {
		t.Errorf("tags %s and %s, %v, %v", first, second, err, err2)
	}
	_, err = srv.store.Read(t.Context(), testBucket, "none")
	_, err2 = srv.store.ETag(t.Context(), "none", "a")
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err2, fs.ErrNotExist) {
		t.Errorf("what is not there: %v, %v", err, err2)
	}
}
