package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// defaultContentType is what S3 says of an object that came without a type.
// spec: S3 7.5, "generic binary default, not sniffed"
const defaultContentType = "binary/octet-stream"

// reading is one GET or HEAD of an object.
type reading struct {
	bucket, key string
	headOnly    bool
	header      http.Header // of the request: conditions, range, checksum mode
	part        int         // number of the part that is asked for; 0 means the whole object
}

// answer is what a GET or HEAD gives: the head, and the body as a small slice
// or as a stretch of an open file.
type answer struct {
	status int
	header http.Header
	inline []byte
	file   *os.File // positioned at the first byte; nil when the body is inline or there is none
	length int64    // bytes to read from the file
}

// close releases the file.
func (a *answer) close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}

// body is the body as a stream that owns the file.
func (a *answer) body() io.ReadCloser {
	if a.file == nil {
		return io.NopCloser(bytes.NewReader(a.inline))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(a.file, a.length), a.file}
}

// stretch is a part of a body: length bytes from offset.
type stretch struct{ offset, length int64 }

// read answers a GET or HEAD. Errors are S3 errors or failures of the disk; a
// 304 is the error errNotModified, together with the head that belongs to it.
func (s *Store) read(ctx context.Context, q reading) (*answer, error) {
	o, err := s.openFor(ctx, q)
	if err != nil {
		return nil, err
	}
	a, err := q.answer(o)
	if err != nil || a.file == nil {
		err = errors.Join(err, o.close())
	}
	return a, err
}

// openFor opens the body only where it will be sent.
func (s *Store) openFor(ctx context.Context, q reading) (*object, error) {
	if !q.headOnly {
		return s.open(ctx, q.bucket, q.key)
	}
	r, err := s.head(ctx, q.bucket, q.key)
	if err != nil {
		return nil, err
	}
	return &object{record: r}, nil
}

// answer makes the answer from an open object.
func (q reading) answer(o *object) (*answer, error) {
	a := &answer{status: http.StatusOK, header: objectHeader(o.record)}
	if err := readConditionOf(q.header).check(o.record, errNotModified); err != nil {
		return a, err
	}
	whole := stretch{0, o.Size}
	want, partial, err := q.stretch(o.record)
	if err != nil {
		a.header.Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		return a, err
	}
	if partial {
		a.status = http.StatusPartialContent
		a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", want.offset, want.offset+want.length-1, o.Size))
	}
	if q.part > 0 && len(o.Parts) > 0 {
		a.header.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(len(o.Parts)))
	}
	a.header.Set("Accept-Ranges", "bytes")
	a.header.Set("Content-Length", strconv.FormatInt(want.length, 10))
	// spec: S3 7.2, a checksum is of the whole object and comes when asked for
	if want == whole && strings.EqualFold(q.header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		o.Checksum.writeTo(a.header)
	}
	if q.headOnly {
		return a, nil
	}
	return a, a.attach(o, want)
}

// attach gives the answer its body.
func (a *answer) attach(o *object, want stretch) error {
	if o.file == nil {
		a.inline = o.inline[want.offset : want.offset+want.length]
		return nil
	}
	if _, err := o.file.Seek(want.offset, io.SeekStart); err != nil {
		return fmt.Errorf("seek in body: %w", err)
	}
	a.file, a.length = o.file, want.length
	return nil
}

// objectHeader is the header that every answer about an object carries.
func objectHeader(r *record) http.Header {
	h := make(http.Header, len(r.Headers)+8)
	h.Set("Content-Type", defaultContentType)
	for name, value := range r.Headers {
		switch {
		case name == headerTagging:
			h.Set("X-Amz-Tagging-Count", strconv.Itoa(strings.Count(value, "&")+1))
		case strings.HasPrefix(name, metaPrefix):
			// Clients take the case of the name from the answer: S3 sends it lower.
			h[name] = []string{value}
		default:
			h.Set(name, value)
		}
	}
	h.Set("ETag", r.quotedETag())
	h.Set("Last-Modified", r.modified().Format(http.TimeFormat))
	return h
}

// stretch works out which bytes are asked for, and whether the answer is partial.
func (q reading) stretch(r *record) (stretch, bool, error) {
	if q.part > 0 {
		return partStretch(r, q.part)
	}
	spec := q.header.Get("Range")
	if spec == "" || !ifRangeHolds(q.header.Get("If-Range"), r) {
		return stretch{0, r.Size}, false, nil
	}
	return parseRange(spec, r.Size)
}

// partStretch is the stretch of one part; an object of one piece is part 1 of itself.
func partStretch(r *record, part int) (stretch, bool, error) {
	if len(r.Parts) == 0 && part == 1 {
		return stretch{0, r.Size}, r.Size > 0, nil
	}
	if part > len(r.Parts) {
		return stretch{}, false, &apiError{416, "InvalidPartNumber", "The requested partnumber is not satisfiable"}
	}
	var at int64
	for _, size := range r.Parts[:part-1] {
		at += size
	}
	return stretch{at, r.Parts[part-1]}, true, nil
}

// ifRangeHolds reports whether a range may be answered.
// RFC 9110, 13.1.5: a strong entity tag, or exactly the time of the last change.
func ifRangeHolds(value string, r *record) bool {
	if value == "" {
		return true
	}
	if t, err := http.ParseTime(value); err == nil {
		return r.modified().Truncate(time.Second).Equal(t)
	}
	return value == r.quotedETag()
}

// parseRange reads one byte range. As on S3, a range that cannot be read and a
// list of several are ignored, and a range that holds no byte is errInvalidRange.
// RFC 9110, 14.1.2; spec: S3 API, GetObject, Range.
func parseRange(spec string, size int64) (stretch, bool, error) {
	whole := stretch{0, size}
	set, ok := strings.CutPrefix(strings.TrimSpace(spec), "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(set), "-")
	if !ok || !dash || strings.Contains(set, ",") {
		return whole, false, nil
	}
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	if first == "" {
		return suffixRange(last, size)
	}
	from, ok := parseOffset(first)
	if !ok {
		return whole, false, nil
	}
	to := size - 1
	if last != "" {
		n, ok := parseOffset(last)
		if !ok || n < from {
			return whole, false, nil
		}
		to = min(to, n)
	}
	if from >= size {
		return stretch{}, false, errInvalidRange
	}
	return stretch{from, to - from + 1}, true, nil
}

// suffixRange is the last n bytes.
func suffixRange(last string, size int64) (stretch, bool, error) {
	n, ok := parseOffset(last)
	if !ok {
		return stretch{0, size}, false, nil
	}
	n = min(n, size)
	if n == 0 {
		return stretch{}, false, errInvalidRange
	}
	return stretch{size - n, n}, true, nil
}

// parseOffset reads digits only; ParseInt would take a sign.
func parseOffset(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
