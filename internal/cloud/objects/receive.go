package objects

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Limits of one request.
const (
	maxSingleBody  = 5 << 30  // bytes of a PUT, a part or the source of a copy; S3 user guide, qfacts, read 2026-11
	maxMessageBody = 10 << 20 // bytes of an XML body; a list of 1,000 keys or 10,000 parts fits
)

// incoming is the body of a request with everything that it must agree with.
type incoming struct {
	reader  io.Reader
	length  int64 // bytes of the decoded body
	chunks  *chunkedReader
	sha256  string    // of the body, hexadecimal, as signed; "" when it was not signed
	md5     []byte    // as Content-MD5 gives it; nil when it does not
	sum     *checksum // as a header gives it; nil when none does
	trailer string    // algorithm of a checksum that follows the body; "" when none does
	hash    hash.Hash // computes sum or the trailer's checksum; nil when there is neither
}

// newIncoming reads the promises of a request. The body itself is not touched.
func newIncoming(r *http.Request, auth *authority) (*incoming, error) {
	in := &incoming{reader: r.Body, length: r.ContentLength}
	if err := in.expectDigests(r.Header); err != nil {
		return nil, err
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case strings.HasPrefix(payload, "STREAMING-"):
		if err := in.expectChunks(r, auth); err != nil {
			return nil, err
		}
	case len(payload) == 2*sha256.Size:
		in.sha256 = strings.ToLower(payload)
	}
	if in.length < 0 {
		return nil, errMissingLength
	}
	if in.length > maxSingleBody {
		return nil, errEntityTooLarge
	}
	in.reader = &exactReader{r: in.reader, left: in.length}
	return in, nil
}

// expectDigests takes Content-MD5 and x-amz-checksum-* from the header.
func (in *incoming) expectDigests(h http.Header) error {
	if _, given := h["Content-Md5"]; given {
		raw, err := base64.StdEncoding.DecodeString(h.Get("Content-Md5"))
		if err != nil || len(raw) != md5.Size {
			return errInvalidDigest
		}
		in.md5 = raw
	}
	sum, err := headerChecksum(h)
	if err != nil {
		return err
	}
	if in.sum = sum; sum != nil {
		in.hash = newHash(sum.Algorithm)
		return nil
	}
	trailer := strings.ToLower(strings.TrimSpace(h.Get("X-Amz-Trailer")))
	if algorithm, ok := strings.CutPrefix(trailer, strings.ToLower(checksumPrefix)); ok {
		in.trailer = strings.ToUpper(algorithm)
		if in.hash = newHash(in.trailer); in.hash == nil {
			return invalidRequest("The checksum algorithm of x-amz-trailer is not supported.")
		}
	}
	return nil
}

// expectChunks puts the aws-chunked decoder in front of the body.
// spec: S3 API, sigv4-streaming, and components 6.2 (what the SDK sends over https)
func (in *incoming) expectChunks(r *http.Request, auth *authority) error {
	decoded := r.Header.Get("X-Amz-Decoded-Content-Length")
	n, err := strconv.ParseInt(decoded, 10, 64)
	if err != nil || n < 0 {
		return errMissingLength
	}
	in.length = n
	in.chunks, err = newChunkedReader(r, auth)
	if err != nil {
		return err
	}
	in.reader = in.chunks
	return nil
}

// stage takes the body in and refuses it unless it is what the request promised.
func (in *incoming) stage(b *bodies) (staged, error) {
	var extra io.Writer
	if in.hash != nil {
		extra = in.hash
	}
	body, err := b.stage(in.reader, extra)
	if err != nil {
		return staged{}, readError(err)
	}
	if err := in.verify(body.sha256, body.md5[:]); err != nil {
		body.discard()
		return staged{}, err
	}
	return body, nil
}

// message reads an XML body whole and verifies it.
func (in *incoming) message() ([]byte, error) {
	if in.length > maxMessageBody {
		return nil, errMaxMessageExceeded
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(in.reader); err != nil {
		return nil, readError(err)
	}
	if in.hash != nil {
		in.hash.Write(buf.Bytes())
	}
	md, sha := md5.Sum(buf.Bytes()), sha256.Sum256(buf.Bytes())
	return buf.Bytes(), in.verify(hex.EncodeToString(sha[:]), md[:])
}

// verify compares the digests of the body that came with those that were
// promised, and keeps the checksum of the trailer in in.sum.
func (in *incoming) verify(sha string, md []byte) error {
	if in.chunks != nil {
		if err := in.chunks.finish(); err != nil {
			return readError(err)
		}
	}
	if in.sha256 != "" && in.sha256 != sha {
		return errContentSHA256
	}
	if in.md5 != nil && !bytes.Equal(in.md5, md) {
		return errBadDigest
	}
	if in.trailer != "" {
		value := in.chunks.trailer(checksumPrefix + in.trailer)
		in.sum = &checksum{Algorithm: in.trailer, Value: value, Type: checksumFull}
		if err := in.sum.validate(); err != nil {
			return err
		}
	}
	if in.sum != nil && base64.StdEncoding.EncodeToString(in.hash.Sum(nil)) != in.sum.Value {
		return in.sum.mismatch()
	}
	return nil
}

// readError tells a body that was cut off from one that was refused.
func readError(err error) error {
	var api *apiError
	if errors.As(err, &api) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errIncompleteBody
	}
	return err
}

// exactReader ends after left bytes and takes an earlier end for an error: a
// connection that breaks must not look like a short body.
type exactReader struct {
	r    io.Reader
	left int64
}

// Read reads at most what is left.
func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left == 0:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, errIncompleteBody
	}
	return n, err
}
