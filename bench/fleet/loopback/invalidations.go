//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet/stream"
	"github.com/freshet/freshet/internal/testenv/fleetenv"
)

// reports are how far each edge has said that it is.
type reports struct {
	// mu guards what follows; held for map access only.
	mu      sync.Mutex
	applied map[string]uint64
	changed chan struct{} // closed and replaced by each report
}

func (r *reports) heard(member string, applied uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied[member] = max(r.applied[member], applied)
	close(r.changed)
	r.changed = make(chan struct{})
}

// end is the furthest, and how many edges are at least at a position.
func (r *reports) end(at uint64) (furthest uint64, there int, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, applied := range r.applied {
		furthest = max(furthest, applied)
		if applied >= at {
			there++
		}
	}
	return furthest, there, r.changed
}

// wait returns when so many edges are at a position.
func (r *reports) wait(ctx context.Context, edges int, at uint64) error {
	for {
		_, there, changed := r.end(at)
		if there >= edges {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for position %d at %d edges, %d are there: %w", at, edges, there, ctx.Err())
		case <-time.After(10 * time.Second):
			return fmt.Errorf("wait for position %d at %d edges, %d are there after 10 s", at, edges, there)
		}
	}
}

// propagation makes one invalidation after the other. An edge has applied it when its report has arrived here: an upper bound, as edges report
// at most once a millisecond.
func (b *bench) propagation(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var servers []string
	for _, c := range b.fleet.Controls {
		servers = append(servers, c.Log())
	}
	engine, err := stream.Connect(ctx, stream.Options{Servers: servers, Edge: true, Name: "loopback"})
	if err != nil {
		return err
	}
	defer engine.Close()
	heard := &reports{applied: map[string]uint64{}, changed: make(chan struct{})}
	go func() { _ = engine.Reports(ctx, heard.heard) }() // until ctx ends
	time.Sleep(time.Second)
	client := b.fleet.NewClient()
	defer client.Close()
	if _, err := client.Invalidate(ctx, 0, "first", "/first"); err != nil {
		return err
	}
	time.Sleep(time.Second)
	end, there, _ := heard.end(1)
	if there != b.s.edges {
		return fmt.Errorf("%d of %d edges reported", there, b.s.edges)
	}
	var accepted, applied, whole []time.Duration
	for i := range b.s.samples {
		began := time.Now()
		if _, err := client.Invalidate(ctx, 0, fmt.Sprint("propagation-", i), fmt.Sprint("/p/", i%fleetenv.Pages)); err != nil {
			return err
		}
		answered := time.Now()
		if err := heard.wait(ctx, b.s.edges, end+uint64(i)+1); err != nil {
			return err
		}
		accepted, applied, whole = append(accepted, answered.Sub(began)), append(applied, time.Since(answered)), append(whole, time.Since(began))
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("propagation, %d invalidations one after the other (load average %s):\n", b.s.samples, loadAverage())
	row("request to 201", accepted)
	row("201 to applied at all edges, as reported", applied)
	row("request to applied at all edges", whole)
	return nil
}

func row(name string, all []time.Duration) {
	slices.Sort(all)
	at := func(p float64) time.Duration { return all[int(p*float64(len(all)-1))].Round(10 * time.Microsecond) }
	fmt.Printf("  %-42s p50 %8v  p90 %8v  p99 %8v  max %8v\n", name, at(.5), at(.9), at(.99), at(1))
}

// load has many clients invalidate, spread over the control nodes, then waits until the last is Completed.
func (b *bench) load(ctx context.Context) error {
	client := b.fleet.NewClient()
	defer client.Close()
	var accepted, failed atomic.Int64
	last := make([]string, b.s.clients)
	began := time.Now()
	var work sync.WaitGroup
	for i := range b.s.clients {
		work.Go(func() {
			for n := 0; time.Since(began) < b.s.load; n++ {
				id, err := client.Invalidate(ctx, i, fmt.Sprintf("load-%d-%d", i, n), fmt.Sprint("/p/", n%fleetenv.Pages))
				if err != nil {
					failed.Add(1)
					continue
				}
				accepted.Add(1)
				last[i] = id
			}
		})
	}
	work.Wait()
	took := time.Since(began)
	for i, id := range last {
		for done := id == ""; !done; {
			var err error
			if done, err = client.Completed(ctx, i, id); err != nil && ctx.Err() != nil {
				return err
			}
			if !done {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	all := time.Since(began)
	fmt.Printf("load, %d clients: %d accepted in %v, %.0f/s (%d failed); all Completed after %v, %.0f/s (load average %s)\n",
		b.s.clients, accepted.Load(), took.Round(time.Millisecond), float64(accepted.Load())/took.Seconds(), failed.Load(),
		all.Round(time.Millisecond), float64(accepted.Load())/all.Seconds(), loadAverage())
	return nil
}

// kill ends an edge as a power loss would, and measures how long the next invalidation takes until it is Completed.
func (b *bench) kill(ctx context.Context) error {
	client := b.fleet.NewClient()
	defer client.Close()
	for i := range b.s.kills {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		e := b.fleet.Edges[i%len(b.fleet.Edges)]
		e.Kill()
		began := time.Now()
		id, err := client.Invalidate(ctx, 0, fmt.Sprint("kill-", i), "/p/1")
		for done := false; err == nil && !done && ctx.Err() == nil; {
			time.Sleep(5 * time.Millisecond)
			done, err = client.Completed(ctx, 0, id)
		}
		if err != nil {
			return err
		}
		fmt.Printf("kill -9 of %s: the next invalidation was Completed after %v (lease %v)\n", e.Name, time.Since(began).Round(time.Millisecond), b.s.lease)
		if err := b.fleet.AwaitAll(ctx); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	return nil
}

// sizes prints what each process takes.
func (b *bench) sizes(context.Context) error {
	for _, p := range b.fleet.Processes() {
		resident, used := p.Usage()
		fmt.Printf("%-10s %6.1f MiB resident, %7.1f MiB on disk, %v of processor time\n", p.Name, float64(resident)/(1<<20), float64(fleetenv.Disk(p.Dir))/(1<<20), used)
	}
	return nil
}
