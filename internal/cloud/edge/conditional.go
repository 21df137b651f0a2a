package edge

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// notModified says whether the viewer's copy is still good: If-None-Match, or else If-Modified-Since.
// RFC 9110 13.1.2 and 13.1.3, weak comparison.
func notModified(viewer, stored http.Header) bool {
	if tags := viewer["If-None-Match"]; len(tags) > 0 {
		return anyTagMatches(tags, stored.Get("Etag"))
	}
	since, err := http.ParseTime(viewer.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(stored.Get("Last-Modified"))
	return err == nil && !modified.After(since)
}

func anyTagMatches(values []string, etag string) bool {
	for _, value := range values {
		if strings.TrimSpace(value) == "*" {
			return true
		}
		for candidate := range splitTags(value) {
			if etag != "" && strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}

// splitTags yields the entity tags of a list; commas may stand within the quotes.
func splitTags(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for list != "" {
			end, quoted := len(list), false
			for i := range len(list) {
				if list[i] == '"' {
					quoted = !quoted
				} else if list[i] == ',' && !quoted {
					end = i
					break
				}
			}
			if tag := strings.TrimSpace(list[:end]); tag != "" && !yield(tag) {
				return
			}
			list = list[min(len(list), end+1):]
		}
	}
}

// span is a run of body bytes, from start up to but not including end; end -1 means the body's unknown end.
type span struct{ start, end int64 }

// of returns the bytes of p, which begins at byte at of the body, that lie in the span.
func (s span) of(p []byte, at int64) []byte {
	from := min(max(0, s.start-at), int64(len(p)))
	to := int64(len(p))
	if s.end >= 0 {
		to = min(to, max(from, s.end-at))
	}
	return p[from:to]
}

// applyRange decides which part of a 200 the viewer gets, and sets the headers of a 206 or 416.
// spec: cloudfront 3.7: invalid and multiple ranges get the whole object, as does a body of unknown length
func applyRange(h, viewer http.Header, a *answer) (int, span) {
	whole := span{0, a.length}
	values := viewer["Range"]
	if len(values) != 1 || a.length < 0 || !rangeApplies(viewer, a.header) {
		return http.StatusOK, whole
	}
	part, ok := parseRange(values[0], a.length)
	if !ok {
		return http.StatusOK, whole
	}
	size := strconv.FormatInt(a.length, 10)
	if part.start >= part.end {
		a.result = Error
		if h["X-Cache"] != nil {
			h["X-Cache"] = xCache[Error]
		}
		h["Content-Range"] = []string{"bytes */" + size}
		h["Content-Length"] = []string{"0"}
		return http.StatusRequestedRangeNotSatisfiable, span{0, 0}
	}
	h["Content-Range"] = []string{"bytes " + strconv.FormatInt(part.start, 10) + "-" + strconv.FormatInt(part.end-1, 10) + "/" + size}
	h["Content-Length"] = []string{strconv.FormatInt(part.end-part.start, 10)}
	return http.StatusPartialContent, part
}

// rangeApplies is false where If-Range names another version. RFC 9110 13.1.5, strong comparison.
func rangeApplies(viewer, stored http.Header) bool {
	condition := viewer.Get("If-Range")
	if condition == "" {
		return true
	}
	if strings.HasPrefix(condition, `"`) {
		return condition == stored.Get("Etag")
	}
	return condition == stored.Get("Last-Modified")
}

// parseRange reads a single byte range of a body of size bytes. An unsatisfiable range gives an empty span.
// Not ok means no valid single range.
func parseRange(value string, size int64) (span, bool) {
	unit, spec, ok := strings.Cut(value, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return span{}, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return span{}, false
	}
	if first == "" {
		n, err := position(last)
		return span{max(0, size-n), size}, err == nil
	}
	start, err := position(first)
	if err != nil {
		return span{}, false
	}
	if last == "" {
		return span{min(start, size), size}, true
	}
	end, err := position(last)
	if err != nil || end < start {
		return span{}, false
	}
	return span{min(start, size), min(end, size-1) + 1}, true
}

// position reads a byte position: digits only, as RFC 9110 14.1.1 has it. What no body can reach counts as the largest number.
func position(digits string) (int64, error) {
	n, err := strconv.ParseUint(digits, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, nil
	}
	return int64(n), err
}
