package s3

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// deleteBatch is the most keys of one request; fact 7.6.
const deleteBatch = 1000

// Delete removes keys a thousand at a time. A request that fails as a whole
// counts as a failure of each of its keys, and the next is still sent.
func (s *Store) Delete(ctx context.Context, keys []site.Key) error {
	var failed []*remote.KeyError
	for batch := range slices.Chunk(keys, deleteBatch) {
		failed = append(failed, s.deleteSome(ctx, batch)...)
	}
	if len(failed) == 0 {
		return nil
	}
	slices.SortStableFunc(failed, func(a, b *remote.KeyError) int { return cmp.Compare(a.Key, b.Key) })
	return deleteError(failed)
}

func (s *Store) deleteSome(ctx context.Context, keys []site.Key) []*remote.KeyError {
	ids := make([]types.ObjectIdentifier, len(keys))
	for i, k := range keys {
		ids[i].Key = s.full(k)
	}
	out, err := s.client.DeleteObjects(ctx, &awss3.DeleteObjectsInput{
		Bucket: &s.bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	})
	var failed []*remote.KeyError
	if err != nil {
		err = s.fail(ctx, fmt.Sprintf("delete %d objects", len(keys)), "needs s3:DeleteObject on "+s.arn(s.prefix+"*"), err)
		for _, k := range keys {
			failed = append(failed, &remote.KeyError{Key: k, Err: err})
		}
		return failed
	}
	for _, item := range out.Errors {
		// S3 answers 200 with failures inside (fact 7.6).
		key := site.Key(strings.TrimPrefix(aws.ToString(item.Key), s.prefix))
		api := &smithy.GenericAPIError{Code: aws.ToString(item.Code), Message: aws.ToString(item.Message)}
		failed = append(failed, &remote.KeyError{Key: key, Err: s.fail(ctx, "delete", "needs s3:DeleteObject on "+s.object(key), api)})
	}
	return failed
}

// deleteError joins the failures in key order.
type deleteError []*remote.KeyError

// Error shows the first few; there may be a thousand alike.
func (e deleteError) Error() string {
	const shown = 5
	var lines []string
	for _, k := range e[:min(shown, len(e))] {
		lines = append(lines, k.Error())
	}
	if more := len(e) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Unwrap is all of them.
func (e deleteError) Unwrap() []error {
	out := make([]error, len(e))
	for i, k := range e {
		out[i] = k
	}
	return out
}
