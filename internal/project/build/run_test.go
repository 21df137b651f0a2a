//go:build unix

package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FROM_PROCESS", "yes")
	path := "PATH=" + os.Getenv("PATH")
	tests := []struct {
		name, command       string
		env                 []string
		out, errOut, failed string
		code                int
		hint                string
	}{
		{name: "folder", command: "pwd -P", out: dir + "\n"},
		{name: "both outputs", command: "echo a; echo b >&2", out: "a\n", errOut: "b\n"},
		{name: "shell syntax", command: "false || (echo 'a  b'\necho c)", out: "a  b\nc\n"},
		{name: "environment of the process", command: "echo $FROM_PROCESS$FRESHET", out: "yes\n"},
		{name: "environment given", command: "echo $FROM_PROCESS-$X", env: []string{path, "X=1"}, out: "-1\n"},
		{name: "no input", command: "cat", out: ""},
		{name: "exit status", command: "exit 3", failed: `run the build command "exit 3": exit status 3`, code: 3},
		{name: "no such program", command: "no-such-program-here 2>/dev/null", failed: "exit status 127", code: 127, hint: "not installed or not on PATH"},
		{name: "not executable", command: "./ 2>/dev/null", failed: "exit status 126", code: 126, hint: "chmod +x"},
		{name: "signal", command: "kill -9 $$", failed: "signal: killed", code: -1},
		{name: "empty", command: " ", failed: "it is empty", code: -1, hint: "freshet.yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			err := Run(t.Context(), Options{Dir: dir, Command: tt.command, Env: tt.env, Stdout: &out, Stderr: &errOut})
			if out.String() != tt.out || errOut.String() != tt.errOut {
				t.Errorf("wrote %q and %q; want %q and %q", &out, &errOut, tt.out, tt.errOut)
			}
			checkError(t, err, tt.failed, tt.code, tt.hint)
		})
	}
}

// checkError checks an error of Run; failed "" means that there must be none.
func checkError(t *testing.T, err error, failed string, code int, hint string) {
	t.Helper()
	if failed == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), failed) || e.Code != code {
		t.Fatalf("error %#v; want %q with code %d", err, failed, code)
	}
	if !strings.Contains(e.Hint(), hint) || hint == "" && e.Hint() != "" {
		t.Errorf("hint %q; want %q", e.Hint(), hint)
	}
}

func TestRunInMissingFolder(t *testing.T) {
	err := Run(t.Context(), Options{Dir: filepath.Join(t.TempDir(), "none"), Command: "true"})
	checkError(t, err, "no such file", -1, "")
}

func TestRunCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, Options{Dir: t.TempDir(), Command: "true"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want context.Canceled", err)
	}
}

// running starts a command whose output is a pipe of the system, waits until it
// has written "ready", cancels it, and returns what it wrote after that. The
// pipe ends only when no process is left that holds it, so a return proves
// that the whole group is gone. A command that is to end at once reads from
// "fifo", which nobody writes to: a shell that starts a program just then may
// lose the interrupt between fork and exec.
func running(t *testing.T, o Options) (rest string, err error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// A group that survives fails the test instead of holding it up.
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Dir, o.Stdout = t.TempDir(), w
	if err := syscall.Mkfifo(filepath.Join(o.Dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, o)
		w.Close()
	}()
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(r, ready); err != nil || string(ready) != "ready\n" {
		t.Fatalf("read %q, %v", ready, err)
	}
	cancel()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(all), <-done
}

func TestInterrupt(t *testing.T) {
	tests := []struct {
		name, command string
		grace         time.Duration
		rest          string
	}{
		{"the shell ends at once", "echo ready; read x < fifo; echo late", time.Minute, ""},
		{"a child may clean up", `sh -c 'trap "echo cleaned; exit 0" INT; echo ready; i=0; while [ $i -lt 10000 ]; do i=$((i+1)); sleep 0.01; done'; exit 1`, time.Minute, "cleaned\n"},
		{"the shell ignores it", `trap "" INT; echo ready; sleep 120; echo late`, 50 * time.Millisecond, ""},
		{"a background process ignores it", `sh -c 'trap "" INT; echo ready; sleep 120; echo late' & wait`, 50 * time.Millisecond, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rest, err := running(t, Options{Command: tt.command, Grace: tt.grace})
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
				t.Errorf("error %v; want an interruption", err)
			}
			if rest != tt.rest {
				t.Errorf("wrote %q after the interrupt; want %q", rest, tt.rest)
			}
		})
	}
}

// TestLeftBehind: a daemon that keeps the output open does not make a build
// that succeeded fail, nor wait for ever.
func TestLeftBehind(t *testing.T) {
	var out bytes.Buffer
	pid := filepath.Join(t.TempDir(), "pid")
	command := fmt.Sprintf("sleep 120 & echo $! > %s; echo built", pid)
	err := Run(t.Context(), Options{Dir: t.TempDir(), Command: command, Stdout: &out, Grace: 20 * time.Millisecond})
	if err != nil {
		t.Error(err)
	}
	if err := Run(t.Context(), Options{Dir: t.TempDir(), Command: "kill $(cat " + pid + ")"}); err != nil {
		t.Errorf("the process that was left behind is gone: %v", err)
	}
}

// engineScript stands in for docker: it notes its arguments one a line, writes
// the id as docker does, and runs the command on this machine.
const engineScript = `#!/bin/sh
log=$(dirname "$0")/log
for a in "$@"; do echo "$a" >> "$log"; done
[ "$1" = kill ] && exit 0
[ "$3" = --cidfile ] && echo c0ffee > "$4"
while [ "$1" != sh ]; do shift; done
exec "$@"
`

// engine makes a folder with stand-ins, first on the PATH, and returns the
// folder and the environment.
func engine(t *testing.T, names ...string) (dir string, env []string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(engineScript), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []string{"sh", "dirname", "sleep"} {
		for _, place := range filepath.SplitList(os.Getenv("PATH")) {
			if full := filepath.Join(place, tool); os.Symlink(full, filepath.Join(dir, tool)) == nil {
				if _, err := os.Stat(full); err == nil {
					break
				}
				os.Remove(filepath.Join(dir, tool))
			}
		}
	}
	return dir, []string{"PATH=relative" + string(filepath.ListSeparator) + dir}
}

func TestRunContainer(t *testing.T) {
	tests := []struct {
		name    string
		engines []string
		extra   []string // for podman alone
	}{
		{"docker", []string{"docker", "podman"}, nil},
		{"podman", []string{"podman"}, []string{"--userns", "keep-id"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bin, env := engine(t, tt.engines...)
			dir := t.TempDir()
			var out bytes.Buffer
			err := Run(t.Context(), Options{Dir: dir, Command: "echo 'a  b'; exit 3", Image: "img:1", Env: env, Stdout: &out})
			checkError(t, err, "exit status 3", 3, "")
			if out.String() != "a  b\n" {
				t.Errorf("wrote %q", &out)
			}
			want := []string{"run", "--rm", "--cidfile", "ID", "-v", dir + ":/site", "-w", "/site",
				"--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())}
			if os.Getuid() != 0 {
				want = append(want, tt.extra...)
			}
			want = append(want, "img:1", "sh", "-c", "echo 'a  b'; exit 3")
			got := logged(t, bin)
			got[3] = "ID" // a new name each time
			if diff := cmp.Diff(got, want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func logged(t *testing.T, bin string) []string {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(bin, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(log), "\n"), "\n")
}

// TestRelativePath: an entry of PATH that is not absolute would run a program
// of the project.
func TestRelativePath(t *testing.T) {
	bin, _ := engine(t, "docker")
	t.Chdir(filepath.Dir(bin))
	env := []string{"PATH=" + filepath.Base(bin)}
	err := Run(t.Context(), Options{Dir: ".", Command: "true", Image: "img", Env: env})
	checkError(t, err, "needs docker or podman", -1, "install one")
}

func TestArguments(t *testing.T) {
	got := Options{Image: "i", Command: "c"}.arguments("podman", "/p", "/t/id")
	mapped := strings.Contains(strings.Join(got, " "), "--userns keep-id")
	if mapped != (os.Getuid() != 0) {
		t.Errorf("%q as user %d", got, os.Getuid())
	}
}

func TestContainerIsKilled(t *testing.T) {
	bin, env := engine(t, "docker")
	_, err := running(t, Options{Command: "echo ready; read x < fifo; echo late", Image: "img", Env: env, Grace: time.Minute})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want an interruption", err)
	}
	lines := logged(t, bin)
	if diff := cmp.Diff(lines[len(lines)-2:], []string{"kill", "c0ffee"}); diff != "" {
		t.Error(diff)
	}
}

func TestContainerCannotStart(t *testing.T) {
	_, noEngine := engine(t)
	_, env := engine(t, "docker")
	colon := filepath.Join(t.TempDir(), "a:b")
	if err := os.Mkdir(colon, 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name         string
		o            Options
		failed, hint string
		code         int
	}{
		{"no engine", Options{Dir: t.TempDir(), Env: noEngine}, "needs docker or podman", "install one", -1},
		{"colon", Options{Dir: colon, Env: env}, "holds a colon", "move the project", -1},
		{"the engine fails", Options{Dir: t.TempDir(), Env: env, Command: "exit 125"}, "exit status 125", "could not be started", 125},
		{"no such program", Options{Dir: t.TempDir(), Env: env, Command: "exit 127"}, "exit status 127", "not in the image img", 127},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Image = "img"
			if tt.o.Command == "" {
				tt.o.Command = "true"
			}
			checkError(t, Run(t.Context(), tt.o), tt.failed, tt.code, tt.hint)
		})
	}
}
