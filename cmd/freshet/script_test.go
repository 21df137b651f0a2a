package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// atOnce is how many scripts run at a time, unless -parallel says otherwise: they
// wait for about half of their time.
const atOnce = 4

// TestMain makes the scripts' programs: freshet itself and the small tools
// that look at what it did.
func TestMain(m *testing.M) {
	if runtime.GOMAXPROCS(0) < atOnce {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil { // what the command line says comes after it
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){
		"freshet":  main,
		"httpget":  tool(httpget),
		"jsonpath": tool(jsonpath),
		"gencert":  tool(gencert),
		"pty":      tool(pty),
		"stuck":    tool(stuck),
	})
}

// TestScripts runs the behaviour of every command, as people type it.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(scripts) < 5 {
		t.Fatalf("found %d scripts: %v", len(scripts), err)
	}
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return nil
		},
		Condition: judgeHere,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"envjson": envjson, "await": await, "sh": shell, "blocks": blocks,
		},
	})
}

// judgeHere decides [judge:NAME], an outside program that a script needs. CI
// forbids to go without one.
func judgeHere(cond string) (bool, error) {
	name, ok := strings.CutPrefix(cond, "judge:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("FRESHET_REQUIRE_JUDGES") != "" {
			return false, fmt.Errorf("%s is required and not installed", name)
		}
		return false, nil
	}
	return true, nil
}

// await waits for a file: "await .freshet/local/running.json".
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not appear", args[0])
		}
	}
}

// envjson sets variables from a JSON file: "envjson FILE NAME=.path …".
func envjson(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: envjson FILE NAME=.path …")
	}
	for _, arg := range args[1:] {
		name, path, _ := strings.Cut(arg, "=")
		value, err := lookup([]byte(ts.ReadFile(args[0])), path)
		ts.Check(err)
		ts.Setenv(name, strings.Trim(value, `"`))
	}
}

// shell runs a line by a real shell: "sh 'freshet invalidate /*'". Its output
// is that of the line; "! sh" wants it to fail.
func shell(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sh LINE")
	}
	err := ts.Exec("sh", "-c", args[0])
	if neg && err == nil {
		ts.Fatalf("the line did not fail")
	}
	if !neg {
		ts.Check(err)
	}
}

// tool turns a function into a program.
func tool(f func(args []string) error) func() {
	return func() {
		if err := f(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// httpget prints status, headers and body of a GET whose path is sent as it is
// spelled: "httpget URL".
func httpget(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: httpget URL")
	}
	u, err := url.Parse(args[0])
	if err != nil {
		return err
	}
	client := http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"Accept-Encoding": {"identity"}}})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	fmt.Println(res.Proto, res.Status)
	for name := range res.Header {
		fmt.Printf("%s: %s\n", name, res.Header.Get(name))
	}
	fmt.Println()
	_, err = io.Copy(os.Stdout, res.Body)
	return err
}

// jsonpath prints one value of the JSON object on standard input, compact:
// "jsonpath .invalidation.items.0". ".x.len" is the length of a list.
func jsonpath(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: jsonpath .path")
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	value, err := lookup(data, args[0])
	fmt.Println(value)
	return err
}

func lookup(data []byte, path string) (string, error) {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return "", fmt.Errorf("not one JSON value: %w: %s", err, data)
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[name]
			if !ok {
				return "", fmt.Errorf("%s: there is no %q", path, name)
			}
			v = next
		case []any:
			if name == "len" {
				v = float64(len(at))
				continue
			}
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return "", fmt.Errorf("%s: there is no element %q of %d", path, name, len(at))
			}
			v = at[i]
		default:
			return "", fmt.Errorf("%s: %q is in neither object nor list", path, name)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(out.String()), err
}
