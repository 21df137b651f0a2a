package objects

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

type createUploadResult struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

// createUpload begins a multipart upload.
func (h *handler) createUpload(w http.ResponseWriter, c *call) error {
	if err := c.checkKey(); err != nil {
		return err
	}
	headers, err := metadataOf(c.Header)
	if err != nil {
		return err
	}
	u := upload{Bucket: c.bucket, Key: c.key, Headers: headers, Algorithm: strings.ToUpper(c.Header.Get("X-Amz-Checksum-Algorithm"))}
	if u.Algorithm != "" {
		if newHash(u.Algorithm) == nil {
			return invalidRequest("The checksum algorithm of x-amz-checksum-algorithm is not supported.")
		}
		u.Type = strings.ToUpper(c.Header.Get("X-Amz-Checksum-Type"))
		if u.Type == "" {
			u.Type = defaultChecksumType(u.Algorithm)
		}
		w.Header().Set("X-Amz-Checksum-Algorithm", u.Algorithm)
		w.Header().Set("X-Amz-Checksum-Type", u.Type)
	}
	id, err := h.store.beginUpload(c.Context(), u)
	if err != nil {
		return err
	}
	return writeXML(w, createUploadResult{Bucket: c.bucket, Key: c.key, UploadID: id})
}

// routeUpload finds the operation on an upload in progress.
func (h *handler) routeUpload(c *call) operation {
	switch c.Method {
	case http.MethodPut:
		if c.Header.Get("X-Amz-Copy-Source") != "" {
			return h.copyPart
		}
		return h.putPart
	case http.MethodPost:
		return h.completeUpload
	case http.MethodDelete:
		return h.abortUpload
	case http.MethodGet:
		return h.listParts
	}
	return func(http.ResponseWriter, *call) error { return errMethodNotAllowed }
}

// target finds the upload and the part number of an UploadPart.
func (h *handler) target(c *call) (*upload, int, error) {
	n, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || n < 1 || n > maxParts {
		return nil, 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
	}
	u, err := h.store.upload(c.Context(), c.bucket, c.key, c.query.Get("uploadId"))
	return u, n, err
}

// putPart stores the body of a request as a part.
func (h *handler) putPart(w http.ResponseWriter, c *call) error {
	u, n, err := h.target(c)
	if err != nil {
		return err
	}
	in, err := newIncoming(c.Request, h.auth)
	if err != nil {
		return err
	}
	body, err := in.stage(&h.store.bodies)
	if err != nil {
		return err
	}
	p, err := h.store.putPart(c.Context(), u, n, body, in.sum)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+p.MD5+`"`)
	if p.Checksum != nil {
		w.Header().Set(p.Checksum.header(), p.Checksum.Value)
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

type copyPartResult struct {
	XMLName      xml.Name `xml:"CopyPartResult"`
	ETag         string
	LastModified string
}

// copyPart stores an object, or a range of it, as a part.
func (h *handler) copyPart(w http.ResponseWriter, c *call) error {
	u, n, err := h.target(c)
	if err != nil {
		return err
	}
	src, err := copySourceOf(c.Header)
	if err != nil {
		return err
	}
	o, err := h.store.open(c.Context(), src.bucket, src.key)
	if err != nil {
		return err
	}
	body, sum, err := h.stageCopy(c, u, src, o)
	if err = errors.Join(err, o.close()); err != nil {
		body.discard()
		return err
	}
	p, err := h.store.putPart(c.Context(), u, n, body, sum)
	if err != nil {
		return err
	}
	return writeXML(w, copyPartResult{ETag: `"` + p.MD5 + `"`, LastModified: isoTime(h.store.opts.Now())})
}

// stageCopy stages the range of the source that is asked for.
func (h *handler) stageCopy(c *call, u *upload, src copySource, o *object) (staged, *checksum, error) {
	if err := src.cond.check(o.record, errPrecondition); err != nil {
		return staged{}, nil, err
	}
	want := stretch{0, o.Size}
	if v := c.Header.Get("X-Amz-Copy-Source-Range"); v != "" {
		got, partial, err := parseRange(v, o.Size)
		if err != nil || !partial {
			return staged{}, nil, invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
		}
		want = got
	}
	a := &answer{}
	if err := a.attach(o, want); err != nil {
		return staged{}, nil, err
	}
	var sum hash.Hash
	var extra io.Writer
	if u.Algorithm != "" {
		sum = newHash(u.Algorithm)
		extra = sum
	}
	body, err := h.store.bodies.stage(a.body(), extra)
	if err != nil || sum == nil {
		return body, nil, err
	}
	return body, &checksum{Algorithm: u.Algorithm, Value: base64.StdEncoding.EncodeToString(sum.Sum(nil)), Type: checksumFull}, nil
}

type completeRequest struct {
	Parts []struct {
		PartNumber        int
		ETag              string
		ChecksumCRC32     string
		ChecksumCRC32C    string
		ChecksumCRC64NVME string
		ChecksumSHA1      string
		ChecksumSHA256    string
	} `xml:"Part"`
}

type completeResult struct {
	XMLName           xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location          string
	Bucket            string
	Key               string
	ETag              string
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

// completeUpload joins the parts to an object. A completion that is repeated
// because its answer was lost gets the same answer.
func (h *handler) completeUpload(w http.ResponseWriter, c *call) error {
	cond, err := writeConditionOf(c.Header)
	if err != nil {
		return err
	}
	named, want, err := h.completion(c)
	if err != nil {
		return err
	}
	id := c.query.Get("uploadId")
	u, err := h.store.upload(c.Context(), c.bucket, c.key, id)
	var done finished
	if err == nil {
		done, err = h.store.completeUpload(c.Context(), u, named, cond, want)
	}
	if errors.Is(err, errNoSuchUpload) || errors.Is(err, errInvalidPart) {
		if before, found := h.store.finishedUpload(c.Context(), c.bucket, c.key, id); found == nil {
			done, err = before, nil
		}
	}
	if err != nil {
		return err
	}
	return writeXML(w, completeResultOf(done, c.Host))
}

// completion reads the body of a CompleteMultipartUpload. The checksum in its
// header is that of the object, not of the message.
func (h *handler) completion(c *call) ([]claimed, *checksum, error) {
	r := c.Clone(c.Context())
	for name := range r.Header {
		if strings.HasPrefix(name, checksumPrefix) {
			r.Header.Del(name)
		}
	}
	want, err := wantedChecksum(c.Header)
	if err != nil {
		return nil, nil, err
	}
	in, err := newIncoming(r, h.auth)
	if err != nil {
		return nil, nil, err
	}
	body, err := in.message()
	if err != nil {
		return nil, nil, err
	}
	var q completeRequest
	if err := xml.Unmarshal(body, &q); err != nil {
		return nil, nil, errMalformedXML
	}
	named := make([]claimed, 0, len(q.Parts))
	for _, p := range q.Parts {
		sum := p.ChecksumCRC32 + p.ChecksumCRC32C + p.ChecksumCRC64NVME + p.ChecksumSHA1 + p.ChecksumSHA256
		named = append(named, claimed{p.PartNumber, strings.Trim(p.ETag, `"`), sum})
	}
	return named, want, nil
}

// wantedChecksum is the checksum that the finished object must have. A
// composite one ends in "-N" and is not a plain checksum.
func wantedChecksum(h http.Header) (*checksum, error) {
	for _, algorithm := range []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		if v := h.Get(checksumPrefix + algorithm); v != "" {
			return &checksum{Algorithm: algorithm, Value: v}, nil
		}
	}
	return headerChecksum(h)
}

func completeResultOf(done finished, host string) completeResult {
	out := completeResult{
		Location: fmt.Sprintf("http://%s/%s/%s", host, done.Bucket, done.Key),
		Bucket:   done.Bucket, Key: done.Key, ETag: `"` + done.ETag + `"`,
	}
	if done.Checksum == nil {
		return out
	}
	out.ChecksumType = done.Checksum.Type
	switch v := done.Checksum.Value; done.Checksum.Algorithm {
	case "CRC32":
		out.ChecksumCRC32 = v
	case "CRC32C":
		out.ChecksumCRC32C = v
	case "CRC64NVME":
		out.ChecksumCRC64NVME = v
	case "SHA1":
		out.ChecksumSHA1 = v
	case "SHA256":
		out.ChecksumSHA256 = v
	}
	return out
}

// abortUpload gives an upload up.
func (h *handler) abortUpload(w http.ResponseWriter, c *call) error {
	if err := h.store.abortUpload(c.Context(), c.bucket, c.key, c.query.Get("uploadId")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
