// Command edge measures the hit path of freshet's edge beside the caches that people run, on one core, in one run.
//
// Its README says what it does and how to read what it prints. It promises that all servers of a run get the same load in turn,
// and that a server that is not installed is named and left out. It leaves out TLS, misses, and more than one core.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
}

// run is the measurement, the soak, or one of the two servers that the measurement starts from this same program.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "origin" {
		return serveOrigin(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "serve" {
		return serveEdge(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "soak" {
		return runSoak(ctx, args[1:])
	}
	flags := flag.NewFlagSet("edge", flag.ContinueOnError)
	names := flags.String("servers", "freshet,nginx,varnish,trafficserver", "which, in this order; also squid, and freshet-nethttp: freshet without its hit loop")
	sizes := flags.String("sizes", "1000,20000,500000", "of the objects, in bytes")
	rounds := flags.Int("rounds", 3, "turns that each server gets for each size")
	slice := flags.Duration("slice", 5*time.Second, "length of a turn")
	cores := flags.String("cores", "0,1", "the servers' core, and the load generator's and origin's")
	scratch := flags.String("scratch", "/dev/shm", "where to make the scratch folder; on tmpfs, or caches on disk are measured with their disk")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, load, ok := strings.Cut(*cores, ",")
	if !ok {
		return fmt.Errorf("read -cores %q: want two numbers", *cores)
	}
	m := measurement{
		names: strings.Split(*names, ","), rounds: *rounds, slice: *slice, serverCore: server, loadCore: load, scratch: *scratch,
	}
	for s := range strings.SplitSeq(*sizes, ",") {
		m.sizes = append(m.sizes, strings.TrimSpace(s))
	}
	return m.run(ctx)
}
