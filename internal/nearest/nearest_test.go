package nearest

import (
	"testing"

	"pgregory.net/rapid"
)

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		name, word string
		options    []string
		want       string
	}{
		{"a letter too few", "depoy", []string{"plan", "deploy"}, "deploy"},
		{"two letters swapped", "depoly", []string{"deploy", "plan"}, "deploy"},
		{"nothing alike", "status", []string{"plan", "deploy"}, ""},
		{"a path", "/posts/2026/helo/", []string{"/posts/2026/hello/", "/posts/2026/bye/"}, "/posts/2026/hello/"},
		{"the first of equals", "ab", []string{"xb", "ax"}, ""},
		{"the first of two near ones", "abcd", []string{"abcx", "abcy"}, "abcx"},
		{"no options", "a", nil, ""},
		{"empty word", "", []string{"a"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Of(tt.word, tt.options); got != tt.want || ok != (tt.want != "") {
				t.Errorf("Of(%q) = %q, %v, want %q", tt.word, got, ok, tt.want)
			}
		})
	}
}

// slow is the same distance by its definition, for short words.
func slow(a, b string) int {
	switch {
	case a == "":
		return len(b)
	case b == "":
		return len(a)
	}
	la, lb := len(a)-1, len(b)-1
	d := min(slow(a[:la], b)+1, slow(a, b[:lb])+1)
	if a[la] == b[lb] {
		d = min(d, slow(a[:la], b[:lb]))
	} else {
		d = min(d, slow(a[:la], b[:lb])+1)
	}
	if la > 0 && lb > 0 && a[la] == b[lb-1] && a[la-1] == b[lb] {
		d = min(d, slow(a[:la-1], b[:lb-1])+1)
	}
	return d
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"ab", "ab", 0}, {"ab", "ba", 1}, {"abcd", "acbd", 1}, {"ca", "abc", 3}, {"kitten", "sitting", 3},
	} {
		if got := Distance(tt.a, tt.b, 9); got != tt.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
	word := rapid.StringMatching(`[abc]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, limit := word.Draw(t, "a"), word.Draw(t, "b"), rapid.IntRange(1, 8).Draw(t, "limit")
		got, want := Distance(a, b, limit), slow(a, b)
		if min(got, limit) != min(want, limit) {
			t.Fatalf("Distance(%q, %q, %d) = %d, want %d", a, b, limit, got, want)
		}
	})
}

func TestOfIsTheNearest(t *testing.T) {
	word := rapid.StringMatching(`[abc]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		w, options := word.Draw(t, "word"), rapid.SliceOf(word).Draw(t, "options")
		want, least := "", (len(w)+1)/2
		for _, o := range options {
			if d := slow(w, o); d < least {
				want, least = o, d
			}
		}
		if got, ok := Of(w, options); got != want || ok != (want != "") {
			t.Fatalf("Of(%q, %q) = %q, %v, want %q", w, options, got, ok, want)
		}
	})
}
