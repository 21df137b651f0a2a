package edge

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// evidence says that the origin's 304 can prove an object that an invalidation covers, and what to compare it with.
//
// A strong entity tag proves the bytes. It does not prove the headers: S3 keeps it where a copy onto itself changes headers alone
// (spec: cloudfront 3.2). What proves them is Last-Modified. A write sets it, and the object was seen settled seconds after its own, so that a
// later write has another one. What no write of the object changes (CORS, headers that a server adds) the 304 has to repeat.
type evidence struct {
	b    *behavior // under which the response came, from the origin that it had then
	vary []string  // as the origin has it: the edge adds to that of bodies that it compresses
}

// settled is how much older than its Date a response's Last-Modified must be. RFC 9110 8.8.2.2: one second of resolution,
// and another one for two clocks at the origin.
const settled = 2 * time.Second

// evidenceOf looks for evidence in the response of f, whose head has been judged and not yet changed; nil if there is none.
func evidenceOf(f *flight, resp *http.Response) *evidence {
	h, b := &f.head, f.target.b
	switch {
	case h.status != http.StatusOK || !h.verdict.store || !h.verdict.validate || f.viewer.method == http.MethodOptions:
		return nil
	case f.target.d.rules.update == nil && (resp.Header["Expires"] != nil || len(h.verdict.withhold) > 0):
		return nil // a 304 changes no header there, so that such a lifetime could not be judged anew
	case !distinct(resp.Header) || varyStar(resp.Header) || !b.origin.dates(resp.Header):
		return nil
	}
	return &evidence{b: b, vary: h.header["Vary"]}
}

// distinct says whether a response's validators tell it from every later version, as far as one can see.
func distinct(h http.Header) bool {
	etag, modified, date := h["Etag"], h["Last-Modified"], h["Date"]
	if len(etag) != 1 || len(modified) != 1 || len(date) != 1 || !strong(etag[0]) || ofParts(etag[0]) {
		return false
	}
	changed, err := http.ParseTime(modified[0])
	if err != nil || changed.Year() < plausibleYear {
		return false
	}
	made, err := http.ParseTime(date[0])
	return err == nil && made.Sub(changed) >= settled
}

// plausibleYear is the first whose dates are believed. Archives, images and packages that are built reproducibly carry 1970, 1980 or 1985
// in every version, and servers that make entity tags of date and size (nginx) then give all versions of one length the same.
const plausibleYear = 1990

func strong(etag string) bool {
	return len(etag) > 2 && etag[0] == '"' && etag[len(etag)-1] == '"'
}

// ofParts says whether an entity tag is S3's for an upload in parts: the MD5 of MD5s and the number of parts. The object's date is then
// when the upload was begun, not when it took effect, so that two versions may share it.
// Amazon S3 User Guide, "Working with object metadata", Last-Modified; read 2026-11
func ofParts(etag string) bool {
	sum, parts, ok := strings.Cut(strings.Trim(etag, `"`), "-")
	return ok && len(sum) == 32 && strings.Trim(sum, "0123456789abcdef") == "" && strings.Trim(parts, "0123456789") == ""
}

// dates says whether the origin's Last-Modified tells of every write. An S3 store that is not known to be Amazon's may keep it where headers
// change: versitygw 1.8.0 does, for a copy onto itself.
func (o *Origin) dates(h http.Header) bool {
	if o.Dated || o.S3 {
		return o.Dated
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, "X-Amz-Cf-") {
			return false
		}
	}
	return true
}

// after is the evidence that is left when a 304 has turned header into merged: with another date, headers that the 304 did not mention
// may be older than the date says.
func (v *evidence) after(header, merged http.Header) *evidence {
	if v == nil || !slices.Equal(header["Last-Modified"], merged["Last-Modified"]) {
		return nil
	}
	if vary := merged["Vary"]; !slices.Equal(vary, header["Vary"]) && !slices.Equal(vary, v.vary) {
		return nil
	}
	return v
}

// passing headers are about one response or one way to it, not about what it carries.
var passing = append([]string{
	"Age", "Alt-Svc", "Cache-Status", "Cf-Cache-Status", "Cf-Ray", "Content-Length", "Date", "Request-Id", "Server-Timing", "Traceparent", "Via",
	"X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Amz-Id-2", "X-Amz-Request-Id", "X-Cache", "X-Cache-Hits", "X-Correlation-Id", "X-Request-Id", "X-Runtime",
	"X-Served-By", "X-Timer", "X-Varnish",
}, hopByHop...)

// omitted headers need not be in a 304: they describe the content, which the entity tag stands for.
// RFC 9110 15.4.5: Cache-Control, Content-Location, Expires and Vary must be, where a 200 would have them
var omitted = []string{
	"Accept-Ranges", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Md5", "Content-Type", "Digest", "Etag",
	"Repr-Digest", "Server",
}

// bucketOmitted headers, too, are set by a write of a bucket's object, together with its date.
var bucketOmitted = []string{"Cache-Control", "Expires", "X-Amz-Version-Id", "X-Amz-Website-Redirect-Location"}

// bucketOmittedPrefixes are of such headers. How a bucket encrypts what it keeps may change without a write, but is nothing that viewers get.
var bucketOmittedPrefixes = []string{"X-Amz-Checksum-", "X-Amz-Meta-", "X-Amz-Server-Side-Encryption"}

// mayOmit says whether a 304 of the origin proves the header called name without repeating it.
func (o *Origin) mayOmit(name string) bool {
	if contains(omitted, name) {
		return true
	}
	return o.Dated && (contains(bucketOmitted, name) ||
		slices.ContainsFunc(bucketOmittedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }))
}

// finding is what a 304 says of a former object.
type finding int

const (
	changed  finding = iota // or may have changed
	unproved                // it leaves out what would prove anything, as it always will
	proved
)

// examine compares a 304 with o, a withdrawn object. Shown is its header as viewers would see it.
// With a rule set that merges headers those that it has may differ, but for what is fixed by the stored bytes.
func (v *evidence) examine(o *object, shown http.Header, merges bool) finding {
	stored := o.received()
	for name, values := range shown {
		if contains(passing, name) || merges && !mustEqual(name) {
			continue
		}
		if !slices.Equal(values, v.original(stored, name)) {
			return changed
		}
	}
	for name := range stored {
		if shown[name] == nil && len(v.original(stored, name)) > 0 && !contains(passing, name) && !v.b.origin.mayOmit(name) {
			return unproved
		}
	}
	return proved
}

// mustEqual says whether a header differs only if the bytes do, or their version.
func mustEqual(name string) bool {
	return name == "Etag" || name == "Last-Modified" || contains(fixed, name)
}

// original is the origin's own value of a stored header.
func (v *evidence) original(stored http.Header, name string) []string {
	if name == "Vary" {
		return v.vary
	}
	return stored[name]
}
