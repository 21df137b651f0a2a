package objects

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	racers = 32
	rounds = 20
)

// race lets many run one step at once and counts how many it succeeded for.
// The others must all have failed with the status.
func race(t *testing.T, status int, step func(racer int) error) int {
	t.Helper()
	start := make(chan struct{})
	errs := make([]error, racers)
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			<-start
			errs[i] = step(i)
		})
	}
	close(start)
	wg.Wait()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
			continue
		}
		wantCode(t, err, status, map[int]string{412: "PreconditionFailed", 404: "NoSuchKey"}[status])
	}
	return winners
}

func TestRaces(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket := t.Context(), aws.String(testBucket)
	put := func(key, body string, ifMatch, ifNoneMatch *string) error {
		_, err := ts.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(body), IfMatch: ifMatch, IfNoneMatch: ifNoneMatch})
		return err
	}
	for round := range rounds {
		key := fmt.Sprintf("lock-%d", round)
		size := 10 + (round%2)*inlineMax // in turn in the index and in a file
		body := func(i int) string { return strings.Repeat(string(rune('A'+i)), size) }
		if n := race(t, 412, func(i int) error { return put(key, body(i), nil, aws.String("*")) }); n != 1 {
			t.Errorf("round %d: %d created it, want 1", round, n)
		}
		_, head := headOf(t, ts, key)
		if n := race(t, 412, func(i int) error { return put(key, body(i)+"2", head.ETag, nil) }); n != 1 {
			t.Errorf("round %d: %d replaced it, want 1", round, n)
		}
		if n := race(t, 412, func(i int) error {
			_, err := ts.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String(key + "-copy"), CopySource: aws.String("site/" + key), IfNoneMatch: aws.String("*")})
			return err
		}); n != 1 {
			t.Errorf("round %d: %d copied it, want 1", round, n)
		}
	}
}

// A pointer that only moves by If-Match loses no step: every success is one
// step, however the racers interleave.
func TestCompareAndSwapCounter(t *testing.T) {
	ts := newTestServer(t)
	ts.put(t, "pointer", "0")
	var wg sync.WaitGroup
	const steps = 5
	for range 8 {
		wg.Go(func() {
			for done := 0; done < steps; {
				if increment(t, ts) {
					done++
				}
			}
		})
	}
	wg.Wait()
	if got := ts.get(t, "pointer"); got != fmt.Sprint(8*steps) {
		t.Errorf("got %s, want %d", got, 8*steps)
	}
}

// increment adds one to the pointer; false means that another was faster.
func increment(t *testing.T, ts *testServer) bool {
	out, err := ts.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: aws.String("pointer")})
	if err != nil {
		t.Error(err)
		return true
	}
	defer func() { _ = out.Body.Close() }()
	var n int
	if _, err := fmt.Fscan(out.Body, &n); err != nil {
		t.Error(err)
		return true
	}
	_, err = ts.client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(testBucket), Key: aws.String("pointer"), Body: strings.NewReader(fmt.Sprint(n + 1)), IfMatch: out.ETag,
	})
	return err == nil
}

func TestConditionalWrites(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket := t.Context(), aws.String(testBucket)
	etag := ts.put(t, "page", "x")
	put := func(key string, ifMatch, ifNoneMatch *string) error {
		_, err := ts.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x"), IfMatch: ifMatch, IfNoneMatch: ifNoneMatch})
		return err
	}
	wantCode(t, put("page", nil, aws.String("*")), 412, "PreconditionFailed")
	wantCode(t, put("page", aws.String(`"00"`), nil), 412, "PreconditionFailed")
	wantCode(t, put("absent", aws.String(etag), nil), 404, "NoSuchKey")
	wantCode(t, put("page", nil, aws.String(etag)), 501, "NotImplemented")
	if err := put("page", aws.String(etag), nil); err != nil {
		t.Error(err)
	}
}

func TestConditionalDelete(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket := t.Context(), aws.String(testBucket)
	etag := ts.put(t, "lock", "mine")
	del := func(key, ifMatch string) error {
		_, err := ts.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key, IfMatch: &ifMatch})
		return err
	}
	wantCode(t, del("lock", `"00"`), 412, "PreconditionFailed")
	if got := ts.get(t, "lock"); got != "mine" {
		t.Errorf("got %q", got)
	}
	if err := del("lock", etag); err != nil {
		t.Error(err)
	}
	if err := del("lock", etag); err != nil {
		t.Errorf("a key that is gone: %v", err)
	}
}

// The holder that deletes its lock never deletes the lock of the next holder.
func TestDeleteRace(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket, key := t.Context(), aws.String(testBucket), aws.String("lock")
	for round := range rounds {
		mine := ts.put(t, "lock", fmt.Sprint("mine", round))
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := ts.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("theirs"), IfMatch: &mine})
			if err != nil {
				wantCode(t, err, 404, "NoSuchKey")
			}
		})
		var refused error
		wg.Go(func() {
			_, refused = ts.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key, IfMatch: &mine})
		})
		wg.Wait()
		out, err := ts.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
		if err != nil {
			t.Fatal(err)
		}
		if gone := len(out.Contents) == 0; gone != (refused == nil) {
			t.Errorf("round %d: gone %v, delete said %v", round, gone, refused)
		}
	}
}

func TestCompleteRace(t *testing.T) {
	ts := newTestServer(t)
	ctx, bucket, key := t.Context(), aws.String(testBucket), aws.String("big")
	ids := make([]string, 8)
	etags := make([]*string, len(ids))
	for i := range ids {
		up, err := ts.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = aws.ToString(up.UploadId)
		part, err := ts.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: &ids[i], PartNumber: aws.Int32(1), Body: strings.NewReader(fmt.Sprint(i))})
		if err != nil {
			t.Fatal(err)
		}
		etags[i] = part.ETag
	}
	var mu sync.Mutex // guards winners
	winners := 0
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			_, err := ts.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
				Bucket: bucket, Key: key, UploadId: &ids[i], IfNoneMatch: aws.String("*"),
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: etags[i], PartNumber: aws.Int32(1)}}},
			})
			if err != nil {
				wantCode(t, err, 412, "PreconditionFailed")
				return
			}
			mu.Lock()
			defer mu.Unlock()
			winners++
		})
	}
	wg.Wait()
	if winners != 1 {
		t.Errorf("%d winners, want 1", winners)
	}
}
