package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
	"github.com/freshet/freshet/internal/site"
)

var _ remote.Examinable = (*Store)(nil)

// Keys asks the SDK's chain, which may ask the network.
func (s *Store) Keys(ctx context.Context) (remote.Keys, error) {
	const call = "find credentials"
	provider := s.client.Options().Credentials
	if provider == nil {
		return remote.Keys{}, fmt.Errorf("%s: %w", call, remote.ErrCredentials)
	}
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return remote.Keys{}, s.fail(ctx, call, "", err)
	}
	keys := remote.Keys{ID: c.AccessKeyID, Source: source(c.Source)}
	if c.CanExpire {
		keys.Expires = c.Expires
	}
	return keys, nil
}

// sources are the SDK's names of where keys come from, for people; AWS SDKs and
// Tools Reference Guide, "Standardized credential providers", read 2026-11.
var sources = []struct{ name, words string }{
	{"EnvConfigCredentials", "the environment"},
	{"SharedConfigCredentials", "a profile"},
	{"WebIdentityCredentials", "a web identity token (OIDC)"},
	{"SSOProvider", "a single sign-on session"},
	{"AssumeRoleProvider", "an assumed role"},
	{"EC2RoleProvider", "the role of this EC2 instance"},
	{"CredentialsEndpointProvider", "the role of this container"},
	{"ProcessProvider", "a credential process"},
	{"StaticCredentials", "keys of its own"},
}

func source(name string) string {
	for _, s := range sources {
		if rest, ok := strings.CutPrefix(name, s.name); ok {
			if file := strings.TrimPrefix(rest, ": "); file != "" {
				return s.words + " in " + file
			}
			return s.words
		}
	}
	return cmp.Or(name, "somewhere")
}

// Bucket asks for the region and the public access block with the store's own
// credentials, and for the sample and a listing without any: what a policy, a
// list of grants and a block come to together is what anybody gets.
func (s *Store) Bucket(ctx context.Context, sample site.Key) (remote.Bucket, error) {
	out := remote.Bucket{Name: s.bucket}
	head, err := s.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &s.bucket})
	if err != nil {
		e := s.fail(ctx, "look at the bucket "+s.bucket, "needs s3:ListBucket on "+s.arn(""), err)
		if errors.Is(e, remote.ErrNotFound) { // HEAD answers do not say of what
			return out, fmt.Errorf("%w: %w", remote.ErrNoBucket, e)
		}
		if fatal(e) || ctx.Err() != nil {
			return out, e
		}
	} else {
		out.Region = aws.ToString(head.BucketRegion)
	}
	out.Blocked = s.blocked(ctx)
	if sample != "" {
		_, err := s.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &s.bucket, Key: s.full(sample)}, anonymous)
		out.Readable = allowed(err)
	}
	_, err = s.client.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(1)}, anonymous)
	out.Listable = allowed(err)
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("look at the bucket %s: %w", s.bucket, err)
	}
	return out, nil
}

// fatal is whether a failure holds for every further question.
func fatal(err error) bool {
	for _, kind := range []error{remote.ErrNoBucket, remote.ErrRegion, remote.ErrCredentials, remote.ErrClock} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// anonymous makes a request as somebody without credentials.
func anonymous(o *awss3.Options) {
	o.Credentials = nil
	o.RetryMaxAttempts = 1
}

// allowed reads what somebody without credentials was told.
func allowed(err error) remote.Known {
	if err == nil {
		return remote.Yes
	}
	switch session.Read(err).Status {
	case http.StatusForbidden, http.StatusUnauthorized:
		return remote.No
	}
	return remote.Unknown
}

// blocked is whether the public access block is whole. A bucket without one is
// said to have none; S3 API Reference, GetPublicAccessBlock, read 2026-11. A
// service that knows none answers something else or nothing.
func (s *Store) blocked(ctx context.Context) remote.Known {
	out, err := s.client.GetPublicAccessBlock(ctx, &awss3.GetPublicAccessBlockInput{Bucket: &s.bucket})
	if err != nil {
		if session.Read(err).Code == "NoSuchPublicAccessBlockConfiguration" {
			return remote.No
		}
		return remote.Unknown
	}
	c := out.PublicAccessBlockConfiguration
	if c == nil || c.BlockPublicAcls == nil && c.BlockPublicPolicy == nil && c.IgnorePublicAcls == nil && c.RestrictPublicBuckets == nil {
		return remote.Unknown
	}
	for _, on := range []*bool{c.BlockPublicAcls, c.BlockPublicPolicy, c.IgnorePublicAcls, c.RestrictPublicBuckets} {
		if !aws.ToBool(on) {
			return remote.No
		}
	}
	return remote.Yes
}
