package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/cloud/edge"
)

const edgeHelp = `Runs one HTTP cache in front of any HTTP origin until it is stopped.

--rules cloudfront (the default) caches as CloudFront does with its managed
policy CachingOptimized: queries are not part of the key, Cache-Control is kept
within its limits, errors are remembered for ten seconds. --rules rfc9111 is a
plain shared cache by RFC 9111: Vary and the requests' own directives count,
unsafe methods invalidate, and Cache-Status tells what happened.

Port 0 takes any free port. With --json one line is printed once it is ready.`

// edgeFlags are the command line of freshet edge.
type edgeFlags struct {
	listen string
	origin string
	rules  string
	memory int
}

func (a *app) edgeCommand() *cobra.Command {
	var given edgeFlags
	cmd := &cobra.Command{
		Use:   "edge",
		Short: "Run one cache in front of any origin",
		Long:  edgeHelp,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.edge(cmd.Context(), given) },
	}
	flags := cmd.Flags()
	flags.StringVar(&given.listen, "listen", localEdge, "the `address` to listen on")
	flags.StringVar(&given.origin, "origin", "", "the origin's base `URL`, such as http://127.0.0.1:8000")
	flags.StringVar(&given.rules, "rules", edge.CloudFront.String(), "the `rules`: cloudfront or rfc9111")
	flags.IntVar(&given.memory, "memory", edge.DefaultMemoryBytes, "the memory for cached objects, in `bytes`")
	return cmd
}

// edge runs the cache until ctx ends.
func (a *app) edge(ctx context.Context, given edgeFlags) error {
	cfg, err := edgeConfig(given)
	if err != nil {
		return err
	}
	if given.memory <= 0 {
		return usage("leave it out for 256 MiB", "--memory %d is no size", given.memory)
	}
	one, err := edge.New(cfg, edge.Options{MemoryBytes: given.memory, Now: a.now, Logger: a.logger()})
	if err != nil {
		return err
	}
	defer one.Close()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", given.listen)
	if err != nil {
		return &failure{fmt.Errorf("listen for viewers: %w", err), exitFailed, "choose another address with --listen 127.0.0.1:0"}
	}
	if err := a.showEdge(l.Addr().String(), given); err != nil {
		return errors.Join(err, l.Close())
	}
	return a.serveEdge(ctx, l, one)
}

// logger writes warnings to standard error, and everything with --verbose.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// edgeConfig is the distribution that the flags describe.
func edgeConfig(given edgeFlags) (edge.Config, error) {
	rules, err := edge.ParseRuleSet(given.rules)
	if err != nil {
		return edge.Config{}, &failure{err, exitUsage, "--rules takes cloudfront or rfc9111"}
	}
	u, err := url.Parse(given.origin)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
		return edge.Config{}, usage("name the origin by its base URL, such as --origin http://127.0.0.1:8000", "--origin %q is no http or https URL", given.origin)
	}
	return edge.Config{
		Rules:   rules,
		Domain:  u.Host,
		Default: edge.Behavior{OriginID: "origin", Policy: edge.CachingOptimized()},
		Origins: map[string]edge.Origin{"origin": {
			Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.EscapedPath(), "/"), Transport: originTransport(),
		}},
	}, nil
}

// originTransport talks HTTP/1.1 to the origin itself, whatever proxy the environment names, and leaves bodies as they come.
func originTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		DisableCompression:    true,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       4 * time.Second, // less than the 5 s that common origins keep an idle connection
		ExpectContinueTimeout: time.Second,
	}
}

func (a *app) showEdge(address string, given edgeFlags) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]string{
			"edge": "http://" + address, "origin": given.origin, "rules": given.rules,
		})
	}
	_, err := fmt.Fprintf(a.stdout, "The edge is running.\n\n  Viewers   http://%s/\n  Origin    %s\n  Rules     %s\n\nStop it with Ctrl-C.\n",
		address, given.origin, given.rules)
	return err
}

// edgeShutdown is how long requests under way have to finish after a signal.
const edgeShutdown = 10 * time.Second

// serveEdge answers viewers on l until ctx ends, and then lets those who are being served finish.
func (a *app) serveEdge(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(a.logger().Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve viewers: %w", err)
	case <-ctx.Done():
	}
	a.tell("stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), edgeShutdown)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop gracefully: %w", err), server.Close())
	}
	<-ended
	return err
}
