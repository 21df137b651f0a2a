package config

import (
	"fmt"
	"strings"
)

// didYouMean is ` (did you mean "x"?)` for the option nearest to the word, or
// nothing if none is near.
func didYouMean(word string, options []string) string {
	if near, ok := nearest(word, options); ok {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// nearest is the option that the word is probably a slip of: one that differs
// by case and separators only, or else by at most a third of its letters. Of
// equals the first wins.
func nearest(word string, options []string) (string, bool) {
	if len(word) > 64 { // no key is near that length
		return "", false
	}
	folded := fold(word)
	best, bestDistance := "", 1<<30
	for _, option := range options {
		other := fold(option)
		limit := max(1, min(3, len(other)/3))
		if d := distance(folded, other); d <= limit && d < bestDistance {
			best, bestDistance = option, d
		}
	}
	return best, best != ""
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance is how many insertions, deletions, replacements and swaps of
// neighbouring bytes turn a into b (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
