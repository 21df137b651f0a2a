package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet/freshet/internal/manual"
)

func programReference(t *testing.T) manual.Reference {
	t.Helper()
	app := &app{host: host{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }}}
	ref, err := reference(app.root())
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// What docs/commands.md says is what the program says.
func TestCommandReferenceIsWhatTheProgramSays(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join("..", "..", "docs", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), string(programReference(t).Markdown())); diff != "" {
		t.Errorf("docs/commands.md is not what the program says; type `make docs`. Committed-, program+:\n%s", diff)
	}
}

// The README's tables name every command, every exit code and every global flag.
func TestReadmeNamesEveryCommandAndExitCode(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme, ref := string(data), programReference(t)
	_, commands, ok := strings.Cut(readme, "\n## Commands\n")
	if !ok {
		t.Fatal("README.md has no section Commands")
	}
	for _, c := range ref.Commands {
		name := strings.TrimPrefix(c.Name, "freshet ")
		if !strings.Contains(commands, "`"+name+"`") && !strings.Contains(commands, "`"+name+" ") {
			t.Errorf("README.md does not name the command %s", name)
		}
	}
	for _, e := range ref.Exits {
		if row := "| " + string(rune('0'+e.Code)) + " | " + e.Means + " |"; !strings.Contains(commands, row) {
			t.Errorf("README.md lacks the row %q", row)
		}
	}
	for _, f := range ref.Global {
		if !strings.Contains(commands, "`--"+f.Name) && !strings.Contains(commands, "`-"+f.Short) {
			t.Errorf("README.md does not name the flag --%s", f.Name)
		}
	}
	if len(ref.Commands) < 15 || len(ref.Exits) != exitRefused+1 {
		t.Errorf("found %d commands and %d exit codes", len(ref.Commands), len(ref.Exits))
	}
}

// Each man page is read by groff without a warning.
func TestManPages(t *testing.T) {
	pages := programReference(t).Pages()
	if pages["freshet.1"] == nil || pages["freshet-deploy.1"] == nil {
		t.Fatalf("only %d pages", len(pages))
	}
	groff, err := exec.LookPath("groff")
	if err != nil && os.Getenv("FRESHET_REQUIRE_JUDGES") != "" {
		t.Fatal("groff is required and not installed")
	}
	if err != nil {
		t.Skip("groff is not installed")
	}
	for name, text := range pages {
		cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		cmd.Stdin = bytes.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
