package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

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

	"BadDigest":                   remote.ErrContent,
	"XAmzContentSHA256Mismatch":   remote.ErrContent,
	"XAmzContentChecksumMismatch": remote.ErrContent,
	"NotImplemented":              remote.ErrUnsupported,
	// Amazon S3 is never full. The names are the embedded store's, MinIO's and
	// Ceph's, read 2026-11.
	"InsufficientStorage": remote.ErrFull,
	"XMinioStorageFull":   remote.ErrFull,
	"QuotaExceeded":       remote.ErrFull,
	"AccessDenied":        remote.ErrDenied,
	"AllAccessDisabled":   remote.ErrDenied,
	"MethodNotAllowed":    remote.ErrUnsupported,
	// Services that keep objects as files cannot hold a key and another below it:
	// versitygw's and MinIO's names for that, read 2026-11.
	"ObjectParentIsFile":            remote.ErrUnsupported,
	"ExistingObjectIsDirectory":     remote.ErrUnsupported,
	"XMinioParentIsObject":          remote.ErrUnsupported,
	"XMinioObjectExistsAsDirectory": remote.ErrUnsupported,
	// Of the region when it expects another one, else of the access key.
	codeMalformed: remote.ErrCredentials,
}

const codeMalformed = "AuthorizationHeaderMalformed"

// regionCodes say that the bucket lies elsewhere, whether or not they say where.
var regionCodes = []string{"PermanentRedirect", "IllegalLocationConstraintException"}

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
		e.Kinds = elsewhere
		e.Note = fmt.Sprintf("the bucket %s lies in the region %s, not in %s; set region: %s", s.bucket, region, s.region, region)
	} else if slices.Contains(regionCodes, f.Code) || f.Status == http.StatusMovedPermanently {
		e.Kinds = elsewhere
		e.Note = fmt.Sprintf("the bucket %s does not lie in the region %s", s.bucket, s.region)
	}
	if slices.Contains(e.Kinds, remote.ErrDenied) {
		e.Note = right
	}
	var left *leftover
	if errors.As(err, &left) {
		e.Note = strings.TrimPrefix(e.Note+"; "+s.leftNote(left), "; ")
	}
	return e
}

// elsewhere are the kinds of a failure for the bucket's region.
var elsewhere = []error{remote.ErrRegion, remote.ErrNoBucket}

// leftNote says what stayed behind, and which right would have removed it.
func (s *Store) leftNote(left *leftover) string {
	f := session.Read(left.abort)
	note := fmt.Sprintf("the parts sent so far could not be removed (%v) and cost storage until they are", f)
	if kindsByCode[f.Code] == remote.ErrDenied || f.Status == http.StatusForbidden {
		note += "; that needs s3:AbortMultipartUpload on " + s.object(left.key)
	}
	return note
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
