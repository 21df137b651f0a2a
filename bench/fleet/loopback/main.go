//go:build unix

// Command loopback measures a fleet of processes on this machine: how long an invalidation takes from its acceptance until five edges have
// applied it, how many a second are accepted and completed, what an edge costs by being one of a fleet, what everything takes in memory and
// on disk, and how long the fleet waits for an edge that died. It needs wrk and taskset for the throughput.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/testenv/fleetenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "loopback:", err)
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	controls, edges, clients, samples, rounds, kills int
	load, slice, lease                               time.Duration
	only                                             string
}

func run(ctx context.Context, args []string) (err error) {
	var s settings
	flags := flag.NewFlagSet("loopback", flag.ContinueOnError)
	flags.IntVar(&s.controls, "controls", 3, "control nodes, 1 or 3")
	flags.IntVar(&s.edges, "edges", 5, "edges")
	flags.IntVar(&s.clients, "clients", 64, "publishers at a time, for the load")
	flags.IntVar(&s.samples, "samples", 1000, "invalidations, one after the other, for the propagation")
	flags.IntVar(&s.rounds, "rounds", 20, "of the throughput, each of both edges")
	flags.IntVar(&s.kills, "kills", 3, "edges that are killed")
	flags.DurationVar(&s.load, "load", 10*time.Second, "length of the load")
	flags.DurationVar(&s.slice, "slice", time.Second, "length of each turn of the throughput")
	flags.DurationVar(&s.lease, "lease", 5*time.Second, "of the edges")
	flags.StringVar(&s.only, "only", "propagation,load,throughput,sizes,kill", "what is measured, in this order")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "freshet-loopback-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := fleetenv.Build(ctx, dir)
	if err != nil {
		return err
	}
	f, err := fleetenv.New(fleetenv.Options{
		Program: program, Dir: filepath.Join(dir, "fleet"), Controls: s.controls, Edges: s.edges, Lease: s.lease, Direct: true,
	})
	defer f.Stop()
	if err != nil {
		return err
	}
	if err := f.Start(ctx); err != nil {
		return err
	}
	fmt.Printf("%d control nodes, %d edges; load average before: %s\n", s.controls, s.edges, loadAverage())
	b := &bench{f, s, program, dir}
	for _, one := range strings.Split(s.only, ",") {
		f := map[string]func(context.Context) error{
			"propagation": b.propagation, "load": b.load, "throughput": b.throughput, "sizes": b.sizes, "kill": b.kill,
		}[one]
		if f == nil {
			return fmt.Errorf("nothing is called %q", one)
		}
		if err := f(ctx); err != nil {
			return fmt.Errorf("%s: %w", one, err)
		}
	}
	return nil
}

// bench is a fleet to be measured.
type bench struct {
	fleet   *fleetenv.Fleet
	s       settings
	program string
	dir     string
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}
