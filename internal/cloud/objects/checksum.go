package objects

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// Kinds of checksum of an object made of parts.
// spec: S3 7.2
const (
	checksumFull      = "FULL_OBJECT"
	checksumComposite = "COMPOSITE"
)

// crc64NVME is the polynomial of CRC-64/NVME in the reversed form that hash/crc64 takes.
const crc64NVME = 0x9a6c9329ac4bc9b5

const checksumPrefix = "X-Amz-Checksum-"

// checksum is a checksum as S3 stores and returns it.
type checksum struct {
	Algorithm string `json:"algorithm"`      // upper case: CRC32, CRC32C, CRC64NVME, SHA1, SHA256
	Value     string `json:"value"`          // base64, with "-N" behind it when composite
	Type      string `json:"type,omitempty"` // FULL_OBJECT or COMPOSITE
}

// newHash makes the hash of an algorithm; nil when it is not supported.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC32C":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "CRC64NVME":
		return crc64.New(crc64.MakeTable(crc64NVME))
	case "SHA1":
		return sha1.New()
	case "SHA256":
		return sha256.New()
	}
	return nil
}

// defaultChecksumType is what an upload of parts gets when it does not say.
// spec: S3 7.2, CRC64NVME has no composite form, the SHAs have no other
func defaultChecksumType(algorithm string) string {
	if algorithm == "CRC64NVME" {
		return checksumFull
	}
	return checksumComposite
}

// headerChecksum reads the one x-amz-checksum-<algorithm> that a request may
// carry; nil when there is none.
func headerChecksum(h http.Header) (*checksum, error) {
	var out *checksum
	for name, values := range h {
		algorithm, ok := strings.CutPrefix(name, checksumPrefix)
		if !ok || len(values) == 0 || algorithm == "Type" || algorithm == "Mode" || algorithm == "Algorithm" {
			continue
		}
		if out != nil {
			return nil, invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		out = &checksum{Algorithm: strings.ToUpper(algorithm), Value: values[0], Type: checksumFull}
	}
	if out == nil {
		return nil, nil
	}
	if given := h.Get("X-Amz-Sdk-Checksum-Algorithm"); given != "" && !strings.EqualFold(given, out.Algorithm) {
		return nil, invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return out, out.validate()
}

// validate refuses an unknown algorithm and a value of the wrong length.
func (c *checksum) validate() error {
	h := newHash(c.Algorithm)
	if h == nil {
		return invalidRequest(fmt.Sprintf("The checksum algorithm %s is not supported.", c.Algorithm))
	}
	raw, err := base64.StdEncoding.DecodeString(c.Value)
	if err != nil || len(raw) != h.Size() {
		return invalidRequest(fmt.Sprintf("Value for x-amz-checksum-%s header is invalid.", strings.ToLower(c.Algorithm)))
	}
	return nil
}

// header is the name under which the checksum travels.
func (c *checksum) header() string {
	return http.CanonicalHeaderKey(checksumPrefix + c.Algorithm)
}

// writeTo puts the checksum on an answer.
func (c *checksum) writeTo(h http.Header) {
	if c == nil {
		return
	}
	h.Set(c.header(), c.Value)
	if c.Type != "" {
		h.Set(checksumPrefix+"Type", c.Type)
	}
}

// mismatch is the answer to a body that does not have the checksum it came with.
// spec: S3 7.2, "Mismatch: 400 BadDigest"
func (c *checksum) mismatch() error {
	return &apiError{400, "BadDigest", fmt.Sprintf("The %s you specified did not match the calculated checksum.", c.Algorithm)}
}
