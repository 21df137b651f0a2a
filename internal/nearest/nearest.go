// Package nearest finds what somebody probably meant to type.
//
// It compares bytes, so a character outside ASCII counts as two to four. It is
// pure.
package nearest

// Of is the option that is most like word, and whether any is like it at all:
// fewer than half of its bytes would have to be typed anew. Of equals the first
// wins.
func Of(word string, options []string) (string, bool) {
	best, limit := "", (len(word)+1)/2
	for _, option := range options {
		if d := len(option) - len(word); d >= limit || -d >= limit {
			continue
		}
		if d := Distance(word, option, limit); d < limit {
			best, limit = option, d
		}
	}
	return best, best != ""
}

// Distance is how many insertions, deletions, replacements and swaps of
// neighbouring bytes turn a into b (optimal string alignment); it may answer
// limit as soon as the distance cannot stay below it.
func Distance(a, b string, limit int) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit // rows only grow, but for a swap, which costs as much
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
