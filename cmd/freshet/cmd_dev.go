package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/cloud"
	"github.com/freshet/freshet/internal/project/build"
	"github.com/freshet/freshet/internal/project/config"
	"github.com/freshet/freshet/internal/project/detect"
	"github.com/freshet/freshet/internal/project/dev"
	"github.com/freshet/freshet/internal/publish/deploy"
	"github.com/freshet/freshet/internal/publish/plan"
)

const devHelp = `Builds the site, serves it at http://127.0.0.1:8080/ through the same edge that
` + "`freshet local`" + ` runs, and watches the project: each change is built, published by
the same steps as a deploy, and the browser reloads. Errors show in the page and
here, and what was published last stays.

What is watched is what build.watch in freshet.yaml names, else the whole project
without what the build makes. Without a build command it is the site itself.

Everything it publishes stays on this machine, in .freshet/dev beside the config.
The script that reloads is added on the way to the browser: it is never part of
what is published. docs/dev.md has the rest.`

// devFlags are the flags of dev.
type devFlags struct {
	listen, command string
	hosts           []string
}

func (a *app) devCommand() *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Build, serve and watch: each save shows in the browser",
		Long:  devHelp,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.dev(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", localEdge, "the `address` for browsers; port 0 takes any free one")
	flags.StringVar(&f.command, "command", "", "build with this `line` instead of build.command, as in --command 'hugo -D'")
	flags.StringArrayVar(&f.hosts, "host", nil, "a further `name` under which browsers may come (repeatable)")
	return cmd
}

// dev runs the loop until ctx ends.
func (a *app) dev(ctx context.Context, f devFlags) (err error) {
	if a.targetName != "" {
		return usage("leave --target out; `freshet deploy --target "+a.targetName+"` publishes there", "dev publishes to this machine only")
	}
	ctx, stop := untilHangup(ctx)
	defer stop()
	d := &developer{app: a, flags: f}
	if _, err := d.load(); err != nil {
		return err
	}
	listener, err := a.listen(f.listen)
	if err != nil {
		return err
	}
	edge, err := cloud.Start(ctx, cloud.Options{
		Dir: d.data, Addresses: cloud.Addresses{S3: anyPort, Control: anyPort, Edge: anyPort}, Announce: true, Now: a.now,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("start the embedded cloud: %w", err), listener.Close())
	}
	defer func() { err = errors.Join(err, edge.Close()) }()
	if err := d.ready(listener.Addr(), edge.Info()); err != nil {
		return errors.Join(err, listener.Close())
	}
	err = dev.Run(ctx, dev.Options{
		Load: d.load, Publish: d.publish, Report: d.report, Hint: func(err error) string { return classify(err).hint },
		Listener: listener, Edge: edge.Info().Edge, Hosts: append(f.hosts, hostOf(f.listen)), Now: a.now,
	})
	if ctx.Err() != nil {
		a.tell("stopped")
	}
	return errors.Join(err, d.close())
}

const anyPort = "127.0.0.1:0"

// untilHangup ends ctx also when the terminal goes away, so that no build
// outlives it; not under nohup, which is meant to.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// wsaAddrInUse is EADDRINUSE on Windows. Windows Sockets Error Codes, read 2026-11
const wsaAddrInUse = syscall.Errno(10048)

// listen opens the port for browsers, or says which one is free.
func (a *app) listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, wsaAddrInUse):
		return nil, &failure{fmt.Errorf("listen for browsers: %w", err), exitFailed,
			"something else uses that address, perhaps `freshet local`; stop it, or type `" + a.command("dev") + " --listen " + freeNear(address) + "`"}
	case errors.Is(err, syscall.EACCES):
		return nil, &failure{fmt.Errorf("listen for browsers: %w", err), exitFailed,
			"ports below 1024 are not for everybody; type `" + a.command("dev") + " --listen " + freeNear(localEdge) + "`"}
	}
	return nil, usage("give an address such as --listen "+localEdge, "listen for browsers: %w", err)
}

// freeNear is the address with the next port that is free.
func freeNear(address string) string {
	const tries = 20
	host, text, err := net.SplitHostPort(address)
	port, bad := strconv.Atoi(text)
	if err != nil || bad != nil {
		return anyPort
	}
	for next := port + 1; next <= port+tries && next < 1<<16; next++ {
		near := net.JoinHostPort(host, strconv.Itoa(next))
		if l, err := net.Listen("tcp", near); err == nil {
			_ = l.Close() // nothing was served
			return near
		}
	}
	return net.JoinHostPort(host, "0")
}

// hostOf is the name or address that somebody listens on.
func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return strings.ToLower(host)
}

// developer is one dev: the project as it was read last, and the open target.
type developer struct {
	app     *app
	flags   devFlags
	project project
	guessed string // the generator whose command is used since no file names one
	data    string // folder of the embedded cloud
	source  []byte // the config file that target was opened with
	target  *target
	proven  bool // what the store holds is what this process has seen
}

// load reads the config.
func (d *developer) load() (dev.Project, error) {
	p, err := d.app.project()
	if err != nil {
		return dev.Project{}, err
	}
	out := dev.Project{Root: p.root}
	if p.Build.Command = cmp.Or(d.flags.command, p.Build.Command); p.Build.Command == "" && p.File == "" {
		if source, ok := detect.Generator(p.root); ok {
			p.Build.Command, d.guessed = source.Command, source.Name
		}
	}
	site, _, err := siteFolder(p)
	if err != nil && p.Build.Command == "" {
		return dev.Project{}, err
	}
	// Everything is published on this machine, whatever the targets are, and
	// nothing of the past is kept.
	p.Config = localOnly(p.Config)
	d.project = p
	if d.data = d.app.dataDir; d.data == "" {
		d.data = filepath.Join(p.root, ".freshet", "dev")
	}
	data, err := filepath.Abs(d.data)
	if err != nil {
		return dev.Project{}, fmt.Errorf("find the data folder: %w", err)
	}
	out.Ignore = []string{data}
	out.Watch = configFiles(p, site)
	if p.Build.Command == "" {
		out.Watch = append(out.Watch, site)
		return out, nil
	}
	out.Build = d.build
	out.Watch = append(out.Watch, sources(p)...)
	out.Ignore = append(out.Ignore, products(p, site)...)
	return out, nil
}

// build runs the site's command; what it says is shown where it fails, and
// with --verbose as it comes.
func (d *developer) build(ctx context.Context, output io.Writer) error {
	if d.app.verbose && !d.app.json {
		output = io.MultiWriter(output, d.app.stderr)
	}
	b := d.project.Build
	err := build.Run(ctx, build.Options{Dir: d.project.root, Command: b.Command, Image: b.Image, Stdout: output, Stderr: output})
	var failed *build.Error
	if errors.As(err, &failed) {
		return &failure{err, exitFailed, failed.Hint()}
	}
	return err
}

// publish does what deploy does, to the running edge.
func (d *developer) publish(ctx context.Context) (dev.Published, error) {
	quiet := d.quiet()
	if err := d.open(ctx, quiet); err != nil {
		return dev.Published{}, err
	}
	scanning, err := quiet.startScan(ctx, d.project)
	if err != nil {
		return dev.Published{}, err
	}
	pub := &publication{
		app: quiet, project: d.project, target: d.target, scanning: scanning,
		// The first look is at everything: somebody may have deployed with --data.
		engine: quiet.engine(d.target, deploy.Options{TrustRecord: d.proven}),
	}
	defer scanning.end()
	res, err := pub.engine.Publish(ctx, deploy.Job{Want: pub.scannedSite, Plan: pub.deciding("", plan.Make)})
	d.proven = err == nil
	return published(pub.plan, res), err
}

// quiet is the app as it deploys within dev: to the embedded cloud, without a
// word.
func (d *developer) quiet() *app {
	own := *d.app
	own.quiet, own.json, own.stream, own.dataDir, own.targetName = true, false, nil, d.data, config.LocalTarget
	return &own
}

// open connects to the running edge, anew where the config has changed.
func (d *developer) open(ctx context.Context, quiet *app) error {
	var source []byte
	if d.project.File != "" {
		var err error
		if source, err = os.ReadFile(d.project.File); err != nil {
			return fmt.Errorf("read config: %w", err)
		}
	}
	if d.target != nil && bytes.Equal(source, d.source) {
		return nil
	}
	if err := d.close(); err != nil {
		return err
	}
	target, err := quiet.open(ctx, d.project, access{})
	if err != nil {
		return err
	}
	d.target, d.source = target, source
	return nil
}

func (d *developer) close() error {
	if d.target == nil {
		return nil
	}
	t := d.target
	d.target = nil
	return t.close()
}

// published counts what a plan that was carried out did.
func published(p plan.Plan, res deploy.Result) dev.Published {
	out := dev.Published{Changed: res.Changed}
	for _, s := range p.Steps {
		switch s.Op {
		case plan.OpAdd, plan.OpUpdate, plan.OpHeaders:
			out.Uploaded++
		case plan.OpRemove, plan.OpSweep:
			out.Removed++
		}
	}
	for _, u := range p.Purges {
		out.URLs += len(u.Changed)
	}
	return out
}
