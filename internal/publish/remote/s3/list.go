package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// List shows all objects below prefix that are greater than after.
func (s *Store) List(ctx context.Context, prefix, after string, page func([]remote.Info) error) error {
	call := fmt.Sprintf("list %s%s", s, prefix)
	in := &awss3.ListObjectsV2Input{Prefix: aws.String(s.prefix + prefix)}
	if after != "" {
		in.StartAfter = aws.String(s.prefix + after)
	}
	last := after
	return s.pages(ctx, call, in, func(out *awss3.ListObjectsV2Output) error {
		infos := make([]remote.Info, 0, len(out.Contents))
		for _, o := range out.Contents {
			info, err := s.info(o, out.EncodingType)
			if err != nil {
				return fmt.Errorf("%s: %w", call, err)
			}
			if string(info.Key) <= last {
				if info.Key == "" { // the marker object of the prefix itself
					continue
				}
				return fmt.Errorf("%s: %w: %q is listed after %q", call, remote.ErrUnsupported, info.Key, last)
			}
			last = string(info.Key)
			infos = append(infos, info)
		}
		if len(infos) == 0 {
			return nil
		}
		return page(infos)
	})
}

// Dirs lists the folders right below prefix whose names begin with start, as
// full prefixes.
func (s *Store) Dirs(ctx context.Context, prefix, start string) ([]string, error) {
	call := fmt.Sprintf("list folders of %s%s", s, prefix)
	in := &awss3.ListObjectsV2Input{Prefix: aws.String(s.prefix + prefix + start), Delimiter: aws.String("/")}
	var dirs []string
	err := s.pages(ctx, call, in, func(out *awss3.ListObjectsV2Output) error {
		for _, p := range out.CommonPrefixes {
			dir, err := s.decode(p.Prefix, out.EncodingType)
			if err != nil {
				return fmt.Errorf("%s: %w", call, err)
			}
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dirs, nil
}

// pages walks through a listing to its end. A page that says that there is
// more, but not where, makes the whole listing an error.
func (s *Store) pages(ctx context.Context, call string, in *awss3.ListObjectsV2Input, page func(*awss3.ListObjectsV2Output) error) error {
	in.Bucket = &s.bucket
	in.EncodingType = types.EncodingTypeUrl
	for {
		out, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return s.fail(ctx, call, "needs s3:ListBucket on "+s.arn(""), err)
		}
		if err := page(out); err != nil {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		token := aws.ToString(out.NextContinuationToken)
		if token == "" || token == aws.ToString(in.ContinuationToken) {
			return fmt.Errorf("%s: %w", call, errBroken)
		}
		in.ContinuationToken = &token
	}
}

var errBroken = errors.New("the answer says that there is more, but not where to go on")

func (s *Store) info(o types.Object, encoding types.EncodingType) (remote.Info, error) {
	key, err := s.decode(o.Key, encoding)
	if err != nil {
		return remote.Info{}, err
	}
	return remote.Info{
		Key: site.Key(key), Size: aws.ToInt64(o.Size),
		ETag: etag(o.ETag), LastModified: aws.ToTime(o.LastModified),
	}, nil
}

// decode makes a listed key relative. The SDK leaves the encoding to us that it
// was told to ask for; S3 writes a space as "+". A service that ignored the
// request says so by not repeating it.
func (s *Store) decode(listed *string, encoding types.EncodingType) (string, error) {
	key := aws.ToString(listed)
	if encoding == types.EncodingTypeUrl {
		var err error
		if key, err = url.QueryUnescape(key); err != nil {
			return "", fmt.Errorf("decode a listed key: %w", err)
		}
	}
	relative, ok := strings.CutPrefix(key, s.prefix)
	if !ok {
		return "", fmt.Errorf("the listing of %s shows %q, which lies outside", s, key)
	}
	return relative, nil
}
