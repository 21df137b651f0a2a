package cloud

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// servers are the HTTP servers of one cloud.
type servers struct {
	base context.Context // of every request
	log  *slog.Logger
	list []server
	wait sync.WaitGroup

	// mu guards unused: connections that no request has come on yet. Clients
	// dial ahead, and Shutdown would wait five seconds for them.
	mu     sync.Mutex
	unused map[net.Conn]bool
}

// server is an http.Server or a front.Server.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// start serves l until close.
func (s *servers) start(l net.Listener, h http.Handler) {
	s.run(l, &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ConnState:         s.note,
	})
}

// startEdge serves l until close, plain hits by the engine.
func (s *servers) startEdge(l net.Listener, h http.Handler, hits front.Engine) {
	s.run(l, front.New(front.Options{
		Handler:     h,
		Engine:      hits,
		BaseContext: func(net.Listener) context.Context { return s.base },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}))
}

func (s *servers) run(l net.Listener, one server) {
	s.list = append(s.list, one)
	s.wait.Go(func() {
		if err := one.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serve", "address", l.Addr().String(), "error", err)
		}
	})
}

// note keeps track of unused connections.
func (s *servers) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unused == nil {
		s.unused = map[net.Conn]bool{}
	}
	if state == http.StateNew {
		s.unused[c] = true
	} else {
		delete(s.unused, c)
	}
}

// dropUnused closes the connections on which nobody has asked for anything.
func (s *servers) dropUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.unused {
		_ = c.Close() // nothing was sent or received on it
	}
}

// close shuts all servers down, first gently, then at once when ctx ends.
func (s *servers) close(ctx context.Context) error {
	var errs []error
	s.dropUnused()
	for _, one := range s.list {
		if err := one.Shutdown(ctx); err != nil {
			errs = append(errs, one.Close())
		}
	}
	s.wait.Wait()
	return errors.Join(errs...)
}

// hostOf is the host:port of a base URL that listen made.
func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Host
}

// withPort adds the port of host to name, unless it is the usual one of HTTP.
func withPort(name, host string) string {
	if _, port, err := net.SplitHostPort(host); err == nil && port != "80" {
		return net.JoinHostPort(name, port)
	}
	return name
}
