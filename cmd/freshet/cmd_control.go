package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/cloud/fleet"
	"github.com/freshet/freshet/internal/cloud/fleet/controlnode"
	"github.com/freshet/freshet/internal/cloud/fleet/stream"
	"github.com/freshet/freshet/internal/cloud/listen"
	"github.com/freshet/freshet/internal/durable"
	"github.com/freshet/freshet/internal/presence"
)

const controlHelp = `Runs a control node of a fleet of edges until it is stopped: the CloudFront API,
the log that the edges follow, and a page that shows them. What the flags leave
out comes from the control: section of freshet.yaml, if there is one. Edges
join with "freshet edge --control URL"; to a publisher the fleet is a
distribution like any other, behind this API.

One node is enough to begin with. Three, each with --cluster, go on while any
two of them run, and each answers for all. Their first start takes all three;
later, a node that starts waits for one of the others.

--distribution makes a distribution for an origin unless there is one: a bucket
(s3://bucket/prefix) with index pages, or any HTTP server. Others are made
through the API, as by "aws cloudfront create-distribution". --domain is what
viewers find distributions below, as d111111abcdef8.DOMAIN; with an address, or
localhost, it stands for itself, which does for one distribution.

Beyond loopback the API needs a certificate and the keys in
FRESHET_CONTROL_ACCESS_KEY_ID and FRESHET_CONTROL_SECRET_ACCESS_KEY, and takes
signed requests alone; the page needs a certificate of its own, and shows
nothing until somebody has signed in with the same keys; the log needs a
certificate and the public keys of those who may connect, which "freshet control
new-key" makes; the links between nodes need certificates of an authority of
their own. Without these the node does not start.

The page shows edges, distributions and invalidations. Whoever signs in can
invalidate; without keys nobody can, and everybody on this machine sees it.

SIGINT and SIGTERM stop it in order. Port 0 takes any free port. With --json one
line is printed once the node is ready.`

// controlFlags are the command line of freshet control.
type controlFlags struct {
	name, state             string
	listen, certificate     string
	key, console, log       string
	consoleCertificate      string
	consoleKey              string
	logCertificate, logKey  string
	allowControl, allowEdge []string
	cluster, clusterListen  string
	peers                   []string
	clusterCertificate      string
	clusterKey, authority   string
	domain, distribution    string
}

func (a *app) controlCommand() *cobra.Command {
	var given controlFlags
	cmd := &cobra.Command{
		Use:   "control",
		Short: "Run a control node of a fleet of edges",
		Long:  controlHelp,
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.control(cmd.Context(), given) },
	}
	flags := cmd.Flags()
	flags.StringVar(&given.name, "name", "", "the node's own `name` in the fleet (default the host's name)")
	flags.StringVar(&given.state, "state", "", "the `folder` of the log and what it amounts to (default "+controlState+")")
	flags.StringVar(&given.listen, "listen", "", "the `address` of the CloudFront API (default "+controlListen+")")
	flags.StringVar(&given.certificate, "certificate", "", "the PEM `file` with the API's certificate chain")
	flags.StringVar(&given.key, "key", "", "the PEM `file` with its key")
	flags.StringVar(&given.console, "console", "", "the `address` of the page that shows the fleet, or none (default "+controlConsole+")")
	flags.StringVar(&given.consoleCertificate, "console-certificate", "", "the PEM `file` with the page's certificate chain")
	flags.StringVar(&given.consoleKey, "console-key", "", "the PEM `file` with its key")
	flags.StringVar(&given.log, "log", "", "the `address` of the log, for edges (default "+controlLog+")")
	flags.StringVar(&given.logCertificate, "log-certificate", "", "the PEM `file` with the log's certificate chain")
	flags.StringVar(&given.logKey, "log-key", "", "the PEM `file` with its key")
	flags.StringArrayVar(&given.allowControl, "allow-control", nil, "a public `key` that may do everything at the log; may be repeated")
	flags.StringArrayVar(&given.allowEdge, "allow-edge", nil, "a public `key` of an edge that may join; may be repeated")
	flags.StringVar(&given.cluster, "cluster", "", "the `name` of the three nodes together (default this node is alone)")
	flags.StringVar(&given.clusterListen, "cluster-listen", "", "the `address` at which the other nodes reach this one")
	flags.StringArrayVar(&given.peers, "peer", nil, "the `address` of another node's --cluster-listen; given twice, or for all three")
	flags.StringVar(&given.clusterCertificate, "cluster-certificate", "", "the PEM `file` with the certificate by which the nodes know this one")
	flags.StringVar(&given.clusterKey, "cluster-key", "", "the PEM `file` with its key")
	flags.StringVar(&given.authority, "cluster-authority", "", "the PEM `file` with the authority of all three nodes' certificates")
	flags.StringVar(&given.domain, "domain", "", "the `domain` that distributions are found below, with a port if need be (default cloudfront.localhost)")
	flags.StringVar(&given.distribution, "distribution", "", "an `origin` to make a distribution for: http://…, or s3://bucket/prefix")
	cmd.AddCommand(a.newKeyCommand())
	return cmd
}

// control runs a control node until ctx ends.
func (a *app) control(ctx context.Context, given controlFlags) (err error) {
	opts, err := a.controlOptions(given)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(opts.node.Dir, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	release, err := presence.Hold(opts.api.Dir)
	if err != nil {
		return controlFailure(err)
	}
	defer func() { err = errors.Join(err, release()) }()
	node, err := stream.Start(opts.node)
	if err != nil {
		return logFailure(err)
	}
	defer node.Shutdown()
	server, made, err := a.startControl(ctx, node, opts)
	if ctx.Err() != nil && server == nil {
		a.tell("stopping")
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.showControl(server.Info(), node, opts, made); err != nil {
		return errors.Join(err, server.Close())
	}
	<-ctx.Done()
	a.tell("stopping")
	return server.Close()
}

// startControl waits for the node, and for the others if there are others, and serves. The id is that of the distribution that
// was asked for, "" for none. The server is nil with an error.
func (a *app) startControl(ctx context.Context, node *stream.Node, opts controlOptions) (*controlnode.Server, string, error) {
	waiting := a.sayWaiting(opts.waitsFor)
	defer waiting()
	if err := node.Ready(ctx); err != nil {
		return nil, "", logFailure(err)
	}
	engine, err := stream.Connect(ctx, stream.Options{Node: node, Name: opts.api.Name, Log: opts.api.Logger})
	if err != nil {
		return nil, "", logFailure(err)
	}
	server, err := controlnode.Start(ctx, engine, opts.api)
	if err != nil {
		return nil, "", controlFailure(err)
	}
	opts.engineLog.Set(slog.LevelWarn)
	if opts.distribution == nil {
		return server, "", nil
	}
	d, err := server.EnsureDistribution(ctx, *opts.distribution)
	for errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // the others have gone again; it is made once
		d, err = server.EnsureDistribution(ctx, *opts.distribution)
	}
	if err != nil {
		return nil, "", errors.Join(err, server.Close())
	}
	return server, d.ID, nil
}

// waitSaid and waitAgain are when somebody who waits for the start of a node is told what it waits for.
const (
	waitSaid  = 2 * time.Second
	waitAgain = 30 * time.Second
)

// sayWaiting tells of a start that takes long because others are not there, until the function that it returns is called.
func (a *app) sayWaiting(others []string) (done func()) {
	if len(others) == 0 || a.quiet {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		timer := time.NewTimer(waitSaid)
		defer timer.Stop()
		for {
			select {
			case <-stop:
				return
			case <-timer.C:
				fmt.Fprintf(a.stderr, "waiting for the other control nodes (%s): for their first start all three must run, then two\n", strings.Join(others, ", "))
				timer.Reset(waitAgain)
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// controlFailure says what to do about a control node that did not start.
func controlFailure(err error) error {
	var taken *listen.Error
	switch {
	case errors.As(err, &taken):
		return &failure{err, exitFailed, "choose another address instead of " + taken.Address + ", as in `freshet control --listen 127.0.0.1:0 --console 127.0.0.1:0`"}
	case errors.Is(err, controlnode.ErrUnguarded):
		return &failure{err, exitUsage, "set FRESHET_CONTROL_ACCESS_KEY_ID and FRESHET_CONTROL_SECRET_ACCESS_KEY, or listen on this machine alone, as in `freshet control --listen 127.0.0.1:9001`"}
	case errors.Is(err, controlnode.ErrOpen):
		return &failure{err, exitUsage, "name one, as in `freshet control --certificate api.pem --key api.key`, or listen on this machine alone"}
	case errors.Is(err, controlnode.ErrExposed):
		return &failure{err, exitUsage, "set FRESHET_CONTROL_ACCESS_KEY_ID and FRESHET_CONTROL_SECRET_ACCESS_KEY, or listen on this machine alone, as in `freshet control --console 127.0.0.1:8081`"}
	case errors.Is(err, controlnode.ErrPageOpen):
		return &failure{err, exitUsage, "name one, as in `freshet control --console-certificate page.pem --console-key page.key`, or listen on this machine alone and reach it through `ssh -L 8081:127.0.0.1:8081 HOST`"}
	case errors.Is(err, fleet.ErrOtherLog):
		return &failure{err, exitFailed, "put the log's folder back from the same copy; or, to go on with the log as it is, remove the file that is named, and type `freshet control` again"}
	case errors.Is(err, presence.ErrHeld):
		return &failure{err, exitFailed, "stop the other control node that uses this folder, or name another one, as in `freshet control --state FOLDER`"}
	}
	return err
}

// logFailure says what to do about a log that did not start.
func logFailure(err error) error {
	if strings.Contains(err.Error(), "address already in use") {
		return &failure{err, exitFailed, "choose another address, as in `freshet control --log 127.0.0.1:0`; for the other nodes it is --cluster-listen"}
	}
	return err
}

// controlJSON is what --json prints once the node is ready.
type controlJSON struct {
	Name         string `json:"name"`
	API          string `json:"api"`
	Console      string `json:"console,omitempty"`
	Log          string `json:"log"`
	Distribution string `json:"distribution,omitempty"`
}

func (a *app) showControl(info controlnode.Info, node *stream.Node, opts controlOptions, distribution string) error {
	out := controlJSON{opts.api.Name, info.API, info.Page, opts.scheme + node.Address(), distribution}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(out)
	}
	text := "The control node is running.\n"
	for _, row := range [][2]string{
		{"Name", out.Name}, {"API", out.API}, {"Console", out.Console}, {"Log", out.Log}, {"Distribution", out.Distribution},
	} {
		if row[1] != "" {
			text += fmt.Sprintf("\n  %-12s  %s", row[0], row[1])
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%s\n\nEdges join with \"freshet edge --control %s\"; to point the AWS CLI at the API:\n\n  export AWS_ENDPOINT_URL_CLOUDFRONT=%s\n\nStop it with Ctrl-C.\n",
		text, out.Log, out.API)
	return err
}

func (a *app) newKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new-key FILE",
		Short: "Make a key for one edge, or one more client of the log",
		Long: `Writes a new secret key into a file that only its owner can read, and prints the
public key that goes with it. The file goes to the edge, as --seed; the public
key to every control node, as --allow-edge. A file that is there is not replaced.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.newKey(args[0]) },
	}
}

// newKey makes a key in a new file.
func (a *app) newKey(file string) error {
	seed, public, err := stream.NewKey()
	if err != nil {
		return err
	}
	if err := writeSecret(file, seed+"\n"); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return refused("name a new file, as in `freshet control new-key edge-2.seed`; whoever has the old one goes on using it", "write the key: %w", err)
		}
		return noPlace(fmt.Errorf("write the key: %w", err), "`freshet control new-key edge-1.seed`")
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(struct {
			Public string `json:"public"`
			Seed   string `json:"seed"` // the file
		}{public, file})
	}
	if _, err := fmt.Fprintln(a.stdout, public); err != nil { // what was asked for, also with --quiet
		return fmt.Errorf("print the key: %w", err)
	}
	a.tell("The secret is in %s. Give it to the edge: `freshet edge --control URL --seed %s`;\nand the public key to every control node: `freshet control --allow-edge %s`.",
		file, word(filepath.Base(file)), public)
	return nil
}

// writeSecret makes a file for its owner alone.
func writeSecret(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}
