package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/site"
)

// putLimit is the largest object written with one request, and the size of the
// parts of a larger one, in bytes.
const putLimit = 16 << 20

// Put writes an object: with one request up to 16 MiB, in parts above that.
//
// The digest goes along as a checksum, so that over TLS the body is neither
// hashed for the signature nor sent in chunks, and the service refuses other
// bytes.
func (s *Store) Put(ctx context.Context, put remote.Put) (string, error) {
	call := "put " + string(put.Key)
	if err := checkDigest(put); err != nil {
		return "", fmt.Errorf("%s: %w", call, err)
	}
	start, err := bodyStart(put)
	if err != nil {
		return "", fmt.Errorf("%s: %w", call, err)
	}
	var tag string
	if put.Size > s.partSize {
		tag, err = s.putParts(ctx, put, start)
	} else {
		tag, err = s.putWhole(ctx, put, start)
	}
	if err != nil {
		return "", s.failPut(ctx, call, put, err)
	}
	return tag, nil
}

// bodyStart is the current position of the body, from which exactly Size bytes
// must follow. A longer or shorter body is noticed here, before anything is
// sent: HTTP would cut the one and break off with the other.
func bodyStart(put remote.Put) (int64, error) {
	start, err := put.Body.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, fmt.Errorf("seek in body: %w", err)
	}
	end, err := put.Body.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("seek in body: %w", err)
	}
	if end-start != put.Size {
		return 0, fmt.Errorf("%w: %d bytes, announced as %d", remote.ErrContent, end-start, put.Size)
	}
	if _, err := put.Body.Seek(start, io.SeekStart); err != nil {
		return 0, fmt.Errorf("seek in body: %w", err)
	}
	return start, nil
}

func (s *Store) putWhole(ctx context.Context, put remote.Put, start int64) (string, error) {
	tag, done, first := s.putQuick(ctx, put, start)
	if done {
		return tag, nil
	}
	out, err := s.client.PutObject(ctx, &awss3.PutObjectInput{
		Bucket: &s.bucket, Key: s.full(put.Key),
		Body: put.Body, ContentLength: &put.Size, ChecksumSHA256: checksum(put.Digest),
		IfNoneMatch: ifNoneMatch(put.If), IfMatch: ifMatch(put.If),
		ContentType:        contentType(put.Headers),
		CacheControl:       header(put.Headers.CacheControl),
		ContentEncoding:    header(put.Headers.ContentEncoding),
		ContentDisposition: header(put.Headers.ContentDisposition),
		ContentLanguage:    header(put.Headers.ContentLanguage),
		Metadata:           metadata(put.Headers),
	}, s.retryFor(put.If), s.replay(first), s.hashed(put.Digest))
	if err != nil {
		return "", err
	}
	s.quick.learnFrom(first)
	return etag(out.ETag), nil
}

// retryFor keeps the SDK from repeating a conditional write that may have taken
// effect: the repeat would find its own object and report it as another's.
func (s *Store) retryFor(c remote.Condition) func(*awss3.Options) {
	return func(o *awss3.Options) {
		if c != (remote.Condition{}) {
			o.Retryer = s.careful
		}
	}
}

// hashed keeps the SDK from reading the whole body once more to sign its SHA-256
// over plain HTTP. Over TLS the body is not signed.
func (s *Store) hashed(d site.Digest) func(*awss3.Options) {
	return func(o *awss3.Options) {
		if o.BaseEndpoint == nil || !strings.HasPrefix(*o.BaseEndpoint, "http://") {
			return
		}
		known := middleware.InitializeMiddlewareFunc("KnownPayloadHash", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(d[:])), in)
		})
		o.APIOptions = append(slices.Clip(o.APIOptions), func(stack *middleware.Stack) error {
			return stack.Initialize.Add(known, middleware.After)
		})
	}
}

func (s *Store) failPut(ctx context.Context, call string, put remote.Put, err error) error {
	if errors.Is(err, remote.ErrContent) {
		return fmt.Errorf("%s: %w", call, err)
	}
	right := "needs s3:PutObject on " + s.object(put.Key)
	if put.If.ETag != "" {
		right = "needs s3:PutObject and s3:GetObject on " + s.object(put.Key)
	}
	e := s.fail(ctx, call, right, err)
	if put.If.ETag != "" && errors.Is(e, remote.ErrNotFound) {
		// S3 answers 404 to If-Match where there is no object (fact 7.3).
		e.Kinds, e.Note = []error{remote.ErrPrecondition}, "the object is gone"
	}
	return e
}

func checksum(d site.Digest) *string {
	return aws.String(base64.StdEncoding.EncodeToString(d[:]))
}

func ifNoneMatch(c remote.Condition) *string {
	if c.Absent {
		return aws.String("*")
	}
	return nil
}

func ifMatch(c remote.Condition) *string { return quoted(c.ETag) }

// quoted is an ETag as headers carry it, nil for none.
func quoted(tag string) *string {
	if tag == "" {
		return nil
	}
	return aws.String(`"` + tag + `"`)
}
