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
)

// servers are the HTTP servers of one cloud.
type servers struct {
	base context.Context // of every request
	log  *slog.Logger
	list []*http.Server
	wait sync.WaitGroup
}

// start serves l until close.
func (s *servers) start(l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	s.list = append(s.list, server)
	s.wait.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serve", "address", l.Addr().String(), "error", err)
		}
	})
}

// close shuts all servers down, first gently, then at once when ctx ends.
func (s *servers) close(ctx context.Context) error {
	var errs []error
	for _, server := range s.list {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, server.Close())
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
