package cloud_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/freshet/freshet/internal/cloud"
)

// After an invalidation the edge takes the bucket's word for what has not changed, headers included, and for nothing else:
// spec: cloudfront 3.2 and S3 7.5: a copy onto itself changes headers, keeps the entity tag, and is answered with 304.
func TestInvalidatedObjectsAreProved(t *testing.T) {
	opts, late := options(t.TempDir()), atomic.Int64{}
	opts.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	running := start(t, opts)
	defer stop(t, running)
	c, id := reach(t, running), running.Info().Distribution
	c.must(c.put(cloud.Bucket, "a.html", "page"))
	ask := func(reference, result, language string) {
		t.Helper()
		late.Add(int64(5 * time.Second))
		c.invalidate(&id, reference, "/*")
		res, body := c.get("", "/a.html")
		if got := res.Header.Get("X-Cache"); got != result+" from cloudfront" || body != "page" || res.Header.Get("Content-Language") != language {
			t.Errorf("%s: %q, %q, Content-Language %q", reference, got, body, res.Header.Get("Content-Language"))
		}
	}
	ask("new", "Miss", "")
	ask("same", "RefreshHit", "")
	_, err := c.s3.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String(cloud.Bucket), Key: aws.String("a.html"), CopySource: aws.String(cloud.Bucket + "/a.html"),
		MetadataDirective: types.MetadataDirectiveReplace, ContentType: aws.String("text/html"), ContentLanguage: aws.String("de"),
	})
	c.must(err)
	ask("headers", "Miss", "de")
	ask("same again", "RefreshHit", "de")
	_, err = c.s3.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{ // sets no date, but shows in a header of its own
		Bucket: aws.String(cloud.Bucket), Key: aws.String("a.html"), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}},
	})
	c.must(err)
	ask("tagged", "Miss", "de")
}
