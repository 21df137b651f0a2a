package s3

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
	"github.com/freshet/freshet/internal/site"
)

// copyPartSize is what one request of a multipart copy moves, in bytes.
const copyPartSize = 1 << 30

// Copy copies inside S3 and gives the copy exactly its headers: REPLACE drops
// what is not restated (fact 7.5). Objects above 5 GiB, which one request
// cannot copy, are copied in parts.
func (s *Store) Copy(ctx context.Context, c remote.Copy) (string, error) {
	tag, err := s.copyWhole(ctx, c)
	if err != nil && tooLarge(err) {
		tag, err = s.copyInParts(ctx, c)
	}
	if err == nil && s.foreign && c.From == c.To {
		return s.settle(ctx, c, tag)
	}
	if err != nil {
		right := fmt.Sprintf("needs s3:GetObject on %s and s3:PutObject on %s", s.object(c.From), s.object(c.To))
		return "", s.fail(ctx, fmt.Sprintf("copy %s to %s", c.From, c.To), right, err)
	}
	return tag, nil
}

func (s *Store) copyWhole(ctx context.Context, c remote.Copy) (string, error) {
	out, err := s.client.CopyObject(ctx, &awss3.CopyObjectInput{
		Bucket: &s.bucket, Key: s.full(c.To), CopySource: s.source(c.From), CopySourceIfMatch: quoted(c.IfETag),
		MetadataDirective: types.MetadataDirectiveReplace,
		// The copy of a multipart object gets a full-object checksum this way.
		ChecksumAlgorithm:  types.ChecksumAlgorithmSha256,
		ContentType:        contentType(c.Headers),
		CacheControl:       header(c.Headers.CacheControl),
		ContentEncoding:    header(c.Headers.ContentEncoding),
		ContentDisposition: header(c.Headers.ContentDisposition),
		ContentLanguage:    header(c.Headers.ContentLanguage),
		Metadata:           metadata(c.Headers),
	}, s.retryFor(ontoItself(c)))
	if err != nil {
		return "", err
	}
	if out.CopyObjectResult == nil {
		return "", fmt.Errorf("%w: the answer to the copy was empty", remote.ErrTemporary)
	}
	return etag(out.CopyObjectResult.ETag), nil
}

// ontoItself is the condition that a copy puts on its own destination: none,
// but where that is the source as well. Such a copy can change the ETag that it
// depends on, from that of parts to that of a whole object.
func ontoItself(c remote.Copy) remote.Condition {
	if c.From != c.To {
		return remote.Condition{}
	}
	return remote.Condition{ETag: c.IfETag}
}

// tooLarge reports whether S3 refused to copy because of the size. Asking for
// the size first would cost a request for every copy.
func tooLarge(err error) bool {
	f := session.Read(err)
	return f.Status == http.StatusBadRequest &&
		(f.Code == "EntityTooLarge" || f.Code == "InvalidRequest" && strings.Contains(f.Message, "larger than the maximum"))
}

func (s *Store) copyInParts(ctx context.Context, c remote.Copy) (string, error) {
	from, err := s.head(ctx, c.From)
	if err != nil {
		return "", err
	}
	if found := etag(from.ETag); c.IfETag != "" && c.IfETag != found {
		return "", fmt.Errorf("%w: the source has the ETag %s", remote.ErrPrecondition, found)
	}
	id, err := s.createUpload(ctx, c.To, c.Headers, "")
	if err != nil {
		return "", err
	}
	parts, err := s.copyRanges(ctx, c, id, from)
	if err == nil {
		var tag string
		if tag, err = s.complete(ctx, c.To, id, parts, ontoItself(c)); err == nil {
			return tag, nil
		}
	}
	return "", s.abandon(ctx, c.To, id, err)
}

// copyRanges copies all parts of the version of the source that from describes.
func (s *Store) copyRanges(ctx context.Context, c remote.Copy, id *string, from *awss3.HeadObjectOutput) ([]types.CompletedPart, error) {
	total := aws.ToInt64(from.ContentLength)
	size := max(s.copyParts, (total+maxParts-1)/maxParts)
	parts := make([]types.CompletedPart, (total+size-1)/size)
	group, ctx := crash.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i := range parts {
		first := int64(i) * size
		last := min(first+size, total) - 1
		group.Go(func() error {
			out, err := s.client.UploadPartCopy(ctx, &awss3.UploadPartCopyInput{
				Bucket: &s.bucket, Key: s.full(c.To), UploadId: id, PartNumber: aws.Int32(int32(i + 1)),
				CopySource: s.source(c.From), CopySourceIfMatch: from.ETag,
				CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
			})
			if err != nil {
				return err
			}
			parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1))}
			if r := out.CopyPartResult; r != nil {
				parts[i].ETag = r.ETag
			}
			return nil
		})
	}
	return parts, group.Wait()
}

// source is the value of x-amz-copy-source, which S3 decodes like a query: a
// raw "+" would be a space.
func (s *Store) source(key site.Key) *string {
	return aws.String(escape(s.bucket + "/" + s.prefix + string(key)))
}

// escape writes a path as URLs have it, every byte but the unreserved ones in
// hexadecimal.
func escape(path string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(path))
	for i := range len(path) {
		if c := path[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// unreserved is the set of RFC 3986 2.3, and the slash.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0
}
