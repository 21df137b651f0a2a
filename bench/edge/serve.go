package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/front"
)

// largestObject is the largest that the origin serves, in bytes.
const largestObject = 4 << 20

// serveOrigin answers /s/SIZE/anything with SIZE bytes that caches may keep for a day.
func serveOrigin(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("origin", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9000", "address")
	if err := flags.Parse(args); err != nil {
		return err
	}
	body := bytes.Repeat([]byte("freshet "), largestObject/8)
	handler := func(w http.ResponseWriter, r *http.Request) {
		size, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/s/"), "/")
		n, err := strconv.Atoi(size)
		if err != nil || n < 0 || n > len(body) {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "max-age=86400")
		h.Set("Content-Type", "application/octet-stream")
		h.Set("ETag", `"v1"`)
		h.Set("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
		h.Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(body[:n]) // a cache that goes away asks again
	}
	return serveUntil(ctx, *listen, front.Options{Handler: http.HandlerFunc(handler)})
}

// serveEdge is freshet's edge in front of one origin.
func serveEdge(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "address")
	origin := flags.String("origin", "127.0.0.1:9000", "its host and port")
	loop := flags.Bool("loop", true, "answer hits in the loop before net/http")
	if err := flags.Parse(args); err != nil {
		return err
	}
	e, err := edge.New(edge.Config{
		Domain:  "d111111abcdef8.cloudfront.net",
		Default: edge.Behavior{OriginID: "origin", Policy: edge.CachingOptimized()},
		Origins: map[string]edge.Origin{"origin": {
			Host: *origin, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		}},
	}, edge.Options{MemoryBytes: 2 << 30})
	if err != nil {
		return err
	}
	defer e.Close()
	opts := front.Options{Handler: e}
	if *loop {
		opts.Engine = e
	}
	return serveUntil(ctx, *listen, opts)
}

// serveUntil serves until ctx ends.
func serveUntil(ctx context.Context, address string, opts front.Options) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := front.New(opts)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err = <-done:
		return fmt.Errorf("serve on %s: %w", address, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.Shutdown(grace); err != nil {
		_ = s.Close() // it has had its time
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", address, err)
	}
	return nil
}
