package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
)

// Folders returns what the keys that begin with prefix have up to the next slash after it, in byte order, at most limit; for programs in the same process.
func (s *Store) Folders(ctx context.Context, bucket, prefix string, limit int) ([]string, error) {
	var out []string
	after := ""
	for len(out) < limit {
		items, more, err := s.list(ctx, bucket, listQuery{prefix: prefix, delimiter: "/", after: after, limit: limit})
		if err != nil {
			return nil, fmt.Errorf("list folders of %s: %w", bucket, err)
		}
		for _, item := range items {
			if after = item.name; item.record == nil && len(out) < limit {
				out = append(out, item.name)
			}
		}
		if !more {
			break
		}
	}
	return out, nil
}

// ETag is an object's entity tag, with its quotes. The error wraps fs.ErrNotExist where there is no object.
func (s *Store) ETag(ctx context.Context, bucket, key string) (string, error) {
	r, err := s.head(ctx, bucket, key)
	if err != nil {
		return "", absent(err, key)
	}
	return r.quotedETag(), nil
}

// Read opens an object's body, which the caller closes; an overwrite meanwhile does not show in it. The error wraps fs.ErrNotExist where there is no object.
func (s *Store) Read(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	a, err := s.read(ctx, reading{bucket: bucket, key: key, header: http.Header{}})
	if err != nil {
		return nil, absent(err, key)
	}
	return a.body(), nil
}

func absent(err error, key string) error {
	if errors.Is(err, errNoSuchKey) || errors.Is(err, ErrNoBucket) {
		err = fs.ErrNotExist
	}
	return fmt.Errorf("read %s: %w", key, err)
}
