package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// blocks writes the sh blocks of one of the project's documents into a file, in
// their order: "blocks docs/x.md steps.sh".
func blocks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: blocks DOCUMENT FILE")
	}
	text, err := os.ReadFile(filepath.Join(ts.Getenv("EXAMPLES"), "..", args[0]))
	ts.Check(err)
	var out strings.Builder
	inside := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && line == "```sh\n"
		case inside:
			out.WriteString(line)
		}
	}
	if out.Len() == 0 {
		ts.Fatalf("%s has no sh blocks", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o666))
}
