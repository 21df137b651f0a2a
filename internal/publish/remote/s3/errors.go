package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/freshet/freshet/internal/publish/remote"
	"github.com/freshet/freshet/internal/publish/remote/session"
)

// codeConflict: something else changed the key meanwhile, and neither the
// condition nor its opposite was found to hold; fact 7.3.
const codeConflict = "ConditionalRequestConflict"

// kindsByCode are the answers that only S3 gives; S3 API Reference,
// "Error responses", read 2026-11.
var kindsByCode = map[string]error{
	"NoSuchKey":          remote.ErrNotFound,
	"NotFound":           remote.ErrNotFound, // HEAD answers have no body
	"NoSuchBucket":       remote.ErrNoBucket,
	"PreconditionFailed": remote.ErrPrecondition,
	codeConflict:         remote.ErrTemporary,
	"OperationAborted":   remote.ErrTemporary,
	"IncompleteBody":     remote.ErrTemporary, // the length was checked before
	"NoSuchUpload":       remote.ErrTemporary, // aborted by a lifecycle rule: start the upload again

	"BadDigest":                          remote.ErrContent,
	"XAmzContentSHA256Mismatch":          remote.ErrContent,
	"XAmzContentChecksumMismatch":        remote.ErrContent,
	"NotImplemented":                     remote.ErrUnsupported,
	"AccessDenied":                       remote.ErrDenied,
	"AllAccessDisabled":                  remote.ErrDenied,
	"MethodNotAllowed":                   remote.ErrUnsupported,
	"PermanentRedirect":                  remote.ErrNoBucket,
	"AuthorizationHeaderMalformed":       remote.ErrNoBucket,
	"IllegalLocationConstraintException": remote.ErrNoBucket,
}

// fail describes a failed call. right is what the call needs, for the message
// of a refusal: "s3:PutObject on arn:aws:s3:::bucket/key".
func (s *Store) fail(ctx context.Context, call, right string, err error) *session.Error {
	f := session.Read(err)
	e := session.NewError(ctx, call, f)
	if ctx.Err() != nil {
		return e
	}
	if kind, ok := kindsByCode[f.Code]; ok {
		e.Kinds = []error{kind}
	} else if kind, ok := kindsByStatus[f.Status]; ok && len(e.Kinds) == 0 {
		e.Kinds = []error{kind}
	}
	if region := s.rightRegion(f); region != "" {
		e.Kinds = []error{remote.ErrNoBucket}
		e.Note = fmt.Sprintf("the bucket %s lies in the region %s, not in %s; set region: %s", s.bucket, region, s.region, region)
	}
	if slices.Contains(e.Kinds, remote.ErrDenied) {
		e.Note = right
	}
	var left *leftover
	if errors.As(err, &left) {
		e.Note = fmt.Sprintf("the parts sent so far could not be removed (%v) and cost storage until they are", session.Read(left.abort))
	}
	return e
}

// kindsByStatus serves HEAD, whose answers carry no code.
var kindsByStatus = map[int]error{
	http.StatusNotFound:           remote.ErrNotFound,
	http.StatusPreconditionFailed: remote.ErrPrecondition,
}

// expecting is how S3 names the right region in AuthorizationHeaderMalformed.
var expecting = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)

// rightRegion is the region that a refused request should have gone to, ""
// where f is no such refusal.
func (s *Store) rightRegion(f session.Failure) string {
	switch f.Status {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
	default:
		return ""
	}
	var named string
	if m := expecting.FindStringSubmatch(f.Message); m != nil {
		named = m[1]
	}
	region := cmp.Or(f.Header.Get("X-Amz-Bucket-Region"), named)
	if region == s.region {
		return ""
	}
	return region
}
