package objects

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/rclone/gofakes3"
)

// backend is the store as the S3 front sees it. The front lists, handles
// buckets and tags; everything about bodies passes it by (see handler.route),
// so those methods exist for its interface and refuse.
type backend struct{ store *Store }

var (
	_ gofakes3.Backend              = (*backend)(nil)
	_ gofakes3.ObjectTaggingBackend = (*backend)(nil)
)

// frontError turns our errors into the front's.
func frontError(err error) error {
	if err == nil {
		return nil
	}
	e := asAPIError(err)
	if e == errInternal {
		return err // the front logs it and answers InternalError
	}
	return gofakes3.ErrorMessage(gofakes3.ErrorCode(e.Code), e.Message)
}

// ListBuckets lists all buckets.
func (b *backend) ListBuckets(ctx context.Context) ([]gofakes3.BucketInfo, error) {
	all, err := b.store.Buckets(ctx)
	out := make([]gofakes3.BucketInfo, 0, len(all))
	for _, bucket := range all {
		out = append(out, gofakes3.BucketInfo{Name: bucket.Name, CreationDate: gofakes3.NewContentTime(bucket.Created)})
	}
	return out, frontError(err)
}

// ListBucket lists one page.
func (b *backend) ListBucket(ctx context.Context, name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	q := listQuery{after: page.Marker, limit: int(page.MaxKeys)}
	if prefix != nil {
		q.prefix, q.delimiter = prefix.Prefix, prefix.Delimiter
	}
	if q.limit <= 0 || q.limit > maxPage {
		q.limit = maxPage
	}
	items, more, err := b.store.list(ctx, name, q)
	if err != nil {
		return nil, frontError(err)
	}
	out := gofakes3.NewObjectList()
	for _, item := range items {
		if item.record == nil {
			out.AddPrefix(item.name)
			continue
		}
		out.Add(&gofakes3.Content{
			Key: item.name, LastModified: gofakes3.NewContentTime(item.record.modified()),
			ETag: item.record.quotedETag(), Size: item.record.Size, StorageClass: gofakes3.StorageStandard,
		})
	}
	if out.IsTruncated = more; more && len(items) > 0 {
		out.NextMarker = items[len(items)-1].name
	}
	return out, nil
}

// CreateBucket is answered before the front is asked.
func (b *backend) CreateBucket(context.Context, string) error { return gofakes3.ErrNotImplemented }

// BucketExists looks for a bucket.
func (b *backend) BucketExists(ctx context.Context, name string) (bool, error) {
	found, err := b.store.hasBucket(ctx, name)
	return found, frontError(err)
}

// DeleteBucket removes an empty bucket.
func (b *backend) DeleteBucket(ctx context.Context, name string) error {
	return frontError(b.store.DeleteBucket(ctx, name))
}

// HeadObject describes an object, for tags and attributes.
func (b *backend) HeadObject(ctx context.Context, bucket, key string) (*gofakes3.Object, error) {
	r, err := b.store.head(ctx, bucket, key)
	if errors.Is(err, errNoSuchKey) {
		return nil, gofakes3.KeyNotFound(key)
	}
	if err != nil {
		return nil, frontError(err)
	}
	sum, err := hex.DecodeString(r.MD5)
	if err != nil {
		return nil, err
	}
	meta := maps.Clone(r.Headers)
	if meta == nil {
		meta = map[string]string{}
	}
	meta["Last-Modified"] = r.modified().Format(http.TimeFormat)
	if r.Checksum != nil {
		meta[r.Checksum.header()] = r.Checksum.Value
	}
	return &gofakes3.Object{
		Name: key, Metadata: meta, Size: r.Size, Hash: sum, PartSizes: r.Parts,
		Contents: http.NoBody,
	}, nil
}

// SetObjectTagging replaces the tags of an object; "" removes them.
func (b *backend) SetObjectTagging(ctx context.Context, bucket, key, tagging string) error {
	return frontError(b.store.setHeader(ctx, bucket, key, headerTagging, tagging))
}

// GetObject is answered before the front is asked.
func (b *backend) GetObject(context.Context, string, string, *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	return nil, gofakes3.ErrNotImplemented
}

// PutObject is answered before the front is asked.
func (b *backend) PutObject(context.Context, string, string, map[string]string, io.Reader, int64) (gofakes3.PutObjectResult, error) {
	return gofakes3.PutObjectResult{}, gofakes3.ErrNotImplemented
}

// CopyObject is answered before the front is asked.
func (b *backend) CopyObject(context.Context, string, string, string, string, map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObjectResult{}, gofakes3.ErrNotImplemented
}

// DeleteObject is answered before the front is asked.
func (b *backend) DeleteObject(context.Context, string, string) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, gofakes3.ErrNotImplemented
}

// DeleteMulti is answered before the front is asked.
func (b *backend) DeleteMulti(context.Context, string, ...string) (gofakes3.MultiDeleteResult, error) {
	return gofakes3.MultiDeleteResult{}, gofakes3.ErrNotImplemented
}

// clock is our clock as the front wants it.
type clock func() time.Time

// Now is the current time in UTC.
func (c clock) Now() time.Time { return c().UTC() }

// Since is the time that has passed.
func (c clock) Since(t time.Time) time.Duration { return c().Sub(t) }
