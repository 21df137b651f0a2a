package objects

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// readCondition holds the conditions of a GET, a HEAD or the source of a copy,
// as the request wrote them; "" means none.
type readCondition struct {
	match, noneMatch, modifiedSince, unmodifiedSince string
}

// readConditionOf takes the conditions of a GET or HEAD from its header.
func readConditionOf(h http.Header) readCondition {
	return readCondition{
		match: h.Get("If-Match"), noneMatch: h.Get("If-None-Match"),
		modifiedSince: h.Get("If-Modified-Since"), unmodifiedSince: h.Get("If-Unmodified-Since"),
	}
}

// copyConditionOf takes the conditions on the source of a copy from the header.
func copyConditionOf(h http.Header) readCondition {
	const p = "X-Amz-Copy-Source-If-"
	return readCondition{
		match: h.Get(p + "Match"), noneMatch: h.Get(p + "None-Match"),
		modifiedSince: h.Get(p + "Modified-Since"), unmodifiedSince: h.Get(p + "Unmodified-Since"),
	}
}

// check answers errPrecondition, or notModified where the client has the
// current version already. An ETag beats a date on either side.
// spec: S3 API, GetObject, "If both of the If-None-Match and If-Modified-Since headers are present"
func (c readCondition) check(r *record, notModified error) error {
	if c.match != "" {
		if !etagListed(c.match, r.ETag) {
			return errPrecondition
		}
	} else if after, ok := changedAfter(r, c.unmodifiedSince); ok && after {
		return errPrecondition
	}
	if c.noneMatch != "" {
		if etagListed(c.noneMatch, r.ETag) {
			return notModified
		}
	} else if after, ok := changedAfter(r, c.modifiedSince); ok && !after {
		return notModified
	}
	return nil
}

// changedAfter reports whether the object changed after the HTTP date; ok is
// false when there is no date that can be read, and the condition is ignored.
func changedAfter(r *record, date string) (after, ok bool) {
	if date == "" {
		return false, false
	}
	t, err := http.ParseTime(date)
	if err != nil {
		return false, false
	}
	return r.modified().Truncate(time.Second).After(t), true
}

// etagListed reports whether a list of entity tags, or "*", names the ETag. S3
// takes tags without quotes as well.
func etagListed(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || strings.Trim(tag, `"`) == etag {
			return true
		}
	}
	return false
}

// writeCondition holds the conditions of a write; "" means none.
type writeCondition struct {
	match, noneMatch string
}

// writeConditionOf takes the conditions of a write from its header.
// spec: S3 7.3, "If-None-Match takes only *"
func writeConditionOf(h http.Header) (writeCondition, error) {
	c := writeCondition{match: h.Get("If-Match"), noneMatch: h.Get("If-None-Match")}
	if c.noneMatch != "" && c.noneMatch != "*" {
		return c, errNotImplemented
	}
	return c, nil
}

// checkIn tests the condition against what is at the key in this transaction.
// It also finds out that the bucket is gone.
// spec: S3 7.3, 412 when present or different, 404 when If-Match meets nothing
func (c writeCondition) checkIn(tx *bolt.Tx, bucket, key string) error {
	table := tx.Bucket(objectTable(bucket))
	if table == nil {
		return ErrNoBucket
	}
	if c == (writeCondition{}) {
		return nil
	}
	old, err := find(tx, bucket, key)
	switch {
	case err != nil:
		return err
	case c.match != "" && old == nil:
		return errNoSuchKey
	case c.match != "" && !etagListed(c.match, old.ETag):
		return errPrecondition
	case c.noneMatch != "" && old != nil:
		return errPrecondition
	}
	return nil
}

// deleteCondition holds the conditions of a delete; the zero value means none.
type deleteCondition struct {
	match    string // a list of entity tags or "*"
	modified string // HTTP date or ISO 8601
	size     string // decimal
}

// deleteConditionOf takes the conditions of a DELETE from its header.
func deleteConditionOf(h http.Header) deleteCondition {
	return deleteCondition{
		match:    h.Get("If-Match"),
		modified: h.Get("X-Amz-If-Match-Last-Modified-Time"),
		size:     h.Get("X-Amz-If-Match-Size"),
	}
}

// check tests the condition against the object that is there. An object that is
// not there meets every condition.
// spec: S3 API, DeleteObject, If-Match: "or if the object doesn't exist ... 204"
func (c deleteCondition) check(r *record) error {
	if c.match != "" && !etagListed(c.match, r.ETag) {
		return errPrecondition
	}
	if c.modified != "" {
		t, err := parseAnyTime(c.modified)
		if err != nil {
			return invalidArgument("x-amz-if-match-last-modified-time is not a date.")
		}
		if !r.modified().Truncate(time.Second).Equal(t.Truncate(time.Second)) {
			return errPrecondition
		}
	}
	if c.size == "" {
		return nil
	}
	size, err := strconv.ParseInt(c.size, 10, 64)
	if err != nil {
		return invalidArgument("x-amz-if-match-size is not a number.")
	}
	if size != r.Size {
		return errPrecondition
	}
	return nil
}

func parseAnyTime(s string) (time.Time, error) {
	if t, err := http.ParseTime(s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}
