package objects

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"
)

// HandlerOptions are the choices of the S3 API.
type HandlerOptions struct {
	// Credentials are the pairs of keys that are accepted. With none, every
	// request is refused.
	Credentials []Credentials
	// Region is what GetBucketLocation and HeadBucket say; "" means us-east-1.
	// Requests signed for any region are accepted.
	Region string
	// Logger gets each request at debug level and each internal error at error
	// level; nil means no log.
	Logger *slog.Logger
}

// Handler is the S3 API, path style, on the buckets of the store. Several
// handlers can serve one store.
func (s *Store) Handler(opts HandlerOptions) http.Handler {
	h := &handler{store: s, auth: newAuthority(opts.Credentials), region: opts.Region, log: opts.Logger}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	// The front sees verified requests only; signatures, skew, conditions and
	// limits are ours.
	h.front = gofakes3.New(&backend{store: s}, gofakes3.WithTimeSkewLimit(0),
		gofakes3.WithMetadataSizeLimit(0), gofakes3.WithTimeSource(clock(s.opts.Now)),
		gofakes3.WithLogger(frontLog{h.log})).Server()
	return h
}

type handler struct {
	store  *Store
	auth   *authority
	front  http.Handler
	region string
	log    *slog.Logger
}

// call is one verified request.
type call struct {
	*http.Request
	bucket, key string
	query       url.Values
	id          string
}

// operation carries out a call; its error becomes the answer.
type operation func(http.ResponseWriter, *call) error

// ServeHTTP verifies the signature, finds the operation and answers.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Request: r, query: r.URL.Query(), id: h.store.nextRequestID()}
	// A bucket's name holds no slash, so all that lead go; a key may begin with one.
	c.bucket, c.key, _ = strings.Cut(strings.TrimLeft(r.URL.Path, "/"), "/")
	commonHeader(w.Header(), c.id)
	err := h.serve(w, c)
	h.log.DebugContext(r.Context(), "s3 request", "method", r.Method, "bucket", c.bucket, "key", c.key, "error", err)
	if err != nil {
		h.refuse(w, c, err)
	}
}

func (h *handler) serve(w http.ResponseWriter, c *call) error {
	if c.Method == http.MethodOptions {
		return errCORSNotEnabled
	}
	if err := h.auth.verify(c.Request); err != nil {
		return err
	}
	return h.route(c)(w, c)
}

// route finds the operation. What touches an object, a condition or an upload
// is ours; buckets, listings and other sub-resources are the front's.
func (h *handler) route(c *call) operation {
	switch {
	case c.bucket == "":
		return h.passOn
	case c.key == "":
		return h.routeBucket(c)
	case c.query.Has("uploadId"):
		return h.routeUpload(c)
	case c.query.Has("uploads") && c.Method == http.MethodPost:
		return h.createUpload
	case otherSubresource(c.query):
		return h.passOn
	}
	switch c.Method {
	case http.MethodGet, http.MethodHead:
		return h.getObject
	case http.MethodPut:
		if c.Header.Get("X-Amz-Copy-Source") != "" {
			return h.copyObject
		}
		return h.putObject
	case http.MethodDelete:
		return h.deleteObject
	}
	return h.passOn
}

func (h *handler) routeBucket(c *call) operation {
	switch {
	case c.Method == http.MethodPost && c.query.Has("delete"):
		return h.deleteObjects
	case c.Method == http.MethodPut && c.Request.URL.RawQuery == "":
		return h.createBucket
	case c.Method == http.MethodGet && c.query.Has("uploads"):
		return h.listUploads
	case c.Method == http.MethodGet && c.query.Has("location"):
		return h.location
	case c.Method == http.MethodGet && c.query.Has("policyStatus"):
		return func(http.ResponseWriter, *call) error { return errNotImplemented }
	case c.Method == http.MethodPost:
		// Browser uploads carry a signed policy, which is not done here.
		return func(http.ResponseWriter, *call) error { return errNotImplemented }
	}
	return h.passOn
}

// subresources are query parameters that ask for something else than the object.
// versionId is looked at by the operations.
var subresources = []string{
	"acl", "attributes", "legal-hold", "object-lock", "restore", "retention", "select", "tagging", "torrent", "uploads", "versioning", "versions",
}

func otherSubresource(q url.Values) bool {
	for _, name := range subresources {
		if q.Has(name) {
			return true
		}
	}
	return false
}

// passOn lets the front answer. Its body is small and is verified first.
func (h *handler) passOn(w http.ResponseWriter, c *call) error {
	r := c.Request
	if r.ContentLength != 0 && (r.Method == http.MethodPut || r.Method == http.MethodPost) {
		in, err := newIncoming(r, h.auth)
		if err != nil {
			return err
		}
		body, err := in.message()
		if err != nil {
			return err
		}
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Del("X-Amz-Content-Sha256")
	}
	if r.Method == http.MethodHead && h.region != "" {
		w.Header().Set("X-Amz-Bucket-Region", h.region)
	}
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/xml") // the front sets it too late
	}
	h.front.ServeHTTP(w, r)
	return nil
}

// refuse answers an error and logs one that is our fault.
func (h *handler) refuse(w http.ResponseWriter, c *call, err error) {
	e := asAPIError(err)
	if e == errInternal && !errors.Is(err, context.Canceled) {
		h.log.ErrorContext(c.Context(), "s3 request failed", "method", c.Method, "bucket", c.bucket, "key", c.key, "request_id", c.id, "error", err)
	}
	if e == errNotModified || c.Method == http.MethodHead {
		w.WriteHeader(e.Status)
		return
	}
	body := errorXML(e, c.key, c.URL.Path, c.id)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	_, _ = w.Write(body) // the client has gone: nobody to tell
}

// wantBucket refuses a call to a bucket that is not there.
func (h *handler) wantBucket(c *call) error {
	found, err := h.store.hasBucket(c.Context(), c.bucket)
	if err == nil && !found {
		err = ErrNoBucket
	}
	return err
}

// checkVersion refuses every version but the only one there is.
func (c *call) checkVersion() error {
	if v := c.query.Get("versionId"); v != "" && v != "null" {
		return errNoSuchVersion
	}
	return nil
}

// checkKey refuses a key that cannot be stored.
func (c *call) checkKey() error {
	if len(c.key) > maxKeyLength {
		return errKeyTooLong
	}
	return nil
}

// frontLog sends the front's errors to our log; its chatter goes nowhere.
type frontLog struct{ log *slog.Logger }

// Print logs errors only.
func (f frontLog) Print(level gofakes3.LogLevel, v ...interface{}) {
	if level == gofakes3.LogErr {
		f.log.Error("s3 front", "detail", v)
	}
}
