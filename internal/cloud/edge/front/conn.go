package front

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes of a connection's read buffer, in bytes. A head that does not fit into the larger one is net/http's.
const (
	firstBuffer   = 4 << 10
	largestBuffer = 16 << 10
)

// Phases of a connection, for those who want to close it.
const (
	lent    int32 = iota // net/http has it
	waiting              // the loop waits for a request, or for the rest of one
	busy                 // the loop is answering
	closing              // the loop is answering and closes it then
	closed
)

// conn is a viewer's connection as net/http sees it. Read, and what it uses, belongs to one goroutine at a time:
// the connection's own, or while a request is being served the one with which net/http watches for the viewer's leaving.
// net/http's lock hands it from one to the other.
type conn struct {
	net.Conn
	server *Server
	aborts chan struct{} // holds one: whoever waits without reading should stop
	phase  atomic.Int32
	once   sync.Once // for leaving the server's list

	buf     []byte // what has been read and neither answered nor delivered is buf[r:w]
	r, w    int
	due     int  // bytes from r on that net/http gets next
	raw     bool // net/http gets everything
	between bool // net/http asks for a new request
	yielded bool // others were let run after the last answer

	head     headReader
	request  Request
	response Response
	pieces   [2][]byte // of the response that is being written
	vector   net.Buffers

	now     time.Time    // when the request that was answered last was complete
	armed   deadline     // of reading
	writeBy atomic.Int64 // deadline of writing in Unix nanoseconds; 0 for none
}

// deadline is a read deadline that is in force.
type deadline struct {
	kind deadlineKind
	at   time.Time // for forIdle and forHead
}

type deadlineKind int

const (
	foreign deadlineKind = iota // net/http has set one for what it was about to read
	unset                       // the one in force was for a request that has been answered
	forIdle
	forHead
)

// newConn puts nc on the server's list. Without loop everything is net/http's.
func newConn(s *Server, nc net.Conn, loop bool) *conn {
	c := &conn{Conn: nc, server: s, raw: !loop, between: true, aborts: make(chan struct{}, 1)}
	c.request.Remote = nc.RemoteAddr()
	s.add(c)
	return c
}

// Read is where net/http gets its bytes. It returns those of one request that the loop has left to it, and never more.
func (c *conn) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case c.raw && c.r == c.w:
		c.buf, c.r, c.w = nil, 0, 0
		return c.Conn.Read(p)
	case c.raw, c.due > 0:
		return c.deliver(p), nil
	case !c.between:
		return c.watch()
	}
	if err := c.loop(); err != nil {
		return 0, err
	}
	return c.deliver(p), nil
}

// deliver moves bytes to net/http.
func (c *conn) deliver(p []byte) int {
	end := c.w
	if !c.raw {
		end = c.r + c.due
	}
	n := copy(p, c.buf[c.r:end])
	c.r += n
	c.due = max(0, c.due-n)
	return n
}

// watch waits for the viewer to leave while net/http serves a request. It never returns a byte of the next one:
// net/http would keep it, and the loop would not know where that request begins.
func (c *conn) watch() (int, error) {
	if c.r == c.w {
		c.makeRoom()
		n, err := c.Conn.Read(c.buf[c.w:])
		c.w += n
		if n == 0 && err != nil {
			return 0, err
		}
	}
	<-c.aborts
	if c.phase.Load() == closed {
		return 0, net.ErrClosed
	}
	return 0, os.ErrDeadlineExceeded
}

// SetReadDeadline is net/http's way of setting limits, and with a time in the past of ending a read that is under way.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.armed = deadline{}
	if t.IsZero() {
		select {
		case <-c.aborts:
		default:
		}
	}
	err := c.Conn.SetReadDeadline(t)
	if !t.IsZero() && time.Until(t) < 0 {
		c.abort()
	}
	return err
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetWriteDeadline lets net/http's own limit stand until the next write.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) abort() {
	select {
	case c.aborts <- struct{}{}:
	default:
	}
}

// Close closes the connection, after the loop's answer if one is under way.
func (c *conn) Close() error {
	for {
		switch c.phase.Load() {
		case busy:
			if c.phase.CompareAndSwap(busy, closing) {
				return nil
			}
		case closing, closed:
			return nil
		case lent:
			if c.phase.CompareAndSwap(lent, closed) {
				return c.leave()
			}
		case waiting:
			if c.retire() {
				return nil
			}
		}
	}
}

// retire closes the connection if the loop waits for a request.
func (c *conn) retire() bool {
	if !c.phase.CompareAndSwap(waiting, closed) {
		return false
	}
	_ = c.leave() // nothing was under way
	return true
}

// cut closes the connection whatever happens on it.
func (c *conn) cut() {
	c.phase.Store(closed)
	_ = c.leave() // its owner sees the error of the next read or write
}

// leave closes what the connection stands on and gives its place away.
func (c *conn) leave() error {
	err := c.Conn.Close()
	c.abort()
	c.once.Do(func() { c.server.remove(c) })
	return err
}

// CloseWrite says to the viewer that nothing more will come; net/http does so before it closes on an unread request.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Write writes for net/http, within the time that a write may take.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.allowWrite(time.Now(), len(p)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// ReadFrom copies from r as the connection beneath does it best, which for a file means without copying.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	to, ok := c.Conn.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	n := 0
	if limited, ok := r.(*io.LimitedReader); ok {
		n = int(limited.N)
	}
	if err := c.allowWrite(time.Now(), n); err != nil {
		return 0, err
	}
	return to.ReadFrom(r)
}

// allowWrite sets the write deadline for n bytes from now on, unless the one in force gives half of that time at least:
// setting one for each response would cost as much as the loop's own work.
func (c *conn) allowWrite(now time.Time, n int) error {
	limit := c.server.opts.WriteTimeout * time.Duration(1+n/writePiece)
	if now.Add(limit/2).UnixNano() <= c.writeBy.Load() {
		return nil
	}
	at := now.Add(limit)
	c.writeBy.Store(at.UnixNano())
	return c.Conn.SetWriteDeadline(at)
}
