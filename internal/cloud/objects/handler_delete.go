package objects

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

// maxDeletes is how many keys one DeleteObjects may name; S3 7.6.
const maxDeletes = 1000

type deleteRequest struct {
	Quiet   bool `xml:"Quiet"`
	Objects []struct {
		Key              string
		ETag             string
		VersionID        string `xml:"VersionId"`
		LastModifiedTime string
		Size             string
	} `xml:"Object"`
}

type deleteResult struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []deletedKey
	Errors  []deleteError `xml:"Error"`
}

type deletedKey struct{ Key string }

type deleteError struct{ Key, Code, Message string }

// deleteObjects deletes up to 1,000 keys in one commit and answers 200 with a
// result for each.
// spec: S3 7.6, "the HTTP status is 200 even if some fail"
func (h *handler) deleteObjects(w http.ResponseWriter, c *call) error {
	in, err := newIncoming(c.Request, h.auth)
	if err != nil {
		return err
	}
	body, err := in.message()
	if err != nil {
		return err
	}
	if in.md5 == nil && in.sum == nil {
		return invalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	var q deleteRequest
	if err := xml.Unmarshal(body, &q); err != nil || len(q.Objects) == 0 {
		return errMalformedXML
	}
	if len(q.Objects) > maxDeletes {
		return errTooManyDeletes
	}
	keys := make([]removal, 0, len(q.Objects))
	for _, o := range q.Objects {
		keys = append(keys, removal{o.Key, deleteCondition{match: o.ETag, modified: o.LastModifiedTime, size: o.Size}})
	}
	results, err := h.store.remove(c.Context(), c.bucket, keys)
	if err != nil {
		return err
	}
	return writeXML(w, deleteResultOf(q.Quiet, keys, results))
}

// deleteResultOf lists what was deleted, unless quiet, and what was refused.
func deleteResultOf(quiet bool, keys []removal, results []error) deleteResult {
	var out deleteResult
	for i, k := range keys {
		if results[i] != nil {
			e := asAPIError(results[i])
			out.Errors = append(out.Errors, deleteError{k.key, e.Code, e.Message})
		} else if !quiet {
			out.Deleted = append(out.Deleted, deletedKey{k.key})
		}
	}
	return out
}

// writeXML answers 200 with an XML body.
func writeXML(w http.ResponseWriter, v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	body = append([]byte(xml.Header), body...)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the client has gone: nobody to tell
	return nil
}
