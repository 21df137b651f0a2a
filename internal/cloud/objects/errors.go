package objects

import (
	"encoding/xml"
	"errors"
	"net/http"
	"syscall"
)

// apiError is an answer in the words of S3.
// spec: S3 API, ErrorResponses.
type apiError struct {
	Status  int
	Code    string
	Message string
}

// Error gives code and message.
func (e *apiError) Error() string { return e.Code + ": " + e.Message }

// The errors of object operations; those of buckets are exported.
var (
	errNoSuchKey          = &apiError{404, "NoSuchKey", "The specified key does not exist."}
	errNoSuchUpload       = &apiError{404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."}
	errNoSuchVersion      = &apiError{404, "NoSuchVersion", "The specified version does not exist."}
	errAccessDenied       = &apiError{403, "AccessDenied", "Access Denied"}
	errPrecondition       = &apiError{412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	errNotModified        = &apiError{304, "NotModified", "Not Modified"}
	errInvalidRange       = &apiError{416, "InvalidRange", "The requested range is not satisfiable"}
	errInvalidPart        = &apiError{400, "InvalidPart", "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."}
	errInvalidPartOrder   = &apiError{400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number."}
	errEntityTooSmall     = &apiError{400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"}
	errEntityTooLarge     = &apiError{400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	errIncompleteBody     = &apiError{400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"}
	errBadDigest          = &apiError{400, "BadDigest", "The Content-MD5 you specified did not match what we received."}
	errInvalidDigest      = &apiError{400, "InvalidDigest", "The Content-MD5 you specified is not valid."}
	errContentSHA256      = &apiError{400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
	errSignature          = &apiError{403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	errKeyTooLong         = &apiError{400, "KeyTooLongError", "Your key is too long"}
	errMetadataTooLarge   = &apiError{400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"}
	errMissingLength      = &apiError{411, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	errMalformedXML       = &apiError{400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"}
	errMethodNotAllowed   = &apiError{405, "MethodNotAllowed", "The specified method is not allowed against this resource."}
	errACLNotSupported    = &apiError{400, "AccessControlListNotSupported", "The bucket does not allow ACLs"}
	errNotImplemented     = &apiError{501, "NotImplemented", "A header or query you provided implies functionality that is not implemented."}
	errInvalidURI         = &apiError{400, "InvalidURI", "Couldn't parse the specified URI."}
	errSelfCopy           = &apiError{400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."}
	errInternal           = &apiError{500, "InternalError", "We encountered an internal error. Please try again."}
	errDiskFull           = &apiError{507, "InsufficientStorage", "The disk that holds the bucket is full."}
	errUnavailable        = &apiError{503, "ServiceUnavailable", "The store is closing."}
	errCORSNotEnabled     = &apiError{403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket."}
	errTooManyDeletes     = &apiError{400, "MalformedXML", "A request can name at most 1000 keys."}
	errMaxMessageExceeded = &apiError{400, "MaxMessageLengthExceeded", "Your request was too big."}
)

// invalidArgument says which argument was refused and why.
func invalidArgument(message string) *apiError {
	return &apiError{400, "InvalidArgument", message}
}

// invalidRequest says why the request as a whole was refused.
func invalidRequest(message string) *apiError {
	return &apiError{400, "InvalidRequest", message}
}

// asAPIError finds the S3 error in err; anything else is an internal error,
// whose cause goes to the log and not to the client.
func asAPIError(err error) *apiError {
	var api *apiError
	switch {
	case errors.As(err, &api):
		return api
	case errors.Is(err, ErrClosed):
		return errUnavailable
	case errors.Is(err, syscall.ENOSPC):
		return errDiskFull // clients do not repeat 507: waiting makes no room
	}
	return errInternal
}

// errorBody is the XML of an error answer.
type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Key       string `xml:",omitempty"`
	Resource  string `xml:",omitempty"`
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

// errorXML renders an error; key and resource may be empty.
func errorXML(e *apiError, key, resource, requestID string) []byte {
	body, err := xml.Marshal(errorBody{
		Code: e.Code, Message: e.Message, Key: key, Resource: resource,
		RequestID: requestID, HostID: hostID(requestID),
	})
	if err != nil { // cannot be: the struct holds strings only
		return []byte(xml.Header)
	}
	return append([]byte(xml.Header), body...)
}

// commonHeader has what S3 puts on every answer.
func commonHeader(header http.Header, requestID string) {
	header.Set("Server", "AmazonS3")
	header.Set("X-Amz-Request-Id", requestID)
	header.Set("X-Amz-Id-2", hostID(requestID))
}

// hostID is the extended request ID: opaque to clients, it only has to be there.
func hostID(requestID string) string { return "freshet/" + requestID }
