package objects

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// overrides are the query parameters of a GET that replace headers of the answer.
// spec: S3 API, GetObject, "Overriding response header values through the request"
var overrides = map[string]string{
	"response-content-type": "Content-Type", "response-content-language": "Content-Language",
	"response-expires": "Expires", "response-cache-control": "Cache-Control",
	"response-content-disposition": "Content-Disposition", "response-content-encoding": "Content-Encoding",
}

// getObject answers GET and HEAD.
func (h *handler) getObject(w http.ResponseWriter, c *call) (err error) {
	if err := c.checkVersion(); err != nil {
		return err
	}
	q := reading{bucket: c.bucket, key: c.key, headOnly: c.Method == http.MethodHead, header: c.Header}
	if v := c.query.Get("partNumber"); v != "" {
		if q.part, err = strconv.Atoi(v); err != nil || q.part < 1 || q.part > maxParts {
			return invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
		}
	}
	a, err := h.store.read(c.Context(), q)
	if err != nil {
		if a != nil && errors.Is(err, errNotModified) {
			maps.Copy(w.Header(), a.header)
			w.Header().Del("Content-Type")
		}
		if a != nil && errors.Is(err, errInvalidRange) {
			w.Header().Set("Content-Range", a.header.Get("Content-Range"))
		}
		return err
	}
	maps.Copy(w.Header(), a.header)
	for parameter, name := range overrides {
		if v := c.query.Get(parameter); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(a.status)
	h.send(w, c, a)
	return nil
}

// send copies the body. The head is out: an error can only be logged, and the
// client sees a body that is too short.
func (h *handler) send(w http.ResponseWriter, c *call, a *answer) {
	var err error
	if a.file == nil {
		_, err = w.Write(a.inline)
	} else {
		_, err = io.CopyN(w, a.file, a.length) // sendfile, where the system has it
	}
	if err = errors.Join(err, a.close()); err != nil && c.Context().Err() == nil && c.Method != http.MethodHead {
		h.log.DebugContext(c.Context(), "s3 body not sent", "key", c.key, "error", err)
	}
}

// putObject stores the body of a request.
func (h *handler) putObject(w http.ResponseWriter, c *call) error {
	if err := c.checkKey(); err != nil {
		return err
	}
	cond, err := writeConditionOf(c.Header)
	if err != nil {
		return err
	}
	headers, err := metadataOf(c.Header)
	if err != nil {
		return err
	}
	in, err := newIncoming(c.Request, h.auth)
	if err != nil {
		return err
	}
	if err := h.wantBucket(c); err != nil {
		return err // before the body is taken in
	}
	body, err := in.stage(&h.store.bodies)
	if err != nil {
		return err
	}
	r := newRecord(body, headers, in.sum, h.store.opts.Now())
	if err := h.store.put(c.Context(), c.bucket, c.key, body, r, cond); err != nil {
		return err
	}
	w.Header().Set("ETag", r.quotedETag())
	r.Checksum.writeTo(w.Header())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

type copyResult struct {
	XMLName      xml.Name `xml:"CopyObjectResult"`
	ETag         string
	LastModified string
}

// copyObject makes an object from another, or from itself with new headers.
func (h *handler) copyObject(w http.ResponseWriter, c *call) error {
	if err := c.checkKey(); err != nil {
		return err
	}
	src, err := copySourceOf(c.Header)
	if err != nil {
		return err
	}
	cond, err := writeConditionOf(c.Header)
	if err != nil {
		return err
	}
	describe, err := copyDescription(c, src)
	if err != nil {
		return err
	}
	r, err := h.store.copyObject(c.Context(), src, c.bucket, c.key, cond, describe)
	if err != nil {
		return err
	}
	return writeXML(w, copyResult{ETag: r.quotedETag(), LastModified: isoTime(r.modified())})
}

// copySourceOf reads x-amz-copy-source: BUCKET/KEY, percent-encoded.
func copySourceOf(h http.Header) (copySource, error) {
	name, version, _ := strings.Cut(h.Get("X-Amz-Copy-Source"), "?versionId=")
	if version != "" && version != "null" {
		return copySource{}, errNoSuchVersion
	}
	// Decoded as a form, where "+" is a space: S3 reads it like that.
	name, err := url.QueryUnescape(name)
	if err != nil {
		return copySource{}, invalidArgument("Invalid copy source encoding")
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return copySource{}, invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	return copySource{bucket: bucket, key: key, cond: copyConditionOf(h)}, nil
}

// copyDescription says how the headers of the copy follow from those of the
// source. A redirect is never copied.
// spec: S3 7.5 and trap 45
func copyDescription(c *call, src copySource) (func(*record) map[string]string, error) {
	given, err := metadataOf(c.Header)
	if err != nil {
		return nil, err
	}
	replace, err := directive(c.Header, "X-Amz-Metadata-Directive")
	if err != nil {
		return nil, err
	}
	replaceTags, err := directive(c.Header, "X-Amz-Tagging-Directive")
	if err != nil {
		return nil, err
	}
	redirect := given[headerRedirect]
	if !replace && src.bucket == c.bucket && src.key == c.key && redirect == "" && c.Header.Get("X-Amz-Storage-Class") == "" {
		return nil, errSelfCopy
	}
	return func(from *record) map[string]string {
		out := maps.Clone(given)
		if !replace {
			out = maps.Clone(from.Headers)
		}
		if out == nil {
			out = map[string]string{}
		}
		setOrDelete(out, headerRedirect, redirect)
		tags := from.Headers[headerTagging]
		if replaceTags {
			tags = given[headerTagging]
		}
		setOrDelete(out, headerTagging, tags)
		return out
	}, nil
}

// directive reads COPY (the default, false) or REPLACE (true).
func directive(h http.Header, name string) (bool, error) {
	switch h.Get(name) {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	}
	return false, invalidArgument("Unknown directive in " + strings.ToLower(name) + ".")
}

func setOrDelete(m map[string]string, name, value string) {
	if value == "" {
		delete(m, name)
		return
	}
	m[name] = value
}

// deleteObject deletes one key; that it was not there is no error.
func (h *handler) deleteObject(w http.ResponseWriter, c *call) error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	results, err := h.store.remove(c.Context(), c.bucket, []removal{{c.key, deleteConditionOf(c.Header)}})
	if err != nil {
		return err
	}
	if results[0] != nil {
		return results[0]
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// isoTime is a time as the XML of S3 has it.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// isoMillis is isoTime for Unix milliseconds.
func isoMillis(ms int64) string { return isoTime(time.UnixMilli(ms)) }
