package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/freshet/freshet/internal/cloud/fleet"
)

// report gives median and 99th percentile instead of the mean.
func report(b *testing.B, what string, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))]) / float64(time.Microsecond)
	}
	b.ReportMetric(at(0.5), what+"-p50-us")
	b.ReportMetric(at(0.99), what+"-p99-us")
}

// benchmarkEntries appends entries of 200 bytes, a pause apart, and measures how long each takes until it is
// acknowledged, and until each follower has it.
func benchmarkEntries(b *testing.B, e *Engine, followers []*Engine, pause time.Duration) {
	sent := make([]time.Time, b.N)
	arrived := make([][]time.Duration, len(followers))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var wait, warm sync.WaitGroup
	_, base, err := e.Bounds(ctx)
	if err != nil {
		b.Fatal(err)
	}
	base++ // one entry by which followers are known to follow
	for n, f := range followers {
		warm.Add(1)
		wait.Go(func() {
			f.Follow(ctx, base, func(entry fleet.Entry) error { //nolint:errcheck // ends with what is returned here
				if entry.Sequence == base {
					warm.Done()
					return nil
				}
				arrived[n] = append(arrived[n], time.Since(sent[entry.Sequence-base-1]))
				if len(arrived[n]) == b.N {
					return context.Canceled
				}
				return nil
			})
		})
	}
	data, acknowledged := make([]byte, 200), make([]time.Duration, b.N)
	if _, err := e.Append(ctx, base-1, fmt.Sprint("warm", base), data); err != nil {
		b.Fatal(err)
	}
	warm.Wait()
	b.ResetTimer()
	for n := range b.N {
		sent[n] = time.Now()
		if _, err := e.Append(ctx, base+uint64(n), fmt.Sprint(base, "-", n), data); err != nil {
			b.Fatal(err)
		}
		acknowledged[n] = time.Since(sent[n])
		time.Sleep(pause)
	}
	wait.Wait()
	report(b, "append", acknowledged)
	if len(followers) > 0 {
		report(b, "follow", slices.Concat(arrived...))
	}
}

func BenchmarkAlone(b *testing.B) {
	n, err := Start(Config{Dir: b.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Shutdown()
	open := func(o Options) *Engine {
		e, err := Connect(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { e.Close() })
		return e
	}
	e := open(Options{Node: n})
	b.Run("append", func(b *testing.B) { benchmarkEntries(b, e, nil, 0) })
	var followers []*Engine
	for range 5 {
		followers = append(followers, open(Options{Servers: []string{"nats://" + n.Address()}, Edge: true}))
	}
	b.Run("five followers", func(b *testing.B) { benchmarkEntries(b, e, followers, time.Millisecond) })
}

// BenchmarkStart is from nothing to an engine that answers, and the end.
func BenchmarkStart(b *testing.B) {
	var took []time.Duration
	for range b.N {
		dir, began := b.TempDir(), time.Now()
		n, err := Start(Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		e, err := Connect(b.Context(), Options{Node: n})
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		e.Close()
		n.Shutdown()
	}
	report(b, "ready", took)
}

func BenchmarkThree(b *testing.B) {
	cfgs := threeConfigs(b)
	var nodes [3]*process
	for n := range nodes {
		nodes[n] = startProcess(b, cfgs[n])
	}
	defer func() {
		for _, p := range nodes {
			p.kill()
		}
	}()
	for _, p := range nodes {
		p.wait(b)
	}
	open := func() *Engine {
		e, err := Connect(b.Context(), Options{Servers: servers(cfgs)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { e.Close() })
		return e
	}
	e := open()
	b.Run("append", func(b *testing.B) { benchmarkEntries(b, e, nil, 0) })
	followers := []*Engine{open(), open(), open(), open(), open()}
	b.Run("five followers", func(b *testing.B) { benchmarkEntries(b, e, followers, time.Millisecond) })
}
