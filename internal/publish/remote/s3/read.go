package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// getLimit is the largest object that Get reads, in bytes.
const getLimit = 256 << 20

// Get reads a whole object, checked against its stored checksum where the
// service has a full-object one.
func (s *Store) Get(ctx context.Context, key site.Key) ([]byte, string, error) {
	out, err := s.client.GetObject(ctx, &awss3.GetObjectInput{
		Bucket: &s.bucket, Key: s.full(key), ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return nil, "", s.fail(ctx, "get "+string(key), s.readRight(key), err)
	}
	data, err := readBody(out)
	if err != nil {
		return nil, "", s.fail(ctx, "get "+string(key), "", err)
	}
	return data, etag(out.ETag), nil
}

func readBody(out *awss3.GetObjectOutput) ([]byte, error) {
	size := aws.ToInt64(out.ContentLength)
	if size > getLimit {
		return nil, errors.Join(fmt.Errorf("the object has %d bytes, more than the %d that are read at once", size, getLimit), out.Body.Close())
	}
	data := make([]byte, size)
	_, err := io.ReadFull(out.Body, data)
	if err == nil {
		// The checksum is compared when the reader reaches the end.
		if _, err = io.Copy(io.Discard, out.Body); err != nil {
			err = fmt.Errorf("%w: %w", remote.ErrContent, err)
		}
	}
	return data, errors.Join(err, out.Body.Close())
}

// Head asks for an object's headers.
func (s *Store) Head(ctx context.Context, key site.Key) (remote.Head, error) {
	out, err := s.head(ctx, key)
	if err != nil {
		return remote.Head{}, s.fail(ctx, "head "+string(key), s.readRight(key), err)
	}
	h := remote.Head{
		Info: remote.Info{
			Key: key, Size: aws.ToInt64(out.ContentLength),
			ETag: etag(out.ETag), LastModified: aws.ToTime(out.LastModified),
		},
		Headers: site.Headers{
			ContentType:        aws.ToString(out.ContentType),
			CacheControl:       aws.ToString(out.CacheControl),
			ContentEncoding:    aws.ToString(out.ContentEncoding),
			ContentDisposition: aws.ToString(out.ContentDisposition),
			ContentLanguage:    aws.ToString(out.ContentLanguage),
		},
		Digest: digest(out),
	}
	h.Headers.TagHeader, h.Headers.Tags = tagsIn(out.Metadata)
	return h, nil
}

func (s *Store) head(ctx context.Context, key site.Key) (*awss3.HeadObjectOutput, error) {
	return s.client.HeadObject(ctx, &awss3.HeadObjectInput{
		Bucket: &s.bucket, Key: s.full(key), ChecksumMode: types.ChecksumModeEnabled,
	})
}

// digest is zero unless the service has the SHA-256 of the whole object; that
// of a multipart upload is one of its parts' checksums and looks like
// "<base64>-2" (fact 7.2).
func digest(out *awss3.HeadObjectOutput) (d site.Digest) {
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(out.ChecksumSHA256))
	if err != nil || len(sum) != len(d) || out.ChecksumType == types.ChecksumTypeComposite {
		return site.Digest{}
	}
	copy(d[:], sum)
	return d
}

// readRight names both rights: without the second, S3 answers "denied" for an
// object that is not there (fact 7.8).
func (s *Store) readRight(key site.Key) string {
	return fmt.Sprintf("needs s3:GetObject on %s and, to tell missing objects, s3:ListBucket on %s", s.object(key), s.arn(""))
}
