package control

import (
	"errors"
	"fmt"
	"net/http"
)

// apiError is an error as the API answers it: an HTTP status, a code that SDKs key on, and a sentence.
type apiError struct {
	status  int
	code    string
	message string
}

// Error gives code and message, for logs.
func (e *apiError) Error() string { return e.code + ": " + e.message }

// node is the error's envelope; spec: cloudfront 1.6.
func (e *apiError) node(requestID string) *node {
	kind := "Sender"
	if e.status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	return el("ErrorResponse",
		el("Error", leaf("Type", kind), leaf("Code", e.code), leaf("Message", e.message)),
		leaf("RequestId", requestID))
}

// asAPIError turns any error into one that can be answered. What is not an apiError is the server's fault and its
// text stays in the log.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	var u *unavailable
	if errors.As(err, &u) {
		return &apiError{http.StatusServiceUnavailable, "ServiceUnavailable", u.words}
	}
	// spec: cloudfront 1.6, the text observed for ServiceUnavailable.
	return &apiError{http.StatusServiceUnavailable, "ServiceUnavailable",
		"CloudFront encountered an internal error. Please try again."}
}

// hasCode is whether err is an answer with the status.
func hasCode(err error, status int) bool {
	var e *apiError
	return errors.As(err, &e) && e.status == status
}

func badRequest(code, message string) *apiError {
	return &apiError{http.StatusBadRequest, code, message}
}

func notFound(code, message string) *apiError {
	return &apiError{http.StatusNotFound, code, message}
}

func invalidArgument(format string, args ...any) *apiError {
	return badRequest("InvalidArgument", fmt.Sprintf(format, args...))
}

func errMalformed(err error) *apiError {
	return badRequest("MalformedXML", "The XML document is not well formed or does not have the expected shape: "+err.Error())
}

// errQuantities has the text observed for Paths, with the list's own name; spec: cloudfront 1.6.
func errQuantities(list string, said, found int) *apiError {
	return badRequest("InconsistentQuantities", fmt.Sprintf(
		"The specified quantity of %s (%d) does not match the actual quantity supplied (%d).", list, said, found))
}

func errNoSuchDistribution() *apiError {
	return notFound("NoSuchDistribution", "The specified distribution does not exist.")
}

func errNoSuchInvalidation() *apiError {
	return notFound("NoSuchInvalidation", "The specified invalidation does not exist.")
}

// errMissingBody has the documented text, although a Content-Type is not asked for: the AWS CLI sends none;
// spec: cloudfront 1.8.
func errMissingBody() *apiError {
	return badRequest("MissingBody", "This operation requires a body. Ensure that the body is present and the Content-Type header is set.")
}

func errTooLarge() *apiError {
	return &apiError{http.StatusRequestEntityTooLarge, "BatchTooLarge",
		fmt.Sprintf("Invalidation batch specified is too large: a request body has at most %d bytes.", maxBody)}
}

func (s *Server) errReusedReference() *apiError {
	// spec: cloudfront 1.5, the code and text observed; the documented one is in no service model.
	const text = "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution."
	if s.opts.DocumentedReuse {
		return &apiError{http.StatusConflict, "InvalidationBatchAlreadyExists", text}
	}
	return invalidArgument(text)
}

func errInvalidPaths() *apiError {
	// spec: cloudfront 1.1, exact text; it does not say which path, and the whole batch is refused.
	return invalidArgument("Your request contains one or more invalid invalidation paths.")
}
