package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/freshet/freshet/internal/crash"
	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

const (
	// partsAtOnce is how many parts of one object are under way together.
	partsAtOnce = 4
	// maxParts is the most parts of one object; S3 User Guide, "Multipart
	// upload limits", read 2026-11.
	maxParts = 10_000
	// abortTimeout bounds the clean-up of a failed upload, which must happen
	// also after an interrupt: S3 bills forgotten parts.
	abortTimeout = 30 * time.Second
)

// putParts uploads the body in parts. S3 cannot check a SHA-256 over several
// parts (fact 7.2), so each part is hashed before it is sent and S3 checks that
// hash, while the same bytes feed the hash of the whole, which is compared
// before the object is completed.
func (s *Store) putParts(ctx context.Context, put remote.Put, start int64) (string, error) {
	id, err := s.createUpload(ctx, put.Key, put.Headers, types.ChecksumAlgorithmSha256)
	if err != nil {
		return "", err
	}
	body := io.NewSectionReader(readerAt(put.Body), start, put.Size)
	parts, err := s.sendParts(ctx, put, id, body)
	if err == nil {
		var tag string
		if tag, err = s.complete(ctx, put.Key, id, parts, put.If); err == nil {
			return tag, nil
		}
	}
	return "", s.abandon(ctx, put.Key, id, err)
}

// createUpload begins a multipart upload; the object gets its headers here.
func (s *Store) createUpload(ctx context.Context, key site.Key, h site.Headers, algorithm types.ChecksumAlgorithm) (*string, error) {
	out, err := s.client.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: s.full(key), ChecksumAlgorithm: algorithm,
		ContentType:        contentType(h),
		CacheControl:       header(h.CacheControl),
		ContentEncoding:    header(h.ContentEncoding),
		ContentDisposition: header(h.ContentDisposition),
		ContentLanguage:    header(h.ContentLanguage),
		Metadata:           metadata(h),
	})
	if err != nil {
		return nil, err
	}
	return out.UploadId, nil
}

func (s *Store) sendParts(ctx context.Context, put remote.Put, id *string, body *io.SectionReader) ([]types.CompletedPart, error) {
	size := max(s.partSize, (put.Size+maxParts-1)/maxParts)
	parts := make([]types.CompletedPart, (put.Size+size-1)/size)
	whole := sha256.New()
	group, groupCtx := crash.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i := range parts {
		from := int64(i) * size
		section := io.NewSectionReader(body, from, min(size, put.Size-from))
		sum, err := hashPart(section, whole)
		if err != nil {
			return nil, errors.Join(err, group.Wait())
		}
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			parts[i], err = s.sendPart(groupCtx, put.Key, id, int32(i+1), section, sum)
			return err
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return nil, err
	}
	if site.Digest(whole.Sum(nil)) != put.Digest {
		return nil, fmt.Errorf("%w: SHA-256 %x, announced as %s", remote.ErrContent, whole.Sum(nil), put.Digest)
	}
	return parts, nil
}

// hashPart reads a part once, for its own checksum and for that of the whole.
func hashPart(section *io.SectionReader, whole io.Writer) (sum site.Digest, err error) {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(whole, h), section)
	if err != nil {
		return sum, fmt.Errorf("read body: %w", err)
	}
	if n != section.Size() {
		return sum, fmt.Errorf("%w: the body became shorter while it was read", remote.ErrContent)
	}
	h.Sum(sum[:0])
	return sum, nil
}

func (s *Store) sendPart(ctx context.Context, key site.Key, id *string, number int32, section *io.SectionReader, sum site.Digest) (types.CompletedPart, error) {
	if _, err := section.Seek(0, io.SeekStart); err != nil {
		return types.CompletedPart{}, err
	}
	check := checksum(sum)
	out, err := s.client.UploadPart(ctx, &awss3.UploadPartInput{
		Bucket: &s.bucket, Key: s.full(key), UploadId: id, PartNumber: &number,
		Body: section, ContentLength: aws.Int64(section.Size()), ChecksumSHA256: check,
	}, s.hashed(sum))
	if err != nil {
		return types.CompletedPart{}, err
	}
	return types.CompletedPart{ETag: out.ETag, PartNumber: &number, ChecksumSHA256: check}, nil
}

// complete makes the parts one object, whole and at once, if c holds then.
func (s *Store) complete(ctx context.Context, key site.Key, id *string, parts []types.CompletedPart, c remote.Condition) (string, error) {
	out, err := s.client.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: s.full(key), UploadId: id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		IfNoneMatch:     ifNoneMatch(c), IfMatch: ifMatch(c),
	}, s.retryFor(c))
	if err != nil {
		return "", err
	}
	return etag(out.ETag), nil
}

// abandon removes the parts of a failed upload and returns cause, with the
// failure to do so beside it. An upload that is gone needs no removal.
func (s *Store) abandon(ctx context.Context, key site.Key, id *string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := s.client.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{
		Bucket: &s.bucket, Key: s.full(key), UploadId: id,
	})
	var gone *types.NoSuchUpload
	if err == nil || errors.As(err, &gone) {
		return cause
	}
	return &leftover{key: key, cause: cause, abort: err}
}

// leftover is a failed upload whose parts could not be removed. Only the first
// failure decides what kind of failure it was.
type leftover struct {
	key          site.Key
	cause, abort error
}

func (e *leftover) Error() string {
	return fmt.Sprintf("%v; the parts sent so far could not be removed: %v", e.cause, e.abort)
}

// Unwrap is the first failure.
func (e *leftover) Unwrap() error { return e.cause }

// readerAt gives random access to a body, shared by the parts under way.
func readerAt(body io.ReadSeeker) io.ReaderAt {
	if r, ok := body.(io.ReaderAt); ok {
		return r
	}
	return &seekReader{body: body}
}

type seekReader struct {
	mu   sync.Mutex    // held for one seek and read
	body io.ReadSeeker // guarded by mu: it has one position
}

// ReadAt implements io.ReaderAt.
func (r *seekReader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.body.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r.body, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
