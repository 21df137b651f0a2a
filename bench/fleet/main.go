// Command fleet plays a fleet of 1,000 edges on five continents in virtual time, and prints what its README describes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/freshet/freshet/bench/fleet/sim"
	"github.com/freshet/freshet/bench/publish/chart"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	edges := flags.Int("edges", 1000, "how many")
	rate := flags.Float64("rate", 100, "invalidations a second")
	length := flags.Duration("for", 2*time.Minute, "virtual time of each run")
	seed := flags.Uint64("seed", 1, "of the dice")
	price := flags.Float64("price", 0.05, "dollars for a gigabyte that a control node sends or takes")
	charts := flags.String("charts", "", "folder to write the charts to; empty writes none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	base := sim.Default()
	base.Edges, base.Rate, base.Length, base.Seed = *edges, *rate, *length, *seed
	topologies(base)
	pauses(base)
	rates(base, *price)
	sizes := growth(base)
	if *charts == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(*charts, "fleet.svg"), sizes.SVG(), 0o644)
}

// layout is a topology and a place for the control nodes.
type layout struct {
	name     string
	topology sim.Topology
	spread   bool
}

var layouts = []layout{
	{"direct, control in one region", sim.Direct, false},
	{"direct, control on three continents", sim.Direct, true},
	{"regional, control in one region", sim.Regional, false},
	{"regional, control on three continents", sim.Regional, true},
}

// topologies prints each layout in good times, with edges that die, and with Asia cut off for a minute.
func topologies(base sim.Config) {
	fmt.Printf("%d edges, %.0f invalidations a second of %d bytes, %v of virtual time, seed %d\n\n", base.Edges, base.Rate, base.Size, base.Length, base.Seed)
	fmt.Println("| layout | | p50 ms | p90 ms | p99 ms | slowest s | fenced, edge-seconds | given up | control messages/s | control Mbit/s | between continents Mbit/s | commits/s | broken promises |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, l := range layouts {
		cfg := base
		cfg.Topology, cfg.Spread = l.topology, l.spread
		row(l.name, "calm", sim.Run(cfg))
		cfg.Churn = 1
		row("", "an edge dies each second", sim.Run(cfg))
		cfg.Churn = 0
		cfg.Cut = sim.Cut{Region: 3, From: base.Length / 4, To: base.Length * 3 / 4}
		row("", "Asia cut off for half the time", sim.Run(cfg))
	}
}

func row(name, what string, r sim.Result) {
	seconds := r.Config.Length.Seconds()
	p := took(r)
	fmt.Printf("| %s | %s | %.0f | %.0f | %.0f | %.1f | %.0f | %d | %.0f | %.1f | %.1f | %.0f | %d |\n", name, what,
		ms(quantile(p, 0.5)), ms(quantile(p, 0.9)), ms(quantile(p, 0.99)), quantile(p, 1).Seconds(), r.Fenced.Seconds(), r.GivenUp,
		float64(r.Control.Messages)/seconds, mbit(r.Control.Bytes, seconds), mbit(r.Ocean.Bytes, seconds), float64(r.Commits)/seconds, r.Violations)
}

// pauses prints what the least time between two reports costs and saves.
func pauses(base sim.Config) {
	fmt.Println("\n| least time between two reports | p50 ms | p99 ms | control messages/s, direct | p50 ms | p99 ms | control messages/s, regional |")
	fmt.Println("|---|---|---|---|---|---|---|")
	base.Length = min(base.Length, 30*time.Second)
	for _, pause := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
		fmt.Printf("| %v |", pause)
		for _, t := range []sim.Topology{sim.Direct, sim.Regional} {
			cfg := base
			cfg.Report, cfg.Topology = pause, t
			r := sim.Run(cfg)
			p := took(r)
			fmt.Printf(" %.0f | %.0f | %.0f |", ms(quantile(p, 0.5)), ms(quantile(p, 0.99)), float64(r.Control.Messages)/cfg.Length.Seconds())
		}
		fmt.Println()
	}
}

// What the log keeps, as package stream sets it up.
const (
	logEntries = 100_000
	logBytes   = 1 << 30
)

// rates prints what the log grows by, how far back it reaches, and what the control nodes' traffic costs, by how much is published.
func rates(base sim.Config, price float64) {
	fmt.Println("\n| invalidations | log MB a day, on each control node | it reaches back | writes/s, direct | GB a month, direct | dollars | GB a month, regional | dollars |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	base.Length = min(base.Length, 60*time.Second)
	for _, one := range []struct {
		name string
		rate float64
	}{{"100 a second", 100}, {"10 a second", 10}, {"1 a second", 1}, {"1 a minute", 1.0 / 60}} {
		cfg := base
		cfg.Rate = one.rate
		kept := min(logEntries, logBytes/float64(cfg.Size)) / one.rate
		fmt.Printf("| %s | %.1f | %s |", one.name, one.rate*float64(cfg.Size)*86400/1e6, span(time.Duration(kept*float64(time.Second))))
		for i, t := range []sim.Topology{sim.Direct, sim.Regional} {
			cfg.Topology = t
			r := sim.Run(cfg)
			if i == 0 {
				fmt.Printf(" %.0f |", float64(r.Commits)/cfg.Length.Seconds())
			}
			month := float64(r.Control.Bytes) / cfg.Length.Seconds() * 30 * 86400 / 1e9
			fmt.Printf(" %.0f | %.0f |", month, month*price)
		}
		fmt.Println()
	}
}

// span is a length of time in its largest fitting unit.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
	return fmt.Sprintf("%.0f minutes", d.Minutes())
}

// growth prints how the control nodes' load and the time to Completed grow with the fleet.
func growth(base sim.Config) chart.Lines {
	fmt.Println("\n| edges | p99 ms | control messages/s, direct | p99 ms | control messages/s, regional |\n|---|---|---|---|---|")
	base.Length = min(base.Length, 30*time.Second)
	sizes := []int{10, 30, 100, 300, 1000, 3000}
	lines := chart.Lines{
		Title: "What a fleet costs its control nodes", Sizes: "edges",
		Subtitle: fmt.Sprintf("%.0f invalidations a second, five continents, simulated", base.Rate),
		Panels: []chart.Curves{
			{Title: "Messages a second", Tick: func(v float64) string { return fmt.Sprintf("%.0f", v) }, Series: []chart.Series{{Name: "direct"}, {Name: "regional"}}},
			{Title: "p99 to Completed", Tick: func(v float64) string { return fmt.Sprintf("%.0f ms", v) }, Series: []chart.Series{{Name: "direct"}, {Name: "regional"}}},
		},
	}
	for _, n := range sizes {
		lines.X = append(lines.X, float64(n))
		fmt.Printf("| %d |", n)
		for i, t := range []sim.Topology{sim.Direct, sim.Regional} {
			cfg := base
			cfg.Edges, cfg.Topology = n, t
			r := sim.Run(cfg)
			p99, load := ms(quantile(took(r), 0.99)), float64(r.Control.Messages)/cfg.Length.Seconds()
			lines.Panels[0].Series[i].Y = append(lines.Panels[0].Series[i].Y, load)
			lines.Panels[1].Series[i].Y = append(lines.Panels[1].Series[i].Y, p99)
			fmt.Printf(" %.0f | %.0f |", p99, load)
		}
		fmt.Println()
	}
	return lines
}

// took is how long the invalidations took, from the shortest.
func took(r sim.Result) []time.Duration {
	out := make([]time.Duration, len(r.Completed))
	for i, s := range r.Completed {
		out[i] = s.Took
	}
	slices.Sort(out)
	return out
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mbit(bytes int64, seconds float64) float64 { return float64(bytes) * 8 / 1e6 / seconds }
