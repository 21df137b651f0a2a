package nearest

import "testing"

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
