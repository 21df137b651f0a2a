//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/internal/testenv/fleetenv"
)

// lones is how many lone edges are compared with those of the fleet: of two processes of one program one is up to 5 % quicker than the other, for as long as both live.
const lones = 5

// throughput loads edges of the fleet and lone edges of the same program in turn with hits, and compares what each answered by second of its processor time:
// on a machine that does other things too, that says more than answers by second.
func (b *bench) throughput(ctx context.Context) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return err
	}
	both := [2][]*fleetenv.Edge{b.fleet.Edges}
	for range lones {
		lone, err := b.fleet.LoneEdge()
		if err != nil {
			return err
		}
		defer lone.Kill()
		if err := lone.Start(); err != nil {
			return err
		}
		if err := lone.Await(ctx); err != nil {
			return err
		}
		both[1] = append(both[1], lone)
	}
	var rates, perCPU [2][]float64
	for round := range b.s.rounds + 1 {
		for i := range both {
			i = (i + round) % 2
			rate, cpu, err := b.turn(ctx, both[i][round%len(both[i])])
			if err != nil {
				return err
			}
			if round > 0 { // the first warms up
				rates[i], perCPU[i] = append(rates[i], rate), append(perCPU[i], cpu)
			}
		}
	}
	fmt.Printf("throughput of hits, %d interleaved turns of %v each (load average %s):\n", b.s.rounds, b.s.slice, loadAverage())
	for i, name := range []string{"edge of the fleet", "lone edge"} {
		fmt.Printf("  %-18s median %8.0f/s, %8.0f by second of its processor time\n", name, median(rates[i]), median(perCPU[i]))
	}
	fmt.Printf("  fleet against lone: %+.1f %% by second, %+.1f %% by second of processor time\n",
		100*(median(rates[0])/median(rates[1])-1), 100*(median(perCPU[0])/median(perCPU[1])-1))
	return nil
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// turn loads one edge for a while with requests for one page.
func (b *bench) turn(ctx context.Context, e *fleetenv.Edge) (rate, perCPU float64, err error) {
	url := e.Viewers + "/p/7"
	if resp, err := http.Get(url); err != nil {
		return 0, 0, err
	} else if err := resp.Body.Close(); err != nil {
		return 0, 0, err
	}
	_, before := e.Usage()
	began := time.Now()
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c32", fmt.Sprintf("-d%ds", int(b.s.slice.Seconds())), url).CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, out)
	}
	_, after := e.Usage()
	if strings.Contains(string(out), "Non-2xx") {
		return 0, 0, fmt.Errorf("%s answers with errors: %s", e.Name, out)
	}
	_, text, _ := strings.Cut(string(out), "\n  ")
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "requests in") {
			text = line
		}
	}
	var requests float64
	if _, err := fmt.Sscan(text, &requests); err != nil {
		return 0, 0, fmt.Errorf("read what wrk says: %w: %s", err, out)
	}
	return requests / time.Since(began).Seconds(), requests / (after - before).Seconds(), nil
}
