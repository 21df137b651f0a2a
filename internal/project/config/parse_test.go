package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPlaces holds the table of places to the keys that are really read.
func TestPlaces(t *testing.T) {
	within := map[string]string{
		"the top of the file":            "%s: 1\n",
		"build:":                         "build: {%s: 1}\n",
		"invalidation:":                  "invalidation: {%s: 1}\n",
		"targets: and the target's name": "targets: {p: {%s: 1}}\n",
		"headers: in a rule with match:": "headers: [{%s: 1}]\n",
		"urls:":                          "urls: {%s: 1}\n",
		"edge:":                          "edge: {%s: 1}\n",
		"edge: in an entry of listen:":   "edge: {listen: [{%s: 1}]}\n",
		"edge: in control:":              "edge: {control: {%s: 1}}\n",
		"control:":                       "control: {%s: 1}\n",
		"control: in cluster:":           "control: {cluster: {%s: 1}}\n",
	}
	for _, place := range places() {
		for _, key := range place.keys {
			_, err := Parse("freshet.yaml", fmt.Appendf(nil, within[place.name], key))
			if err != nil && strings.Contains(err.Error(), "unknown key") {
				t.Errorf("%s under %s: %v", key, place.name, err)
			}
		}
		_, err := Parse("freshet.yaml", fmt.Appendf(nil, within[place.name], "zzzzzzzz"))
		if err == nil {
			t.Fatalf("zzzzzzzz accepted under %s", place.name)
		}
		_, known, _ := strings.Cut(mistakes(err)[0].Msg, "known here: ")
		if got := len(strings.Split(known, ", ")); got != len(place.keys) {
			t.Errorf("%s has %d keys, the table %d: %s", place.name, got, len(place.keys), known)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"0", 0, true}, {"30d", 30 * day, true}, {"2w", 14 * day, true}, {"1w2d3h", 9*day + 3*time.Hour, true},
		{"36h", 36 * time.Hour, true}, {"1.5d", 36 * time.Hour, true}, {".5w", 84 * time.Hour, true},
		{"90s", 90 * time.Second, true}, {"36500d", 36500 * day, true}, {"10ms", 10 * time.Millisecond, true},
		{"", 0, true}, // never asked: an empty value is refused before
		{"36501d", 0, false}, {"99999999999999999999w", 0, false}, {"9999999999h", 0, false},
		{"36500d1ns", 0, false}, {"-1d", 0, false}, {"1", 0, false}, {"d", 0, false}, {"1y", 0, false},
		{"1 d", 0, false}, {"1d ", 0, false}, {"1D", 0, false}, {"1e3d", 0, false}, {"1.2.3d", 0, false},
	}
	for _, tt := range tests {
		got, err := parseDuration(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseDuration(%q) = %s, %v; want %s, ok %t", tt.in, got, err, tt.want, tt.ok)
		}
	}
}

// TestParseDurationLikeGo checks that Go's own durations mean what Go means.
func TestParseDurationLikeGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, int64(maxDuration)).Draw(t, "ns"))
		if got, err := parseDuration(want.String()); err != nil || got != want {
			t.Fatalf("parseDuration(%q) = %s, %v", want.String(), got, err)
		}
	})
}

func TestNearest(t *testing.T) {
	keys := []string{"bucket", "cache-control", "url", "site", "distribution"}
	tests := []struct{ word, want string }{
		{"bukcet", "bucket"}, {"Bucket", "bucket"}, {"cachecontrol", "cache-control"}, {"URL", "url"},
		{"ur", "url"}, {"urls", "url"}, {"distrubtion", "distribution"}, {"distribution_id", "distribution"},
		{"x", ""}, {"", ""}, {"headers", ""}, {strings.Repeat("s", 100), ""},
	}
	for _, tt := range tests {
		if got, _ := slipOf(tt.word, keys); got != tt.want {
			t.Errorf("slipOf(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", whole, "a", "- a", "site: x\n---\nb", "site: &a *a", "x: {<<: *x}", "a: |\n b\n",
		"? a\n: b", "site: \"\\u00e4\\x07\"", "build: {clean: [..]}", "\t", "site:\t\n", "%Y\n",
		"targets:\n  a: &a {<<: *a}\n", "!!map {}", "\ufeff\r\n", "'", "{", "[a: b]", "a:\n - b\n  c",
		"{site}", "[", "retain: 1d1d", "*", "&", "<<: 1", "<<: [a]", "? ", ": ", "- - -",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Parse("freshet.yaml", src)
		if err == nil {
			checkConfig(t, c)
			return
		}
		found := mistakes(err)
		if c != nil || len(found) == 0 {
			t.Fatalf("config %v with error %v", c, err)
		}
		lines := strings.Count(string(src), "\n") + strings.Count(string(src), "\r") + 1
		for _, e := range found {
			if e.Line < 1 || e.Line > lines || e.Column < 1 || e.Msg == "" || strings.Count(e.Error(), "\n") < 2 {
				t.Fatalf("position outside the file of %d lines: %#v", lines, e)
			}
		}
	})
}

// checkConfig checks what the types promise of every accepted file.
func checkConfig(t *testing.T, c *Config) {
	t.Helper()
	if len(c.Targets) == 0 || c.Retain < 0 || c.Retain > maxDuration || c.Invalidation.Budget < 0 {
		t.Fatalf("out of range: %+v", c)
	}
	if _, err := c.Target(LocalTarget); err != nil {
		if _, ok := c.embedded(); !ok {
			t.Fatal(err)
		}
	}
	for _, r := range c.Headers {
		if r.Match == "" || r.Line < 1 {
			t.Fatalf("rule %+v", r)
		}
	}
	for _, p := range c.Build.Clean {
		if p == "." || strings.HasPrefix(p, "..") && !strings.HasPrefix(p, "...") || strings.HasPrefix(p, "/") {
			t.Fatalf("clean %q", p)
		}
	}
	for name, target := range c.Targets {
		if target.Name != name || strings.HasPrefix(target.Prefix, "/") ||
			target.Prefix != "" && !strings.HasSuffix(target.Prefix, "/") {
			t.Fatalf("target %q: %+v", name, target)
		}
	}
}
