package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	if len(ref.Commands) < 15 || len(ref.Exits) != exitMistake+1 {
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

// Every command line of freshet in the documents names a command, and flags
// that the command has.
func TestDocumentsNameCommandsAndFlagsThatAreThere(t *testing.T) {
	known := map[string]map[string]bool{}
	ref := programReference(t)
	for _, c := range ref.Commands {
		flags := map[string]bool{"help": true}
		for _, f := range append(c.Flags, ref.Global...) {
			flags[f.Name] = true
		}
		known[strings.TrimPrefix(c.Name, "freshet ")] = flags
	}
	known["help"], known["docs"] = map[string]bool{}, map[string]bool{"man": true}
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range append(files, filepath.Join("..", "..", "README.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "commands.md" {
			continue // what the program itself says
		}
		lines := inlineCommand.FindAllStringSubmatch(string(text), -1)
		for _, block := range shellBlock.FindAllString(string(text), -1) {
			lines = append(lines, typedCommand.FindAllStringSubmatch(block, -1)...)
		}
		for _, m := range lines {
			seen++
			flags, ok := known[m[1]]
			if !ok {
				t.Errorf("%s: there is no command in %q", file, m[0])
				continue
			}
			for _, f := range longFlag.FindAllStringSubmatch(m[2], -1) {
				if !flags[f[1]] {
					t.Errorf("%s: freshet %s has no flag --%s", file, m[1], f[1])
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("found only %d command lines", seen)
	}
}

// The units and the compose file of examples/fleet call commands and flags that are there.
func TestFleetExamplesNameFlagsThatAreThere(t *testing.T) {
	known := map[string]map[string]bool{}
	ref := programReference(t)
	for _, c := range ref.Commands {
		flags := map[string]bool{}
		for _, f := range append(c.Flags, ref.Global...) {
			flags[f.Name] = true
		}
		known[strings.TrimPrefix(c.Name, "freshet ")] = flags
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "fleet", "*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range exampleCommand.FindAllStringSubmatch(string(text), -1) {
			seen++
			for _, f := range longFlag.FindAllStringSubmatch(m[2], -1) {
				if !known[m[1]][f[1]] {
					t.Errorf("%s: freshet %s has no flag --%s", file, m[1], f[1])
				}
			}
		}
	}
	if seen != 7 {
		t.Errorf("found %d command lines", seen)
	}
}

var exampleCommand = regexp.MustCompile(`(?m)^(?:ExecStart=/usr/local/bin/freshet| +command:) (control|edge)( .*)$`)

var (
	inlineCommand = regexp.MustCompile("`freshet ([a-z]+)([^`&;|]*)`")
	shellBlock    = regexp.MustCompile("(?s)\n```(?:sh|console)\n.*?\n```\n")
	typedCommand  = regexp.MustCompile(`(?m)^ *(?:\$ )?freshet ([a-z]+)([^&;|\n]*)`)
	longFlag      = regexp.MustCompile(`\s--([a-z][a-z-]*)`)
)
