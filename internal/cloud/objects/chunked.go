package objects

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Payload names of aws-chunked bodies.
// spec: S3 API, sigv4-streaming and sigv4-streaming-trailers
const (
	chunksUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	chunksSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	chunksSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// maxChunkLine bounds a chunk header or a trailer line, in bytes; the longest
// legal one holds a size or a checksum and a signature.
const maxChunkLine = 4096

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// chunkedReader decodes an aws-chunked body: pieces with their size in front,
// an empty piece at the end, then trailers. Signatures of pieces are verified
// as they end; what was handed out before is not stored when one is wrong.
type chunkedReader struct {
	r        *bufio.Reader
	left     int64 // of the current piece
	last     bool  // the empty piece has been seen
	trailers map[string]string
	signer   *chunkSigner // nil when pieces are not signed
	claimed  string       // signature of the current piece
	err      error
}

// newChunkedReader decodes the body of a request whose own signature has been
// verified with auth.
func newChunkedReader(r *http.Request, auth *authority) (*chunkedReader, error) {
	c := &chunkedReader{r: bufio.NewReaderSize(r.Body, maxChunkLine), trailers: map[string]string{}}
	switch r.Header.Get("X-Amz-Content-Sha256") {
	case chunksUnsignedTrailer:
		return c, nil
	case chunksSigned, chunksSignedTrailer:
		signer, err := auth.chunkSigner(r)
		if err != nil {
			return nil, err
		}
		c.signer = signer
		return c, nil
	}
	return nil, errNotImplemented
}

// Read gives the decoded body; io.EOF comes after the trailers have been read.
func (c *chunkedReader) Read(p []byte) (int, error) {
	for c.err == nil && c.left == 0 {
		if c.last {
			return 0, io.EOF
		}
		c.err = c.nextChunk()
	}
	if c.err != nil {
		return 0, c.err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if c.signer != nil {
		c.signer.hash.Write(p[:n])
	}
	if err == nil && c.left == 0 {
		err = c.endChunk()
	}
	if errors.Is(err, io.EOF) {
		err = errIncompleteBody
	}
	c.err = err
	return n, err
}

// finish reads up to the end of the body, which must hold nothing but the empty
// piece and the trailers. A repeat does nothing.
func (c *chunkedReader) finish() error {
	var one [1]byte
	n, err := c.Read(one[:])
	if n > 0 {
		return invalidRequest("The body is longer than x-amz-decoded-content-length.")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// trailer gives the value of a trailer, "" when it did not come.
func (c *chunkedReader) trailer(name string) string { return c.trailers[strings.ToLower(name)] }

// nextChunk reads the header of a piece: SIZE[;chunk-signature=HEX].
func (c *chunkedReader) nextChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	c.left, err = strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	if err != nil || c.left < 0 {
		return invalidRequest("The size of a chunk is not a number.")
	}
	c.claimed = strings.TrimPrefix(strings.TrimSpace(extension), "chunk-signature=")
	if c.left > 0 {
		return nil
	}
	c.last = true
	if err := c.verifyChunk(); err != nil {
		return err
	}
	return c.readTrailers()
}

// endChunk verifies the piece that has ended and steps over its line end.
func (c *chunkedReader) endChunk() error {
	if line, err := c.line(); err != nil {
		return err
	} else if line != "" {
		return invalidRequest("A chunk is longer than its size.")
	}
	return c.verifyChunk()
}

func (c *chunkedReader) verifyChunk() error {
	if c.signer == nil {
		return nil
	}
	return c.signer.verify(c.claimed)
}

// readTrailers reads "name:value" lines up to an empty line or the end.
func (c *chunkedReader) readTrailers() error {
	var canonical strings.Builder
	for {
		line, err := c.line()
		if errors.Is(err, errIncompleteBody) && line == "" {
			return nil // some clients leave the last line end away
		}
		if err != nil {
			return err
		}
		if line == "" {
			return nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return invalidRequest("A trailer has no name.")
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			return c.verifyTrailers(canonical.String(), value)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, value)
		c.trailers[name] = value
	}
}

func (c *chunkedReader) verifyTrailers(canonical, signature string) error {
	if c.signer == nil {
		return nil
	}
	return c.signer.verifyTrailers(canonical, signature)
}

// line reads one line without its end.
func (c *chunkedReader) line() (string, error) {
	raw, err := c.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", invalidRequest("A line between chunks is too long.")
	case errors.Is(err, io.EOF):
		return strings.TrimRight(string(raw), "\r\n"), errIncompleteBody
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

// chunkSigner verifies the chain of signatures of a signed aws-chunked body:
// each covers the one before it.
type chunkSigner struct {
	key      []byte
	date     string // of the request, as signed
	scope    string
	previous string
	hash     hash.Hash // of the current piece
}

// verify compares the signature of the piece that has ended.
func (s *chunkSigner) verify(claimed string) error {
	sum := hexSum(s.hash)
	s.hash.Reset()
	return s.check(claimed, "AWS4-HMAC-SHA256-PAYLOAD", emptySHA256+"\n"+sum)
}

// verifyTrailers compares the signature that covers the trailers.
func (s *chunkSigner) verifyTrailers(canonical, claimed string) error {
	sum := sha256.Sum256([]byte(canonical))
	return s.check(claimed, "AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(sum[:]))
}

func (s *chunkSigner) check(claimed, algorithm, rest string) error {
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n%s", algorithm, s.date, s.scope, s.previous, rest)
	want := hexSum(mac)
	if !hmac.Equal([]byte(want), []byte(claimed)) {
		return errSignature
	}
	s.previous = want
	return nil
}
