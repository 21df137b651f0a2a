package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/freshet/freshet/bench/publish/wire"
)

// result is one turn of one tool. As JSON it is one line of -json.
type result struct {
	Tool     string `json:"tool"`
	Scenario string `json:"scenario"`
	Site     int    `json:"site"`            // files of the site that was asked for
	Files    int    `json:"files"`           // files in the folder in this turn
	Changed  int    `json:"changed"`         // of them, and of those that are gone, in this step
	Latency  int64  `json:"latency"`         // milliseconds added to each request
	Round    int    `json:"round"`           // from 1
	Ours     bool   `json:"ours,omitempty"`  // the tool is another freshet, by -also
	Scale    bool   `json:"scale,omitempty"` // of a flat site, by -scale
	usage
	wire.Counts
	Items       int    `json:"items"`       // invalidation paths sent
	Invalidated int    `json:"invalidated"` // files of the folder, now or before this step, that they cover
	Missing     int    `json:"missing"`     // files that are not in the bucket
	Different   int    `json:"different"`   // objects with other bytes than their files
	Left        int    `json:"left"`        // objects without a file
	Said        string `json:"said,omitempty"`
}

// sound says whether the turn did what it was for: a bucket that holds the folder.
func (r result) sound() bool { return r.Exit == 0 && r.Missing == 0 && r.Different == 0 }

// String is the line that is printed after the turn.
func (r result) String() string {
	s := fmt.Sprintf("%-8d %4d ms  round %d  %-8s %-10s %8.2f s  cpu %7.2f s  %6.1f MB  chain %-5d %s",
		r.Site, r.Latency, r.Round, r.Scenario, r.Tool, r.Wall, r.CPU, r.Peak, r.Chain, kinds(r.Kinds))
	if !r.sound() {
		s += fmt.Sprintf("  NOT SOUND: exit %d, %d missing, %d different: %s", r.Exit, r.Missing, r.Different, r.Said)
	}
	if len(r.Failures) > 0 {
		s += fmt.Sprintf("  failed: %s", kinds(r.Failures))
	}
	return s
}

// kinds lists counts, most first.
func kinds(counts map[string]int64) string {
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b] - counts[a])
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %s", thousands(int(counts[name])), name)
	}
	return strings.Join(names, ", ")
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// machine is where and with what a run was made. As JSON it is the first line of -json.
type machine struct {
	Day    string     `json:"day"`
	CPU    string     `json:"processor"`
	Cores  int        `json:"cores"`
	Memory string     `json:"memory"`
	System string     `json:"system"`
	Go     string     `json:"go"`
	Commit string     `json:"commit"`
	Tools  []toolNote `json:"tools"`
}

// toolNote is what a reader must know of a tool.
type toolNote struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Says    string `json:"says"`
}

// String is the line above a run's tables.
func (m machine) String() string {
	return fmt.Sprintf("%s: %d cores of %s, %s, %s, %s, commit %s", m.Day, m.Cores, m.CPU, m.Memory, m.System, m.Go, m.Commit)
}

// thisMachine describes the machine as well as it can: what cannot be read is left empty.
func thisMachine() machine {
	m := machine{Day: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = field("/proc/cpuinfo", "model name")
	if kb := field("/proc/meminfo", "MemTotal"); kb != "" {
		var n int
		if _, err := fmt.Sscan(kb, &n); err == nil {
			m.Memory = fmt.Sprintf("%d GB of memory", (n+1<<19)>>20)
		}
	}
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(data)), "-")
		m.System = "Linux " + release
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude", "*").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	return m
}

// field is the first value of that name in a file of "name: value" lines, or nothing.
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
