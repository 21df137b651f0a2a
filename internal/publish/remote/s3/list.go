package s3

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/s3/listing"
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
	return s.pages(ctx, call, in, func(p *listing.Page) error {
		infos := make([]remote.Info, 0, len(p.Objects))
		for _, o := range p.Objects {
			if o.Key <= last {
				if o.Key == "" { // the marker object of the prefix itself
					continue
				}
				return fmt.Errorf("%s: %w: %q is listed after %q", call, remote.ErrUnsupported, o.Key, last)
			}
			last = o.Key
			infos = append(infos, remote.Info{Key: site.Key(o.Key), Size: o.Size, ETag: strings.Trim(o.ETag, `"`), LastModified: o.Modified})
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
	err := s.pages(ctx, call, in, func(p *listing.Page) error {
		dirs = append(dirs, p.Prefixes...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dirs, nil
}
