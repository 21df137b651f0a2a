package config

import (
	"fmt"
	"strings"

	"github.com/freshet/freshet/internal/nearest"
)

// didYouMean is ` (did you mean "x"?)` for the option nearest to the word, or
// nothing if none is near.
func didYouMean(word string, options []string) string {
	if near, ok := slipOf(word, options); ok {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// slipOf is the option that the word is probably a slip of: one that differs
// by case and separators only, or else by at most a third of its letters. Of
// equals the first wins.
func slipOf(word string, options []string) (string, bool) {
	if len(word) > 64 { // no key is near that length
		return "", false
	}
	folded := fold(word)
	best, bestDistance := "", 1<<30
	for _, option := range options {
		other := fold(option)
		limit := max(1, min(3, len(other)/3))
		if d := nearest.Distance(folded, other, limit+1); d <= limit && d < bestDistance {
			best, bestDistance = option, d
		}
	}
	return best, best != ""
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}
