package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// quoted is what hints have between backquotes.
var quoted = regexp.MustCompile("`([^`]+)`")

// others are programs that are not freshet's own and may be named in a hint.
var others = map[string]bool{"aws": true, "df": true, "ls": true, "timedatectl": true, "sudo": true, "ulimit": true, "ssh": true, "docker": true, "podman": true}

// checkCommands makes sure that the commands in a hint exist, with their flags,
// and returns them.
func checkCommands(t *testing.T, hint string) []string {
	t.Helper()
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(hint, -1) {
		program, _, _ := strings.Cut(m[1], " ")
		switch {
		case strings.Contains(program, ":"): // a line of freshet.yaml
		case program == "freshet":
			checkOwn(t, m[1])
			out = append(out, m[1])
		case others[program]:
			out = append(out, m[1])
		default:
			t.Errorf("nobody knows the command %q", m[1])
		}
	}
	return out
}

// checkOwn parses a command of freshet's as cobra would, without running it.
func checkOwn(t *testing.T, line string) {
	t.Helper()
	root := (&app{host: host{getenv: func(string) string { return "" }}}).root()
	words := shellWords(line)[1:]
	cmd, rest, err := root.Find(words)
	if err != nil || cmd == root && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		t.Errorf("%q: there is no such command: %v", line, err)
		return
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", line, err)
		return
	}
	if help, _ := cmd.Flags().GetBool("help"); help {
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%q: %v", line, err)
	}
}

// shellWords splits a line as a shell does, as far as hints need it.
func shellWords(line string) []string {
	var words []string
	for _, w := range regexp.MustCompile(`(?:'[^']*'|[^\s'])+`).FindAllString(line, -1) {
		words = append(words, strings.ReplaceAll(w, "'", ""))
	}
	return words
}

// Every command that stands in a text of the program exists, with its flags: in
// hints, in errors, in help and in findings.
func TestCommandsInTextsExist(t *testing.T) {
	found := 0
	for _, dir := range []string{".", "../../internal/doctor", "../../internal/publish", "../../internal/project", "../../internal/ui", "../../internal/cloud"} {
		for _, text := range literals(t, dir) {
			text = strings.ReplaceAll(text, "`freshet *", "`freshet deploy")
			text = regexp.MustCompile(`%(\[\d\])?[sdq]`).ReplaceAllString(text, "X")
			for _, m := range quoted.FindAllStringSubmatch(text, -1) {
				if strings.HasPrefix(m[1], "freshet ") && !strings.Contains(m[1], "--X") && !strings.Contains(m[1], "(") {
					found++
					checkOwn(t, m[1])
				}
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d commands were found", found)
	}
}

// literals are the string literals below dir, those that are added up as one.
func literals(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, ok := constant(e)
			if ok {
				out = append(out, text)
			}
			return !ok
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// constant is the text of a literal, or of a sum with one; what else is in the sum
// is "X".
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, e.Kind == token.STRING && err == nil
	case *ast.BinaryExpr:
		left, isLeft := constant(e.X)
		right, isRight := constant(e.Y)
		if e.Op != token.ADD || !isLeft && !isRight {
			return "", false
		}
		if !isLeft {
			left = "X"
		}
		if !isRight {
			right = "X"
		}
		return left + right, true
	}
	return "", false
}

// A hint names the folder, config and target that the run was for, where its
// command does not name others.
func TestHintsAreForTheSameProject(t *testing.T) {
	a := &app{dir: "my site", targetName: "production", configFile: "conf.yaml", running: &cobra.Command{Use: "freshet"}}
	rows := []struct{ name, hint, want string }{
		{"all", "type `freshet deploy --yes`", "type `freshet deploy -C 'my site' --config conf.yaml --target production --yes`"},
		{"nothing to address", "`freshet version` says", "`freshet version` says"},
		{"help", "`freshet deploy --help` lists", "`freshet deploy --help` lists"},
		{"its own", "`freshet plan -C FOLDER --target NAME`", "`freshet plan --config conf.yaml -C FOLDER --target NAME`"},
		{"this machine alone", "`freshet dev`", "`freshet dev -C 'my site' --config conf.yaml`"},
		{"two", "`freshet build`, then `freshet status`", "`freshet build -C 'my site' --config conf.yaml`, then `freshet status -C 'my site' --config conf.yaml --target production`"},
		{"others", "`aws sso login`, or `site:`", "`aws sso login`, or `site:`"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if got := a.addressed(r.hint); got != r.want {
				t.Errorf("%s\nwant %s", got, r.want)
			}
		})
	}
}

// Findings of doctor are for the same project, whether they are a command or a
// sentence, and once only.
func TestFindingsAreForTheSameProject(t *testing.T) {
	a := &app{dir: ".", targetName: "production"}
	rows := [][2]string{
		{"freshet doctor --fix", "freshet doctor --target production --fix"},
		{"`freshet deploy` finishes it", "`freshet deploy --target production` finishes it"},
		{"`freshet doctor --target production` checks them", "`freshet doctor --target production` checks them"},
		{"aws cloudfront wait distribution-deployed", "aws cloudfront wait distribution-deployed"},
	}
	for _, r := range rows {
		if got := a.named(r[0]); got != r[1] {
			t.Errorf("%s became %s, want %s", r[0], got, r[1])
		}
	}
}
