package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	bufferSize = 64 << 10 // bytes; head and body of most files of a site
	// largestAnswer bounds head and body of an answer, in bytes. That to an upload
	// is a few hundred.
	largestAnswer = 1 << 20
	// stall is after which time without progress in sending it is looked whether
	// the service has answered already.
	stall = 2 * time.Second
	// lastWords is how long an answer is waited for after the sending failed: a
	// service that refuses may close its side before the body is sent.
	lastWords = 50 * time.Millisecond
	// interim is how many answers of the class 1xx are skipped.
	interim = 5
)

var errTooLong = errors.New("the answer is too long")

// buffers are what requests are put together in.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// conn is one connection, used by one call at a time.
type conn struct {
	raw   net.Conn
	in    *bufio.Reader // reads through conn.Read
	stall time.Duration // as in Client
	left  int           // bytes that may still be read in this exchange
	since time.Time     // when it was last used, while idle
}

// Close closes the connection.
func (c *conn) Close() error { return c.raw.Close() }

// Read implements io.Reader within the limits of one answer.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLong
	}
	n, err := c.raw.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// goneError says that the other side closed the connection before it said
// anything. It is the error itself, and errGone.
type goneError struct{ error }

func (e goneError) Unwrap() error        { return e.error }
func (e goneError) Is(target error) bool { return target == errGone }

var errGone = errors.New("the service closed the connection without an answer")

// gone marks err where the connection was closed before a byte of an answer.
func (c *conn) gone(err error) error {
	if c.left < largestAnswer || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // as net/http says it
	}
	return goneError{err}
}

// exchange sends one request and reads its answer. again reports whether the
// connection can be used again.
func (c *conn) exchange(ctx context.Context, req *http.Request, body io.ReaderAt, size int64, answer time.Duration) (resp *http.Response, again bool, err error) {
	c.left = largestAnswer
	stop := context.AfterFunc(ctx, func() { c.raw.SetDeadline(past) })
	switch broken, failed := c.send(ctx, req, body, size); {
	case failed != nil:
		err = failed
	case broken != nil:
		if resp, err = c.receive(ctx, req, lastWords); err != nil && !errors.Is(broken, errAnswered) {
			err = c.gone(broken)
		}
	default:
		resp, err = c.receive(ctx, req, answer)
		again = err == nil && !resp.Close && c.in.Buffered() == 0
	}
	if !stop() { // the deadline may be set at any moment from now on
		again = false
		if err != nil {
			err = context.Cause(ctx)
		}
	}
	return resp, again, err
}

// past is a deadline that breaks off what is under way.
var past = time.Unix(1, 0)

// until sets the deadline for reading or writing, without undoing that of a
// context that is done.
func until(ctx context.Context, set func(time.Time) error, d time.Duration) {
	set(time.Now().Add(d)) // fails only on a closed connection, which the next call tells
	if ctx.Err() != nil {
		set(past)
	}
}

// send writes the request. broken is why the connection did not take all of it,
// after which there may still be an answer; err is a failure of the body.
func (c *conn) send(ctx context.Context, req *http.Request, body io.ReaderAt, size int64) (broken, err error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	b := appendHead(buf[:0], req, size)
	for at := int64(0); ; b = buf[:0] {
		if room := int64(bufferSize - len(b)); room > 0 && at < size {
			n, err := body.ReadAt(buf[len(b):][:min(room, size-at)], at)
			b = buf[:len(b)+n]
			at += int64(n)
			if errors.Is(err, io.EOF) && (at < size) {
				return nil, io.ErrUnexpectedEOF
			} else if err != nil && at < size {
				return nil, err
			}
		}
		if err := c.write(ctx, b); err != nil || at == size {
			return err, nil
		}
	}
}

// errAnswered: the service has answered before it had the whole request.
var errAnswered = errors.New("the service answered before it had the whole request")

// write sends all of b, however long that takes, unless the service answers
// meanwhile.
func (c *conn) write(ctx context.Context, b []byte) error {
	for {
		until(ctx, c.raw.SetWriteDeadline, c.stall)
		n, err := c.raw.Write(b)
		b = b[n:]
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case c.answered(ctx):
			return errAnswered
		}
	}
}

// answered reports whether there is something to read, or never will be.
func (c *conn) answered(ctx context.Context) bool {
	until(ctx, c.raw.SetReadDeadline, time.Millisecond)
	_, err := c.in.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// receive reads an answer that has to be there within d, body included.
func (c *conn) receive(ctx context.Context, req *http.Request, d time.Duration) (*http.Response, error) {
	until(ctx, c.raw.SetReadDeadline, d)
	resp, err := c.final(req)
	if err == nil {
		err = inMemory(resp)
	}
	if err != nil {
		return nil, c.gone(err)
	}
	return resp, nil
}

// final reads answers up to the first that is none of the class 1xx.
func (c *conn) final(req *http.Request) (*http.Response, error) {
	for range interim {
		resp, err := http.ReadResponse(c.in, req)
		if err != nil || resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
	return nil, errTooLong
}

// inMemory replaces the body of the answer by a copy, so that it does not need
// the connection any more.
func inMemory(resp *http.Response) error {
	if resp.ContentLength == 0 {
		return nil
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return nil
}
