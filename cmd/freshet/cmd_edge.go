package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/cloud/edge"
	"github.com/freshet/freshet/internal/cloud/edge/standalone"
)

const edgeHelp = `Runs one HTTP cache in front of any HTTP origin or S3 bucket until it is stopped.
What the flags leave out comes from the edge: section of freshet.yaml, if there
is one.

--rules cloudfront (the default) caches as CloudFront does with its managed
policy CachingOptimized: queries are not part of the key, Cache-Control is kept
within its limits, errors are remembered for ten seconds. --rules rfc9111 is a
plain shared cache by RFC 9111: Vary and the requests' own directives count,
unsafe methods invalidate, and Cache-Status tells what happened.

An s3://bucket/prefix origin is read with signed requests, with credentials,
region and endpoint from the AWS SDK's own chain.

--admin serves /metrics (Prometheus), /healthz, /readyz, and the CloudFront API
for invalidations. Beyond loopback that API takes requests signed with the keys
in FRESHET_EDGE_ACCESS_KEY_ID and FRESHET_EDGE_SECRET_ACCESS_KEY, and without
them the edge does not start.

--console serves a page that shows requests, hit ratio, what is cached and
invalidations, to browsers on this machine only; 127.0.0.1:8081 is usual.

--control makes the edge one of a fleet: it takes its distributions and
invalidations from the control nodes whose logs are named, all of them, and
answers 503 until it has joined. While it cannot be sure that it hears of every
invalidation, for longer than --lease, it asks the origin for each request.
Beyond this machine that needs --seed and TLS: see "freshet control". Buckets
that are its origins are read with credentials from the AWS SDK's own chain.

SIGHUP opens the access log anew and reads the certificates again, which also
happens when their files change. SIGINT and SIGTERM let requests under way
finish. Port 0 takes any free port. With --json one line is printed once the
edge is ready.`

// edgeFlags are the command line of freshet edge.
type edgeFlags struct {
	listen, tls      []string
	certificate, key string
	origin           string
	endpoint, region string
	rules            string
	memory           string
	disk, diskSize   string
	admin            string
	console          string
	state            string
	accessLog        string
	fleet            fleetFlags
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
	flags.StringArrayVar(&given.listen, "listen", nil, "an `address` to listen on; may be repeated (default "+localEdge+")")
	flags.StringArrayVar(&given.tls, "tls", nil, "an `address` to listen on with TLS and HTTP/2; may be repeated")
	flags.StringVar(&given.certificate, "certificate", "", "the PEM `file` with the certificate chain for --tls")
	flags.StringVar(&given.key, "key", "", "the PEM `file` with its key")
	flags.StringVar(&given.origin, "origin", "", "the origin's base `URL`, such as http://127.0.0.1:8000 or s3://bucket/prefix")
	flags.StringVar(&given.endpoint, "endpoint", "", "the `URL` of an S3-compatible store (default AWS)")
	flags.StringVar(&given.region, "region", "", "the bucket's `region`")
	flags.StringVar(&given.rules, "rules", "", "the `rules`: cloudfront or rfc9111 (default "+edge.CloudFront.String()+")")
	flags.StringVar(&given.memory, "memory", "", "the memory for cached objects, a `size` such as 2GiB (default 256MiB)")
	flags.StringVar(&given.disk, "disk", "", "the `folder` of what memory does not hold; a restart finds it again (default none)")
	flags.StringVar(&given.diskSize, "disk-size", "", "what the folder may take, a `size` (default 1GiB)")
	flags.StringVar(&given.admin, "admin", "", "the `address` of metrics, health and control API (default none)")
	flags.StringVar(&given.console, "console", "", "the `address` of the page that shows the edge at work, on this machine (default none)")
	flags.StringVar(&given.state, "state", "", "the `folder` of the control API's history (default none is kept)")
	given.fleet.define(flags)
	flags.StringVar(&given.accessLog, "access-log", "", "where to log requests: stdout, stderr or a `file` (default nowhere)")
	return cmd
}

// edge runs the cache until ctx ends.
func (a *app) edge(ctx context.Context, given edgeFlags) error {
	cfg, err := a.edgeConfig(given)
	if err != nil {
		return err
	}
	if len(cfg.Control.Servers) > 0 {
		member, err := a.memberOptions(cfg)
		if err != nil {
			return err
		}
		return a.fleetEdge(ctx, member)
	}
	opts, err := a.edgeOptions(cfg)
	if err != nil {
		return err
	}
	server, err := standalone.Start(ctx, opts)
	if err != nil {
		return edgeFailure(err)
	}
	if err := a.showEdge(server.Info(), opts); err != nil {
		return errors.Join(err, server.Close())
	}
	a.reloadUntil(ctx, server)
	a.tell("stopping")
	return server.Close()
}

// edgeFailure says what to do about an edge that did not start.
func edgeFailure(err error) error {
	var taken *standalone.ListenError
	switch {
	case errors.As(err, &taken):
		return &failure{err, exitFailed, "choose another address instead of " + taken.Address + ", as in `freshet edge --listen 127.0.0.1:0`"}
	case errors.Is(err, standalone.ErrUnguarded):
		return &failure{err, exitUsage, "set FRESHET_EDGE_ACCESS_KEY_ID and FRESHET_EDGE_SECRET_ACCESS_KEY, or listen on this machine alone, as in `freshet edge --admin 127.0.0.1:9100`"}
	case errors.Is(err, standalone.ErrExposed):
		return &failure{err, exitUsage, "listen on this machine alone, as in `freshet edge --console 127.0.0.1:8081`; from elsewhere reach it through `ssh -L 8081:127.0.0.1:8081 HOST`"}
	case errors.Is(err, standalone.ErrRegion):
		return &failure{err, exitUsage, "name it, as in `freshet edge --region eu-central-1`"}
	case errors.Is(err, standalone.ErrCredentials):
		return &failure{err, exitFailed, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a public bucket needs none: `freshet edge --origin https://BUCKET.s3.REGION.amazonaws.com`"}
	}
	return err
}

// reloadUntil reloads the server at each SIGHUP until ctx ends.
func (a *app) reloadUntil(ctx context.Context, server *standalone.Server) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	logger := a.logger()
	for {
		select {
		case <-hangups:
			if err := server.Reload(); err != nil {
				logger.Error("not reloaded, what was before stays in use", "error", err)
				continue
			}
			logger.Info("reloaded")
		case <-ctx.Done():
			return
		}
	}
}

// logger writes warnings to standard error, and everything with --verbose.
func (a *app) logger() *slog.Logger { return a.loggerFrom(slog.LevelWarn) }

// loggerFrom writes what is at least so grave to standard error, and everything with --verbose.
func (a *app) loggerFrom(level slog.Leveler) *slog.Logger {
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(servingLog{slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}), a})
}

// edgeJSON is what --json prints once the edge is ready.
type edgeJSON struct {
	Edge         string   `json:"edge"` // the first of Listeners
	Listeners    []string `json:"listeners"`
	Origin       string   `json:"origin"`
	Rules        string   `json:"rules"`
	Admin        string   `json:"admin,omitempty"`
	Console      string   `json:"console,omitempty"`
	Distribution string   `json:"distribution,omitempty"`
}

func (a *app) showEdge(info standalone.Info, opts standalone.Options) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(edgeJSON{
			info.Viewers[0], info.Viewers, opts.Origin.URL, opts.Cache.Rules.String(), info.Admin, info.Console, info.Distribution,
		})
	}
	text := "The edge is running.\n"
	for _, row := range [][2]string{
		{"Viewers", strings.Join(info.Viewers, "/ ") + "/"}, {"Origin", opts.Origin.URL}, {"Rules", opts.Cache.Rules.String()},
		{"Admin", info.Admin}, {"Console", info.Console}, {"Distribution", info.Distribution},
	} {
		if row[1] != "" {
			text += fmt.Sprintf("\n  %-12s  %s", row[0], row[1])
		}
	}
	_, err := fmt.Fprintln(a.stdout, text+"\n\nStop it with Ctrl-C.")
	return err
}
