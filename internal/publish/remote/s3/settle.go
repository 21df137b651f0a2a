package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/freshet/freshet/internal/publish/remote"
)

// settle makes sure that an object that was copied onto itself has exactly the
// headers it was given: versitygw 1.8.0, for one, keeps those that are not
// restated (seen 2026-11). Where it has not, it is written anew, unless somebody
// else has done so since. tag is the ETag of the copy. An object that is too
// large for Get is an error then.
func (s *Store) settle(ctx context.Context, c remote.Copy, tag string) (string, error) {
	want := c.Headers
	want.ContentType = cmp.Or(want.ContentType, "application/octet-stream")
	if metadata(want) == nil {
		want.TagHeader, want.Tags = "", ""
	}
	head, err := s.Head(ctx, c.To)
	if err != nil {
		return "", fmt.Errorf("check the headers that a copy changed: %w", err)
	}
	if head.Headers == want {
		return tag, nil
	}
	data, found, err := s.Get(ctx, c.To)
	if err != nil {
		return "", fmt.Errorf("write headers that a copy did not drop: %w", err)
	}
	if found != tag {
		return tag, nil
	}
	put := remote.Put{Key: c.To, Size: int64(len(data)), Digest: sha256.Sum256(data), Headers: c.Headers, Body: bytes.NewReader(data)}
	if c.IfETag != "" {
		put.If.ETag = found
	}
	return s.Put(ctx, put)
}
