package front

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Options.
const (
	DefaultHeadTimeout  = 30 * time.Second
	DefaultIdleTimeout  = 2 * time.Minute
	DefaultWriteTimeout = time.Minute
	DefaultMaxHeadBytes = 64 << 10
	DefaultMaxConns     = 16384
)

// writePiece is how much of a write has WriteTimeout to go, in bytes.
const writePiece = 64 << 10

// Options are what a Server takes; the zero value of a limit means its default.
type Options struct {
	Handler      http.Handler                       // serves what the Engine does not; must be given
	Engine       Engine                             // nil leaves everything to the Handler
	HeadTimeout  time.Duration                      // from the first byte of a request's head to its last; also the wait for a connection's first byte. Default 30 s
	IdleTimeout  time.Duration                      // without a request on an open connection, at most; up to an eighth less. Default 2 min
	WriteTimeout time.Duration                      // for each 64 KiB of a write, down to half of it. Default 1 min
	MaxHeadBytes int                                // of a request's line and header; net/http adds 4 KiB to it. Longer ones get a 431. Default 64 KiB
	MaxConns     int                                // open at a time; further ones wait to be accepted. Default 16,384
	BaseContext  func(net.Listener) context.Context // as in http.Server
	ConnState    func(net.Conn, http.ConnState)     // as in http.Server; a connection on which the loop answers is new or idle
	ErrorLog     *log.Logger                        // as in http.Server
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.HeadTimeout, DefaultHeadTimeout}, {&o.IdleTimeout, DefaultIdleTimeout}, {&o.WriteTimeout, DefaultWriteTimeout},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.MaxHeadBytes == 0 {
		o.MaxHeadBytes = DefaultMaxHeadBytes
	}
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	return o
}

// Server is an HTTP server that answers plain hits itself. All methods are safe for concurrent use.
type Server struct {
	opts     Options
	http     *http.Server
	places   chan struct{} // one for each open connection
	yields   bool          // the loop lets others run before it reads again
	stopping atomic.Bool

	mu    sync.Mutex // guards conns; held for one map access, or for a walk that does not wait
	conns map[*conn]struct{}
	gone  sync.Cond // on mu: a connection has gone
}

// New returns a server that serves nothing yet.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{opts: opts, places: make(chan struct{}, opts.MaxConns), conns: map[*conn]struct{}{}}
	// Right after an answer there is nothing to read yet: the read fails, and the scheduler waits for the socket. With one processor
	// it pays to answer others first, by then the next request is often there (docs/edge.md). With more, yielding wakes idle ones for nothing.
	s.yields = runtime.GOMAXPROCS(0) == 1
	s.gone.L = &s.mu
	// No ReadTimeout: net/http would count it from when it asked for a request, which may be any number of hits ago.
	s.http = &http.Server{
		Handler:           opts.Handler,
		ReadHeaderTimeout: opts.HeadTimeout,
		IdleTimeout:       opts.IdleTimeout,
		MaxHeaderBytes:    opts.MaxHeadBytes,
		BaseContext:       opts.BaseContext,
		ErrorLog:          opts.ErrorLog,
		ConnState:         s.connState,
	}
	return s
}

// connState tells a connection that net/http has answered and wants the next request.
func (s *Server) connState(nc net.Conn, state http.ConnState) {
	if c, ok := nc.(*conn); ok {
		switch state {
		case http.StateIdle:
			c.between = true
		case http.StateHijacked: // whoever took it gets every byte, and Shutdown does not wait for it
			c.raw = true
			c.once.Do(func() { s.remove(c) })
		}
	}
	if s.opts.ConnState != nil {
		s.opts.ConnState(nc, state)
	}
}

// Serve answers what comes in on l until Shutdown or Close, and returns http.ErrServerClosed then. It closes l.
func (s *Server) Serve(l net.Listener) error {
	return s.http.Serve(&listener{Listener: l, server: s, done: make(chan struct{}), loop: s.opts.Engine != nil})
}

// ServeTLS is Serve over TLS, HTTP/1.1 and HTTP/2, by net/http alone; the files as in http.Server.ServeTLS.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return s.http.ServeTLS(&listener{Listener: l, server: s, done: make(chan struct{})}, certFile, keyFile)
}

// Shutdown stops accepting, closes idle connections, and waits for the requests under way. With the error of ctx some still are.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	s.each(func(c *conn) { c.retire() }) // net/http would give those five seconds on which it has not seen a request
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	if err := s.drained(ctx); err != nil { // of the answers that the loop had under way
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// Close ends all connections at once.
func (s *Server) Close() error {
	s.stopping.Store(true)
	err := s.http.Close()
	s.each((*conn).cut)
	return err
}

func (s *Server) each(do func(*conn)) {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		do(c)
	}
}

// drained waits until no connection is left.
func (s *Server) drained(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 && ctx.Err() == nil {
		s.gone.Wait()
	}
	if len(s.conns) > 0 {
		return context.Cause(ctx)
	}
	return nil
}

func (s *Server) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.gone.Broadcast()
	<-s.places
}

// listener yields connections that the loop looks at first, no more than there are places.
type listener struct {
	net.Listener
	server *Server
	loop   bool
	once   sync.Once
	done   chan struct{} // closed with the listener
}

// Accept waits for a place, then for a connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.server.places <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	nc, err := l.Listener.Accept()
	if err != nil {
		<-l.server.places
		return nil, err
	}
	return newConn(l.server, nc, l.loop), nil
}

// Close stops accepting.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}
