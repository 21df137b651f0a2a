package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/freshet/freshet/internal/publish/remote"
)

// Codes that mean the same for every AWS service; CloudFront API Reference and
// S3 API Reference, "Common errors", read 2026-11, and fact sheet 1.6.
var (
	credentialCodes = []string{
		"InvalidAccessKeyId", "SignatureDoesNotMatch",
		"InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException",
		"IncompleteSignature", "MissingAuthenticationToken", "MissingSecurityHeader",
		"InvalidSignatureException", "MissingAuthenticationTokenException", "NotSignedUp", "OptInRequired",
	}
	temporaryCodes = []string{
		"SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
		"TooManyRequestsException", "RequestLimitExceeded", "ServiceUnavailable", "InternalError",
		"InternalFailure", "InternalServerError", "RequestTimeout", "RequestTimeoutException", "Busy",
	}
	// TokenRefreshRequired is S3's: "The provided token must be refreshed."
	expiredCodes = []string{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
	// RequestExpired speaks of the time in the signature: "The request reached the
	// service more than 15 minutes after the date stamp on the request". Only EC2
	// says it of credentials.
	clockCodes = []string{"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
	// clockTexts come under the codes for any wrong signature; IAM User Guide,
	// "Troubleshoot Signature Version 4 requests", read 2026-11.
	clockTexts = []string{"Signature expired", "Signature not yet current"}
)

// Failure is what a failed call tells. Fields are empty where nothing is known.
type Failure struct {
	Code      string // "NoSuchKey"
	Message   string
	RequestID string
	Status    int // of the HTTP answer; 0 where there was none
	Header    http.Header
	Cause     error
}

// Read takes an error of the SDK apart.
func Read(err error) Failure {
	f := Failure{Cause: err}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Code, f.Message = api.ErrorCode(), api.ErrorMessage()
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		f.RequestID = answer.RequestID
	}
	var raw *smithyhttp.ResponseError
	if errors.As(err, &raw) && raw.Response != nil {
		f.Status, f.Header = raw.Response.StatusCode, raw.Response.Header
	}
	return f
}

// Kinds are the sentinels of package remote that follow from f alone, whatever
// the service. None where the caller gave up: then the cause is the context's.
func (f Failure) Kinds(ctx context.Context) []error {
	switch {
	case ctx.Err() != nil:
		return nil
	case f.ClockOff():
		return []error{remote.ErrClock}
	case errors.Is(f.Cause, remote.ErrExpired), slices.Contains(expiredCodes, f.Code):
		return []error{remote.ErrExpired, remote.ErrCredentials}
	case errors.Is(f.Cause, remote.ErrCredentials), slices.Contains(credentialCodes, f.Code):
		return []error{remote.ErrCredentials}
	case slices.Contains(temporaryCodes, f.Code), temporaryStatus(f.Status), cutOff(f.Cause):
		return []error{remote.ErrTemporary}
	case f.Status == http.StatusNotImplemented:
		return []error{remote.ErrUnsupported}
	case f.Status == http.StatusForbidden:
		return []error{remote.ErrDenied}
	}
	return nil
}

// ClockOff reports whether the service refused the time in the signature.
func (f Failure) ClockOff() bool {
	return slices.Contains(clockCodes, f.Code) || errors.Is(f.Cause, remote.ErrClock) ||
		slices.Contains(credentialCodes, f.Code) && slices.ContainsFunc(clockTexts, func(text string) bool {
			return strings.Contains(f.Message, text)
		})
}

func temporaryStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// cutOff reports whether no answer arrived, or only a part of it. A name that
// does not resolve and a certificate that does not fit are no passing faults.
func cutOff(err error) bool {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		rec  tls.RecordHeaderError
		send *smithyhttp.RequestSendError
		op   net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound, errors.As(err, &cert), errors.As(err, &rec):
		return false
	case errors.As(err, &send), errors.As(err, &op):
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// Error is a failed call, in few words for people and whole for errors.Is.
type Error struct {
	Call  string  // verb and object: "put posts/a.html"
	Kinds []error // sentinels of package remote; the first is the most particular and the one that is printed
	Note  string  // what the adapter adds, for example the missing right; "" for nothing
	Failure
}

// NewError describes a failed call by the sentinels that hold for all of AWS.
func NewError(ctx context.Context, call string, f Failure) *Error {
	e := &Error{Call: call, Kinds: f.Kinds(ctx), Failure: f}
	if slices.Contains(e.Kinds, remote.ErrClock) {
		e.Note = f.clocks()
	}
	return e
}

// clocks says what to do, and the service's own time where the answer has it.
func (f Failure) clocks() string {
	const advice = "set it right and try again"
	if theirs, err := http.ParseTime(f.Header.Get("Date")); err == nil {
		return advice + "; for the service it is " + theirs.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return advice
}

// Error is "put a.html: access denied: s3:PutObject on ARN: AccessDenied: text
// (request ID)", without the parts that are not known.
func (e *Error) Error() string {
	parts := []string{e.Call}
	if len(e.Kinds) > 0 {
		parts = append(parts, e.Kinds[0].Error())
	}
	if e.Note != "" {
		parts = append(parts, e.Note)
	}
	return strings.Join(append(parts, e.Failure.String()), ": ")
}

// Unwrap is the sentinels and the cause.
func (e *Error) Unwrap() []error { return append(slices.Clone(e.Kinds), e.Cause) }

// String is what the service said, or else why it could not be asked.
func (f Failure) String() string {
	text := innermost(f.Cause)
	if f.Code != "" {
		text = f.Code
		if f.Message != "" {
			text += ": " + f.Message
		}
	}
	if f.RequestID != "" {
		text += " (request " + f.RequestID + ")"
	}
	return text
}

// innermost drops the SDK's layers, which repeat the operation and empty ids.
func innermost(err error) string {
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) && send.Err != nil {
		return send.Err.Error()
	}
	var chain *chainError
	if errors.As(err, &chain) {
		return chain.Error()
	}
	var op *smithy.OperationError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return fmt.Sprint(err)
}
