// Command freshet publishes a static site to S3 behind CloudFront: exactly
// what changed, in an order that never breaks a page, invalidating exactly the
// URLs whose answer changed, and proving at the edge that viewers get the new
// version. It carries its own S3 and CloudFront, which is where it publishes
// when nothing else is named.
//
// This package parses flags, wires values and maps errors to exit codes; one
// file holds one subcommand.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/freshet/freshet/internal/ui"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], host{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, now: time.Now,
	})
	stop()
	os.Exit(code)
}

// host is what the program gets from its surroundings.
type host struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
}

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, h host) int {
	app := &app{host: h, progress: ui.NewProgress(h.stderr, h.getenv, h.now)}
	root := app.root()
	root.SetArgs(args)
	root.SetIn(h.stdin)
	root.SetOut(h.stdout)
	root.SetErr(h.stderr)
	return app.exit(root.ExecuteContext(ctx))
}
