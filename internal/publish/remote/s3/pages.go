package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/freshet/freshet/internal/publish/remote/s3/listing"
)

// pages walks through a listing to its end. A page that says that there is
// more, but not where, makes the whole listing an error.
func (s *Store) pages(ctx context.Context, call string, in *awss3.ListObjectsV2Input, page func(*listing.Page) error) error {
	in.Bucket = &s.bucket
	in.EncodingType = types.EncodingTypeUrl
	var reader pageReader
	for {
		answer, err := reader.ask(ctx, s.client, in)
		if err != nil {
			return s.fail(ctx, call, "needs s3:ListBucket on "+s.arn(""), err)
		}
		out, err := reader.read(s, answer)
		if err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
		if err := page(out); err != nil {
			return err
		}
		if !out.Truncated {
			return nil
		}
		if out.Token == "" || out.Token == aws.ToString(in.ContinuationToken) {
			return fmt.Errorf("%s: %w", call, errBroken)
		}
		in.ContinuationToken = aws.String(out.Token)
	}
}

var errBroken = errors.New("the answer says that there is more, but not where to go on")

// pageReader reads pages with package listing, and those of another form with
// the SDK's own reader.
type pageReader struct {
	decoder listing.Decoder
	page    *listing.Page // the last one; nil where the SDK has read it
	sdk     middleware.DeserializeMiddleware
}

const deserializer = "OperationDeserializer" // what the SDK calls the step that reads an answer

// ask sends one request. Its answer is for read.
func (r *pageReader) ask(ctx context.Context, client *awss3.Client, in *awss3.ListObjectsV2Input) (*awss3.ListObjectsV2Output, error) {
	return client.ListObjectsV2(ctx, in, func(o *awss3.Options) {
		o.APIOptions = append(slices.Clip(o.APIOptions), func(stack *middleware.Stack) (err error) {
			r.sdk, err = stack.Deserialize.Swap(deserializer, r)
			return err
		})
	})
}

// read is the page of the last answer, its keys relative to the store, until the
// next is asked for.
func (r *pageReader) read(s *Store, out *awss3.ListObjectsV2Output) (_ *listing.Page, err error) {
	if r.page == nil {
		return s.pageOf(out)
	}
	for i, o := range r.page.Objects {
		if r.page.Objects[i].Key, err = s.relative(o.Key); err != nil {
			return nil, err
		}
	}
	for i, p := range r.page.Prefixes {
		if r.page.Prefixes[i], err = s.relative(p); err != nil {
			return nil, err
		}
	}
	return r.page, nil
}

// ID is that of the step that is replaced.
func (r *pageReader) ID() string { return deserializer }

// answers are what pages are read into, about 300 KB each.
var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// HandleDeserialize reads an answer whole, so that its connection can be used
// again, and then takes it apart. Refusals are for the SDK.
func (r *pageReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	before := middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
		return out, metadata, err
	})
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.StatusCode/100 != 2 {
		return r.sdk.HandleDeserialize(ctx, in, before)
	}
	buf := answers.Get().(*bytes.Buffer)
	defer answers.Put(buf)
	buf.Reset()
	if _, failed := buf.ReadFrom(response.Body); failed != nil {
		response.Body.Close() // the failure to read says more
		return out, metadata, &smithy.DeserializationError{Err: fmt.Errorf("failed to decode response body, %w", failed)}
	}
	if r.page, err = r.decoder.Decode(buf.Bytes()); err != nil {
		response.Body = unread{bytes.NewReader(buf.Bytes()), response.Body}
		err = nil // of the answer itself
		return r.sdk.HandleDeserialize(ctx, in, before)
	}
	out.Result = &awss3.ListObjectsV2Output{}
	return out, metadata, response.Body.Close()
}

// unread is a body of which the content has been read already.
type unread struct {
	io.Reader
	io.Closer
}

// pageOf is a page that the SDK has read.
func (s *Store) pageOf(out *awss3.ListObjectsV2Output) (*listing.Page, error) {
	p := &listing.Page{Truncated: aws.ToBool(out.IsTruncated), Token: aws.ToString(out.NextContinuationToken)}
	for _, o := range out.Contents {
		key, err := s.decode(o.Key, out.EncodingType)
		if err != nil {
			return nil, err
		}
		p.Objects = append(p.Objects, listing.Object{Key: key, ETag: aws.ToString(o.ETag), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)})
	}
	for _, c := range out.CommonPrefixes {
		prefix, err := s.decode(c.Prefix, out.EncodingType)
		if err != nil {
			return nil, err
		}
		p.Prefixes = append(p.Prefixes, prefix)
	}
	return p, nil
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
	return s.relative(key)
}

// relative is a listed key as the store's users know it.
func (s *Store) relative(key string) (string, error) {
	relative, ok := strings.CutPrefix(key, s.prefix)
	if !ok {
		return "", fmt.Errorf("the listing of %s shows %q, which lies outside", s, key)
	}
	return relative, nil
}
