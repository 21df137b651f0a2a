package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet/freshet/internal/crash"
)

// commandLine runs the program in this process and returns its exit code and what
// it wrote.
func commandLine(t *testing.T, more []func() *cobra.Command, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(t.Context(), args, host{
		stdin: strings.NewReader(""), stdout: &out, stderr: &problems, getenv: os.Getenv, now: time.Now, more: more,
	})
	return code, out.String(), problems.String()
}

// blunder is a command that panics in the way that it is told. The program itself
// has no such command: only tests fill host.more.
func blunder() *cobra.Command {
	cmd := &cobra.Command{Use: "blunder WHERE", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		switch args[0] {
		case "here":
			return errors.New(args[len(args)])
		case "worker":
			g, _ := crash.WithContext(cmd.Context())
			g.Go(func() error { panic(errors.New("in a worker")) })
			return fmt.Errorf("upload a.html: %w", g.Wait())
		}
		return nil
	}}
	cmd.Flags().String("secret", "", "a value that is nobody's business")
	return cmd
}

// A mistake in freshet is one sentence, a file with the details, what to type, and
// an exit code of its own; never a stack on the terminal.
func TestMistakesOfTheProgram(t *testing.T) {
	rows := []struct{ where, says string }{
		{"here", "freshet: error: freshet made a mistake: runtime error: index out of range [1] with length 1\n"},
		{"worker", "freshet: error: upload a.html: freshet made a mistake: in a worker\n"},
	}
	for _, r := range rows {
		t.Run(r.where, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			code, stdout, stderr := commandLine(t, []func() *cobra.Command{blunder}, "blunder", r.where, "--secret", "hunter2", "-C", "my site")
			if code != exitMistake || stdout != "" {
				t.Errorf("exit code %d, and on standard output %q", code, stdout)
			}
			if !strings.HasPrefix(stderr, r.says) || strings.Contains(stderr, "goroutine") || strings.Count(stderr, "\n") != 2 {
				t.Errorf("it says:\n%s", stderr)
			}
			if !strings.Contains(stderr, "nothing is lost") || !strings.Contains(stderr, "`freshet deploy -C 'my site'`") {
				t.Errorf("it does not say what is safe to type:\n%s", stderr)
			}
			text := details(t, temp, stderr)
			for _, want := range []string{"blunder", "crash_test.go", "freshet blunder --directory --secret\n", "go1."} {
				if !strings.Contains(text, want) {
					t.Errorf("the details lack %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "hunter2") {
				t.Error("the details have the value of a flag")
			}
		})
	}
}

// details is the file that stderr names, the only one in temp.
func details(t *testing.T, temp, stderr string) string {
	t.Helper()
	named := regexp.MustCompile(regexp.QuoteMeta(temp) + `\S+\.txt`).FindString(stderr)
	there, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil || len(there) != 1 || there[0] != named {
		t.Fatalf("%q is named, %q is there: %v", named, there, err)
	}
	text, err := os.ReadFile(named)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMistakeWithoutPlaceForDetails(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	code, _, stderr := commandLine(t, []func() *cobra.Command{blunder}, "blunder", "here")
	if code != exitMistake || !strings.Contains(stderr, "the details could not be written down: ") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
}

// The program that people get has no command that panics, hidden or not.
func TestNoBackDoor(t *testing.T) {
	if code, _, stderr := commandLine(t, nil, "blunder", "here"); code != exitUsage || !strings.Contains(stderr, `there is no command "blunder"`) {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
}

// A server that panics while it answers says so in one sentence, at whatever level
// its log is, and goes on serving.
func TestMistakesOfServers(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var stderr bytes.Buffer
	a := &app{host: host{stderr: &stderr, now: time.Now}}
	log := a.logger()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mistake" {
			panic("what now?")
		}
		_, _ = io.WriteString(w, "page")
	}))
	server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	server.Start()
	if res, err := server.Client().Get(server.URL + "/mistake"); err == nil {
		t.Errorf("the mistake was answered with %s", res.Status)
	}
	res, err := server.Client().Get(server.URL + "/page")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	server.Close()
	const says = "freshet: error: freshet made a mistake while it answered a request, and goes on serving; please report the details, which are in "
	if text := stderr.String(); !strings.HasPrefix(text, says) || strings.Contains(text, "goroutine") {
		t.Errorf("it says:\n%s", text)
	}
	if text := details(t, temp, stderr.String()); !strings.Contains(text, "what now?") || !strings.Contains(text, "TestMistakesOfServers") {
		t.Errorf("the details:\n%s", text)
	}
}

// What else a server logs stays as it is, and below the level it stays away.
func TestServingLogPassesTheRestOn(t *testing.T) {
	var stderr bytes.Buffer
	a := &app{host: host{stderr: &stderr, now: time.Now}}
	log := a.logger()
	log.DebugContext(context.Background(), "unseen")
	log.With("path", "/a").Warn("origin request failed")
	if text := stderr.String(); !strings.Contains(text, `level=WARN msg="origin request failed" path=/a`) || strings.Contains(text, "unseen") {
		t.Errorf("logged: %s", text)
	}
}
