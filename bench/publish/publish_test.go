package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/bench/publish/wire"
)

// TestMain lets the test program be the helpers that the bench starts from itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "s3" || os.Args[1] == "launch") {
		main()
		return
	}
	os.Exit(m.Run())
}

// turnOf is a sound turn.
func turnOf(tool string, round int, wall, cpu, peak float64) result {
	return result{
		Tool: tool, Scenario: nothing, Site: 2000, Files: 2000, Round: round, usage: usage{Wall: wall, CPU: cpu, Peak: peak},
		Counts: wire.Counts{Kinds: map[string]int64{"LIST": int64(round), "GET": 1200}, Sent: 1_500_000, Chain: 3}, Items: 2, Invalidated: 1500,
	}
}

func TestTableOfRatios(t *testing.T) {
	broken := turnOf("fast", 1, 0.01, 0.01, 1)
	broken.Missing = 1
	also := turnOf("before", 1, 0.05, 0.05, 5)
	also.Ours = true
	groups := summarize([]result{
		turnOf(ours, 1, 9, 1, 30), turnOf("one", 1, 4, 1, 80), turnOf("two", 1, 3, 2, 50), broken, also,
		turnOf(ours, 2, 1, 3, 40), turnOf("one", 2, 2, 1, 60), turnOf("two", 2, 6, 2, 50),
		turnOf(ours, 3, 2, 2, 20), turnOf("one", 3, 5, 1, 70), turnOf("two", 3, 5, 2, 50),
	})
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	got := comparison(groups[0])
	want := [][]string{
		{ours, "2.00 s", "0.50", "1.00 s", "0.50", "2.00 s", "2.00", "40 MB", "0.80", "1,200 GET, 3 LIST", "3", "1.5 MB", "1,500 by 2 paths"},
		{"one", "4.00 s", "1.00", "2.00 s", "1.00", "1.00 s", "1.00", "80 MB", "1.60", "1,200 GET, 1 LIST", "3", "1.5 MB", "1,500 by 2 paths"},
		{"two", "5.00 s", "1.25", "3.00 s", "1.50", "2.00 s", "2.00", "50 MB", "1.00", "1,200 GET, 3 LIST", "3", "1.5 MB", "1,500 by 2 paths"},
		{"fast (!)", "0.01 s", "0.00", "0.01 s", "0.01", "0.01 s", "0.01", "1 MB", "0.02", "1,200 GET, 1 LIST", "3", "1.5 MB", "1,500 by 2 paths"},
		{"before", "0.05 s", "0.01", "0.05 s", "0.03", "0.05 s", "0.05", "5 MB", "0.10", "1,200 GET, 1 LIST", "3", "1.5 MB", "1,500 by 2 paths"},
	}
	if diff := cmp.Diff(got.rows, want); diff != "" {
		t.Errorf("rows (-got +want):\n%s", diff)
	}
	if notes := groups[0].notes(); len(notes) != 1 || !strings.Contains(notes[0], "1 of 1 turns were not sound") {
		t.Errorf("notes: %q", notes)
	}
	if row := groups[0].rows[0]; row.low != 1 || row.high != 9 {
		t.Errorf("the range is %g to %g", row.low, row.high)
	}
}

func TestNoPeerNoRatio(t *testing.T) {
	rows := comparison(summarize([]result{turnOf(ours, 1, 1, 1, 1)})[0]).rows
	if rows[0][2] != "–" {
		t.Errorf("the ratio to nobody is %q", rows[0][2])
	}
}

func TestTablesAsText(t *testing.T) {
	table := table{head: []string{"", "n"}, left: 1, rows: [][]string{{"é", "1"}, {"long", "20"}}}
	var plain, markdown bytes.Buffer
	table.plain(&plain)
	table.markdown(&markdown)
	if got, want := plain.String(), "       n\né      1\nlong  20\n"; got != want {
		t.Errorf("plain:\n%s", got)
	}
	if got, want := markdown.String(), "|  | n |\n| --- | ---: |\n| é | 1 |\n| long | 20 |\n"; got != want {
		t.Errorf("markdown:\n%s", got)
	}
}

func TestFigures(t *testing.T) {
	for _, row := range []struct{ got, want string }{
		{seconds(0.123), "0.12 s"}, {seconds(9.99), "9.99 s"}, {seconds(9.999), "10.0 s"}, {seconds(1234.5), "1,235 s"},
		{megabytes(1_234_567), "1.2 MB"}, {megabytes(711_000_000), "711 MB"}, {megabytes(12_345_678_901), "12.3 GB"},
		{thousands(0), "0"}, {thousands(999), "999"}, {thousands(1_000_000), "1,000,000"}, {ratio(1, 4), "0.25"},
	} {
		if row.got != row.want {
			t.Errorf("%q, want %q", row.got, row.want)
		}
	}
}

func TestFitted(t *testing.T) {
	for _, row := range []struct {
		name string
		x, y []float64
		want line
	}{
		{"a line", []float64{10, 100, 1000}, []float64{25, 205, 2005}, line{5, 2}},
		{"one point", []float64{10}, []float64{20}, line{0, 2}},
		{"a base below zero", []float64{10, 100}, []float64{10, 200}, line{0, 1.2}},
	} {
		got := fitted(row.x, row.y)
		if fmt.Sprintf("%.3f", got) != fmt.Sprintf("%.3f", row.want) {
			t.Errorf("%s: %.3f, want %.3f", row.name, got, row.want)
		}
	}
}

func TestCompare(t *testing.T) {
	now := tree{files: map[string]object{"same": {1, "a"}, "parts": {2, "b"}, "bytes": {3, "c"}, "size": {4, "d"}, "missing": {5, "e"}}}
	missing, different, left := now.compare(map[string]object{
		"same": {1, "a"}, "parts": {2, "x-2"}, "bytes": {3, "x"}, "size": {9, "x-2"}, "left": {1, "a"}, ".freshet-0123/current.json": {1, "a"},
	})
	if missing != 1 || different != 2 || left != 1 {
		t.Errorf("%d missing, %d different, %d left", missing, different, left)
	}
}

func TestBetween(t *testing.T) {
	const text = "a\n<!-- bench/publish begin x -->\nold\n<!-- bench/publish end x -->\nb\n"
	got, err := between(text, "x", "new\n")
	if want := strings.Replace(text, "old", "new", 1); err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := between(text, "y", "new\n"); err == nil {
		t.Error("a part without markers is written")
	}
}

func TestLaunch(t *testing.T) {
	for _, row := range []struct {
		name     string
		commands [][]string
		exit     int
	}{
		{"sound", [][]string{{"sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"}, {"true"}}, 0},
		{"the first fails", [][]string{{"sh", "-c", "exit 3"}, {"sh", "-c", "exit 4"}}, 3},
	} {
		in, err := json.Marshal(work{Commands: row.commands, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := launch(bytes.NewReader(in), &out); err != nil {
			t.Fatal(err)
		}
		var u usage
		if err := json.Unmarshal(out.Bytes(), &u); err != nil {
			t.Fatal(err)
		}
		if u.Exit != row.exit || u.Wall <= 0 || u.Peak <= 0 {
			t.Errorf("%s: %+v", row.name, u)
		}
	}
}

// TestWhole measures freshet, built from this tree, with a small site, writes the document, and makes it again from what was stored.
func TestWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and measures")
	}
	dir := t.TempDir()
	const empty = "# Performance\n<!-- bench/publish begin tools -->\n<!-- bench/publish end tools -->\n<!-- bench/publish begin scale -->\n<!-- bench/publish end scale -->\n"
	path := filepath.Join(dir, document)
	if err := os.WriteFile(path, []byte(empty), 0o644); err != nil {
		t.Fatal(err)
	}
	stored := filepath.Join(dir, "results.jsonl")
	flags := []string{"-tools", ours, "-rounds", "1", "-settle", "0", "-scratch", dir, "-json", stored, "-write", dir}
	ctx := context.Background()
	if err := run(ctx, append(flags, "-n", "100", "-latency", "0")); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, append(flags, "-scale", "150", "-latency", "0")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(stored)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, results, err := readResults(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(scenarioNames)+len(scaleScenarios) {
		t.Errorf("%d results", len(results))
	}
	for _, r := range results {
		if !r.sound() || r.Peak <= 0 || r.Requests() == 0 {
			t.Errorf("%+v", r)
		}
		if (r.Scenario == post || r.Scenario == removal) && (r.Changed == 0 || r.Invalidated > r.Changed) {
			t.Errorf("%s: %d objects invalidated for %d changes", r.Scenario, r.Invalidated, r.Changed)
		}
		if r.Scenario == nothing && (r.Sent != 0 || r.Items != 0) {
			t.Errorf("%s: sent %d bytes and %d paths", r.Scenario, r.Sent, r.Items)
		}
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(first), "One new post") || !strings.Contains(string(first), "Some changed") {
		t.Errorf("the document:\n%s", first)
	}
	if err := run(ctx, []string{"-from", stored, "-write", dir}); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(second), string(first)); diff != "" {
		t.Errorf("the document made again (-second +first):\n%s", diff)
	}
}

func TestParse(t *testing.T) {
	for _, row := range []struct {
		args  []string
		files []int
		fails bool
	}{
		{nil, []int{2000}, false},
		{[]string{"-n", "10, 20"}, []int{10, 20}, false},
		{[]string{"-scale", "1000"}, nil, false},
		{[]string{"-scale", "1000", "-n", "5"}, []int{5}, false},
		{[]string{"-n", "x"}, nil, true},
		{[]string{"-latency", ""}, nil, true},
		{[]string{"-program", "aws"}, nil, true},
	} {
		o, err := parse(row.args)
		if (err != nil) != row.fails {
			t.Errorf("%q: %v", row.args, err)
		}
		if diff := cmp.Diff(o.files, row.files); err == nil && diff != "" {
			t.Errorf("%q: files (-got +want):\n%s", row.args, diff)
		}
	}
}
