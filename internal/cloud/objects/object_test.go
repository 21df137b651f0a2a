package objects

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// described is what an answer is compared by: the headers a publisher sets.
type described struct {
	CacheControl, ContentType, ContentEncoding, ContentLanguage, ContentDisposition, Expires, Redirect string
	Metadata                                                                                           map[string]string
}

func headOf(t *testing.T, ts *testServer, key string) (described, *s3.HeadObjectOutput) {
	t.Helper()
	out, err := ts.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(testBucket), Key: &key})
	if err != nil {
		t.Fatalf("head %q: %v", key, err)
	}
	return described{
		aws.ToString(out.CacheControl), aws.ToString(out.ContentType), aws.ToString(out.ContentEncoding), aws.ToString(out.ContentLanguage),
		aws.ToString(out.ContentDisposition), aws.ToString(out.ExpiresString), aws.ToString(out.WebsiteRedirectLocation), out.Metadata,
	}, out
}

func TestHeadersAreKept(t *testing.T) {
	ts := newTestServer(t)
	want := described{
		"public, max-age=0, s-maxage=31536000", "text/html; charset=utf-8", "br", "ja", `attachment; filename="a b.html"`,
		"Thu, 01 Jan 2037 00:00:00 GMT", "/elsewhere", map[string]string{"tags": "a,b", "release": "42"},
	}
	expires, err := http.ParseTime(want.Expires)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ts.client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(testBucket), Key: aws.String("page"), Body: strings.NewReader("hello"),
		CacheControl: &want.CacheControl, ContentType: &want.ContentType, ContentEncoding: &want.ContentEncoding,
		ContentLanguage: &want.ContentLanguage, ContentDisposition: &want.ContentDisposition, Expires: &expires,
		WebsiteRedirectLocation: &want.Redirect, Metadata: want.Metadata,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, head := headOf(t, ts, "page")
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("HEAD (-got +want):\n%s", diff)
	}
	if aws.ToInt64(head.ContentLength) != 5 || aws.ToString(head.ETag) != `"5d41402abc4b2a76b9719d911017c592"` {
		t.Errorf("HEAD: length %d, ETag %s", aws.ToInt64(head.ContentLength), aws.ToString(head.ETag))
	}
	resp, body := ts.send(t, "GET", "/site/page", emptySHA256, nil, nil)
	if body != "hello" || resp.Header.Get("Cache-Control") != want.CacheControl || resp.Header.Get("x-amz-meta-release") != "42" {
		t.Errorf("GET: %q %v", body, resp.Header)
	}
	if resp.Header.Get("Server") != "AmazonS3" || resp.Header.Get("X-Amz-Request-Id") == "" || resp.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("GET: %v", resp.Header)
	}
}

func TestContentTypeDefault(t *testing.T) {
	ts := newTestServer(t)
	body := []byte("<html>never sniffed</html>")
	ts.send(t, "PUT", "/site/page", sumHex(body), nil, body)
	resp, _ := ts.send(t, "GET", "/site/page", emptySHA256, nil, nil)
	if got := resp.Header.Get("Content-Type"); got != defaultContentType {
		t.Errorf("got %q", got)
	}
}

func TestMetadataOf(t *testing.T) {
	tests := map[string]struct {
		in   http.Header
		want map[string]string
	}{
		"nothing":                {http.Header{"Content-Length": {"5"}, "X-Amz-Date": {"x"}, "X-Amz-Acl": {"private"}}, map[string]string{}},
		"aws-chunked alone":      {http.Header{"Content-Encoding": {"aws-chunked"}}, map[string]string{}},
		"aws-chunked first":      {http.Header{"Content-Encoding": {"aws-chunked,gzip"}}, map[string]string{"Content-Encoding": "gzip"}},
		"aws-chunked last":       {http.Header{"Content-Encoding": {"br, aws-chunked"}}, map[string]string{"Content-Encoding": "br"}},
		"aws-chunked, own line":  {http.Header{"Content-Encoding": {"aws-chunked", "br"}}, map[string]string{"Content-Encoding": "br"}},
		"two codings stay":       {http.Header{"Content-Encoding": {"gzip,br"}}, map[string]string{"Content-Encoding": "gzip,br"}},
		"standard storage class": {http.Header{"X-Amz-Storage-Class": {"STANDARD"}}, map[string]string{}},
		"user metadata":          {http.Header{"X-Amz-Meta-Two": {"a", "b"}}, map[string]string{"x-amz-meta-two": "a,b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := metadataOf(tt.in)
			if diff := cmp.Diff(got, tt.want); diff != "" || err != nil {
				t.Errorf("%v (-got +want):\n%s", err, diff)
			}
		})
	}
}

func TestMetadataLimits(t *testing.T) {
	ts := newTestServer(t)
	put := func(size int) error {
		_, err := ts.client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(testBucket), Key: aws.String("page"), Metadata: map[string]string{"a": strings.Repeat("x", size-1)},
		})
		return err
	}
	if err := put(2048); err != nil {
		t.Errorf("2,048 bytes: %v", err)
	}
	wantCode(t, put(2049), 400, "MetadataTooLarge")
}

func TestBucketOperations(t *testing.T) {
	ts := newTestServer(t)
	bucket := aws.String("second-bucket")
	ctx := t.Context()
	if _, err := ts.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	_, err := ts.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	wantCode(t, err, 409, "BucketAlreadyOwnedByYou")
	_, err = ts.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("No_Such-Name")})
	wantCode(t, err, 400, "InvalidBucketName")
	list, err := ts.client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 2 {
		t.Errorf("list: %v, %v", list, err)
	}
	ts.put(t, "page", "x")
	_, err = ts.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(testBucket)})
	wantCode(t, err, 409, "BucketNotEmpty")
	if _, err = ts.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		t.Error(err)
	}
	_, err = ts.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
	wantCode(t, err, 404, "NotFound")
	_, err = ts.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("x")})
	wantCode(t, err, 404, "NoSuchBucket")
	_, err = ts.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
	wantCode(t, err, 404, "NoSuchBucket")
	if _, err := ts.client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String(testBucket)}); err != nil {
		t.Error(err)
	}
	versioning, err := ts.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(testBucket)})
	if err != nil || versioning.Status != "" {
		t.Errorf("versioning: %v, %v", versioning, err)
	}
}

// What is left out is answered as S3 answers what it cannot do, and changes nothing.
func TestLeftOut(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "page", "hello")
	ctx, bucket := t.Context(), aws.String(testBucket)
	_, err := ts.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("page"), ACL: types.ObjectCannedACLPublicRead})
	wantCode(t, err, 400, "AccessControlListNotSupported")
	_, err = ts.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String("{}")})
	wantCode(t, err, 501, "NotImplemented")
	_, err = ts.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket})
	wantCode(t, err, 404, "NoSuchBucketPolicy")
	_, err = ts.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	wantCode(t, err, 501, "NotImplemented")
	_, err = ts.client.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: bucket})
	wantCode(t, err, 404, "NoSuchWebsiteConfiguration")
	_, err = ts.client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("page"), VersionId: aws.String("abc")})
	wantCode(t, err, 404, "NoSuchVersion")
	if got := ts.get(t, "page"); got != "hello" {
		t.Errorf("the object changed to %q", got)
	}
}

func TestTagging(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket, key := t.Context(), aws.String(testBucket), aws.String("page")
	large := strings.Repeat("x", inlineMax+1) // the body file must survive the change of a tag
	etag := ts.put(t, "page", large)
	_, err := ts.client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := ts.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})
	if err != nil || len(out.TagSet) != 1 || aws.ToString(out.TagSet[0].Key) != "a" {
		t.Errorf("tags: %+v, %v", out, err)
	}
	_, head := headOf(t, ts, "page")
	if aws.ToInt32(head.TagCount) != 1 || aws.ToString(head.ETag) != etag || ts.get(t, "page") != large {
		t.Errorf("head: %+v", head)
	}
}

// TestCopyReplace is what a header-only update of the publisher does.
func TestCopyReplace(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": inlineMax + 1000} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
			s, err := Open(t.TempDir(), Options{Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			ts := serveStore(t, s, true)
			body := strings.Repeat("x", size)
			etag := ts.put(t, "a+b 日本", body)
			now = now.Add(time.Hour)
			out, err := ts.client.CopyObject(t.Context(), &s3.CopyObjectInput{
				Bucket: aws.String(testBucket), Key: aws.String("a+b 日本"), CopySource: aws.String("site/a%2Bb%20%E6%97%A5%E6%9C%AC"),
				MetadataDirective: types.MetadataDirectiveReplace, CacheControl: aws.String("no-cache"),
			})
			if err != nil {
				t.Fatal(err)
			}
			got, head := headOf(t, ts, "a+b 日本")
			if got.CacheControl != "no-cache" || aws.ToString(head.ETag) != etag || aws.ToString(out.CopyObjectResult.ETag) != etag {
				t.Errorf("got %+v, ETag %s, want %s", got, aws.ToString(head.ETag), etag)
			}
			if !head.LastModified.Equal(now) {
				t.Errorf("Last-Modified %v, want %v", head.LastModified, now)
			}
			if ts.get(t, "a+b 日本") != body {
				t.Error("the body changed")
			}
		})
	}
}

func TestCopy(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket := t.Context(), aws.String(testBucket)
	_, err := ts.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("from"), Body: strings.NewReader("hello"), CacheControl: aws.String("max-age=5"),
		WebsiteRedirectLocation: aws.String("/x"), Metadata: map[string]string{"m": "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := func() *s3.CopyObjectInput {
		return &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("to"), CopySource: aws.String("/site/from")}
	}
	if _, err := ts.client.CopyObject(ctx, in()); err != nil {
		t.Fatal(err)
	}
	got, _ := headOf(t, ts, "to")
	want := described{CacheControl: "max-age=5", ContentType: "application/octet-stream", Metadata: map[string]string{"m": "1"}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("copy (-got +want), the redirect stays behind:\n%s", diff)
	}
	self := in()
	self.Key = aws.String("from")
	_, err = ts.client.CopyObject(ctx, self)
	wantCode(t, err, 400, "InvalidRequest")
	missing := in()
	missing.CopySource = aws.String("site/nothing")
	_, err = ts.client.CopyObject(ctx, missing)
	wantCode(t, err, 404, "NoSuchKey")
	stale := in()
	stale.CopySourceIfMatch = aws.String(`"0123"`)
	_, err = ts.client.CopyObject(ctx, stale)
	wantCode(t, err, 412, "PreconditionFailed")
	absent := in()
	absent.IfNoneMatch = aws.String("*")
	_, err = ts.client.CopyObject(ctx, absent)
	wantCode(t, err, 412, "PreconditionFailed")
}

func TestDeleteObjects(t *testing.T) {
	ts := newTestServer(t)
	ctx := t.Context()
	var in types.Delete
	for i := range 1000 {
		key := newKey(int64(i)) + " <&>'\"\n"
		if i%2 == 0 {
			ts.put(t, key, "x")
		}
		in.Objects = append(in.Objects, types.ObjectIdentifier{Key: &key})
	}
	ts.put(t, "kept", "x")
	in.Objects[999] = types.ObjectIdentifier{Key: aws.String("kept"), ETag: aws.String(`"0123"`)}
	out, err := ts.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(testBucket), Delete: &in})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Deleted) != 999 || len(out.Errors) != 1 {
		t.Fatalf("%d deleted, %d errors", len(out.Deleted), len(out.Errors))
	}
	if e := out.Errors[0]; aws.ToString(e.Key) != "kept" || aws.ToString(e.Code) != "PreconditionFailed" {
		t.Errorf("error %v", e)
	}
	st, err := ts.store.Stats(ctx, testBucket)
	if err != nil || st != (Stats{1, 1}) {
		t.Errorf("left: %+v, %v", st, err)
	}
	in.Objects = append(in.Objects, types.ObjectIdentifier{Key: aws.String("x")})
	_, err = ts.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(testBucket), Delete: &in})
	wantCode(t, err, 400, "MalformedXML")
}
