package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// report prints the medians over each server's turns, its best turn, and both per full core as ratios
// to the best of the servers that are not freshet.
func report(w io.Writer, size string, servers []*server, turns [][]turn) {
	fmt.Fprintf(w, "\n%s bytes\n%-16s %10s %6s %10s %10s %7s %14s %7s %10s %7s\n", size,
		"", "requests/s", "core", "p50", "p99", "errors", "per full core", "ratio", "best turn", "ratio")
	bestMedian, bestTurn := 0.0, 0.0
	for i, s := range servers {
		if !ours(s.name) {
			bestMedian = max(bestMedian, median(turns[i], perCore))
			bestTurn = max(bestTurn, highest(turns[i], perCore))
		}
	}
	for i, s := range servers {
		list := turns[i]
		errors := 0
		for _, t := range list {
			errors += t.errors
		}
		fmt.Fprintf(w, "%-16s %10.0f %5.0f%% %10s %10s %7d %14.0f %7s %10.0f %7s\n", s.name,
			median(list, func(t turn) float64 { return t.rate }), 100*median(list, func(t turn) float64 { return t.share }),
			latency(list, func(t turn) time.Duration { return t.p50 }), latency(list, func(t turn) time.Duration { return t.p99 }), errors,
			median(list, perCore), ratio(median(list, perCore), bestMedian), highest(list, perCore), ratio(highest(list, perCore), bestTurn))
	}
}

// ours says whether the server is one that is compared with the others.
func ours(name string) bool {
	return name == "freshet" || name == "freshet-nethttp"
}

func perCore(t turn) float64 { return t.perCore }

func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/b)
}

func median(turns []turn, of func(turn) float64) float64 {
	var values []float64
	for _, t := range turns {
		values = append(values, of(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func highest(turns []turn, of func(turn) float64) float64 {
	most := 0.0
	for _, t := range turns {
		most = max(most, of(t))
	}
	return most
}

func latency(turns []turn, of func(turn) time.Duration) time.Duration {
	return time.Duration(median(turns, func(t turn) float64 { return float64(of(t)) })).Round(10 * time.Microsecond)
}
