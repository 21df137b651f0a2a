package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// Settings of the encoders, of which CloudFront's guide says nothing. On HTML, CSS and Go source of 10 to 400 KB these
// compress 40 and 130 MB a second on one core, to 26..36 and 29..38 % (measured 2026-11); brotli's next level gains less than 1 % of that.
const (
	brotliQuality = 5
	brotliWindow  = 18 // bits: 256 KiB. An encoder then takes 5 MB at most
	gzipLevel     = 6
)

// maxEncoders is how many bodies are compressed at a time. Further ones are not compressed: an origin that sends slowly holds an encoder for long.
const maxEncoders = 64

// flushAfter is how long the origin's body may pause before what has come is passed on at some cost to the compression.
const flushAfter = 5 * time.Millisecond

// errPause says that the origin's body pauses.
var errPause = errors.New("origin pauses")

// encoders are the edge's encoders, kept for the next body. The zero value is ready.
type encoders struct {
	idle [2]sync.Pool // of *encoder, by index

	mu   sync.Mutex // guards busy
	busy int
}

// flusher is a compressing writer that can pass on what it holds back, and begin anew.
type flusher interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// encoder compresses into out.
type encoder struct {
	coding string
	z      flusher
	out    bytes.Buffer
}

func index(coding string) int {
	if coding == "br" {
		return 0
	}
	return 1
}

// take returns an encoder for "br" or "gzip"; nil where too many are at work.
func (es *encoders) take(coding string) *encoder {
	if !es.enter() {
		return nil
	}
	if c, ok := es.idle[index(coding)].Get().(*encoder); ok {
		return c
	}
	return newEncoder(coding)
}

func (es *encoders) enter() bool {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.busy == maxEncoders {
		return false
	}
	es.busy++
	return true
}

func newEncoder(coding string) *encoder {
	c := &encoder{coding: coding}
	if coding == "br" {
		c.z = brotli.NewWriterOptions(&c.out, brotli.WriterOptions{Quality: brotliQuality, LGWin: brotliWindow})
		return c
	}
	c.z, _ = gzip.NewWriterLevel(&c.out, gzipLevel) // only an unknown level fails
	return c
}

// give takes an encoder back, in whatever state.
func (es *encoders) give(c *encoder) {
	c.out.Reset()
	c.z.Reset(&c.out)
	es.idle[index(c.coding)].Put(c)
	es.mu.Lock()
	defer es.mu.Unlock()
	es.busy--
}

// step takes the next piece of the origin's body, or notices its pause or its end.
func (c *compressor) step() error {
	piece, err := c.next()
	switch {
	case errors.Is(err, errPause):
		c.pending = false
		err = c.w.z.Flush()
	case errors.Is(err, io.EOF):
		if err = c.w.z.Close(); err == nil {
			return io.EOF
		}
	case err != nil:
		return err // the origin's
	default:
		c.pending = true
		_, err = c.w.z.Write(piece)
	}
	if err != nil {
		return fmt.Errorf("compress body: %w", err)
	}
	return nil
}

// next waits for the next piece; with bytes pending for a short time only, and then returns errPause.
func (c *compressor) next() ([]byte, error) {
	if !c.pending || c.from.ready() {
		return c.from.next(c.ctx)
	}
	ctx, cancel := context.WithTimeoutCause(c.ctx, flushAfter, errPause)
	defer cancel()
	return c.from.next(ctx)
}
