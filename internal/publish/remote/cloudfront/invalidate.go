package cloudfront

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscf "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
)

// Invalidate submits a batch. One bad item makes CloudFront refuse the whole
// batch without naming it (fact 1.1), so that error repeats the batch.
func (c *CDN) Invalidate(ctx context.Context, distribution, reference string, items []string) (remote.Invalidation, error) {
	call := fmt.Sprintf("invalidate %s with reference %s", describe(items), reference)
	if err := checkBatch(distribution, reference, items); err != nil {
		return remote.Invalidation{}, fmt.Errorf("%s: %w", call, err)
	}
	out, err := c.client.CreateInvalidation(ctx, &awscf.CreateInvalidationInput{
		DistributionId: &distribution,
		InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference,
			Paths:           &types.Paths{Items: items, Quantity: aws.Int32(int32(len(items)))},
		},
	})
	if err != nil {
		return remote.Invalidation{}, c.fail(ctx, call, c.right("cloudfront:CreateInvalidation", distribution), err)
	}
	return invalidation(call, out.Invalidation)
}

func checkBatch(distribution, reference string, items []string) error {
	switch {
	case distribution == "":
		return fmt.Errorf("%w: the distribution's id is empty", remote.ErrNotFound)
	case reference == "":
		return errors.New("the caller reference is empty")
	case len(items) == 0:
		return errors.New("the batch is empty")
	}
	return nil
}

// Invalidation reads one invalidation. remote.ErrNotFound.
func (c *CDN) Invalidation(ctx context.Context, distribution, id string) (remote.Invalidation, error) {
	call := fmt.Sprintf("read invalidation %s of %s", id, distribution)
	if distribution == "" || id == "" {
		return remote.Invalidation{}, fmt.Errorf("%s: %w: an id is empty", call, remote.ErrNotFound)
	}
	out, err := c.client.GetInvalidation(ctx, &awscf.GetInvalidationInput{DistributionId: &distribution, Id: &id})
	if err != nil {
		return remote.Invalidation{}, c.fail(ctx, call, c.right("cloudfront:GetInvalidation", distribution), err)
	}
	return invalidation(call, out.Invalidation)
}

// pageSize is how many invalidations one request lists. The maximum is not
// published, 100 is what the console shows; fact 1.7.
const pageSize = 100

// Invalidations lists what was created at or after since, newest first, and
// reads no page beyond the first that is older. remote.ErrNotFound.
func (c *CDN) Invalidations(ctx context.Context, distribution string, since time.Time) ([]remote.Invalidation, error) {
	call := "list invalidations of " + distribution
	if distribution == "" {
		return nil, fmt.Errorf("%s: %w: the distribution's id is empty", call, remote.ErrNotFound)
	}
	var all []remote.Invalidation
	in := &awscf.ListInvalidationsInput{DistributionId: &distribution, MaxItems: aws.Int32(pageSize)}
	for {
		out, err := c.client.ListInvalidations(ctx, in)
		if err != nil {
			return nil, c.fail(ctx, call, c.right("cloudfront:ListInvalidations", distribution), err)
		}
		list := out.InvalidationList
		if list == nil {
			return nil, fmt.Errorf("%s: the answer has no list", call)
		}
		var older bool
		if all, older, err = appendSince(all, list.Items, since); err != nil {
			return nil, fmt.Errorf("%s: %w", call, err)
		}
		if older || !aws.ToBool(list.IsTruncated) {
			return all, nil
		}
		if in.Marker, err = following(in.Marker, list.NextMarker); err != nil {
			return nil, fmt.Errorf("%s: %w", call, err)
		}
	}
}

// appendSince takes what is not older than since, up to the first that is.
func appendSince(all []remote.Invalidation, page []types.InvalidationSummary, since time.Time) (_ []remote.Invalidation, older bool, err error) {
	for _, s := range page {
		one := remote.Invalidation{ID: aws.ToString(s.Id), Status: aws.ToString(s.Status), Created: aws.ToTime(s.CreateTime)}
		if one.ID == "" || s.CreateTime == nil {
			return nil, false, errors.New("the answer has an invalidation without an id or a time")
		}
		if err := checkStatus(one.Status); err != nil {
			return nil, false, err
		}
		if one.Created.Before(since) {
			return all, true, nil
		}
		all = append(all, one)
	}
	return all, false, nil
}

// following is the marker of the next page; one that does not move on would
// make the list endless.
func following(marker, next *string) (*string, error) {
	if n := aws.ToString(next); n == "" || n == aws.ToString(marker) {
		return nil, errors.New("the answer says that there is more, but not where to go on")
	}
	return next, nil
}

// checkStatus refuses a status that is neither of the two: it would make a wait
// endless or end it too early (fact 1.5).
func checkStatus(status string) error {
	if status != remote.InProgress && status != remote.Completed {
		return fmt.Errorf("%w: the status %q", remote.ErrUnsupported, status)
	}
	return nil
}

// invalidation is the answer.
func invalidation(call string, in *types.Invalidation) (remote.Invalidation, error) {
	if in == nil || aws.ToString(in.Id) == "" {
		return remote.Invalidation{}, fmt.Errorf("%s: the answer has no invalidation", call)
	}
	status := aws.ToString(in.Status)
	if err := checkStatus(status); err != nil {
		return remote.Invalidation{}, fmt.Errorf("%s: %w", call, err)
	}
	out := remote.Invalidation{ID: aws.ToString(in.Id), Status: status, Created: aws.ToTime(in.CreateTime)}
	if b := in.InvalidationBatch; b != nil && b.Paths != nil {
		out.Items = b.Paths.Items
	}
	return out, nil
}

// kindsByCode are the answers that only CloudFront gives; fact 1.6.
var kindsByCode = map[string]error{
	"NoSuchDistribution":             remote.ErrNotFound,
	"NoSuchInvalidation":             remote.ErrNotFound,
	"EntityNotFound":                 remote.ErrNotFound,
	"AccessDenied":                   remote.ErrDenied,
	"AccessDeniedException":          remote.ErrDenied,
	"TooManyInvalidationsInProgress": remote.ErrTemporary,
	"InvalidationBatchAlreadyExists": remote.ErrReferenceReused,
}

// reusedText is how CloudFront really reports a reused caller reference: under
// the code InvalidArgument. "Your request contains a caller reference that was
// used for a previous invalidation batch for the same distribution."; fact 1.5.
const reusedText = "caller reference that was used"

func (c *CDN) fail(ctx context.Context, call, right string, err error) error {
	f := session.Read(err)
	e := session.NewError(ctx, call, f)
	if ctx.Err() != nil {
		return e
	}
	if kind, ok := kindsByCode[f.Code]; ok {
		e.Kinds = []error{kind}
	} else if f.Code == "InvalidArgument" && strings.Contains(f.Message, reusedText) {
		e.Kinds = []error{remote.ErrReferenceReused}
	}
	if slices.Contains(e.Kinds, remote.ErrDenied) {
		e.Note = right
	}
	return e
}

// describe names a batch by its size and its first items.
func describe(items []string) string {
	const shown = 3
	if len(items) <= shown {
		return strings.Join(items, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:shown], " "), len(items)-shown)
}
