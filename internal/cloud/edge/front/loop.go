package front

import (
	"io"
	"runtime"
	"time"
)

// copyLimit is the largest body that is copied behind its head for one plain write, in bytes; larger ones go out by writev.
const copyLimit = 4 << 10

// loop answers plain hits until a request comes that is net/http's: that one is due when loop returns nil.
// Its errors are those of reading, and io.EOF for every other end, since net/http answers others with a 400.
func (c *conn) loop() error {
	if !c.phase.CompareAndSwap(lent, busy) || c.server.stopping.Load() {
		return io.EOF
	}
	whole := false
	defer func() {
		if !whole { // the engine has panicked; net/http logs that
			c.cut()
		}
	}()
	err := c.answerHits()
	whole = true
	if !c.pass(lent) {
		return io.EOF
	}
	c.between = false
	return err
}

// pass moves the connection from the loop's hands into the phase to; false if it is closed instead, or has been.
func (c *conn) pass(to int32) bool {
	for {
		switch from := c.phase.Load(); from {
		case closed:
			return false
		case closing:
			if c.phase.CompareAndSwap(closing, closed) {
				_ = c.leave() // what was to be answered has been
				return false
			}
		default:
			if c.phase.CompareAndSwap(from, to) {
				return true
			}
		}
	}
}

func (c *conn) answerHits() error {
	for {
		n, v := c.head.end(c.buf[c.r:c.w])
		if v == whole {
			v = parse(c.buf[c.r:c.r+n], &c.request)
		}
		if v == more && c.w-c.r < largestBuffer {
			if err := c.fill(); err != nil {
				return err
			}
			continue
		}
		if v != plain || !c.hit() {
			return c.lend(n, v)
		}
		if !c.send() {
			return io.EOF // net/http closes without a word, so that nothing follows half an answer
		}
		c.r += n
		c.yield()
		if c.armed.kind != forIdle {
			c.armed.kind = unset
		}
	}
}

// yield lets other connections run where that spares this one's next read from finding nothing, every other time:
// the runtime asks the poller who else is ready only when nobody is left to run, so each connection must sleep now and then.
func (c *conn) yield() {
	if !c.server.yields || c.r < c.w {
		return
	}
	if c.yielded = !c.yielded; c.yielded {
		runtime.Gosched()
	}
}

// lend leaves a request of n bytes to net/http, or everything from now on.
func (c *conn) lend(n int, v verdict) error {
	if v == plain || v == whole {
		c.due = n
		return nil
	}
	c.raw = true
	if c.armed.kind == forIdle || c.armed.kind == unset { // net/http thinks that its limit for a head is in force
		return c.arm(forHead, time.Now().Add(c.server.opts.HeadTimeout))
	}
	return nil
}

// hit asks the engine.
func (c *conn) hit() bool {
	c.now = time.Now()
	c.response = Response{Head: c.response.Head[:0]}
	return c.server.opts.Engine.Hit(&c.request, &c.response)
}

// send writes the answer and says whether all of it went out.
func (c *conn) send() bool {
	resp := &c.response
	head, body := resp.Head, resp.Body
	if c.request.Head {
		body = nil
	}
	n, err := c.write(head, body)
	if resp.Receipt != nil {
		resp.Receipt.Sent(&c.request, resp, max(0, n-int64(len(head))), err)
	}
	return err == nil
}

// write sends head and body in one system call, if the socket's buffer has room for them.
func (c *conn) write(head, body []byte) (int64, error) {
	if err := c.allowWrite(c.now, len(head)+len(body)); err != nil {
		return 0, err
	}
	if len(body) <= copyLimit {
		c.response.Head = append(head, body...)
		n, err := c.Conn.Write(c.response.Head)
		return int64(n), err
	}
	c.pieces = [2][]byte{head, body}
	c.vector = c.pieces[:]
	n, err := c.vector.WriteTo(c.Conn)
	c.pieces = [2][]byte{}
	return n, err
}

// fill reads more bytes. While it waits for them the connection may be closed.
func (c *conn) fill() error {
	c.makeRoom()
	if err := c.allowRead(); err != nil {
		return err
	}
	if !c.pass(waiting) || c.server.stopping.Load() { // in this order: Shutdown looks at them in the other
		return io.EOF
	}
	n, err := c.Conn.Read(c.buf[c.w:])
	if !c.phase.CompareAndSwap(waiting, busy) {
		return io.EOF
	}
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// makeRoom makes space in the buffer, unless it is full and the largest.
func (c *conn) makeRoom() {
	switch {
	case c.buf == nil:
		c.buf = make([]byte, firstBuffer)
	case c.r == c.w:
		c.r, c.w = 0, 0
	case c.w < len(c.buf):
	case c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	default:
		larger := make([]byte, largestBuffer)
		copy(larger, c.buf)
		c.buf = larger
	}
}

// allowRead puts the read deadline for what is waited for into force: once for the rest of a head, and for the next request
// only when an eighth of the idle time has gone by since it was set.
func (c *conn) allowRead() error {
	idle := c.server.opts.IdleTimeout
	switch {
	case c.r < c.w && c.armed.kind == forHead:
		return nil
	case c.r < c.w:
		return c.arm(forHead, time.Now().Add(c.server.opts.HeadTimeout))
	case c.armed.kind == foreign: // for a connection's first byte, or the first after an answer of net/http
		return nil
	}
	if c.armed.kind == forIdle && c.armed.at.Sub(c.now) >= idle-idle/8 {
		return nil
	}
	return c.arm(forIdle, time.Now().Add(idle))
}

func (c *conn) arm(kind deadlineKind, at time.Time) error {
	c.armed = deadline{kind, at}
	return c.Conn.SetReadDeadline(at)
}
