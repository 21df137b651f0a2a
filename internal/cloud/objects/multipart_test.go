package objects

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// noise is data that does not repeat, the same for the same seed.
func noise(seed uint64, size int) []byte {
	out := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(out) // never fails
	return out
}

// begin starts an upload and uploads the parts.
func begin(t *testing.T, ts *testServer, in *s3.CreateMultipartUploadInput, parts ...[]byte) (string, []types.CompletedPart) {
	t.Helper()
	in.Bucket = aws.String(testBucket)
	up, err := ts.client.CreateMultipartUpload(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var done []types.CompletedPart
	for i, p := range parts {
		out, err := ts.client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: in.Bucket, Key: in.Key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)),
			Body: bytes.NewReader(p), ChecksumAlgorithm: in.ChecksumAlgorithm,
		})
		if err != nil {
			t.Fatal(err)
		}
		if sum := md5.Sum(p); aws.ToString(out.ETag) != `"`+hex.EncodeToString(sum[:])+`"` {
			t.Errorf("part %d: ETag %s", i+1, aws.ToString(out.ETag))
		}
		done = append(done, types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(int32(i + 1)), ChecksumSHA256: out.ChecksumSHA256})
	}
	return aws.ToString(up.UploadId), done
}

func complete(t *testing.T, ts *testServer, key, id string, parts []types.CompletedPart) (*s3.CompleteMultipartUploadOutput, error) {
	t.Helper()
	return ts.client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(testBucket), Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
}

// wantETag is the MD5 of the parts' MD5s and their number. spec: S3 7.1
func wantETag(parts ...[]byte) string {
	all := md5.New()
	for _, p := range parts {
		sum := md5.Sum(p)
		all.Write(sum[:])
	}
	return fmt.Sprintf(`"%s-%d"`, hexSum(all), len(parts))
}

func TestMultipart(t *testing.T) {
	ts := newTestServer(t)
	a, b, c := noise(1, minPartSize), noise(2, minPartSize+1), noise(3, 100)
	id, parts := begin(t, ts, &s3.CreateMultipartUploadInput{
		Key: aws.String("big"), CacheControl: aws.String("max-age=1"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	}, a, b, c)
	list, err := ts.client.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String(testBucket), Key: aws.String("big"), UploadId: &id, MaxParts: aws.Int32(2)})
	if err != nil || len(list.Parts) != 2 || !aws.ToBool(list.IsTruncated) || aws.ToString(list.NextPartNumberMarker) != "2" {
		t.Errorf("list parts: %+v, %v", list, err)
	}
	out, err := complete(t, ts, "big", id, parts)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := aws.ToString(out.ETag), wantETag(a, b, c); got != want {
		t.Errorf("ETag %s, want %s", got, want)
	}
	sums := sha256.New()
	for _, p := range [][]byte{a, b, c} {
		sum := sha256.Sum256(p)
		sums.Write(sum[:])
	}
	if want := base64.StdEncoding.EncodeToString(sums.Sum(nil)) + "-3"; aws.ToString(out.ChecksumSHA256) != want {
		t.Errorf("checksum %s, want %s", aws.ToString(out.ChecksumSHA256), want)
	}
	if ts.get(t, "big") != string(a)+string(b)+string(c) {
		t.Error("the body is not the parts")
	}
	got, head := headOf(t, ts, "big")
	if got.CacheControl != "max-age=1" || aws.ToString(head.ETag) != aws.ToString(out.ETag) {
		t.Errorf("head: %+v", got)
	}
	again, err := complete(t, ts, "big", id, parts) // the answer was lost: ask again
	if err != nil || aws.ToString(again.ETag) != aws.ToString(out.ETag) {
		t.Errorf("again: %+v, %v", again, err)
	}
	part, err := ts.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: aws.String("big"), PartNumber: aws.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = part.Body.Close() }()
	if body, err := io.ReadAll(part.Body); err != nil || !bytes.Equal(body, b) || aws.ToInt32(part.PartsCount) != 3 {
		t.Errorf("part 2: %d bytes of %d parts, %v", len(body), aws.ToInt32(part.PartsCount), err)
	}
	wantFiles(t, ts.store, "parts", 0)
}

// A conditional write knows a multipart ETag, and a copy has the plain one.
func TestMultipartETagInConditions(t *testing.T) {
	ts := newTestServer(t)
	body := noise(1, 20_000)
	id, parts := begin(t, ts, &s3.CreateMultipartUploadInput{Key: aws.String("big")}, body)
	out, err := complete(t, ts, "big", id, parts)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := ts.client.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String(testBucket), Key: aws.String("copy"), CopySource: aws.String("site/big"), CopySourceIfMatch: out.ETag,
	})
	if err != nil {
		t.Fatal(err)
	}
	if sum := md5.Sum(body); aws.ToString(cp.CopyObjectResult.ETag) != `"`+hex.EncodeToString(sum[:])+`"` {
		t.Errorf("copy: ETag %s", aws.ToString(cp.CopyObjectResult.ETag))
	}
	wantFiles(t, ts.store, "bodies", 1) // shared
	_, err = ts.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("big"), Body: strings.NewReader("x"), IfMatch: out.ETag})
	if err != nil {
		t.Error(err)
	}
}

// A part that comes again takes the place of the one before.
func TestPartReplaced(t *testing.T) {
	ts := newTestServer(t)
	id, _ := begin(t, ts, &s3.CreateMultipartUploadInput{Key: aws.String("big")}, []byte("first"))
	out, err := ts.client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: aws.String(testBucket), Key: aws.String("big"), UploadId: &id, PartNumber: aws.Int32(1), Body: strings.NewReader("second"),
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, ts.store, "parts", 1)
	if _, err := complete(t, ts, "big", id, []types.CompletedPart{{ETag: out.ETag, PartNumber: aws.Int32(1)}}); err != nil {
		t.Fatal(err)
	}
	if got := ts.get(t, "big"); got != "second" {
		t.Errorf("got %q", got)
	}
}

func TestMultipartRefusals(t *testing.T) {
	ts := newTestServer(t)
	small := []byte("too small")
	id, parts := begin(t, ts, &s3.CreateMultipartUploadInput{Key: aws.String("big")}, small, small)
	_, err := complete(t, ts, "big", id, parts)
	wantCode(t, err, 400, "EntityTooSmall")
	_, err = complete(t, ts, "big", id, []types.CompletedPart{parts[1], parts[0]})
	wantCode(t, err, 400, "InvalidPartOrder")
	_, err = complete(t, ts, "big", id, []types.CompletedPart{{ETag: aws.String(`"00"`), PartNumber: aws.Int32(1)}})
	wantCode(t, err, 400, "InvalidPart")
	_, err = complete(t, ts, "other", id, parts)
	wantCode(t, err, 404, "NoSuchUpload")
	_, err = ts.client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: aws.String(testBucket), Key: aws.String("big"), UploadId: &id, PartNumber: aws.Int32(1),
		Body: strings.NewReader("x"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	wantCode(t, err, 400, "BadDigest")
	_, err = ts.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(testBucket), Key: aws.String("big")})
	wantCode(t, err, 404, "NotFound")
}

func TestAbortAndListUploads(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket := t.Context(), aws.String(testBucket)
	ids := map[string]string{}
	for _, key := range []string{"a/1", "a/2", "b"} {
		ids[key], _ = begin(t, ts, &s3.CreateMultipartUploadInput{Key: &key}, noise(1, 100))
	}
	list, err := ts.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket, MaxUploads: aws.Int32(1), Delimiter: aws.String("/")})
	if err != nil || len(list.CommonPrefixes) != 1 || !aws.ToBool(list.IsTruncated) {
		t.Fatalf("%+v, %v", list, err)
	}
	list, err = ts.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket, KeyMarker: list.NextKeyMarker, Delimiter: aws.String("/")})
	if err != nil || len(list.Uploads) != 1 || aws.ToString(list.Uploads[0].Key) != "b" || aws.ToBool(list.IsTruncated) {
		t.Errorf("%+v, %v", list, err)
	}
	for key, id := range ids {
		if _, err := ts.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: &key, UploadId: &id}); err != nil {
			t.Error(err)
		}
		_, err := ts.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: &key, UploadId: &id, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
		wantCode(t, err, 404, "NoSuchUpload")
	}
	wantFiles(t, ts.store, "parts", 0)
	wantFiles(t, ts.store, "tmp", 0)
}

func TestUploadPartCopy(t *testing.T) {
	ts := newTestServer(t)
	body := noise(1, 30_000)
	ts.put(t, "from", string(body))
	id, _ := begin(t, ts, &s3.CreateMultipartUploadInput{Key: aws.String("big")})
	out, err := ts.client.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
		Bucket: aws.String(testBucket), Key: aws.String("big"), UploadId: &id, PartNumber: aws.Int32(7),
		CopySource: aws.String("site/from"), CopySourceRange: aws.String("bytes=10-20009"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := complete(t, ts, "big", id, []types.CompletedPart{{ETag: out.CopyPartResult.ETag, PartNumber: aws.Int32(7)}}); err != nil {
		t.Fatal(err)
	}
	if ts.get(t, "big") != string(body[10:20010]) {
		t.Error("the body is not the range")
	}
}

// An upload in progress goes on after a restart.
func TestUploadSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := noise(1, 50_000)
	id, parts := begin(t, serveStore(t, s, true), &s3.CreateMultipartUploadInput{Key: aws.String("big")}, body)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ts := serveStore(t, newStore(t, dir), false)
	if _, err := complete(t, ts, "big", id, parts); err != nil {
		t.Fatal(err)
	}
	if ts.get(t, "big") != string(body) {
		t.Error("the body is not the part")
	}
}

// wantFiles fails unless that many files are in a folder of the store.
func wantFiles(t *testing.T, s *Store, folder string, want int) {
	t.Helper()
	// A commit answers before it removes what is left over: an empty one behind
	// it comes after.
	if _, err := s.remove(t.Context(), testBucket, nil); err != nil {
		t.Fatal(err)
	}
	got := 0
	err := filepath.WalkDir(filepath.Join(s.bodies.dir, folder), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got++
		}
		return err
	})
	if err != nil || got != want {
		t.Errorf("%s holds %d files, want %d (%v)", folder, got, want, err)
	}
}
