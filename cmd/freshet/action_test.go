package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// action is what the test reads of action.yml.
type action struct {
	Inputs  map[string]struct{ Description, Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []actionStep
	}
}

type actionStep struct {
	Name, ID, If, Uses, Shell, Run string
	Env                            map[string]string
}

var expression = regexp.MustCompile(`\$\{\{ *([a-z.-]+) *\}\}`)

// runAction carries the shell steps of action.yml out, as a runner does, and
// returns what freshet and the steps printed, and the exit code of the last.
func runAction(t *testing.T, inputs map[string]string) (out string, outputs map[string]string, code int) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	file := readAction(t, root)
	values := map[string]string{}
	for name, in := range file.Inputs {
		values["inputs."+name] = in.Default
	}
	for name, value := range inputs {
		if _, ok := file.Inputs[name]; !ok {
			t.Fatalf("action.yml has no input %q", name)
		}
		values["inputs."+name] = value
	}
	temp := t.TempDir()
	for i, step := range file.Runs.Steps {
		if step.Run == "" {
			continue
		}
		results := filepath.Join(temp, "output"+string(rune('0'+i)))
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		cmd.Env = append(os.Environ(), "GITHUB_OUTPUT="+results, "GITHUB_ACTION_PATH="+root, "RUNNER_TEMP="+temp, "XDG_CACHE_HOME="+temp)
		for name, value := range step.Env {
			cmd.Env = append(cmd.Env, name+"="+evaluate(t, values, value))
		}
		text, err := cmd.CombinedOutput()
		out += string(text)
		readOutputs(t, results, "steps."+step.ID+".outputs.", values)
		code = cmd.ProcessState.ExitCode()
		if err != nil {
			break
		}
	}
	outputs = map[string]string{}
	for name, o := range file.Outputs {
		outputs[name] = evaluate(t, values, o.Value)
	}
	return out, outputs, code
}

func readAction(t *testing.T, root string) action {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file action
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if file.Runs.Using != "composite" || len(file.Runs.Steps) < 3 {
		t.Fatalf("action.yml is no composite action with steps: %+v", file.Runs)
	}
	return file
}

// evaluate puts values in the place of ${{ expressions }}.
func evaluate(t *testing.T, values map[string]string, text string) string {
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		name := expression.FindStringSubmatch(e)[1]
		value, ok := values[name]
		if !ok {
			t.Errorf("action.yml uses %s, which nothing sets", name)
		}
		return value
	})
}

func readOutputs(t *testing.T, file, prefix string, values map[string]string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[prefix+name] = value
	}
}

func TestActionPublishes(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	dir := filepath.Join(t.TempDir(), "a site")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<!doctype html>home"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := "--data\n" + filepath.Join(t.TempDir(), "the cloud")
	program, err := exec.LookPath("freshet")
	if err != nil {
		t.Fatal(err)
	}

	rows := []struct {
		name   string
		inputs map[string]string
		code   int
		want   string
	}{
		{"deploy", map[string]string{"directory": dir, "target": "local", "arguments": data + "\n--quiet=false", "program": program}, 0, "Release r1-"},
		{"the shell expands nothing", map[string]string{"command": "invalidate", "directory": dir, "arguments": data + "\n/*", "program": program}, 0, "completed"},
		{"a guard", map[string]string{"directory": filepath.Dir(data), "target": "nowhere", "program": program}, 2, "freshet: error: "},
		{"built from source", map[string]string{"command": "version"}, 0, "freshet "},
	}
	for _, row := range rows {
		if row.name == "built from source" && os.Getenv("FRESHET_REQUIRE_JUDGES") == "" {
			continue // takes minutes where the build cache is cold; .ci/run does it
		}
		out, outputs, code := runAction(t, row.inputs)
		if code != row.code || !strings.Contains(out, row.want) || outputs["exit-code"] != string(rune('0'+row.code)) {
			t.Errorf("%s: exit code %d, outputs %v, want %d and %q:\n%s", row.name, code, outputs, row.code, row.want, out)
		}
	}
}

// No step puts an expression into a script, where a value could be read as code.
func TestActionScriptsHoldNoExpressions(t *testing.T) {
	for _, step := range readAction(t, filepath.Join("..", "..")).Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("the step %q has an expression in its script; pass it by env", step.Name)
		}
		if (step.Run == "") == (step.Uses == "") || step.Run != "" && step.Shell != "bash" {
			t.Errorf("the step %q has neither or both of run and uses, or no shell", step.Name)
		}
	}
}
