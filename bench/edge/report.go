package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// report prints the median of each figure over a server's turns, and the ratio of requests per full core
// to the best of the servers that are not freshet.
func report(w io.Writer, size string, servers []*server, turns [][]turn) {
	fmt.Fprintf(w, "\n%s bytes\n%-16s %10s %6s %14s %10s %10s %7s %7s\n", size, "", "requests/s", "core", "per full core", "p50", "p99", "errors", "ratio")
	best := 0.0
	for i, s := range servers {
		if !ours(s.name) {
			best = max(best, median(turns[i], func(t turn) float64 { return t.perCore }))
		}
	}
	for i, s := range servers {
		list := turns[i]
		perCore := median(list, func(t turn) float64 { return t.perCore })
		ratio := "-"
		if best > 0 {
			ratio = fmt.Sprintf("%.2f", perCore/best)
		}
		errors := 0
		for _, t := range list {
			errors += t.errors
		}
		fmt.Fprintf(w, "%-16s %10.0f %5.0f%% %14.0f %10s %10s %7d %7s\n", s.name,
			median(list, func(t turn) float64 { return t.rate }), 100*median(list, func(t turn) float64 { return t.share }), perCore,
			latency(list, func(t turn) time.Duration { return t.p50 }), latency(list, func(t turn) time.Duration { return t.p99 }), errors, ratio)
	}
}

// ours says whether the server is one that the others are compared with.
func ours(name string) bool {
	return name == "freshet" || name == "freshet-nethttp"
}

func median(turns []turn, of func(turn) float64) float64 {
	var values []float64
	for _, t := range turns {
		values = append(values, of(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func latency(turns []turn, of func(turn) time.Duration) time.Duration {
	return time.Duration(median(turns, func(t turn) float64 { return float64(of(t)) })).Round(10 * time.Microsecond)
}
