// Command publish measures freshet beside the publishers that people use, in one run: wall time, processor time, peak memory,
// requests by kind, bytes, and how much of the CDN's cache each of them throws away.
//
// Its README says what it does and how to read what it prints. It promises that all tools of a run publish the same folder to servers of the same kind, each
// to its own, in turns; that a tool that is not installed is named and left out; and that what a tool left in its bucket is compared
// with the folder after every turn. It leaves out TLS, and peers' own ways of skipping files by their times.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	// SIGPIPE, as from head: without it here the program would end at once, and leave its scratch folder.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		os.Exit(1)
	}
}

// run is the measurement, or one of the two helpers that it starts from this same program.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "s3" {
		return serveS3(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "launch" {
		return launch(os.Stdin, os.Stdout)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.from != "" {
		return o.again()
	}
	b, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	return b.run(ctx)
}

// options are what the flags say.
type options struct {
	files     []int
	latencies []time.Duration
	rounds    int
	tools     []string
	scenarios []string
	programs  map[string]string // tool → its program
	also      map[string]string // name → another freshet
	server    string
	endpoint  string
	scale     int
	seed      uint64
	slow      time.Duration
	settle    time.Duration
	scratch   string

	json, charts, write, from string
}

func parse(args []string) (o options, err error) {
	o.programs, o.also = map[string]string{}, map[string]string{}
	flags := flag.NewFlagSet("publish", flag.ContinueOnError)
	files := flags.String("n", "", "files of the site; several by commas (default 2000; none with -scale alone)")
	latencies := flags.String("latency", "0,20", "milliseconds added to each request; several by commas")
	flags.IntVar(&o.rounds, "rounds", 3, "turns of each tool in each scenario")
	tools := flags.String("tools", toolNames(), "which, by commas")
	scenarios := flags.String("scenarios", strings.Join(scenarioNames, ","), "which, by commas; first is always run")
	flags.Func("program", "NAME=`PATH`: the program of a tool; else it is looked for in /usr/bin, then on PATH, and freshet is built", into(o.programs))
	flags.Func("also", "NAME=`PATH`: another freshet, to be measured under that name", into(o.also))
	flags.StringVar(&o.server, "server", "embedded", "the S3 server: embedded (freshet's own, one process for each tool) or versitygw")
	flags.StringVar(&o.endpoint, "endpoint", "", "the `URL` of an S3 server that runs already, in place of -server; its keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	flags.IntVar(&o.scale, "scale", 0, "measure freshet alone on flat sites of up to this many small files")
	flags.Uint64Var(&o.seed, "seed", 1, "of the site")
	flags.DurationVar(&o.slow, "slow", 2*time.Minute, "a tool whose first round took longer gets no other")
	flags.DurationVar(&o.settle, "settle", 1100*time.Millisecond, "the time between an upload, a rebuild and the next upload; S3 knows whole seconds only, and some tools compare times")
	flags.StringVar(&o.scratch, "scratch", "/dev/shm", "where to make the scratch folder; on tmpfs, or a disk is measured")
	flags.StringVar(&o.json, "json", "", "append every turn to this `file`, a JSON object on a line")
	flags.StringVar(&o.charts, "charts", "", "write charts into this `folder`, as SVG")
	flags.StringVar(&o.write, "write", "", "write tables and charts into performance.md in this `folder`, between its markers")
	flags.StringVar(&o.from, "from", "", "measure nothing: print, draw and write what -json put into this `file`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.tools, o.scenarios = strings.Split(*tools, ","), strings.Split(*scenarios, ",")
	if *files == "" && o.scale == 0 {
		*files = "2000"
	}
	if o.files, err = numbers(*files); err != nil {
		return o, fmt.Errorf("read -n: %w", err)
	}
	milliseconds, err := numbers(*latencies)
	if err != nil {
		return o, fmt.Errorf("read -latency: %w", err)
	}
	if len(milliseconds) == 0 || o.rounds < 1 {
		return o, errors.New("read -latency and -rounds: there must be one of each")
	}
	for _, ms := range milliseconds {
		o.latencies = append(o.latencies, time.Duration(ms)*time.Millisecond)
	}
	return o, nil
}

func into(m map[string]string) func(string) error {
	return func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok || name == "" || path == "" {
			return fmt.Errorf("%q is not NAME=PATH", s)
		}
		m[name] = path
		return nil
	}
}

func numbers(list string) (out []int, err error) {
	if list == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
