// Package listen opens the ports of an edge or a control node and serves HTTP on them, with limits on what one client can use up.
//
// It promises that certificates are read again when their files change, and at once by Reload, that a pair which cannot be read leaves the one
// before in use, that slow or oversized requests and slow readers hold a connection for a limited time, and that Close finishes the requests under
// way within a limit. It leaves out what is answered, and HTTP/3.
package listen

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// Listener is one address to listen on.
type Listener struct {
	Address     string // host:port; port 0 takes any free one
	Certificate string // file with a PEM chain, the server's own certificate first; "" serves plain HTTP
	Key         string // file with its PEM key
}

// Error is an address that could not be listened on.
type Error struct {
	Address string
	Err     error
}

func (e *Error) Error() string { return fmt.Sprintf("listen on %s: %v", e.Address, e.Err) }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Defaults of Limits.
const (
	DefaultHeaderTimeout  = 30 * time.Second
	DefaultIdleTimeout    = 2 * time.Minute
	DefaultTransfer       = time.Minute
	DefaultMaxHeaderBytes = 64 << 10
	DefaultMaxConns       = 16384
)

// Limits bound what one client can use up.
type Limits struct {
	HeaderTimeout  time.Duration // for the whole head of a request, and for a TLS handshake; default 30 s
	IdleTimeout    time.Duration // without a request on an open connection; default 2 min
	Transfer       time.Duration // for each piece of a request's body to come, and for each 64 KiB of a response to go; default 1 min
	MaxHeaderBytes int           // of a request's line and header; net/http adds 4 KiB and answers longer ones with 431; default 64 KiB
	MaxConns       int           // open at a time on one listener; further ones wait; default 16,384
}

// WithDefaults fills what is zero.
func (l Limits) WithDefaults() Limits {
	l.HeaderTimeout = cmp.Or(l.HeaderTimeout, DefaultHeaderTimeout)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, DefaultIdleTimeout)
	l.Transfer = cmp.Or(l.Transfer, DefaultTransfer)
	l.MaxHeaderBytes = cmp.Or(l.MaxHeaderBytes, DefaultMaxHeaderBytes)
	l.MaxConns = cmp.Or(l.MaxConns, DefaultMaxConns)
	return l
}

// Options are what Servers take; the zero value works.
type Options struct {
	Limits Limits
	Now    func() time.Time // when certificate files are looked at; nil is time.Now
	Logger *slog.Logger     // nil discards
}

// Servers are listeners that share a handler. They are used by one goroutine, but for Reload and Expires.
type Servers struct {
	opts Options
	list []*server
	wait sync.WaitGroup
}

// New returns servers without a listener. The caller closes them.
func New(opts Options) *Servers {
	opts.Limits = opts.Limits.WithDefaults()
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Servers{opts: opts}
}

// server is one listener with its HTTP server.
type server struct {
	listener *limited
	http     *http.Server
	front    *front.Server // in place of http for viewers' plain HTTP; nil for the rest
	pair     *pair         // nil for plain HTTP
}

// Listen opens l and returns its base URL. Nothing is accepted before Serve.
func (s *Servers) Listen(ctx context.Context, l Listener) (string, error) {
	one := &server{}
	scheme := "http://"
	if l.Certificate != "" || l.Key != "" {
		var err error
		if one.pair, err = openPair(l.Certificate, l.Key, s.opts.Now, s.opts.Logger); err != nil {
			return "", err
		}
		scheme = "https://"
	}
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Address)
	if err != nil {
		return "", &Error{l.Address, err}
	}
	limits := s.opts.Limits
	one.listener = &limited{
		Listener: inner, places: make(chan struct{}, limits.MaxConns), done: make(chan struct{}), transfer: limits.Transfer,
		unused: map[net.Conn]bool{},
	}
	one.http = newServer(s.opts, one)
	s.list = append(s.list, one)
	return scheme + inner.Addr().String(), nil
}

// newServer is the HTTP server of one listener. HTTP/1.1 responses have their time limit from the listener, because
// http.Server.WriteTimeout would end a long download that makes progress.
func newServer(o Options, one *server) *http.Server {
	h := &http.Server{
		ReadHeaderTimeout: o.Limits.HeaderTimeout,
		IdleTimeout:       o.Limits.IdleTimeout,
		MaxHeaderBytes:    o.Limits.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // viewers' mistakes, mostly
		ConnState:         one.listener.note,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: o.Limits.Transfer, SendPingTimeout: o.Limits.Transfer},
	}
	if one.pair != nil {
		h.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: one.pair.get}
	}
	return h
}

// Loopback says whether every listener is reached from this machine only.
func (s *Servers) Loopback() bool {
	for _, one := range s.list {
		addr, ok := one.listener.Addr().(*net.TCPAddr)
		if !ok || !addr.IP.IsLoopback() {
			return false
		}
	}
	return true
}

// Serve answers with h until Close; over plain HTTP first with what hits has at hand, unless that is nil.
func (s *Servers) Serve(h http.Handler, hits front.Engine) {
	for _, one := range s.list {
		one.http.Handler = h
		if one.pair == nil && hits != nil {
			one.front = newFront(s.opts, h, hits)
		}
		s.wait.Go(func() {
			if err := one.serve(); !errors.Is(err, http.ErrServerClosed) {
				s.opts.Logger.Error("serve", "address", one.listener.Addr().String(), "error", err)
			}
		})
	}
}

// newFront is the server of a listener whose hits need no TLS. It has the same limits, of its own.
func newFront(o Options, h http.Handler, hits front.Engine) *front.Server {
	return front.New(front.Options{
		Handler: h, Engine: hits,
		HeadTimeout: o.Limits.HeaderTimeout, IdleTimeout: o.Limits.IdleTimeout, WriteTimeout: o.Limits.Transfer,
		MaxHeadBytes: o.Limits.MaxHeaderBytes, MaxConns: o.Limits.MaxConns,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	})
}

func (one *server) serve() error {
	if one.front != nil {
		return one.front.Serve(one.listener.Listener)
	}
	if one.pair != nil {
		return one.http.ServeTLS(one.listener, "", "")
	}
	return one.http.Serve(one.listener)
}

// Reload reads all certificates again.
func (s *Servers) Reload() error {
	var errs []error
	for _, one := range s.list {
		if one.pair != nil {
			errs = append(errs, one.pair.load())
		}
	}
	return errors.Join(errs...)
}

// Close shuts all listeners down together, gently until ctx ends.
func (s *Servers) Close(ctx context.Context) error {
	errs := make([]error, len(s.list))
	var closing sync.WaitGroup
	for i, one := range s.list {
		closing.Go(func() {
			one.listener.dropUnused()
			errs[i] = one.shutdown(ctx)
			_ = one.listener.Close() // again, where it was never served
		})
	}
	closing.Wait()
	s.wait.Wait()
	return errors.Join(errs...)
}

// Expires is when the certificate in use of each listener ends, by the listener's address.
func (s *Servers) Expires() map[string]time.Time {
	out := map[string]time.Time{}
	for _, one := range s.list {
		if one.pair != nil {
			out[one.listener.Addr().String()] = one.pair.expires()
		}
	}
	return out
}

// Certifies says whether the certificate in use of a listener is for a host, which is a name or an address, without a port.
func (s *Servers) Certifies(host string) bool {
	for _, one := range s.list {
		if one.pair != nil && one.pair.isFor(host) {
			return true
		}
	}
	return false
}

// shutdown lets requests under way finish until ctx ends, and then cuts them short.
func (one *server) shutdown(ctx context.Context) error {
	var s interface {
		Shutdown(context.Context) error
		Close() error
	} = one.http
	if one.front != nil {
		s = one.front
	}
	err := s.Shutdown(ctx)
	if err == nil {
		return nil
	}
	cut := s.Close()
	if ctx.Err() != nil {
		return cut
	}
	return errors.Join(err, cut)
}

// limited accepts no more connections than there are places, and gives each write a time limit.
type limited struct {
	net.Listener
	places   chan struct{}
	transfer time.Duration
	once     sync.Once
	done     chan struct{} // closed with the listener

	// mu guards unused: connections that no request has come on yet. Clients dial ahead, and Shutdown would wait five seconds for them.
	mu     sync.Mutex
	unused map[net.Conn]bool
}

// Accept waits for a place, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &conn{Conn: c, transfer: l.transfer, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close stops accepting.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// note keeps track of unused connections.
func (l *limited) note(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == http.StateNew {
		l.unused[c] = true
	} else {
		delete(l.unused, c)
	}
}

func (l *limited) dropUnused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.unused {
		_ = c.Close() // nothing was sent or received on it
	}
}

// conn is a viewer's connection whose writes end in time.
type conn struct {
	net.Conn
	transfer time.Duration
	leave    func()
}

// piece is how much of a response has Limits.Transfer to go, in bytes.
const piece = 64 << 10

// Write fails when the viewer does not take p in time.
func (c *conn) Write(p []byte) (written int, err error) {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.transfer)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[:min(len(p), piece)])
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// Close gives the place back.
func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}
